"""`directives`: what blocks and requests say together, and that nothing is sent where nothing may be."""

import contextlib
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.http import CacheMiddleware, Rule, directives
from asynccache.http.rfc9111.directives import request_directives
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.fields import Directives
from asynccache.http.syntax.fields import directives as directives_of
from asynccache.http.syntax.message import Fields, Request
from tests.http.clients import fetch, session_with
from tests.http.sites import Site


@pytest.mark.parametrize(
    ("blocks", "said", "is_used"),
    [
        ([{"max_age": 3600}, {"max_age": 10}], None, False),
        ([{"max_age": 10}, {"max_age": 3600}], None, False),
        ([{"max_age": 10}], "max-age=3600", False),
        ([{"max_age": 3600}], "max-age=10", False),
        ([{"max_age": 3600}, {"max_age": 7200}], "max-age=40", True),
        ([{"min_fresh": 10}, {"min_fresh": 40}], None, False),
        ([{"min_fresh": 40}, {"min_fresh": 10}], None, False),
        ([{"min_fresh": 10}, {"min_fresh": 20}], None, True),
        ([{"max_age": 3600}, {"no_cache": True}], None, False),
    ],
)
async def test_the_strictest_counts(
    site: Site, session: aiohttp.ClientSession, blocks: list[dict[str, Any]], said: str | None, is_used: bool
) -> None:
    """Of blocks in blocks, and what the request says itself, each is heard; what is kept is 30 seconds old here."""
    site.say("a")
    await fetch(session, site / "a")
    site.clock.advance(30)
    with contextlib.ExitStack() as stack:
        for block in blocks:
            stack.enter_context(directives(**block))
        got = await fetch(session, site / "a", headers={"Cache-Control": said} if said else None)
    assert got.told.hit == is_used


@pytest.mark.parametrize(
    ("blocks", "is_used"),
    [
        ([{"max_stale": True}, {"max_stale": 10}], False),
        ([{"max_stale": 10}, {"max_stale": True}], False),
        ([{"max_stale": True}, {"max_stale": 40}], True),
        ([{"max_stale": True}, {"max_stale": True}], True),
    ],
)
async def test_the_strictest_of_old_ones(
    site: Site, session: aiohttp.ClientSession, blocks: list[dict[str, Any]], is_used: bool
) -> None:
    """Who takes old ones is bound by others who take less old ones; what is kept has been old for 30 seconds here."""
    site.say("a")
    await fetch(session, site / "a")
    site.clock.advance(90)
    with directives(**blocks[0]), directives(**blocks[1]):
        assert (await fetch(session, site / "a")).told.hit == is_used


NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)


@pytest.mark.one_loop
@given(NUMBERS, st.sampled_from(["max-age", "max-stale", "stale-if-error", "min-fresh"]), st.booleans())
def test_several_of_one_name(numbers: list[int], name: str, in_one_line: bool) -> None:
    """Of several numbers the least counts, or for min-fresh the greatest, in whatever order and lines they stand."""
    said = [f"{name}={number}" for number in numbers]
    lines = [", ".join(said)] if in_one_line else said
    request = Request("GET", "http://x/", Fields(("Cache-Control", line) for line in lines))
    found = request_directives(request, Policy())
    assert found.seconds(name) == (max(numbers) if name == "min-fresh" else min(numbers))


@pytest.mark.one_loop
def test_what_is_broken_is_strict() -> None:
    """A number that cannot be read is none: nothing is young enough for it. Other directives stay as they are."""
    found = directives_of(Fields([("Cache-Control", 'max-age=5, max-age=x, no-store, private="a", private')]))
    strict = found.strictest(("max-age",), ())
    assert strict.seconds("max-age") == 0
    assert "no-store" in strict
    assert strict.is_unqualified("private")
    assert isinstance(strict, Directives)


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "a", {}),
    ("GET", "never/1", {}),
    ("HEAD", "a", {}),
    ("POST", "a", {"data": b"x"}),
    ("DELETE", "a", {}),
    ("OPTIONS", "a", {}),
    ("GET", "a", {"data": b"a question"}),
    ("GET", "a", {"headers": {"Upgrade": "websocket", "Connection": "upgrade"}}),
]


@pytest.mark.parametrize("by_block", [True, False])
@pytest.mark.parametrize(("method", "path", "options"), REQUESTS)
async def test_nothing_is_sent(site: Site, by_block: bool, method: str, path: str, options: dict[str, Any]) -> None:
    """With `only_if_cached` the answer is 504, whatever is asked for; and it is no answer that a server gave."""
    site.say(path)
    options = {**options, "headers": dict(options.get("headers", {}))}
    if not by_block:
        options["headers"]["Cache-Control"] = "only-if-cached"
    async with (
        CacheMiddleware(clock=site.clock, rules=[Rule(f"{site / 'never'}/*", cache=False)]) as cache,
        session_with(cache) as session,
    ):
        with directives(only_if_cached=True) if by_block else contextlib.nullcontext():
            got = await fetch(session, site / path, method=method, **options)
    assert (got.status, got.body, got.told.hit, got.told.fwd_status) == (504, b"", False, None)
    assert site.asked == []


async def test_a_websocket_is_not_opened(site: Site, session: aiohttp.ClientSession) -> None:
    """Nor is a connection made for a websocket."""
    with directives(only_if_cached=True), pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        await session.ws_connect(site / "a")
    assert (raised.value.status, site.asked) == (504, [])


async def test_a_rule_may_not_look(site: Site) -> None:
    """Where a rule does not look at what requests say, this is not looked at either."""
    site.say("a")
    rule = Rule(f"{site / 'a'}", ignore={"request-directives"})
    async with CacheMiddleware(clock=site.clock, rules=[rule]) as cache, session_with(cache) as session:
        with directives(only_if_cached=True):
            assert (await fetch(session, site / "a", method="POST")).status == 200
            assert (await fetch(session, site / "a")).status == 200


async def test_offline(site: Site, session: aiohttp.ClientSession) -> None:
    """Without a network, what was fetched once is given however old it is, and the rest is a 504."""
    site.say("a", "kept")
    await fetch(session, site / "a")
    site.clock.advance(3600)
    await site.stop()
    with directives(only_if_cached=True):
        assert (await fetch(session, site / "a")).status == 504
    with directives(only_if_cached=True, max_stale=True):
        assert (await fetch(session, site / "a")).body == b"kept"
        assert (await fetch(session, site / "b")).status == 504
