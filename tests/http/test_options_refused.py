"""What an HTTP cache is told wrongly is refused where it is written, with what to write instead."""

import contextlib
from datetime import timedelta
from typing import Any, Final

import pytest
from aiohttp import web
from yarl import URL

from asynccache.http import CacheMiddleware, ResponseCache, Rule, directives
from asynccache.http.settings.directives import current_directives
from asynccache.stores.memory import MemoryStore

INF: Final = float("inf")
Refusal = tuple[type[Exception], str, dict[str, Any]]


def each(error: type[Exception], said: str, option: str, *values: object) -> list[Refusal]:
    """One refusal for each of the values."""
    return [(error, said, {option: value}) for value in values]


TIMES: Final = ("ttl", "default_ttl", "stale_while_revalidate", "stale_if_error")

OF_TERMS: Final[list[Refusal]] = [
    *(
        refusal
        for name in TIMES
        for refusal in (
            *each(ValueError, f"{name} must be 0 seconds or more", name, -1, float("nan"), timedelta(-1)),
            *each(ValueError, f"{name} must be a number of seconds, a timedelta", name, "60", True, [1]),
            *each(ValueError, f"{name} must be a number of seconds or a timedelta, and not endless", name, INF),
        )
    ),
    *each(ValueError, "heuristic_fraction must be from 0 to 1", "heuristic_fraction", -0.1, 1.1, float("nan")),
    *each(TypeError, "heuristic_fraction must be a number from 0 to 1", "heuristic_fraction", "0.1", True),
    *each(TypeError, r"methods must hold several words, such as \('GET',\)", "methods", "GET"),
    *each(TypeError, "methods must hold strings, not 5", "methods", (5,)),
    *each(TypeError, "methods must hold words, such as a set or a tuple", "methods", 5),
    *each(ValueError, "methods must hold names such as \"GET\", not 'GET,HEAD'", "methods", ("GET,HEAD",)),
    *each(ValueError, "methods cannot hold .*leave it out", "methods", {"PUT"}, ["get", "delete"], ("PATCH",)),
    *each(TypeError, "ignore must hold several words", "ignore", "no-store"),
    *each(TypeError, "ignore must hold words", "ignore", 5),
    *each(ValueError, r"ignore cannot hold \['no-stor'\]: there are .*'no-store'", "ignore", {"no-stor"}),
    *each(TypeError, "identity must hold several words", "identity", "Cookie"),
    *each(ValueError, "identity must hold names such as \"Authorization\", not 'a b'", "identity", ["a b"]),
    *each(TypeError, "identity must hold strings, not None", "identity", [None]),
]
"""What a cache and a rule can be told."""

OF_CACHES: Final[list[Refusal]] = [
    *OF_TERMS,
    *each(ValueError, "heuristic_limit must be 0 seconds or more", "heuristic_limit", -1),
    *each(ValueError, "heuristic_limit .*not endless", "heuristic_limit", INF, None),
    *each(ValueError, "retention must be 0 seconds or more", "retention", -1),
    *each(ValueError, "retention .*not endless", "retention", INF, None),
    *each(ValueError, "max_bytes must be 1 byte or more", "max_bytes", 0, -1),
    *each(TypeError, r"max_bytes must be a whole number of bytes, such as 64 \* 1024", "max_bytes", "64MB", 1.5, None),
    *each(ValueError, "max_body must be 1 byte or more", "max_body", 0, -1),
    *each(TypeError, "max_body must be a whole number of bytes", "max_body", "1MB", 1.5, True),
    *each(ValueError, 'namespace must be 1 to 64 letters.* as in "http"', "namespace", "", "a:b", "a" * 65),
    *each(TypeError, "namespace must be a string", "namespace", 5, None),
    *each(TypeError, "rules must hold several rules, such as", "rules", Rule("*"), "https://shop.example/*", 5),
    *each(TypeError, r"rules are made by Rule\(.*not 'x'", "rules", ["x"]),
    *each(TypeError, "clock must be a function that gives seconds", "clock", 5),
    *each(TypeError, "secret.*bytes", "secret", "a secret of 16 chars"),
    *each(ValueError, "secret.*at least 16", "secret", b"short"),
    *each(TypeError, r"the store of \w+ is a store or its URL", "store", 5, MemoryStore, b"memory://"),
    *each(ValueError, "no store is known for nothing://", "store", "nothing://here"),
    (ValueError, "max_bytes is of the store in memory.* leave it out", {"store": "memory://", "max_bytes": 10}),
    *each(TypeError, r"has no option 'tll': did you mean 'ttl'\?", "tll", 5),
]

