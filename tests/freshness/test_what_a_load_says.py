"""`current_load()`: what a load says of its value counts more than the options."""

from datetime import timedelta
from typing import Any

import pytest

from asynccache import MISSING, async_cached
from asynccache.flight.loading import Load, current_load
from tests.flight.gates import together, turns
from tests.freshness.telling import set_to, telling


@pytest.mark.parametrize("ttl", [3, 3.0, timedelta(seconds=3)])
async def test_its_time_to_live(ttl: object) -> None:
    """The value is fresh for as long as its load says, in place of the option."""
    clock, loaded, load = telling(set_to("ttl", ttl))
    await load(1)
    clock.advance(2.5)
    assert await load(1) == "value 1"
    clock.advance(0.5)
    assert await load(1) == "value 2"
    assert loaded == [1, 1]


async def test_a_value_that_lives_for_ever_and_one_that_does_not_live() -> None:
    """None keeps it for ever; 0 does not keep it, though those who wait get it."""
    clock, loaded, load = telling(set_to("ttl", None))
    await load(1)
    clock.advance(1e9)
    assert (await load(1), loaded) == ("value 1", [1])
    _, loaded, load = telling(set_to("ttl", 0))
    assert [await load(1), await load(1)] == ["value 1", "value 2"]
    assert load.cache_info().currsize == 0


async def test_windows_begin_where_its_time_to_live_ends() -> None:
    """`stale` counts from the end of the ttl that the load has said."""
    clock, loaded, load = telling(set_to("ttl", 3), stale=5)
    await load(1)
    clock.advance(7.5)
    assert await load(1) == "value 1"
    await turns()
    assert loaded == [1, 1]
    clock.advance(8)
    assert await load(1) == "value 3"


async def test_not_to_be_stored() -> None:
    """With `store = False` the value goes to those who wait, and nobody else."""
    _, _, load = telling(set_to("store", False))
    assert await together(*(load(1) for _ in range(3))) == ["value 1"] * 3
    await turns()
    assert load.cache_info().currsize == 0
    assert await load(1) == "value 2"


async def test_an_error_that_is_not_to_be_remembered() -> None:
    """`store = False` holds for an error that would be remembered, too."""
    calls = 0

    @async_cached(errors={KeyError: 50})
    async def load(key: int) -> None:
        nonlocal calls
        calls += 1
        current_load().store = False
        raise KeyError(key)

    for _ in range(2):
        with pytest.raises(KeyError):
            await load(1)
    assert calls == 2


async def test_its_tags() -> None:
    """They are in place of those that the options give; none at all, if it says so."""
    _, _, load = telling(set_to("tags", ["special"]), tags=("usual",))
    await load(1)
    load.cache_invalidate_tags("usual")
    assert load.cache_peek(1) == "value 1"
    load.cache_invalidate_tags("special")
    assert load.cache_peek(1) is MISSING


async def test_what_is_said_counts_for_this_load_alone() -> None:
    """The next load of the same key begins with the options again."""
    said = [3.0]

    def say_once(load: Load) -> None:
        if said:
            load.ttl = said.pop()

    clock, loaded, load = telling(say_once)
    await load(1)
    clock.advance(3)
    await load(1)
    clock.advance(9)
    assert await load(1) == "value 2"
    assert loaded == [1, 1]


async def test_nothing_said_changes_nothing() -> None:
    """A load that only asks is kept as the options say; what it did not say reads as `MISSING`."""
    seen: list[object] = []
    clock, _, load = telling(lambda load: seen.extend([load.ttl, load.tags, load.store]), tags=("all",))
    await load(1)
    assert seen == [MISSING, MISSING, True]
    clock.advance(9)
    assert await load(1) == "value 1"
    load.cache_invalidate_tags("all")
    assert await load(1) == "value 2"


# --- what it cannot say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name", "value", "error", "words"),
    [
        ({"ttl": None}, "ttl", 5, TypeError, "do not expire: give it a ttl, which a load can then change"),
        ({}, "tags", ["a"], TypeError, r"have no tags: give it tags=\(\), which a load can then change"),
        ({"tags": ()}, "tags", "a", TypeError, r"tags must be several tags: write \('a',\)"),
        ({"tags": ()}, "tags", [1], TypeError, "tags must be strings, not int"),
        ({}, "ttl", -1, ValueError, "ttl must be 0 seconds or more, not -1"),
        ({}, "ttl", float("nan"), ValueError, "ttl must be 0 seconds or more, not nan"),
        ({}, "ttl", True, ValueError, "ttl must be a number of seconds, a timedelta or None, not True"),
        ({}, "ttl", "5", ValueError, "ttl must be a number of seconds, a timedelta or None, not '5'"),
        ({}, "tlt", 5, AttributeError, "tlt"),
    ],
)
async def test_what_is_refused(
    options: dict[str, Any], name: str, value: object, error: type[Exception], words: str
) -> None:
    """What a load cannot mean is refused where it is said: there, in the load, and so its callers are told."""
    _, _, load = telling(set_to(name, value), **options)
    with pytest.raises(error, match=words):
        await load(1)
