"""Going past a cache, for tests and for debugging: not asking it, or making everything anew.

Decides for which code a mode holds: for the task that turned it on and the tasks that it starts meanwhile, told by a
context variable. What the modes mean to a read is the cache's to say.
"""

import contextvars
import enum
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType, TracebackType
from typing import Final


class Bypass(enum.Enum):
    """How the running code goes past a cache."""

    DISABLED = "disabled"
    """As if there were no cache."""
    REFRESHING = "refreshing"
    """Nothing is read, everything is loaded and stored."""


class Switch:
    """One cache's: tells and sets how the running code goes past it.

    Attributes:
        used: whether it was ever turned, by anybody. Whoever reads often looks here first: that costs least.
    """

    __slots__ = ("__weakref__", "used")  # and nothing of the cache, which contexts that outlive it would keep

    def __init__(self) -> None:
        self.used = False

    def mode(self) -> Bypass | None:
        """Tell the mode that holds for the running code; None if it uses the cache as usual."""
        turns = _turned.get().get(self)
        return turns[-1].mode if turns else None

    def turn(self, mode: Bypass) -> AbstractContextManager[None]:
        """Give a context manager, for `with`, in which a mode holds, also for the tasks that are started there.

        Other tasks are not concerned. The innermost counts, whatever was left in which order. It can be used again, by
        several tasks at once, and within itself. A task that was started inside keeps the mode when it goes on after.
        """
        return _Turn(self, mode)


class _Turn(AbstractContextManager[None]):
    """A mode of one switch. It keeps nothing of who is inside, as several may be; that is in their contexts."""

    __slots__ = ("_switch", "mode")

    def __init__(self, switch: Switch, mode: Bypass) -> None:
        self._switch = switch
        self.mode = mode

    def __enter__(self) -> None:
        self._switch.used = True
        turned = _turned.get()
        _turned.set(_Turned({**turned, self._switch: (*turned.get(self._switch, ()), self)}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        # Not by the variable's own token: that would undo what others have turned since, and cannot be used in another
        # context, where a generator or a test's fixture may be closed.
        turned = dict(_turned.get())
        turns = list(turned.pop(self._switch, ()))
        if self in turns:
            del turns[len(turns) - 1 - turns[::-1].index(self)]  # the innermost of its own
        if turns:
            turned[self._switch] = tuple(turns)
        _turned.set(_Turned(turned))


_Turned: Final = MappingProxyType[Switch, tuple[_Turn, ...]]
_NOTHING: Final = _Turned({})

# One for all caches: a context variable is never freed, and a cache may be.
_turned: contextvars.ContextVar[Mapping[Switch, tuple[_Turn, ...]]] = contextvars.ContextVar(
    "asynccache.bypass", default=_NOTHING
)
"""What is turned for the running code: a switch's turns, the innermost last."""
