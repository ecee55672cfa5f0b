"""Whoever leaves while a request is under way takes nothing from those who stay; the last to leave ends it."""

import asyncio

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from tests.flight.cancelling import CancelledAtWait, at_turns
from tests.flight.gates import turns
from tests.http.clients import Got, fetch, session_with, together, until, used_connections
from tests.http.sites import Site, Visit


def ask(session: aiohttp.ClientSession, site: Site) -> "asyncio.Task[Got]":
    """Begin to fetch."""
    return asyncio.create_task(fetch(session, site / "a"))


async def test_followers_survive_a_leader_cancelled_before_the_head(site: Site, session: aiohttp.ClientSession) -> None:
    """The one whose request it was may be cancelled before anything has come: the request goes on for the others."""
    visits = site.wait("a")
    leader = ask(session, site)
    visit = await visits.first()
    followers = [ask(session, site) for _ in range(3)]
    await turns()
    leader.cancel()
    await asyncio.wait([leader])
    visit.answer(b"body")
    assert [got.body for got in await together(*followers)] == [b"body"] * 3
    assert leader.cancelled()
    assert len(visits) == 1


async def test_followers_survive_a_leader_cancelled_in_the_body(site: Site, session: aiohttp.ClientSession) -> None:
    """So they do if that happens while the body comes."""
    visits = site.wait("a")
    leader = ask(session, site)
    visit = await visits.first()
    followers = [ask(session, site) for _ in range(3)]
    await turns()
    visit.head(content_length="8")
    visit.send(b"one ")
    await until(lambda: visit.response is not None)
    leader.cancel()
    await asyncio.wait([leader])
    visit.send(b"more")
    visit.end()
    assert [got.body for got in await together(*followers)] == [b"one more"] * 3
    assert (await fetch(session, site / "a")).from_cache
    assert len(visits) == 1


async def test_the_leader_survives_its_followers(site: Site, session: aiohttp.ClientSession) -> None:
    """Followers come and go without being noticed, before the head and while the body comes."""
    visits = site.wait("a")
    leader = ask(session, site)
    visit = await visits.first()
    early, late = ask(session, site), ask(session, site)
    await turns()
    early.cancel()
    visit.head()
    visit.send(b"one ")
    await until(lambda: visit.response is not None)
    late.cancel()
    await asyncio.wait([early, late])
    visit.send(b"more")
    visit.end()
    assert (await leader).body == b"one more"
    assert (await fetch(session, site / "a")).from_cache


@pytest.mark.parametrize("has_head", [False, True], ids=["before the head", "in the body"])
async def test_the_last_to_leave_ends_the_request(site: Site, session: aiohttp.ClientSession, has_head: bool) -> None:
    """With nobody left, the origin sees that its client has gone, and nothing is stored."""
    visits = site.wait("a")
    tasks = [ask(session, site) for _ in range(3)]
    visit = await visits.first()
    await turns()
    if has_head:
        visit.head()
        visit.send(b"some")
        await until(lambda: visit.response is not None)
        await turns(50)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(3):
        await visit.gone.wait()
    site.say("a", b"new")
    assert (await fetch(session, site / "a")).body == b"new"


async def test_a_newcomer_does_not_join_what_is_being_given_up(site: Site, session: aiohttp.ClientSession) -> None:
    """Who asks at the moment in which the last one leaves gets a request of its own."""
    visits = site.wait("a")
    old = ask(session, site)
    await visits.first()
    old.cancel()
    await asyncio.sleep(0)
    new = ask(session, site)
    (await visits.number(2)).answer(b"new")
    assert (await new).body == b"new"


async def test_a_leaders_time_limit_is_its_own_before_the_head(site: Site, session: aiohttp.ClientSession) -> None:
    """When a leader's `total` is over, it alone gets the TimeoutError."""
    visits = site.wait("a")
    leader = asyncio.create_task(fetch(session, site / "a", timeout=aiohttp.ClientTimeout(total=0.05)))
    visit = await visits.first()
    follower = ask(session, site)
    with pytest.raises(TimeoutError):
        await leader
    await answer_all(visits.all, until_done=follower)
    assert (await follower).body == b"body"
    assert visit.request.path == "/a"


