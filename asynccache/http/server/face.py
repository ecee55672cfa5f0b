"""What all caches in front of handlers have in common: what their owners say to them.

Decides nothing about requests: see `handlers` for aiohttp.web and `asgi` for everything else.
"""

from typing import Any, Final

from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.face import CacheFace
from asynccache.http.options import HTTP_OPTIONS, HttpCacheOptions, build_cache
from asynccache.http.settings.reading import read_flag
from asynccache.http.syntax.fields import is_token
from asynccache.options.loads import refuse_unknown
from asynccache.stores.contract import Store

TAG_HEADER: Final = "Cache-Tag"


class ServerCacheOptions(HttpCacheOptions, total=False):
    """What a cache in front of handlers can be told besides what `HttpCacheOptions` says.

    etag: give a response that is kept an entity tag made of its octets, if the handler has given it none and hands its
        body over in one piece: then clients are answered 304 when nothing has changed. False.
    tag_header: the response field by which handlers tell what a response is to be purged by; "Cache-Tag", with commas
        or spaces between the tags. It is taken off. None if there is no such field.
    """

    etag: bool
    tag_header: str | None


_OWN: Final = frozenset({"etag", "tag_header"})


class ServerCache(CacheFace):
    """A shared cache (RFC 9111, 1) that its owner can talk to."""

    def __init__(self, store: Store | str | None, options: ServerCacheOptions) -> None:
        name = type(self).__name__
        refuse_unknown(options, HTTP_OPTIONS | _OWN, f"{name}()")
        of_cache: Any = {option: value for option, value in options.items() if option not in _OWN}
        self._adds_etags = read_flag("etag", options.get("etag", False))
        self._tag_header = _read_tag_header(options.get("tag_header", TAG_HEADER))
        self._is_closed = False
        self._runs = OwnedTasks()
        super().__init__(build_cache(store, shared=True, name=name, **of_cache))

    async def purge_tags(self, *tags: str) -> None:
        """Let no response with one of these tags be used any more, in no process that shares the store.

        Args:
            tags: as handlers have told them.

        Raises:
            TypeError: a tag is no string.
        """
        for tag in tags:
            if not isinstance(tag, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users without a checker
                raise TypeError(f'a tag is a string, as in purge_tags("product:1"), not {tag!r}')
        await self._built.cache.purge(tags)

    async def aclose(self) -> None:
        """End what runs behind, and close the store if the cache has opened it. From now on, handlers answer alone."""
        self._is_closed = True
        await self._runs.drain(cancel=True)
        await super().aclose()


def _read_tag_header(name: object) -> str:
    if name is None:
        return ""
    if not isinstance(name, str) or not is_token(name):
        raise TypeError(f'tag_header is the name of a field, such as "Cache-Tag", or None, not {name!r}')
    return name.lower()
