"""Servers as fixtures. Each is started once, when the first test asks for it, and emptied before each test.

A test may kill, pause and stop what it gets: the next one then gets a new one. A test that does harm in another way
(by a command, say) sets `is_touched` on that server. A test that needs what the machine lacks is skipped, which is said
at the end of the run; with ASYNCCACHE_TEST_SERVERS=all it is a failure.

For a server with a password, a certificate or other options, use the classes as context managers.

Tests that need a server get the marker `servers`.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, Self, TypeVar

import pytest

from tests.servers.hazelcast import HazelcastMembers, jar
from tests.servers.memcached import MemcachedNodes
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinel

ENGINES: Final = {
    "redis_server": RedisServer,
    "valkey_server": RedisServer,
    "redis_cluster": RedisCluster,
    "redis_sentinel": RedisSentinel,
    "memcached_nodes": MemcachedNodes,
    "hazelcast_member": HazelcastMembers,
    "hazelcast_pair": HazelcastMembers,
}
"""What the fixtures below give."""


BY_PARAMETER: Final = {
    "redis": RedisServer,
    "valkey": RedisServer,
    "cluster": RedisCluster,
    "sentinel": RedisSentinel,
    "memcached": MemcachedNodes,
    "hazelcast": HazelcastMembers,
}
"""What a fixture gives that is told so by its parameter, and asks for the engine's own fixture then."""


def engines_of(item: pytest.Item) -> set[type]:
    """The engines that a test asks for, chooses by a fixture's parameter, or starts in its own body."""
    if not isinstance(item, pytest.Function):
        return set()
    asked = {kind for fixture, kind in ENGINES.items() if fixture in item.fixturenames}
    begun = {kind for kind in ENGINES.values() if kind.__name__ in names_in(item.function)}
    return asked | chosen_by(item) | begun


def chosen_by(item: pytest.Function) -> set[type]:
    """The engines that a test's parameters name to fixtures that look for other fixtures by name."""
    call = getattr(item, "callspec", None)
    return {
        BY_PARAMETER[value]
        for fixture, value in (call.params if call else {}).items()
        if isinstance(value, str) and value in BY_PARAMETER
        for definition in item._fixtureinfo.name2fixturedefs.get(fixture, ())
        if "getfixturevalue" in names_in(definition.func)
    }


def names_in(function: object) -> tuple[str, ...]:
    """The names that a function's own body uses."""
    code = getattr(function, "__code__", None)
    return code.co_names if code else ()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server."""
    for item in items:
        if engines_of(item):
            item.add_marker("servers")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what takes longer than a test may, if it will be needed. What is missing, the tests will say."""
    if not session.config.option.collectonly and any(HazelcastMembers in engines_of(item) for item in session.items):
        with contextlib.suppress(pytest.skip.Exception, pytest.fail.Exception):
            jar()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out, and what to install for them: one line for each thing that is missing."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"left out {count} tests: {reason.removeprefix('Skipped: ')}")


class Engine(Protocol):
    """What can be kept for the next test."""

    def __enter__(self) -> Self:
        """Start it."""
        ...

    def __exit__(self, *exc: object) -> None:
        """End it."""
        ...

    def is_fresh(self) -> bool:
        """Empty it; tell whether it is as good as new."""
        ...


E = TypeVar("E", bound=Engine)


class Kept(Generic[E]):
    """An engine that is kept from test to test.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[], E]) -> None:
        self._make = make
        self._engine: E | None = None

    def fresh(self) -> E:
        """Give an engine that is empty and unharmed."""
        if self._engine is None or not self._engine.is_fresh():
            self.close()
            self._engine = self._make().__enter__()
        return self._engine

    def close(self) -> None:
        """End it, if there is one."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.__exit__(None, None, None)


def kept(make: Callable[[], E]) -> Iterator[Kept[E]]:
    """Keep an engine until the session ends."""
    keeper = Kept(make)
    yield keeper
    keeper.close()


@pytest.fixture(scope="session")
def kept_redis() -> Iterator[Kept[RedisServer]]:
    """One Redis for all tests."""
    yield from kept(RedisServer)


@pytest.fixture(scope="session")
def kept_valkey() -> Iterator[Kept[RedisServer]]:
    """One Valkey for all tests."""
    yield from kept(lambda: RedisServer("valkey"))


@pytest.fixture(scope="session")
def kept_cluster() -> Iterator[Kept[RedisCluster]]:
    """One Redis Cluster for all tests."""
    yield from kept(RedisCluster)


@pytest.fixture(scope="session")
def kept_sentinel() -> Iterator[Kept[RedisSentinel]]:
    """One set of sentinels for all tests."""
    yield from kept(RedisSentinel)


@pytest.fixture(scope="session")
def kept_memcached() -> Iterator[Kept[MemcachedNodes]]:
    """Three memcached nodes for all tests."""
    yield from kept(MemcachedNodes)


@pytest.fixture(scope="session")
def kept_hazelcast() -> Iterator[Kept[HazelcastMembers]]:
    """One Hazelcast member for all tests."""
    yield from kept(HazelcastMembers)


@pytest.fixture(scope="session")
def kept_hazelcast_pair() -> Iterator[Kept[HazelcastMembers]]:
    """Two Hazelcast members for all tests."""
    yield from kept(lambda: HazelcastMembers(2))


@pytest.fixture
def redis_server(kept_redis: Kept[RedisServer]) -> RedisServer:
    """A Redis without password."""
    return kept_redis.fresh()


@pytest.fixture
def valkey_server(kept_valkey: Kept[RedisServer]) -> RedisServer:
    """A Valkey without password."""
    return kept_valkey.fresh()


@pytest.fixture
def redis_cluster(kept_cluster: Kept[RedisCluster]) -> RedisCluster:
    """A Redis Cluster of three primaries and three replicas."""
    return kept_cluster.fresh()


@pytest.fixture
def redis_sentinel(kept_sentinel: Kept[RedisSentinel]) -> RedisSentinel:
    """A Redis and its replica, watched over by three sentinels."""
    return kept_sentinel.fresh()


@pytest.fixture
def memcached_nodes(kept_memcached: Kept[MemcachedNodes]) -> MemcachedNodes:
    """Three memcached nodes."""
    return kept_memcached.fresh()


@pytest.fixture
def hazelcast_member(kept_hazelcast: Kept[HazelcastMembers]) -> HazelcastMembers:
    """A cluster of one Hazelcast member. What others have written may still be there: use a map of your own."""
    return kept_hazelcast.fresh()


@pytest.fixture
def hazelcast_pair(kept_hazelcast_pair: Kept[HazelcastMembers]) -> HazelcastMembers:
    """A cluster of two Hazelcast members. What others have written may still be there: use a map of your own."""
    return kept_hazelcast_pair.fresh()
