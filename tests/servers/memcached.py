"""Memcached: one node, or several that know nothing of one another."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from tests.servers.missing import program
from tests.servers.ports import free_port
from tests.servers.process import HOST, Server


class MemcachedServer(Server):
    """One node."""

    def __init__(self) -> None:
        self._binary = program("memcached", "on Debian and Ubuntu: apt-get install memcached")
        super().__init__()
        self.port = free_port()

    def command(self) -> Sequence[str]:
        """Give the words that start it. As root it has to be told whom to become: root, as it writes nothing."""
        return [self._binary, "-l", HOST, "-p", str(self.port), "-m", "64", "-t", "1", "-u", "root"]

    def answers(self) -> bool:
        """Ask it for its process: another server may listen on the port."""
        return self.count("pid") == self.pid

    def ask(self, line: str, end: bytes) -> bytes:
        """Send one line on a connection of its own, and give what comes up to `end`."""
        reply = b""
        with socket.create_connection((HOST, self.port), timeout=5) as link:
            link.sendall(line.encode() + b"\r\n")
            while not reply.endswith(end):
                more = link.recv(65_536)
                if not more:
                    raise ConnectionError("memcached has hung up")
                reply += more
        return reply

    def count(self, what: str) -> int:
        """Give one number of `stats`."""
        lines = self.ask("stats", b"END\r\n").decode().splitlines()
        return int(next(line.split()[2] for line in lines if line.startswith(f"STAT {what} ")))

    def is_fresh(self) -> bool:
        """Empty it, unless a test has done harm to it."""
        if self.is_touched or not self.is_running:
            return False
        self.ask("flush_all", b"OK\r\n")
        return True

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of a store in it."""
        return f"memcached://{self.address}"


class MemcachedNodes:
    """Several nodes. A context manager."""

    def __init__(self, count: int = 3) -> None:
        self.nodes = [MemcachedServer() for _ in range(count)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            for node in self.nodes:
                stack.enter_context(node)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def is_fresh(self) -> bool:
        """Empty them, unless a test has done harm to one."""
        return all(node.is_fresh() for node in self.nodes)

    @property
    def url(self) -> str:
        """The URL of a store in them."""
        return f"memcached://{','.join(node.address for node in self.nodes)}"
