"""Values with tags: what the tests of tags begin with."""

from collections.abc import Callable
from typing import Any, Final

from asynccache import MISSING, CachedFunction

TAGGINGS: Final[dict[str, Callable[..., Any]]] = {
    "of the result": lambda result: ("all", f"rest {result % 3}"),
    "of the call": lambda _result, key: ["all", f"rest {key % 3}"],
    "of any call": lambda _result, *args: {"all", f"rest {args[0] % 3}"},
    "one by one": lambda result: (name for name in ("all", f"rest {result % 3}")),
}


async def fill(load: Callable[[int], Any], count: int = 9) -> None:
    """Have values for 0, 1, 2, ... loaded."""
    for key in range(count):
        await load(key)


def stored(load: CachedFunction[[int], Any], count: int = 9) -> list[int]:
    """The keys that have values."""
    return [key for key in range(count) if load.cache_peek(key) is not MISSING]
