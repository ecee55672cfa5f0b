"""Locks between real processes on real stores: exclusion, a holder that is killed, and one load for all."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from asynccache import Cache
from tests.locks.worker import TASKS
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[2]
PROCESSES = 4
LIMIT = 55.0
"""Seconds after which a process hangs."""


SERVERS = {
    "redis": "redis_server",
    "cluster": "redis_cluster",
    "memcached": "memcached_nodes",
    "hazelcast": "hazelcast_member",
}
"""The fixtures that start them."""


class Engine(Protocol):
    """What processes can share."""

    @property
    def url(self) -> str:
        """The URL of a store in it."""
        ...


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of the kind that the test names."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}?timeout=10"
    engine: Engine = request.getfixturevalue(SERVERS[request.param])
    return f"{engine.url}?timeout=10"


some_engines = pytest.mark.parametrize("url", ["redis", "sqlite"], indirect=True)
all_engines = pytest.mark.parametrize("url", ["sqlite", *SERVERS], indirect=True)


@contextlib.contextmanager
def workers(number: int, what: str, url: str, folder: Path) -> Iterator[Sequence["subprocess.Popen[str]"]]:
    """Start processes, and let them go when all are ready; kill what is left of them."""
    command = [sys.executable, "-m", "tests.locks.worker", what, url, str(folder)]
    pipe = subprocess.PIPE
    found = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(number)]
    try:
        for process in found:
            assert said(process) == "ready"
        for process in found:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield found
    finally:
        for process in found:
            process.kill()
            process.communicate()


def said(process: "subprocess.Popen[str]") -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@some_engines
def test_one_at_a_time(url: str, tmp_path: Path) -> None:
    """Of 4 processes with 100 tasks each, one task at a time is inside, and the fences grow in that order."""
    (tmp_path / "number").write_text("0")
    with workers(PROCESSES, "count", url, tmp_path) as processes:
        assert [process.wait(LIMIT) for process in processes] == [0] * PROCESSES
    fences = [int(line) for line in (tmp_path / "fences").read_text().split()]
    assert int((tmp_path / "number").read_text()) == PROCESSES * TASKS
    assert len(fences) == PROCESSES * TASKS
    assert fences == sorted(set(fences))


@all_engines
@pytest.mark.one_loop
async def test_a_holder_is_killed(url: str, tmp_path: Path) -> None:
    """When the holder is killed, whoever waits has the lock within its ttl of a second, give or take the machine."""
    with workers(1, "hold", url, tmp_path) as (holder,):
        assert said(holder) == "held"
        async with Cache(url, namespace="shop") as cache:
            holder.kill()
            holder.wait(LIMIT)
            killed = time.monotonic()
            async with cache.lock("counter", ttl=1, wait=20) as lease:
                waited = time.monotonic() - killed
                assert lease.fence > 1
    assert waited < 1 + 4


@some_engines
@pytest.mark.one_loop
async def test_a_holder_is_stopped(url: str, tmp_path: Path) -> None:
    """A holder that stood still for longer than its ttl sees that it has lost the lock, as soon as it goes on."""
    with workers(1, "hold", url, tmp_path) as (holder,):
        assert said(holder) == "held"
        holder.send_signal(signal.SIGSTOP)
        async with Cache(url, namespace="shop") as cache, cache.lock("counter", ttl=10, wait=20) as lease:
            holder.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(said, holder) == "lost"
            assert not lease.lost.is_set()


@all_engines
def test_one_load(url: str, tmp_path: Path) -> None:
    """Of 4 processes with 100 callers each of one cold key, one loads it."""
    with workers(PROCESSES, "load", url, tmp_path) as processes:
        assert [process.wait(LIMIT) for process in processes] == [0] * PROCESSES
    assert (tmp_path / "loads").read_text() == "x"


def test_no_store(redis_server: RedisServer, tmp_path: Path) -> None:
    """With the store killed, each process loads once, and none waits or fails."""
    with workers(PROCESSES, "load", redis_server.url, tmp_path) as processes:
        redis_server.kill()
        assert [process.wait(LIMIT) for process in processes] == [0] * PROCESSES
    assert 1 <= len((tmp_path / "loads").read_text()) <= PROCESSES
