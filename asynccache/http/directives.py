"""Directives for all requests of a block: `Cache-Control` without threading headers through one's code.

Decides how they are said (RFC 9111, 5.2.1), and that the innermost block adds to those around it.
"""

import contextlib
import contextvars
from collections.abc import Generator
from typing import Final

_current: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("asynccache.http.directives", default="")


@contextlib.contextmanager
def directives(
    *,
    no_cache: bool = False,
    no_store: bool = False,
    only_if_cached: bool = False,
    max_age: float | None = None,
    min_fresh: float | None = None,
    max_stale: float | bool | None = None,
) -> Generator[None]:
    """Add request directives to every request that is made inside the block, by whatever code, in its tasks too.

    Args:
        no_cache: have the origin asked, be it to confirm what is kept.
        no_store: store nothing of what comes.
        only_if_cached: give what is kept, or a 504; never ask the origin.
        max_age: accept nothing that is older, in seconds.
        min_fresh: accept only what will be fresh for so many seconds more.
        max_stale: accept what is old, for so many seconds, or however old it is: True.

    Raises:
        ValueError: a number of seconds is negative.

    Example:
        with directives(max_age=10):
            async with session.get(url) as response: ...
    """
    said = [name for name, wanted in _words(no_cache, no_store, only_if_cached) if wanted]
    for name, seconds in (("max-age", max_age), ("min-fresh", min_fresh), ("max-stale", max_stale)):
        if seconds is True and name == "max-stale":
            said.append(name)
        elif seconds is not None and seconds is not False:
            if not seconds >= 0:
                raise ValueError(f"{name.replace('-', '_')} must be 0 or more seconds, not {seconds!r}")
            said.append(f"{name}={int(seconds)}")
    outer = _current.get()
    token = _current.set(", ".join((outer, *said) if outer else said))
    try:
        yield
    finally:
        _current.reset(token)


def _words(no_cache: bool, no_store: bool, only_if_cached: bool) -> tuple[tuple[str, bool], ...]:
    return ("no-cache", no_cache), ("no-store", no_store), ("only-if-cached", only_if_cached)


def current_directives() -> str:
    """Give the directives of the block that the running code is in, as one line; empty if there are none."""
    return _current.get()
