"""Where the owner knows better than the fields: which URLs a rule covers, and what it makes of them."""

from typing import Any

import pytest

from asynccache.http import CacheMiddleware, Rule
from asynccache.http.settings.policy import Policy
from asynccache.http.settings.rules import Rules
from tests.http.clients import body, fetch, session_with, until
from tests.http.sites import Site

API = "https://api.example.com"


@pytest.mark.parametrize(
    ("url", "uri", "is_covered"),
    [
        (f"{API}/*", f"{API}/items/1", True),
        (f"{API}/*", f"{API}/", True),
        (f"{API}/*", "https://api.example.com.evil/items", False),
        (f"{API}/*", "http://api.example.com/items", False),
        (f"{API}/items", f"{API}/items", True),
        (f"{API}/items", f"{API}/items/1", False),
        (f"{API}/*/prices", f"{API}/items/1/prices", True),
        ("api.example.com/*", f"{API}/items", True),
        ("api.example.com/*", "http://api.example.com/items", True),
        ("*.example.com/*", f"{API}/items", True),
        ("*", f"{API}/items", True),
        (f"{API}/a.c", f"{API}/abc", False),
    ],
)
def test_what_is_covered(url: str, uri: str, is_covered: bool) -> None:
    """The whole URL counts, up to the query; `*` is the only letter with a meaning of its own."""
    assert Rule(url).covers(uri) is is_covered


def test_the_query_does_not_count() -> None:
    """A rule covers a URL with whatever query."""
    rules = Rules(Policy(), [Rule(f"{API}/a", ttl=5)])
    assert rules.of(f"{API}/a?x=/b").policy.ttl == 5
    assert rules.of(f"{API}/b?x={API}/a").policy.ttl is None


def test_the_first_rule_wins() -> None:
    """Of several that cover a URL, the first one counts, and nothing is taken from the others."""
    rules = Rules(Policy(), [Rule(f"{API}/a/*", ttl=5), Rule(f"{API}/*", ttl=10, stale_if_error=60)])
    assert rules.of(f"{API}/a/1").policy == Policy(ttl=5)
    assert rules.of(f"{API}/b").policy == Policy(ttl=10, stale_if_error=60)
    assert rules.of("https://other/").policy == Policy()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"ttl": -1}, ValueError),
        ({"default_ttl": float("nan")}, ValueError),
        ({"stale_if_error": -0.1}, ValueError),
        ({"stale_while_revalidate": -1}, ValueError),
        ({"heuristic_fraction": 2}, ValueError),
        ({"ignore": {"no-storage"}}, ValueError),
        ({"ignore": "no-store"}, TypeError),
        ({"ignore_query": "utm_*"}, TypeError),
        ({"methods": "GET"}, TypeError),
        ({"identity": "cookie"}, TypeError),
        ({"tll": 5}, TypeError),
    ],
)
def test_nonsense_is_refused(said: dict[str, Any], error: type[Exception]) -> None:
    """What cannot be meant is refused where the rule is written."""
    with pytest.raises(error):
        Rule(f"{API}/*", **said)


@pytest.mark.parametrize("url", ["", f"{API}/a?b=1", f"{API}/a#b"])
def test_urls_that_mean_nothing(url: str) -> None:
    """A rule without a URL, or with what is not looked at, is refused."""
    with pytest.raises(ValueError, match="url"):
        Rule(url)


@pytest.mark.parametrize(
    ("ignored", "uri", "key"),
    [
        ({"utm_*"}, "/a?utm_source=x&b=1", "/a?b=1"),
        ({"utm_*"}, "/a?utm_source=x", "/a"),
        ({"utm_*"}, "/a", "/a"),
        ({"_"}, "/a?_=1&_x=2", "/a?_x=2"),
        ({"*"}, "/a?b=1&c=2", "/a"),
        ({"a.c"}, "/a?abc=1&a.c=2", "/a?abc=1"),
        (set[str](), "/a?", "/a?"),
    ],
)
def test_parameters_that_make_no_difference(ignored: set[str], uri: str, key: str) -> None:
    """What is ignored is no part of the key; everything else is, in its order."""
    assert Rules(Policy(), [Rule("*", ignore_query=ignored)]).of(API).key(API + uri) == API + key


async def one(site: Site, path: str = "a", *rules: Rule, times: int = 2) -> list[str]:
    """Fetch a URL so many times with a cache that has these rules."""
    async with CacheMiddleware(rules=rules, clock=site.clock) as cache, session_with(cache) as session:
        return [await body(session, site / path) for _ in range(times)]


def anything(site: Site, **said: Any) -> Rule:
    """A rule for all of a site."""
    return Rule(str(site / "*"), **said)


async def test_a_ttl_of_ones_own(site: Site) -> None:
    """`ttl` counts instead of what the fields say, be it more or less."""
    site.say("a", cache_control="max-age=1")
    site.say("b", cache_control="max-age=1000")
    rule = anything(site, ttl=60)
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:
        for path in ("a", "b"):
            await fetch(session, site / path)
        site.clock.advance(59)
        assert [await body(session, site / path) for path in ("a", "b")] == ["1", "1"]
        site.clock.advance(2)
        assert [await body(session, site / path) for path in ("a", "b")] == ["2", "2"]


