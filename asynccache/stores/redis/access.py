"""How servers are reached: what a URL says, or a client that was made already.

Decides the parameters of a URL, and what is taken over from a client: where its servers are, and how one logs in. Its
connections are not used, as they may be all in use when a cache needs one; so a client is never closed by a store.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from redis import asyncio as redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    RedisSSLContext,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

from asynccache.stores.batching import DEFAULT_TIMEOUT
from asynccache.stores.redis.server import CONNECTING
from asynccache.stores.urls import StoreUrl, seconds

Address: TypeAlias = tuple[str, int]
"""A host and its port; for a socket in the file system, its path and 0."""

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379

_TAKEN_OVER: Final = frozenset(
    {"db", "username", "password", "credential_provider", "client_name", "socket_keepalive", "socket_keepalive_options"}
)
"""Of a client's settings, besides those of TLS; deadlines and retries are the store's own."""

_TLS: Final[Mapping[str, Callable[[str], Any]]] = {
    "ca_certs": str, "certfile": str, "keyfile": str, "check_hostname": bool,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How servers are reached.

    Attributes:
        seeds: addresses to begin with; with a service, of its sentinels.
        settings: of each connection, as the client calls them.
        connection_class: of each connection.
        service: whose primary the sentinels are asked for.
        sentinel_settings: of connections to sentinels.
        is_cluster: the seeds are some servers of a cluster.
        timeout: seconds that a request may take.
    """

    seeds: tuple[Address, ...]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    connection_class: type[AbstractConnection] = Connection
    service: str | None = None
    sentinel_settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    is_cluster: bool = False
    timeout: float = DEFAULT_TIMEOUT
    _certificates: dict[str, RedisSSLContext] = field(default_factory=dict[str, RedisSSLContext], repr=False)

    @property
    def name(self) -> str:
        """What the whole is called in errors."""
        kind = "cluster" if self.is_cluster else f"primary of {self.service}" if self.service else "server"
        return f"the Redis {kind} at {', '.join(map(place, self.seeds))}"

    async def connect(self, address: Address, **more: Any) -> AbstractConnection:
        """Make a connection to a server, ready for use.

        Args:
            address: of the server.
            more: settings that differ.

        Raises:
            RedisError: the server cannot be reached, or does not let us in.
        """
        kind = self.connection_class
        return await self._connect(kind, {**self.settings, **_where(kind, address), **more}, "server")

    async def connect_to_sentinel(self, address: Address) -> AbstractConnection:
        """Make a connection to a sentinel, ready for use.

        Raises:
            RedisError: it cannot be reached, or does not let us in.
        """
        settings = dict(self.sentinel_settings)
        kind = SSLConnection if settings.pop("ssl", False) else Connection
        return await self._connect(kind, {**settings, **_where(kind, address)}, "sentinel")

    async def _connect(
        self, kind: type[AbstractConnection], settings: Mapping[str, Any], whom: str
    ) -> AbstractConnection:
        ours: dict[str, Any] = {
            "protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_timeout": None, "socket_connect_timeout": CONNECTING,
        }  # fmt: skip
        ours.update(settings)
        connection = kind(**ours)
        if isinstance(connection, SSLConnection):
            certificates = connection.ssl_context = self._certificates.setdefault(whom, connection.ssl_context)
            # To read all authorities takes tens of milliseconds.
            if certificates.context is None:  # pyright: ignore[reportUnknownMemberType]
                await asyncio.to_thread(_read, certificates)
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves its annotations away here
        return connection


def _read(certificates: RedisSSLContext) -> None:
    certificates.get()  # pyright: ignore[reportUnknownMemberType]


def place(address: Address) -> str:
    """Give an address as it is written."""
    host, port = address
    return f"{host}:{port}" if port else host


def _where(kind: type[AbstractConnection], address: Address) -> dict[str, Any]:
    if issubclass(kind, UnixDomainSocketConnection):
        return {"path": address[0]}
    return {"host": address[0], "port": address[1]}


# --- from a URL -------------------------------------------------------------------------------------------------------


def access_from_url(url: StoreUrl) -> Access:
    """Read a URL.

    Raises:
        ValueError: it has a part or a parameter that its kind of store does not know.
    """
    match url.scheme:
        case "unix":
            return _by_path(url)
        case "redis+sentinel":
            return _by_sentinel(url)
        case "redis+cluster":
            given = url.parameters(timeout=seconds, tls=bool, **_TLS)
            if url.path.strip("/"):
                raise ValueError("a cluster has one database only: leave away what follows the hosts")
            return Access(seeds=_hosts(url, _PORT), is_cluster=True, **_common(url, given, given.pop("tls", False)))
        case _:
            given = url.parameters(timeout=seconds, db=int, **_TLS)
            hosts = _hosts(url, _PORT)
            if len(hosts) > 1:
                raise ValueError(
                    f"{url.scheme}:// has one host; for several, write redis+cluster:// or redis+sentinel://"
                )
            return Access(seeds=hosts, **_common(url, given, url.scheme in {"rediss", "valkeys"}, _database(url)))


