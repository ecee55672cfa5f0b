"""One engine on several event loops: each has flights of its own, and waits for nobody on another."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from asynccache.http.answering import collapsing
from asynccache.http.answering.counts import HttpStats
from asynccache.http.answering.engine import HttpCache
from asynccache.http.answering.exchange import Lines
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.settings.policy import Policy
from asynccache.http.settings.rules import Rules
from asynccache.http.syntax.message import Fields, Request, Response
from asynccache.stores import MemoryStore
from tests.flight.gates import turns
from tests.http.engine_scenes import FRESH, START, URI, Arrived, read


class Handler:
    """An origin that answers when it is let. Implements `Origin`."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.gate = asyncio.Event()

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> Arrived:
        """Answer as soon as the gate is open."""
        self.begun.set()
        await self.gate.wait()
        return Arrived(Response(200, Fields(FRESH), START, START), [b"body"])

    def later(self) -> None:
        """There is no way later."""


@pytest.mark.one_loop
async def test_a_run_on_another_loop_sets_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who waits for somebody else's run of a handler has a time limit: not who runs it on a loop of his own."""
    monkeypatch.setattr(collapsing, "_PATIENCE", 0.0)
    store = ResponseStore(MemoryStore(), clock=lambda: START)
    cache = HttpCache(store, Rules(Policy(shared=True)), clock=lambda: START, counts=HttpStats(), name="cache")
    elsewhere, here, loops = Handler(), Handler(), list[asyncio.AbstractEventLoop]()

    async def run() -> bytes:
        loops.append(asyncio.get_running_loop())
        return await read(await cache.respond(Request("GET", URI, Fields()), elsewhere))

    other = asyncio.create_task(asyncio.to_thread(asyncio.run, run()))
    await asyncio.to_thread(elsewhere.begun.wait, 10)
    mine = asyncio.create_task(cache.respond(Request("GET", URI, Fields()), here))
    await turns()
    assert not mine.done()
    here.gate.set()
    assert await read(await mine) == b"body"
    loops[0].call_soon_threadsafe(elsewhere.gate.set)
    assert await other == b"body"
