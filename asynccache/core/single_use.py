"""Values that cannot be given to a second caller."""

import inspect
from types import NoneType
from typing import Final

_REUSABLE: Final = frozenset({NoneType, bool, bytes, dict, float, frozenset, int, list, set, str, tuple})
"""What most loads give: known to be no trouble, without a closer look."""


def refuse_single_use(value: object, name: str, *, was_loaded: bool = True) -> None:
    """Refuse a value that can be awaited or iterated only once: the second caller would find it used up.

    Args:
        value: what a load gave.
        name: what the loaded function, or the cache, is called, for the message.
        was_loaded: whether a load gave it; else it comes from a caller.

    Raises:
        TypeError: the value is an awaitable, an iterator or an async iterator (a generator, an open file, ...).
    """
    kind = type(value)
    if kind in _REUSABLE:
        return
    if hasattr(kind, "__await__"):
        if inspect.iscoroutine(value):
            value.close()  # or it would complain that it was never awaited
        said, hint = (
            ("returned", "return what it gives, await included") if was_loaded else ("was given", "await it first")
        )
        raise TypeError(f"{name} {said} a {kind.__name__}, which can be awaited only once: {hint}")
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        said, hint = ("returned", "return a list") if was_loaded else ("was given", "make a list")
        raise TypeError(f"{name} {said} a {kind.__name__}, which can be iterated only once: {hint} of what it yields")