def _by_path(url: StoreUrl) -> Access:
    given = url.parameters(timeout=seconds, db=int)
    if url.hosts or not url.path.strip("/"):
        raise ValueError("unix:// has a path and no host: unix:///run/redis.sock")
    common: dict[str, Any] = {**_common(url, given, False), "connection_class": UnixDomainSocketConnection}
    return Access(seeds=((url.path, 0),), **common)


def _by_sentinel(url: StoreUrl) -> Access:
    given = url.parameters(timeout=seconds, db=int, tls=bool, sentinel_username=str, sentinel_password=str, **_TLS)
    service = url.path.strip("/")
    if not url.hosts or not service:
        raise ValueError("redis+sentinel:// has sentinels and a service: redis+sentinel://host:26379/main?db=0")
    login = {name: given.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    is_tls = given.pop("tls", False)
    common = _common(url, given, is_tls)
    tls = {name: value for name, value in common["settings"].items() if name.startswith("ssl")}
    sentinel_settings = {**login, **tls, **({"ssl": True} if is_tls else {})}
    return Access(seeds=_hosts(url, _SENTINEL_PORT), service=service, sentinel_settings=sentinel_settings, **common)


def _common(url: StoreUrl, given: dict[str, Any], is_tls: bool, database: int | None = None) -> dict[str, Any]:
    db = given.get("db", database or 0)
    if db < 0 or (database is not None and db != database):
        raise ValueError("the database of a Redis store is one number, 0 or more")
    tls = {f"ssl_{name}": given[name] for name in _TLS if name in given}
    if tls and not is_tls:
        raise ValueError(f"{', '.join(name[4:] for name in tls)} is for TLS: write rediss://, or tls=true")
    return {
        "settings": {"db": db, "username": url.username, "password": url.password, **tls},
        "connection_class": SSLConnection if is_tls else Connection,
        "timeout": given.get("timeout", DEFAULT_TIMEOUT),
    }


def _hosts(url: StoreUrl, port: int) -> tuple[Address, ...]:
    return tuple((host, port if given is None else given) for host, given in url.hosts) or (("localhost", port),)


def _database(url: StoreUrl) -> int | None:
    path = url.path.strip("/")
    if path and not (path.isascii() and path.isdigit()):
        raise ValueError(f"the path of {url.scheme}:// is the number of a database, such as /0")
    return int(path) if path else None


# --- from a client ----------------------------------------------------------------------------------------------------


def access_from_client(client: "redis.Redis | redis.RedisCluster", timeout: float) -> Access:
    """Take over where a client's servers are, and how one logs in.

    Raises:
        TypeError: it is no client.
        ValueError: the timeout is none.
    """
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout must be seconds, more than 0, not {timeout!r}")
    if isinstance(client, redis.RedisCluster):
        seeds = tuple((node.host, int(node.port)) for node in client.nodes_manager.startup_nodes.values())
        given = client.get_connection_kwargs()
        kind: type[AbstractConnection] = cast("Any", given.get("connection_class", Connection))
        return Access(seeds=seeds, settings=_settings(given), connection_class=kind, is_cluster=True, timeout=timeout)
    if not isinstance(client, redis.Redis):  # pyright: ignore[reportUnnecessaryIsInstance]  # users without a checker
        raise TypeError(f"RedisStore is made of a URL or of a client of redis.asyncio, not of {client!r}")
    pool: Any = client.connection_pool
    given = pool.connection_kwargs
    if isinstance(client.connection_pool, SentinelConnectionPool):
        kind = SSLConnection if issubclass(pool.connection_class, SSLConnection) else Connection
        sentinels = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
        return Access(
            seeds=tuple((sentinel["host"], int(sentinel["port"])) for sentinel in sentinels),
            settings=_settings(given), connection_class=kind, service=pool.service_name,
            sentinel_settings=_settings(pool.sentinel_manager.sentinel_kwargs), timeout=timeout,
        )  # fmt: skip
    where = (given["path"], 0) if "path" in given else (given.get("host", "localhost"), int(given.get("port", _PORT)))
    return Access(seeds=(where,), settings=_settings(given), connection_class=pool.connection_class, timeout=timeout)


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in _TAKEN_OVER or name.startswith("ssl")}
