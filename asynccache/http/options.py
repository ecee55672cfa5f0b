"""The options of an HTTP cache, read and refused where the user wrote them: the same for clients and for servers.

Decides what they mean when nothing is said, and whose the store is: one that was made here from a URL is closed with
the cache, one that was given is not.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypedDict, Unpack

from asynccache.http.answering.counts import HttpStats
from asynccache.http.answering.engine import HttpCache
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.settings.policy import Ignorable, Policy
from asynccache.http.settings.reading import read_fraction, read_headers, read_methods, read_size, read_time, read_words
from asynccache.http.settings.rules import Rule, Rules
from asynccache.http.syntax.message import WallClock
from asynccache.options.loads import refuse_unknown
from asynccache.options.shared import Secret
from asynccache.stores.contract import Store
from asynccache.stores.translated import translated
from asynccache.stores.urls import open_store

_MIB: Final = 1024 * 1024

NAMESPACE: Final = "http"

SERVER_NAMESPACE: Final = "http-server"
"""Of caches in front of handlers: what a service keeps of others, and what it tells others, are purged apart."""

MAX_BYTES: Final = 64 * _MIB
"""What the store in memory holds at most that a cache makes for itself."""

MAX_BODY: Final = 256 * _MIB
"""The largest body that is kept in a store that the user has chosen."""

SMALLEST_SHARE: Final = 16
"""How many bodies of the largest size the cache's own store in memory holds: one must not push out all the others."""

FILE_TIMEOUT: Final = 2
"""Seconds that a store in a file has for a request, if its URL does not say it."""

RETENTION: Final = 7 * 86_400.0


class HttpCacheOptions(TypedDict, total=False):
    """What an HTTP cache can be told when it is made. Times are seconds, or `timedelta`s.

    namespace: what all keys in the store begin with: 1 to 64 letters, digits, ".", "_" and "-"; "http" for
        clients, "http-server" for servers. Two caches of one kind with one store and one namespace share what they
        keep. A client's and a server's share purges then, and no responses.
    max_bytes: of the store in memory that a cache has for itself if it is given none; 64 MiB. Another store has limits
        of its own.
    max_body: bytes of the largest body that is kept; a sixteenth of `max_bytes`, or 256 MiB in a store that is given.
    rules: what holds for some URLs; the first that a URL falls under counts.
    ttl: how long each response is fresh that may be kept, whatever its fields say. None: they decide.
    default_ttl: how long one is fresh that does not say it. None: it is not, or the heuristics decide.
    stale_while_revalidate: for how long an old response is served while a new one is fetched behind, where the response
        does not say it itself; 0.
    stale_if_error: for how long an old response is served if the origin fails, where the response does not say it; 0.
    heuristic_fraction: of the time since `Last-Modified` for which a response counts as fresh that does not say it
        (RFC 9111, 4.2.2). 0.1 for clients; 0 for servers, whose owners know their own handlers.
    heuristic_limit: the longest such time; a day.
    methods: whose responses are kept; GET and HEAD. With "POST", its body is part of the key.
    ignore: what is not looked at in responses (or requests): "no-store", "no-cache", "private", "must-revalidate",
        "vary", "set-cookie", "authorization", "request-directives".
    identity: request fields that tell users apart, where that matters; `Authorization` and `Cookie`.
    retention: for how long an old response is kept, to be validated or served in need; 7 days.
    secret: what is stored is signed with it, at least 16 bytes; several by id, the first for new responses.
    clock: tells the time in seconds since 1970; `time.time`.
    """

    namespace: str
    max_bytes: int
    max_body: int | None
    rules: Iterable[Rule]
    ttl: float | timedelta | None
    default_ttl: float | timedelta | None
    stale_while_revalidate: float | timedelta
    stale_if_error: float | timedelta
    heuristic_fraction: float
    heuristic_limit: float | timedelta
    methods: Iterable[str]
    ignore: Iterable[Ignorable]
    identity: Iterable[str]
    retention: float | timedelta
    secret: Secret | None
    clock: WallClock


HTTP_OPTIONS: Final = frozenset(HttpCacheOptions.__annotations__)
_OF_POLICY: Final = {
    "ttl": read_time,
    "default_ttl": read_time,
    "stale_while_revalidate": read_time,
    "stale_if_error": read_time,
    "heuristic_fraction": read_fraction,
    "heuristic_limit": read_time,
    "methods": read_methods,
    "ignore": read_words,
    "identity": read_headers,
}
_MAY_BE_NONE: Final = frozenset({"ttl", "default_ttl"})


