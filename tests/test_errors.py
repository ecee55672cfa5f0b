"""The errors of the package, as those who catch, log or send them meet them."""

import asyncio
import inspect
import pickle

import pytest

import asynccache
from asynccache import (
    CacheClosed,
    CacheError,
    LoadCancelled,
    LoadTimeout,
    LockTimeout,
    RecursiveLoad,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    errors,
)

ERRORS = [
    LoadCancelled("shop.price", "secret"),
    LoadTimeout("shop.price", "secret"),
    RecursiveLoad("shop.price", "secret"),
    CacheClosed("shop.price"),
    StoreError("shop.price failed"),
    StoreTimeout("shop.price did not answer"),
    StoreUnavailable("shop.price is out of reach"),
]


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


def test_a_timeout_is_what_it_is_to_everybody() -> None:
    """Whoever catches `TimeoutError`, of Python or of asyncio, catches a load that took too long."""
    assert issubclass(LoadTimeout, TimeoutError)
    assert issubclass(LoadTimeout, asyncio.TimeoutError)
    assert not issubclass(LoadCancelled, TimeoutError)


def test_every_error_is_public_and_drawn() -> None:
    """What the package raises as its own is a `CacheError`, can be imported from it, and stands in the drawn tree."""
    own = [cls for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, CacheError)]
    assert {cls.__name__ for cls in own} <= set(asynccache.__all__)
    assert [cls.__name__ for cls in own if cls.__name__ not in (errors.__doc__ or "")] == []
    assert {type(error) for error in ERRORS} == {*own} - {CacheError, LockTimeout}


def test_a_lock_that_is_held_keeps_its_name_to_itself() -> None:
    """What a lock is called may be private: the error carries it, and does not say it."""
    error = pickle.loads(pickle.dumps(LockTimeout("secret")))
    assert error.name == "secret"
    assert "secret" not in str(error) + repr(error)
    assert isinstance(error, TimeoutError)
