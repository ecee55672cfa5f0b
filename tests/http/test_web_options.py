"""The options of HTTP caches: what they mean when nothing is said, and what is refused where it is written."""

from datetime import timedelta
from typing import Any

import pytest

from asynccache.http import Rule
from asynccache.http.options import MAX_BODY, MAX_BYTES, build_cache
from asynccache.http.server.asgi import ASGICacheMiddleware
from asynccache.http.server.handlers import ResponseCache
from asynccache.http.settings.policy import Policy
from asynccache.stores.memory import MemoryStore
from tests.http.asgi_client import Numbered


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"tll": 1}, TypeError, r"ResponseCache\(\) has no option 'tll': did you mean 'ttl'"),
        ({"ttl": -1}, ValueError, "ttl must be 0 seconds or more"),
        ({"ttl": "1"}, ValueError, "ttl must be a number of seconds"),
        ({"default_ttl": float("inf")}, ValueError, "not endless"),
        ({"stale_if_error": True}, ValueError, "stale_if_error must be a number"),
        ({"retention": float("inf")}, ValueError, "retention must be a number"),
        ({"heuristic_fraction": 2}, ValueError, "from 0 to 1"),
        ({"max_bytes": 0}, ValueError, "max_bytes must be 1 byte or more"),
        ({"max_bytes": "1MB"}, TypeError, "max_bytes must be a whole number of bytes"),
        ({"max_body": True}, TypeError, "max_body must be a whole number of bytes"),
        ({"store": "memory://", "max_bytes": 1_000}, ValueError, "leave it out with another"),
        ({"store": 1}, TypeError, r'as in ResponseCache\("sqlite:///cache.db"\), not 1'),
        ({"store": MemoryStore}, TypeError, "a store or its URL"),
        ({"store": "nothing://"}, ValueError, "no store is known for nothing://"),
        ({"namespace": "a b"}, ValueError, "namespace must be"),
        ({"ignore": "no-store"}, TypeError, "ignore must hold several words"),
        ({"ignore": {"max-age"}}, ValueError, "ignore cannot hold"),
        ({"identity": "cookie"}, TypeError, "identity must hold several words"),
        ({"methods": {"GET", "POST"}}, ValueError, r"answers .GET. and .HEAD. only"),
        ({"rules": (Rule("*", methods={"POST"}),)}, ValueError, r"answers .GET. and .HEAD. only"),
        ({"rules": Rule("*")}, TypeError, r"rules must hold several rules, such as \(Rule"),
        ({"rules": ("https://a/*",)}, TypeError, "rules are made by Rule"),
        ({"secret": b"short"}, ValueError, "at least 16"),
        ({"clock": 1.0}, TypeError, "clock must be a function"),
        ({"tag_header": ""}, TypeError, "tag_header is the name of a field"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], error: type[Exception], said: str) -> None:
    """A mistake in an option is told at once, with what to write instead."""
    with pytest.raises(error, match=said):
        ResponseCache(**options)


def test_a_cache_in_front_of_handlers_guesses_nothing() -> None:
    """A server's cache is shared and without heuristics, a client's is private and guesses as the RFC suggests."""
    server = build_cache(None, shared=True, name="x").policy
    client = build_cache(None, shared=False, name="x").policy
    assert (server.shared, server.heuristic_fraction) == (True, 0.0)
    assert (client.shared, client.heuristic_fraction) == (False, 0.1)
    assert client == Policy()


def test_options_of_the_policy_are_read() -> None:
    """Times may be `timedelta`s, words come in any case and order."""
    policy = build_cache(
        None,
        shared=True,
        name="x",
        ttl=timedelta(minutes=1),
        default_ttl=5,
        stale_while_revalidate=1,
        stale_if_error=timedelta(days=1),
        heuristic_fraction=0.5,
        heuristic_limit=10,
        methods=["get"],
        ignore=["vary"],
        identity=["X-User", "Cookie"],
    ).policy
    assert policy == Policy(
        shared=True,
        ttl=60.0,
        default_ttl=5.0,
        stale_while_revalidate=1.0,
        stale_if_error=86_400.0,
        heuristic_fraction=0.5,
        heuristic_limit=10.0,
        methods=frozenset({"GET"}),
        ignore=frozenset({"vary"}),
        identity=("cookie", "x-user"),
    )


async def test_a_body_may_take_a_part_of_the_caches_own_store_only() -> None:
    """The largest body is a sixteenth of the store that a cache makes for itself, and 256 MiB in another."""
    async with MemoryStore() as store:
        sizes = [
            build_cache(None, shared=True, name="x").cache.store.max_body,
            build_cache(None, shared=True, name="x", max_bytes=1600).cache.store.max_body,
            build_cache(None, shared=True, name="x", max_bytes=1).cache.store.max_body,
            build_cache(store, shared=True, name="x").cache.store.max_body,
            build_cache(None, shared=True, name="x", max_body=7).cache.store.max_body,
        ]
    assert sizes == [MAX_BYTES // 16, 100, 1, MAX_BODY, 7]


async def test_only_a_store_that_was_made_here_is_closed() -> None:
    """A store that is given stays open; one that was opened from a URL, or made, is closed."""
    async with MemoryStore() as store:
        given = build_cache(store, shared=True, name="x")
        await given.aclose()
        assert given.opened is None
        assert not store.is_closed
    for source in (None, "memory://"):
        made = build_cache(source, shared=True, name="x")
        await made.aclose()
        assert isinstance(made.opened, MemoryStore)
        assert made.opened.is_closed


async def test_owners_are_told_what_they_cannot_mean() -> None:
    """Tags are strings, and URLs are whole."""
    async with ASGICacheMiddleware(Numbered()) as cache:
        tags: Any = [1]
        with pytest.raises(TypeError, match="a tag is a string"):
            await cache.purge_tags(*tags)
        with pytest.raises(ValueError, match="write the whole URL"):
            await cache.invalidate("/products/1")
