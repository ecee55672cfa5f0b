"""What a store on Memcached can be told: nodes, and how clients for them are made.

Decides the one spelling of a node, by which its keys are placed, and which options are refused.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from asynccache.stores.urls import StoreUrl

if TYPE_CHECKING:
    import emcache

PORT: Final = 11_211


def load() -> Any:
    """Give the package emcache.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import emcache
    except ModuleNotFoundError as error:
        raise ImportError('MemcachedStore needs a package: pip install "asynccache[memcached]"') from error
    return emcache


def maker(name: str, options: dict[str, Any]) -> "Callable[[], emcache.Client]":
    """Give what makes a client of one node."""

    def make() -> "emcache.Client":
        import emcache

        host, _, port = name.rpartition(":")
        address: Any = emcache.MemcachedUnixSocketPath(name)
        if not name.startswith("/"):
            address = emcache.MemcachedHostAddress(host.strip("[]"), int(port))
        # Time limits are ours. No purging: its timer is set anew even after the client was closed.
        making = emcache.create_client([address], timeout=None, purge_unused_connections_after=None, **options)
        try:
            making.send(None)
        except StopIteration as stop:
            client: emcache.Client = stop.value
            return client
        making.close()
        raise AssertionError("emcache waits when a client is made")  # pragma: no cover

    return make


def joined(host: str, port: int | None) -> str:
    """Write a host and its port."""
    return f"[{host}]:{port or PORT}" if ":" in host else f"{host}:{port or PORT}"


def spelled(node: str) -> str:
    """Give the one spelling of a node: it decides on its keys.

    Raises:
        ValueError: it is none.
    """
    if node.startswith("/"):
        return node
    hosts = StoreUrl.parse(f"memcached://{node}").hosts
    if len(hosts) != 1:
        raise ValueError(f"a node is written host, host:port or /path/of/a.socket, not {node!r}")
    return joined(hosts[0][0].lower(), hosts[0][1])


def check(timeout: float, connections: int, max_bytes: int) -> None:
    """Refuse numbers that cannot be meant.

    Raises:
        ValueError: one is out of range.
    """
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout must be seconds, more than 0, not {timeout!r}")
    if connections < 2:
        raise ValueError(f"connections must be 2 or more, one for reads and one for changes, not {connections!r}")
    if max_bytes < 1:
        raise ValueError(f"max_bytes must be 1 or more, not {max_bytes!r}")


def check_nodes(names: Sequence[str], weights: Sequence[float] | None) -> None:
    """Refuse nodes and weights that do not go together.

    Raises:
        ValueError: they do not.
    """
    if not names:
        raise ValueError("a MemcachedStore needs at least one node, such as localhost:11211")
    if len(set(names)) < len(names):
        raise ValueError("a node is written twice: each is to be there once")
    if weights is not None and len(weights) != len(names):
        raise ValueError(f"weights are as many as nodes: {len(names)}, not {len(weights)}")
    if weights is not None and not all(0 < weight < math.inf for weight in weights):
        raise ValueError("weights must be more than 0")


def read_weights(text: str) -> list[float]:
    """Read weights from a URL.

    Raises:
        ValueError: they are none.
    """
    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError:
        raise ValueError("numbers with commas between, such as 3,1,1") from None
