"""Directives for all requests of a block: what is said, by whom, and for whom."""

import asyncio
import threading
from typing import Any

import aiohttp
import pytest

from asynccache.http import directives
from asynccache.http.settings.directives import current_directives
from tests.http.clients import body, fetch
from tests.http.sites import Site


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, ""),
        ({"no_cache": True}, "no-cache"),
        ({"no_store": True}, "no-store"),
        ({"only_if_cached": True}, "only-if-cached"),
        ({"max_age": 0}, "max-age=0"),
        ({"max_age": 10.9}, "max-age=10"),
        ({"min_fresh": 5}, "min-fresh=5"),
        ({"max_stale": True}, "max-stale"),
        ({"max_stale": 60}, "max-stale=60"),
        ({"max_stale": False}, ""),
        ({"no_cache": True, "no_store": True, "max_age": 1}, "no-cache, no-store, max-age=1"),
    ],
)
def test_what_is_said(said: dict[str, Any], line: str) -> None:
    """Each option has its directive, and nothing is said outside of the block."""
    with directives(**said):
        assert current_directives() == line
    assert current_directives() == ""


@pytest.mark.parametrize("said", [{"max_age": -1}, {"min_fresh": -0.1}, {"max_stale": float("nan")}])
def test_negative_times_are_refused(said: dict[str, Any]) -> None:
    """A time that cannot be meant is refused where it is written, and nothing is said then."""
    with pytest.raises(ValueError, match="0 seconds or more"), directives(**said):
        pass
    assert current_directives() == ""


def test_blocks_in_blocks() -> None:
    """An inner block adds to those around it, and takes what it has said along."""
    with directives(max_age=10):
        with directives(no_store=True):
            assert current_directives() == "max-age=10, no-store"
        assert current_directives() == "max-age=10"


def test_an_error_ends_a_block() -> None:
    """After a block that an error has left, nothing is said any more."""
    with pytest.raises(ZeroDivisionError), directives(no_cache=True):
        raise ZeroDivisionError
    assert current_directives() == ""


def test_other_threads_hear_nothing() -> None:
    """What is said in one thread is not said in another."""
    heard: list[str] = []
    with directives(no_cache=True):
        thread = threading.Thread(target=lambda: heard.append(current_directives()))
        thread.start()
        thread.join()
    assert heard == [""]


async def test_tasks_hear_what_was_said_when_they_were_made() -> None:
    """A task takes along what holds where it is made, however long that block lasts."""
    gate = asyncio.Event()

    async def hear() -> str:
        await gate.wait()
        return current_directives()

    with directives(no_cache=True):
        inside = asyncio.create_task(hear())
    outside = asyncio.create_task(hear())
    gate.set()
    assert (await inside, await outside) == ("no-cache", "")


async def test_what_a_task_says_is_its_own() -> None:
    """A block in one task says nothing for another."""
    entered, heard = asyncio.Event(), asyncio.Event()

    async def say() -> None:
        with directives(no_store=True):
            entered.set()
            await heard.wait()

    saying = asyncio.create_task(say())
    await entered.wait()
    assert current_directives() == ""
    heard.set()
    await saying


async def test_requests_say_it(site: Site, session: aiohttp.ClientSession) -> None:
    """What a block says stands in the requests that are made in it, beside what they say themselves."""
    site.say("a")
    with directives(max_age=10, no_store=True):
        await fetch(session, site / "a", headers={"Cache-Control": "no-transform"})
    assert site.headers[0].getall("Cache-Control") == ["no-transform", "no-store, max-age=10"]
    await fetch(session, site / "a")
    assert "Cache-Control" not in site.headers[1]


async def test_max_age(site: Site, session: aiohttp.ClientSession) -> None:
    """What is older than a block wants is not served in it."""
    site.say("a")
    await fetch(session, site / "a")
    site.clock.advance(20)
    with directives(max_age=30):
        assert await body(session, site / "a") == "1"
    with directives(max_age=10):
        assert await body(session, site / "a") == "2"


async def test_min_fresh(site: Site, session: aiohttp.ClientSession) -> None:
    """What will not be fresh for long enough is not served."""
    site.say("a")
    await fetch(session, site / "a")
    with directives(min_fresh=60):
        assert await body(session, site / "a") == "1"
    site.clock.advance(1)
    with directives(min_fresh=60):
        assert await body(session, site / "a") == "2"


async def test_max_stale(site: Site, session: aiohttp.ClientSession) -> None:
    """What is old is served where that is wanted, for as long as it is wanted."""
    site.say("a")
    await fetch(session, site / "a")
    site.clock.advance(90)
    with directives(max_stale=30):
        assert await body(session, site / "a") == "1"
    site.clock.advance(1)
    with directives(max_stale=True):
        assert await body(session, site / "a") == "1"
    with directives(max_stale=30):
        assert await body(session, site / "a") == "2"


async def test_no_store(site: Site, session: aiohttp.ClientSession) -> None:
    """What is fetched in such a block is not kept."""
    site.say("a")
    with directives(no_store=True):
        assert await body(session, site / "a") == "1"
    assert await body(session, site / "a") == "2"


async def test_no_cache(site: Site, session: aiohttp.ClientSession) -> None:
    """What is kept is not used in such a block without being validated, and what comes is kept."""
    site.say("a")
    await fetch(session, site / "a")
    with directives(no_cache=True):
        assert await body(session, site / "a") == "2"
    assert await body(session, site / "a") == "2"


async def test_a_block_reaches_a_redirects_hops(site: Site, session: aiohttp.ClientSession) -> None:
    """Each hop says it once."""
    site.say("a", status=302, location="/b")
    site.say("b")
    with directives(no_cache=True):
        await fetch(session, site / "a")
    assert [headers.getall("Cache-Control") for headers in site.headers] == [["no-cache"]] * 2