OF_SERVERS: Final[list[Refusal]] = [
    *each(ValueError, 'answers "GET" and "HEAD" only', "methods", {"POST"}, (method for method in ("POST",))),
    *each(ValueError, 'answers "GET" and "HEAD" only', "rules", [Rule("*", methods={"POST"})]),
    *each(TypeError, "etag must be True or False", "etag", "yes", None, 1),
    *each(TypeError, 'tag_header is the name of a field, such as "Cache-Tag", or None', "tag_header", "", 5, "a b"),
]


@pytest.mark.parametrize(("error", "said", "options"), OF_CACHES)
@pytest.mark.parametrize("kind", [CacheMiddleware, ResponseCache])
def test_an_option_of_a_cache_is_refused(
    kind: type[CacheMiddleware | ResponseCache], error: type[Exception], said: str, options: dict[str, Any]
) -> None:
    """What cannot be meant is refused when the cache is made."""
    with pytest.raises(error, match=said):
        kind(**options)


@pytest.mark.parametrize(("error", "said", "options"), OF_SERVERS)
def test_an_option_of_a_server_is_refused(error: type[Exception], said: str, options: dict[str, Any]) -> None:
    """So is what only a cache in front of handlers can be told, and what only such a one cannot."""
    with pytest.raises(error, match=said):
        ResponseCache(**options)


@pytest.mark.parametrize(
    ("error", "said", "options"),
    [
        *OF_TERMS,
        *each(TypeError, "cache must be True or False", "cache", "no", 0, None),
        *each(TypeError, "ignore_query must hold several words", "ignore_query", "utm_*"),
        *each(TypeError, "ignore_query must hold strings", "ignore_query", [5]),
    ],
)
def test_an_option_of_a_rule_is_refused(error: type[Exception], said: str, options: dict[str, Any]) -> None:
    """A rule is checked where it is written, not where it is used."""
    with pytest.raises(error, match=said):
        Rule("https://shop.example/*", **options)


@pytest.mark.parametrize(
    ("error", "said", "options"),
    [
        *each(ValueError, "ttl must be 0 seconds or more", "ttl", -1),
        *each(ValueError, "stale_if_error .*not endless", "stale_if_error", INF),
        *each(TypeError, r"tags must hold several words, such as \('product',\)", "tags", "product"),
        *each(TypeError, "tags must hold words", "tags", 5),
        *each(TypeError, "vary must hold several words", "vary", "Accept"),
        *each(TypeError, "vary must hold strings", "vary", [5]),
    ],
)
def test_an_option_of_a_handler_is_refused(error: type[Exception], said: str, options: dict[str, Any]) -> None:
    """A decorator is checked when it is made, before there is a handler."""
    with pytest.raises(error, match=said):
        ResponseCache().cached(**options)


@pytest.mark.parametrize(
    ("error", "said", "options"),
    [
        *(
            refusal
            for name in ("max_age", "min_fresh", "max_stale")
            for refusal in (
                *each(ValueError, f"{name} must be 0 seconds or more", name, -1, float("nan")),
                *each(ValueError, f"{name} must be a number of seconds", name, "10", INF, [1]),
            )
        ),
        *each(ValueError, "max_age must be a number of seconds", "max_age", True, False),
        *each(TypeError, "no_cache must be True or False", "no_cache", "yes", 1, None),
        *each(TypeError, "only_if_cached must be True or False", "only_if_cached", 1),
        *each(TypeError, "no_store must be True or False", "no_store", "no"),
    ],
)
def test_what_directives_cannot_say_is_refused(error: type[Exception], said: str, options: dict[str, Any]) -> None:
    """The block is not entered, and nothing is said by it."""
    with pytest.raises(error, match=said), directives(**options):
        raise AssertionError
    assert current_directives() == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ""),
        ({"no_cache": True, "no_store": True, "only_if_cached": True}, "no-cache, no-store, only-if-cached"),
        ({"max_age": 0}, "max-age=0"),
        ({"max_age": 1.9, "min_fresh": 1.1}, "max-age=1, min-fresh=2"),
        ({"max_age": timedelta(minutes=1), "max_stale": timedelta(seconds=1.5)}, "max-age=60, max-stale=1"),
        ({"max_stale": True}, "max-stale"),
        ({"max_stale": False}, ""),
    ],
)
def test_what_directives_say(options: dict[str, Any], said: str) -> None:
    """Seconds are whole in a field: a fraction is rounded to where less is accepted."""
    with directives(**options):
        assert current_directives() == said


