"""What all HTTP caches have in common for their owners, on whichever side of HTTP they stand.

Decides what counts as a URL to be invalidated. It knows no framework.
"""

from typing import Protocol, Self

from asynccache.http.answering.counts import HttpStats
from asynccache.http.options import BuiltCache
from asynccache.http.syntax.iris import as_sent


class Url(Protocol):
    """A `yarl.URL`, such as `request.url` of aiohttp; named by what it can do, as ASGI needs no yarl."""

    def human_repr(self) -> str:
        """Write it for people. What is used of it is `str()`."""
        ...


class CacheFace:
    """An HTTP cache as its owner talks to it: the base of all of them."""

    def __init__(self, built: BuiltCache) -> None:
        self._built = built

    async def invalidate(self, *urls: str | Url) -> None:
        """Let nothing that is kept for these URLs be used any more, and nothing that is on its way be kept.

        Args:
            urls: whole ones, from the scheme on, with the query; as strings, or as `yarl.URL`s. All variants are meant.

        Raises:
            TypeError: one is no URL.
            ValueError: one is not whole.
        """
        await self._built.cache.invalidate(*[self._written(url) for url in urls])

    async def clear(self) -> None:
        """Do the same for all URLs of the namespace, in every process that shares the store."""
        await self._built.cache.clear()

    def stats(self) -> HttpStats:
        """Give what was counted since the cache was made; a copy."""
        return self._built.cache.stats()

    async def aclose(self) -> None:
        """End what is fetched behind, and close the store if the cache has opened it."""
        await self._built.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _written(self, url: str | Url) -> str:
        if not isinstance(url, str) and not hasattr(url, "human_repr"):
            raise TypeError(f"write the URL as a string, as in invalidate('https://shop.example/1'), not {url!r}")
        sent = self._as_sent(url) if isinstance(url, str) else as_sent(str(url))
        if sent is None:
            raise ValueError(f"write the whole URL, as in invalidate('https://shop.example/1'), not {str(url)!r}")
        return sent

    def _as_sent(self, url: str) -> str | None:
        """Give a URL as clients send it that somebody has written; None if it is not whole."""
        return as_sent(url)
