"""The benchmark of HTTP clients runs and shows what it claims to show; how fast anything is, is not tested."""

import argparse
import contextlib
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks import http_client
from benchmarks.http_client import CONTENDERS, FLOOR, Get, hits, server

LITTLE = ["--rounds", "1", "--seconds", "0.01", "--only", "asynccache", "a dict"]
OURS = {FLOOR, "asynccache", "asynccache, SQLite", "a dict"}


def test_it_measures_hits(capsys: pytest.CaptureFixture[str]) -> None:
    """Hits are measured with each number of callers, as multiples of requests without a cache."""
    http_client.main(["hits", *LITTLE, "--callers", "1,4", "--json"])
    tables = json.loads(capsys.readouterr().out)
    assert [table["title"].partition(", ")[2] for table in tables] == ["1 at a time", "4 at a time"]
    for table in tables:
        assert set(table["rows"]) == OURS
        assert table["failures"] == {}
        assert table["rows"][FLOOR]["ratio"] == 1.0
        assert all(row["figure"] > 0 for row in table["rows"].values())


def test_peers_that_are_not_there_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that is not installed has no row, and is no failure."""
    http_client.main(["hits", *LITTLE[:-2], "aiohttp-client-cache", "hishel", "--callers", "1", "--json"])
    (table,) = json.loads(capsys.readouterr().out)
    modules = {"aiohttp_client_cache": "aiohttp-client-cache", "hishel": "hishel (httpx), SQLite"}
    for module, name in modules.items():
        is_there = importlib.util.find_spec(module) is not None
        assert (name in {*table["rows"], *table["failures"]}) is is_there


def test_a_contender_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contender that cannot do it is said to fail; the others are measured."""

    @asynccontextmanager
    async def fail(_folder: Path) -> AsyncIterator[Get]:
        raise LookupError("not found")
        yield

    monkeypatch.setitem(CONTENDERS, "a dict that fails", fail)
    given = argparse.Namespace(rounds=1, seconds=0.01, only=["a dict"])
    with server() as base:
        table = hits(base, 1, given)
    assert table.failures == {"a dict that fails": "LookupError: not found"}
    assert set(table.rows) == {FLOOR, "a dict"}


@pytest.mark.parametrize("name", sorted(OURS - {FLOOR}))
async def test_hits_are_hits(name: str, tmp_path: Path) -> None:
    """What is measured as a hit does not ask the server: it may have gone."""
    async with contextlib.AsyncExitStack() as stack:
        get = await stack.enter_async_context(CONTENDERS[name](tmp_path))
        with server() as base:
            await get(f"{base}/0")
        await get(f"{base}/0")


def test_it_measures_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """The growth is told for a cache in memory and one in a file."""
    http_client.main(["memory", "--megabytes", "4"])
    out = capsys.readouterr().out
    assert out.startswith("a body of 4 MiB")
    assert "asynccache, SQLite" in out


def test_it_tells_where_the_time_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """With --profile our own functions are listed."""
    http_client.main(["--profile", "--seconds", "0.05"])
    assert "middleware.py" in capsys.readouterr().out
