"""The errors of the package, as those who catch, log or send them meet them."""

import pickle

import pytest

from asynccache import CacheClosed, CacheError, LoadCancelled, RecursiveLoad

ERRORS = [LoadCancelled("shop.price", "secret"), RecursiveLoad("shop.price", "secret"), CacheClosed("shop.price")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_names_the_cache_but_never_the_key(error: CacheError) -> None:
    """A message may be logged anywhere, and a key may be private."""
    assert "shop.price" in str(error)
    assert "secret" not in str(error) + repr(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_survives_the_way_to_another_process(error: CacheError) -> None:
    """Pickled, an error is still of its type, with its facts."""
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert (str(twin), vars(twin)) == (str(error), vars(error))


def test_mistakes_in_programs_are_runtime_errors_too() -> None:
    """Whoever comes from async-lru or functools catches what they caught there."""
    assert issubclass(RecursiveLoad, RuntimeError)
    assert issubclass(CacheClosed, RuntimeError)
    assert not issubclass(LoadCancelled, RuntimeError)
