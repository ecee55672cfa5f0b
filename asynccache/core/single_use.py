"""Values that cannot be given to a second caller."""

import inspect
from types import NoneType
from typing import Final

_REUSABLE: Final = frozenset({NoneType, bool, bytes, dict, float, frozenset, int, list, set, str, tuple})
"""What most loads give: known to be no trouble, without a closer look."""


def refuse_single_use(value: object, name: str) -> None:
    """Refuse a value that can be awaited or iterated only once: the second caller would find it used up.

    Args:
        value: what a load gave.
        name: what the loaded function is called, for the message.

    Raises:
        TypeError: the value is an awaitable, an iterator or an async iterator (a generator, an open file, ...).
    """
    kind = type(value)
    if kind in _REUSABLE:
        return
    if hasattr(kind, "__await__"):
        if inspect.iscoroutine(value):
            value.close()  # or it would complain that it was never awaited
        raise TypeError(
            f"{name} returned a {kind.__name__}, which can be awaited only once: return what it gives, await included"
        )
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        raise TypeError(
            f"{name} returned a {kind.__name__}, which can be iterated only once: return a list of what it yields"
        )