@dataclass(frozen=True, slots=True, eq=False)
class BuiltCache:
    """An HTTP cache, and what has to be closed with it.

    Attributes:
        cache: answers requests.
        policy: how responses are judged that fall under no rule.
        rules: tell the others apart.
        clock: tells the wall time.
        opened: the store, if it was made for this cache.
    """

    cache: HttpCache
    policy: Policy
    rules: Rules
    clock: WallClock
    opened: Store | None

    async def aclose(self) -> None:
        """End what is under way, and close the store if it was made for this cache."""
        try:
            await self.cache.aclose()
        finally:
            if self.opened is not None:
                await self.opened.aclose()


def build_cache(
    store: Store | str | None, *, shared: bool, name: str, **options: Unpack[HttpCacheOptions]
) -> BuiltCache:
    """Make what stands behind a client's or a server's cache.

    Args:
        store: keeps the responses; a URL has one opened, None makes one in memory.
        shared: whether different users are served from it (RFC 9111, 1).
        name: what errors call the cache.
        **options: see `HttpCacheOptions`.

    Raises:
        TypeError, ValueError: an option that cannot be meant; the message says what to write instead.
        ImportError: the store needs a package that is missing.
    """
    refuse_unknown(options, HTTP_OPTIONS, f"{name}()")
    if store is not None and "max_bytes" in options:
        raise ValueError("max_bytes is of the store in memory that a cache has for itself: leave it out with another")
    policy = read_policy(shared, options)
    rules = Rules(policy, _read_rules(options.get("rules", ())))
    if shared and rules.cache_bodies:
        raise ValueError('methods: a cache in front of handlers answers "GET" and "HEAD" only: leave out all others')
    max_bytes = read_size("max_bytes", options.get("max_bytes", MAX_BYTES))
    max_body = options.get("max_body")
    if max_body is None:
        max_body = MAX_BODY if store is not None else max(max_bytes // SMALLEST_SHARE, 1)
    clock = options.get("clock", time.time)
    if not callable(clock):  # pyright: ignore[reportUnnecessaryComparison]  # users without a checker
        raise TypeError(f"clock must be a function that gives seconds, such as time.time, not {clock!r}")
    used = _open(f"memory://?max_bytes={max_bytes}" if store is None else store, name)
    responses = ResponseStore(
        used,
        namespace=options.get("namespace", SERVER_NAMESPACE if shared else NAMESPACE),
        shared=shared,
        clock=clock,
        secret=options.get("secret"),
        max_body=read_size("max_body", max_body),
        retention=read_time("retention", options.get("retention", RETENTION)),
    )
    cache = HttpCache(responses, rules, clock=clock, counts=HttpStats(), name=name)
    return BuiltCache(cache, policy, rules, clock, used if isinstance(store, str | None) else None)


def read_policy(shared: bool, options: HttpCacheOptions) -> Policy:
    """Give the policy that options mean, for URLs that fall under no rule.

    Raises:
        TypeError, ValueError: one cannot be meant.
    """
    given: dict[str, Any] = {**options}
    said: dict[str, Any] = {}
    for name, read in _OF_POLICY.items():
        if name in given and not (given[name] is None and name in _MAY_BE_NONE):
            said[name] = read(name, given[name])
    said.setdefault("heuristic_fraction", 0.0 if shared else 0.1)
    return Policy(shared=shared, ignore=frozenset(said.pop("ignore", ())), **said)


def _read_rules(rules: Iterable[Rule]) -> list[Rule]:
    if isinstance(rules, Rule | str) or not isinstance(rules, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f'rules must hold several rules, such as (Rule("https://example.com/*", ttl=60),), not {rules!r}'
        )
    found = list(rules)
    for rule in found:
        if not isinstance(rule, Rule):  # pyright: ignore[reportUnnecessaryIsInstance]  # users without a checker
            raise TypeError(f'rules are made by Rule("https://example.com/*", ttl=60), not {rule!r}')
    return found


def _open(store: Store | str, name: str) -> Store:
    if isinstance(store, str):
        return open_store(_patient(store))
    if isinstance(store, type) or not isinstance(store, Store):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f'the store of {name} is a store or its URL, as in {name}("sqlite:///cache.db"), not {store!r}')
    return translated(store)


def _patient(url: str) -> str:
    """Give a file the time that a fetch takes: hundreds that come at once are written one after the other."""
    place, mark, query = url.partition("?")
    if not url.startswith("sqlite:") or "timeout=" in query:
        return url
    return f"{place}?{query}&timeout={FILE_TIMEOUT}" if mark else f"{place}?timeout={FILE_TIMEOUT}"