async def test_a_ttl_keeps_nothing_that_is_forbidden(site: Site) -> None:
    """`ttl` alone does not keep what may not be kept."""
    site.say("a", cache_control="no-store")
    assert await one(site, "a", anything(site, ttl=60)) == ["1", "2"]


async def test_no_store_ignored(site: Site) -> None:
    """With `ignore={"no-store"}` it does."""
    site.say("a", cache_control="no-store")
    assert await one(site, "a", anything(site, ttl=60, ignore={"no-store"})) == ["1", "1"]


async def test_a_default_ttl(site: Site) -> None:
    """`default_ttl` is for responses that say nothing, and for no others."""
    site.say("a", cache_control=None)
    site.say("b", cache_control="max-age=0")
    rule = anything(site, default_ttl=60)
    assert await one(site, "a", rule) == ["1", "1"]
    assert await one(site, "b", rule) == ["1", "2"]


async def test_nothing_is_cached(site: Site) -> None:
    """With `cache=False` neither stored nor served, whatever the fields say."""
    site.say("a")
    assert await one(site, "a", anything(site, cache=False)) == ["1", "2"]


async def test_ignored_parameters_are_sent(site: Site) -> None:
    """What makes no difference to the key is sent to the origin all the same."""
    site.say("a")
    rule = anything(site, ignore_query={"utm_*"})
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:
        assert [await body(session, site / f"a?utm_x={number}&b=1") for number in range(3)] == ["1"] * 3
        assert await body(session, site / "a?b=2") == "2"
        await cache.invalidate(site / "a?b=1&utm_y=5")
        assert await body(session, site / "a?b=1") == "3"
    assert site.asked[0] == "GET /a?utm_x=0&b=1"


async def test_posts_are_told_apart_by_their_bodies(site: Site) -> None:
    """Where a rule says that a POST asks for something, its body is part of the question."""
    site.say("a")
    rule = anything(site, methods={"POST"}, ttl=60)
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:

        async def ask(query: str) -> str:
            return (await fetch(session, site / "a", method="POST", json={"query": query})).body.decode()

        assert [await ask(query) for query in ("{a}", "{b}", "{a}", "{b}")] == ["1", "2", "1", "2"]
        assert (await fetch(session, site / "a", method="POST", data='{"query": "{a}"}')).body == b"3"
        await cache.invalidate(site / "a")
        assert await ask("{a}") == "4"


async def test_posts_that_are_streamed_pass(site: Site) -> None:
    """A POST whose body cannot be looked at is sent each time."""

    async def pieces() -> Any:
        yield b"query"

    site.say("a")
    rule = anything(site, methods={"POST"}, ttl=60)
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:
        got = [(await fetch(session, site / "a", method="POST", data=pieces())).body for _ in range(2)]
    assert got == [b"1", b"2"]


async def test_stale_terms_of_a_rule(site: Site) -> None:
    """What is said of old responses holds for the rule's URLs, and for no others."""
    site.say("a", "old")
    site.say("b", "old")
    rule = Rule(str(site / "a"), stale_if_error=600, stale_while_revalidate=10)
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:
        for path in ("a", "b"):
            await fetch(session, site / path)
            site.say(path, "down", status=503)
        site.clock.advance(300)
        assert [await body(session, site / path) for path in ("a", "b")] == ["old", "down"]
        site.say("a", "new")
        assert await body(session, site / "a") == "new"
        site.clock.advance(65)
        assert await body(session, site / "a") == "new"
        await until(lambda: cache.stats().refreshed == 1)


async def test_no_identity(site: Site) -> None:
    """With `identity=()` all users are served the same."""
    site.say("a")
    rule = anything(site, identity=())
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:
        assert [await body(session, site / "a", cookie=f"user={number}") for number in range(2)] == ["1", "1"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("private", {"cache_control": "max-age=60, private"}),
        ("no-cache", {"cache_control": "max-age=60, no-cache"}),
        ("vary", {"vary": "*"}),
    ],
)
async def test_what_may_be_ignored(site: Site, said: str, field: dict[str, Any]) -> None:
    """Each word of `ignore` takes away what that word forbids."""
    site.say("a", **field)
    assert (await one(site, "a", anything(site, ignore={said})))[-1] == "1"
    if said != "private":
        assert (await one(site, "a"))[-1] != "1"


async def test_what_requests_say_may_be_ignored(site: Site) -> None:
    """With `ignore={"request-directives"}` a request's `no-cache` is not looked at."""
    site.say("a")
    rule = anything(site, ignore={"request-directives"})
    async with CacheMiddleware(rules=[rule], clock=site.clock) as cache, session_with(cache) as session:
        assert [await body(session, site / "a", cache_control="no-cache") for _ in range(2)] == ["1", "1"]


def test_what_is_no_rule() -> None:
    """Anything else than rules is refused when the cache is made."""
    rules: Any = [{"url": "*"}]
    with pytest.raises(TypeError, match="Rule"):
        CacheMiddleware(rules=rules)
    alone: Any = Rule("*")
    with pytest.raises(TypeError, match="several"):
        CacheMiddleware(rules=alone)
