"""Ports for servers: free ones, below those that the system gives to clients.

A port from the clients' range could be taken while its server is down, even by the very connection that tries to
reach it (a TCP connection to itself).
"""

import random
import socket
from typing import Final

_RANGE: Final = range(20_000, 32_000)
_given: Final[set[int]] = set()


def free_ports(count: int) -> list[int]:
    """Give ports that nobody listens on, and that were not given before."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().choice(_RANGE)
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def free_port() -> int:
    """Give one port that nobody listens on."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