async def test_a_leaders_time_limit_is_its_own_in_the_body(site: Site, session: aiohttp.ClientSession) -> None:
    """So it is when that happens while the body comes: the others get all of it."""
    visits = site.wait("a")
    leader = asyncio.create_task(fetch(session, site / "a", timeout=aiohttp.ClientTimeout(total=0.05)))
    visit = await visits.first()
    follower = ask(session, site)
    await turns()
    visit.head(content_length="8")
    visit.send(b"one ")
    with pytest.raises(TimeoutError):
        await leader
    visit.send(b"more")
    visit.end()
    assert (await follower).body == b"one more"


async def test_a_followers_time_limit_is_its_own(site: Site, session: aiohttp.ClientSession) -> None:
    """When a follower's `total` is over, it gets the TimeoutError, and nobody else."""
    visits = site.wait("a")
    leader = ask(session, site)
    visit = await visits.first()
    hasty = [
        asyncio.create_task(fetch(session, site / "a", timeout=aiohttp.ClientTimeout(total=0.05))) for _ in range(2)
    ]
    await asyncio.wait(hasty)
    assert [type(task.exception()) for task in hasty] == [TimeoutError] * 2
    visit.answer(b"body")
    assert (await leader).body == b"body"


async def test_a_followers_time_limit_holds_in_the_body(site: Site, session: aiohttp.ClientSession) -> None:
    """A follower that waits for a slow body is told when its time is over."""
    visits = site.wait("a")
    leader = ask(session, site)
    visit = await visits.first()
    hasty = asyncio.create_task(fetch(session, site / "a", timeout=aiohttp.ClientTimeout(total=0.1)))
    await turns()
    visit.head()
    visit.send(b"one ")
    await asyncio.wait([hasty], timeout=2)
    assert hasty.done()
    assert isinstance(hasty.exception(), TimeoutError)
    visit.end()
    assert (await leader).body == b"one "


async def answer_all(visits: list[Visit], until_done: "asyncio.Task[Got]") -> None:
    """Answer whatever comes, until a task has what it wants."""
    answered = 0
    async with asyncio.timeout(3):
        while not until_done.done():
            for visit in visits[answered:]:
                visit.answer(b"body")
            answered = len(visits)
            await asyncio.sleep(0.001)


async def test_a_leader_cancelled_after_any_turn(site: Site, session: aiohttp.ClientSession) -> None:
    """After however many turns a leader is cancelled, its follower gets all, and no connection is left in use."""
    followers: list[asyncio.Task[Got]] = []
    site.say("a", b"body" * 100)

    async def both() -> None:
        url = site / f"a?{len(followers)}"
        followers.append(asyncio.create_task(fetch(session, url)))
        await asyncio.sleep(0)
        await fetch(session, url)

    async for task in at_turns(both):
        await asyncio.wait([task])
        for got in await together(*followers):
            assert got.body == b"body" * 100
        assert await used_connections(session) == 0
    assert len(followers) > 5


async def test_a_caller_cancelled_at_any_wait(site: Site, cache: CacheMiddleware) -> None:
    """Cancelled at the beginning of any of its waits, a caller leaves no connection in use, and nothing half stored."""
    site.say("a", b"body" * 100)
    async with session_with(cache, connector=aiohttp.TCPConnector(limit=1)) as session:
        number = 1
        while True:
            again = CancelledAtWait(fetch(session, site / f"a?{number}"), number)
            task = asyncio.ensure_future(await_it(again))
            await asyncio.wait([task])
            assert await used_connections(session) == 0
            assert (await fetch(session, site / f"a?{number}")).body == b"body" * 100
            if not again.reached:
                break
            assert task.cancelled()
            number += 1
        assert number > 2


async def test_a_reader_of_a_hit_cancelled_at_any_wait(site: Site, session: aiohttp.ClientSession) -> None:
    """Cancelled at any wait of a hit, be it of a body that lies in pieces, a caller harms nobody."""
    site.say("a", bytes(600_000))
    await fetch(session, site / "a")
    number = 1
    while True:
        again = CancelledAtWait(fetch(session, site / "a"), number)
        task = asyncio.ensure_future(await_it(again))
        await asyncio.wait([task])
        got = await fetch(session, site / "a")
        assert (len(got.body), got.from_cache) == (600_000, True)
        if not again.reached:
            break
        number += 1
    assert site.asked == ["GET /a"]


async def await_it(work: CancelledAtWait[Got]) -> Got:
    """Make a coroutine of what can be awaited."""
    return await work
