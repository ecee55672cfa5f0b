"""The benchmark of engines runs and shows what it claims to show; how fast anything is, is not tested."""

import importlib.util
import json
import sys

import pytest

from benchmarks import stores
from benchmarks.tables import Table
from tests.servers.hazelcast import HazelcastMembers
from tests.servers.memcached import MemcachedNodes
from tests.servers.redis import RedisServer

LITTLE = ["--rounds", "2", "--calls", "20", "--readers", "1,4"]
OPTIONAL = ("aiocache", "cashews")


@pytest.fixture
def urls(
    redis_server: RedisServer,
    memcached_nodes: MemcachedNodes,
    hazelcast_member: HazelcastMembers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Engines that the benchmark finds running."""
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("MEMCACHED_URL", memcached_nodes.nodes[0].url)
    monkeypatch.setenv("HAZELCAST_URL", hazelcast_member.url)


def test_it_measures_all(urls: None, capsys: pytest.CaptureFixture[str]) -> None:
    """All engines are measured with each number of readers, and hits in process, of all who are installed."""
    stores.main([*LITTLE, "--json"])
    tables = json.loads(capsys.readouterr().out)
    titles = [f"{name}: reads, {readers} at once" for name in ("redis", "memcached", "hazelcast") for readers in (1, 4)]
    assert [table["title"] for table in tables] == [
        *titles, "a hit in process: get", "a hit in process: get_or_load"
    ]  # fmt: skip
    installed = {name for name in OPTIONAL if importlib.util.find_spec(name)}
    peers = [{"redis-py"} | installed] * 2 + [{"emcache"}] * 2 + [{"hazelcast"}] * 2
    for table, names in zip(tables, peers, strict=False):
        assert set(table["rows"]) | set(table["failures"]) == {"asynccache"} | names
        assert table["rows"]["asynccache"]["ratio"] == 1.0
    for table in tables[-2:]:
        assert set(table["rows"]) == {"Cache()", "Cache(url)"}
    assert all(row["figure"] > 0 for table in tables for row in table["rows"].values())


def test_it_starts_what_is_not_named(
    memcached_nodes: MemcachedNodes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a URL an engine is started; where that cannot be, it is left out, which is said."""
    monkeypatch.delenv("MEMCACHED_URL", raising=False)
    stores.main(["memcached", *LITTLE])
    assert "memcached: reads, 4 at once" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "tests.servers.memcached", None)
    stores.main(["memcached", *LITTLE])
    assert capsys.readouterr().out.strip() == "memcached is left out: there is no such engine here"


async def test_a_peer_that_fails_is_told() -> None:
    """A contender that cannot do it is said to fail; the others are measured, and the least is their figure."""
    table = Table("reads", "us a read", "asynccache")

    async def fail() -> float:
        raise LookupError("not found")

    async def last(us: float) -> float:
        return us

    for us in (3.0, 2.0, 4.0):
        await stores.measure(table, "asynccache", last(us))
    await stores.measure(table, "peer", fail())
    assert table.failures == {"peer": "LookupError: not found"}
    assert {name: row.figure for name, row in table.rows.items()} == {"asynccache": 2.0}
