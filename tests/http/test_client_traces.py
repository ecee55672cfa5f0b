"""Trace configs of a session hear of hits what there is to hear."""

from typing import Any

import aiohttp

from asynccache.http import CacheMiddleware
from tests.http.clients import fetch, session_with
from tests.http.sites import Site


async def test_traces(site: Site, cache: CacheMiddleware) -> None:
    """Traces are told of the start, the end and the body of hits; not of connections that there are not."""
    told: list[str] = []
    trace = aiohttp.TraceConfig()

    def note(name: str) -> Any:
        async def call(_session: Any, _context: Any, params: Any) -> None:
            told.append(f"{name} {len(params.chunk)}" if name == "chunk" else name)

        return call

    trace.on_request_start.append(note("start"))
    trace.on_request_end.append(note("end"))
    trace.on_response_chunk_received.append(note("chunk"))
    trace.on_request_exception.append(note("exception"))
    trace.on_connection_create_end.append(note("connection"))
    site.say("a", "12345")
    async with session_with(cache, trace_configs=[trace]) as session:
        await fetch(session, site / "a")
        assert told == ["start", "connection", "end", "chunk 5"]
        told.clear()
        assert (await fetch(session, site / "a")).from_cache
    assert told == ["start", "end", "chunk 5"]
