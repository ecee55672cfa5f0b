"""Four processes with 100 callers each of one cold key: one load for all, and no caller that hangs or is failed."""

from pathlib import Path
from typing import Protocol

import pytest

from tests.fleet.herds import PROCESSES, herd
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

ENGINES = {
    "redis": "redis_server",
    "valkey": "valkey_server",
    "memcached": "memcached_nodes",
    "hazelcast": "hazelcast_member",
}
SOON = 10.0
"""Seconds. Somebody who waits for a lease of a killed process in vain would wait for `FOR_EVER`."""

FOR_EVER = 300.0


class Engine(Protocol):
    """What processes can share."""

    @property
    def url(self) -> str:
        """The URL of a store in it."""
        ...


@pytest.fixture(params=["sqlite", *ENGINES])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of each kind, with time enough for four processes on a busy machine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}?timeout=10"
    engine: Engine = request.getfixturevalue(ENGINES[request.param])
    return f"{engine.url}?timeout=10"


def test_one_load(url: str, tmp_path: Path) -> None:
    """There is exactly one load, and all 400 callers are given what it brought."""
    with herd(url, tmp_path, seconds=0.3) as processes:
        processes.go()
        assert len(processes.waits()) == PROCESSES
        assert len(processes.loads) == 1


def test_the_one_that_loads_is_killed(url: str, tmp_path: Path) -> None:
    """When the process that loads is killed (SIGKILL), the others go on as soon as its lease is over."""
    with herd(url, tmp_path, seconds=1, lease_ttl=1) as processes:
        processes.go()
        loading = processes.wait_for_load()
        loading.kill()
        loading.wait()
        waits = processes.waits()
        assert len(waits) == PROCESSES - 1
        assert max(waits) < 1 + 1 + SOON
        assert 2 <= len(processes.loads) <= PROCESSES


def test_the_store_is_killed_before(redis_server: RedisServer, tmp_path: Path) -> None:
    """With the store gone, each process loads for its own callers, at once."""
    with herd(f"{redis_server.url}?timeout=0.5", tmp_path, seconds=0.3, lease_ttl=FOR_EVER) as processes:
        redis_server.kill()
        processes.go()
        waits = processes.waits()
        assert len(waits) == PROCESSES
        assert max(waits) < SOON
        assert 1 <= len(processes.loads) <= PROCESSES


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_store_is_lost_while_one_loads(redis_server: RedisServer, tmp_path: Path, how: str) -> None:
    """When the store is lost while others wait for a load, each process loads for itself, soon."""
    with herd(f"{redis_server.url}?timeout=0.5", tmp_path, seconds=0.5, lease_ttl=FOR_EVER) as processes:
        processes.go()
        processes.wait_for_load()
        redis_server.kill() if how == "killed" else redis_server.pause()
        waits = processes.waits()
        assert len(waits) == PROCESSES
        assert max(waits) < SOON
        assert 1 <= len(processes.loads) <= PROCESSES


def test_the_store_is_a_black_hole(redis_server: RedisServer, tmp_path: Path) -> None:
    """When nothing comes back from the store any more, each process loads for itself, soon."""
    with (
        FaultProxy(redis_server.port) as proxy,
        herd(f"redis://{proxy.address}/0?timeout=0.5", tmp_path, seconds=0.5, lease_ttl=FOR_EVER) as processes,
    ):
        processes.go()
        processes.wait_for_load()
        proxy.drop("down")
        waits = processes.waits()
        assert len(waits) == PROCESSES
        assert max(waits) < SOON
        assert 1 <= len(processes.loads) <= PROCESSES
