"""What a decorator says about a handler of aiohttp.web, and how such a handler is called.

Decides what its word is worth: it stands in the place of what a handler says about freshness, and leaves alone what it
says against being kept. Who decorates a handler has looked at it: its responses are for everybody, whatever cookies
requests have.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeAlias, cast

from aiohttp import web

from asynccache.http.options import HttpCacheOptions, read_policy
from asynccache.http.rfc9111 import is_cacheable_by_default
from asynccache.http.server.web_origin import CACHE_TAGS, Handler, tags_of_request
from asynccache.http.settings.reading import read_words
from asynccache.http.settings.rules import Ruling

TagsOf: TypeAlias = Callable[[web.Request], Iterable[str]]
AnyHandler: TypeAlias = Callable[..., Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, eq=False)
class HandlerTerms:
    """What holds for the responses of one handler.

    Attributes:
        changes: of the policy that holds for their URLs otherwise.
        vary: names that are added to `Vary`.
        tags_of: gives the tags of what answers a request.
    """

    changes: Mapping[str, float]
    vary: tuple[str, ...]
    tags_of: TagsOf
    _rulings: dict[Ruling, Ruling] = field(default_factory=dict[Ruling, Ruling])

    def ruling(self, base: Ruling) -> Ruling:
        """Give what holds for a URL, made of what would hold for it otherwise: the same object every time."""
        found = self._rulings.get(base)
        if found is None:
            policy = replace(base.policy, identity=(), **cast("Any", self.changes))
            found = self._rulings[base] = replace(base, policy=policy)
        return found

    def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Write it into a response that somebody else may keep, as the handler could have done."""
        request[CACHE_TAGS] = (*tags_of_request(request), *self.tags_of(request))
        if response.prepared:
            return
        if self.vary:
            response.headers.add("Vary", ", ".join(self.vary))
        seconds = int(self.changes.get("ttl", 0))
        if seconds and "Cache-Control" not in response.headers and _may_be_published(request, response):
            response.headers["Cache-Control"] = f"s-maxage={seconds}"


def read_terms(
    ttl: float | timedelta | None,
    tags: Iterable[str] | TagsOf,
    vary: Iterable[str],
    stale_while_revalidate: float | timedelta | None,
    stale_if_error: float | timedelta | None,
) -> HandlerTerms:
    """Read the options of a decorator.

    Raises:
        TypeError, ValueError: one cannot be meant.
    """
    said: dict[str, Any] = {
        "ttl": ttl,
        "stale_while_revalidate": stale_while_revalidate,
        "stale_if_error": stale_if_error,
    }
    given = {name: value for name, value in said.items() if value is not None}
    policy = read_policy(True, cast("HttpCacheOptions", given))
    changes = {name: getattr(policy, name) for name in given}
    return HandlerTerms(
        changes, read_words("vary", vary), _read(tags) if callable(tags) else _always(read_words("tags", tags))
    )


def _may_be_published(request: web.Request, response: web.StreamResponse) -> bool:
    """Tell whether `s-maxage` may be written into a response: it would make public what is not (RFC 9111, 3.5)."""
    is_personal = "Authorization" in request.headers or "Set-Cookie" in response.headers or response.cookies
    return is_cacheable_by_default(response.status) and not is_personal


def call_of(handler: AnyHandler, args: tuple[Any, ...]) -> tuple[web.Request, Handler]:
    """Find the request in a handler's arguments, and say how the handler is run for that or another one.

    Raises:
        TypeError: there is none.
    """
    last = args[-1] if args else None
    if isinstance(last, web.Request):
        return last, lambda request: handler(*args[:-1], request)
    if isinstance(last, web.View):
        view, request = last, last.request
        return request, lambda other: handler(view if other is request else type(view)(other))
    raise TypeError(
        "@cache.cached is for handlers of aiohttp.web, which are called with a request, or methods of a View"
    )


def _read(tags: TagsOf) -> TagsOf:
    return lambda request: read_words("what the function gives that is told by tags=", tags(request))


def _always(words: tuple[str, ...]) -> TagsOf:
    return lambda _: words