def test_inner_directives_add_to_outer_ones() -> None:
    """The innermost block adds to those around it, and takes back what it has said, be it by an exception."""
    with directives(no_store=True):
        with contextlib.suppress(LookupError), directives(max_age=5):
            assert current_directives() == "no-store, max-age=5"
            raise LookupError
        assert current_directives() == "no-store"
    assert current_directives() == ""


def test_a_rule_may_be_made_of_generators() -> None:
    """What a rule is given is read once: it means the same however often it is asked, and equal rules are equal."""
    words: list[Any] = ["vary", "no-store"]
    made = Rule("*", ignore=(word for word in words), identity=(name for name in ("Cookie",)), ignore_query={"a", "b"})
    same = Rule("*", ignore=words, identity=["cookie"], ignore_query={"b", "a"})
    assert made == same
    assert hash(made) == hash(same)
    assert made.ignore == ("vary", "no-store")


@pytest.mark.parametrize("url", ["/items", "shop.example/items", "", "/to?url=https://shop.example/", "https://"])
async def test_a_url_that_is_not_whole_is_refused(url: str) -> None:
    """Nothing could be kept for it: whoever invalidates it would believe that something was done."""
    for cache in (CacheMiddleware(), ResponseCache()):
        async with cache:
            with pytest.raises(ValueError, match=r"write the whole URL, as in invalidate\('https://shop.example/1'\)"):
                await cache.invalidate("https://shop.example/", url)
            assert cache.stats().invalidated == 0


@pytest.mark.parametrize("url", [None, 5, b"https://shop.example/"])
async def test_what_is_no_url_is_refused(url: Any) -> None:
    """Bytes are none either: what `str()` makes of them is found nowhere."""
    for cache in (CacheMiddleware(), ResponseCache()):
        async with cache:
            with pytest.raises(TypeError, match="write the URL as a string"):
                await cache.invalidate(url)


@pytest.mark.parametrize("place", ["/straße?q=ä ö", "/a/../b", "/%7Ejo", "/a#part"])
async def test_a_url_is_invalidated_as_it_is_written(place: str) -> None:
    """A session makes one URL of what people write, and so does the cache: a string and a `URL` mean the same."""
    asked: list[str] = []

    async def known(*uris: str) -> None:
        asked.extend(uris)

    async with CacheMiddleware() as cache:
        cache._built.cache.invalidate = known  # type: ignore[method-assign]
        await cache.invalidate(f"https://Bücher.example{place}", URL(f"https://Bücher.example{place}"))
    assert asked[0] == asked[1]
    assert asked[0].startswith("https://xn--bcher-kva.example/")
    assert asked[0].isascii()


async def test_a_server_takes_the_url_of_a_request() -> None:
    """`request.url` can be handed on as it is, and a path may be written as people write it."""
    asked: list[str] = []

    async def known(*uris: str) -> None:
        asked.extend(uris)

    async with ResponseCache() as cache:
        cache._built.cache.invalidate = known  # type: ignore[method-assign]
        await cache.invalidate(URL("https://shop.example/ä"), "https://shop.example/ä", "https://shop.example/%C3%A4")
    assert set(asked) == {"https://shop.example/%C3%A4"}


async def test_a_decorated_handler_needs_a_request() -> None:
    """What is not called with a request cannot be cached: the first call says so."""

    @ResponseCache().cached(ttl=60)
    async def handler(number: int) -> web.Response:
        raise AssertionError(number)

    with pytest.raises(TypeError, match=r"@cache.cached is for handlers of aiohttp.web"):
        await handler(5)
