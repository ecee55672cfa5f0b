"""Directives for all requests of a block: `Cache-Control` without threading headers through one's code.

Decides how they are said (RFC 9111, 5.2.1), and that the innermost block adds to those around it: what the strictest
one says counts.
"""

import contextlib
import contextvars
import math
from collections.abc import Generator
from datetime import timedelta
from typing import Final

from asynccache.http.settings.reading import read_flag, read_time

_current: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("asynccache.http.settings.directives", default="")


@contextlib.contextmanager
def directives(
    *,
    no_cache: bool = False,
    no_store: bool = False,
    only_if_cached: bool = False,
    max_age: float | timedelta | None = None,
    min_fresh: float | timedelta | None = None,
    max_stale: float | timedelta | bool | None = None,
) -> Generator[None]:
    """Add request directives to every request that is made inside the block, by whatever code, in its tasks too.

    Times are seconds, or `timedelta`s. Requests tell whole seconds: a fraction is rounded to the stricter side. Blocks
    in blocks, and what a request says itself, count together: of several times the strictest.

    Args:
        no_cache: have the origin asked, be it to confirm what is kept.
        no_store: store nothing of what comes.
        only_if_cached: give what is kept and fresh, or a 504; send nothing, whatever the method, and also for URLs that
            are not cached. With `max_stale=True`, what is old will do as well.
        max_age: accept nothing that is older.
        min_fresh: accept only what will be fresh for so long yet.
        max_stale: accept what is old, for so long, or however old it is: True.

    Raises:
        TypeError, ValueError: one cannot be meant; the message says what to write instead.

    Example:
        with directives(max_age=10):
            async with session.get(url) as response: ...
    """
    said = [*_words(no_cache=no_cache, no_store=no_store, only_if_cached=only_if_cached)]
    if max_age is not None:
        said.append(f"max-age={int(read_time('max_age', max_age))}")
    if min_fresh is not None:
        said.append(f"min-fresh={math.ceil(read_time('min_fresh', min_fresh))}")
    if max_stale is True:
        said.append("max-stale")
    elif max_stale is not None and max_stale is not False:
        said.append(f"max-stale={int(read_time('max_stale', max_stale))}")
    outer = _current.get()
    token = _current.set(", ".join((outer, *said) if outer else said))
    try:
        yield
    finally:
        _current.reset(token)


def _words(**wanted: bool) -> list[str]:
    return [name.replace("_", "-") for name, value in wanted.items() if read_flag(name, value)]


def current_directives() -> str:
    """Give the directives of the block that the running code is in, as one line; empty if there are none."""
    return _current.get()
