"""Redis with Sentinel: a primary, its replica, and those that watch over them and put the replica in its place."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any, Self

from tests.servers.process import HOST, attempts
from tests.servers.redis import RedisServer

SERVICE = "main"
PATIENCE = 20.0

CONFIGURATION = """
port {port}
bind {host}
unixsocket {socket}
dir {folder}
sentinel monitor {service} {host} {primary} {quorum}
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 2000
sentinel parallel-syncs {service} 1
"""


class Sentinel(RedisServer):
    """One that watches over a primary. It writes what it learns to its configuration.

    Args:
        primary: whom it watches over at the beginning.
        quorum: how many sentinels have to miss the primary.
    """

    def __init__(self, primary: RedisServer, quorum: int) -> None:
        super().__init__()
        path = self.folder / "sentinel.conf"
        text = CONFIGURATION.format(
            port=self.port, host=HOST, socket=self.socket, folder=self.folder, service=SERVICE, primary=primary.port,
            quorum=quorum,
        )  # fmt: skip
        path.write_text(text)
        self._configuration = str(path)

    def command(self) -> Sequence[str]:
        """Give the words that start it."""
        return [self._binary, self._configuration, "--sentinel"]


class RedisSentinel:
    """A primary, a replica, and sentinels. A context manager.

    Args:
        sentinels: how many; more than half of them have to miss the primary.
    """

    def __init__(self, *, sentinels: int = 3) -> None:
        self._stack = ExitStack()
        words = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
        first = RedisServer(options=words)
        second = RedisServer(options=[*words, "--replicaof", HOST, str(first.port)])
        self.servers = [first, second]
        self.sentinels = [Sentinel(first, sentinels // 2 + 1) for _ in range(sentinels)]

    def __enter__(self) -> Self:
        with self._stack as stack:
            for server in (*self.servers, *self.sentinels):
                stack.callback(server.close)
            for server in self.servers:
                server.start()
            for sentinel in self.sentinels:
                sentinel.start()
            self._wait_until_watched()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The URL of a store in it."""
        return f"redis+sentinel://{','.join(sentinel.address for sentinel in self.sentinels)}/{SERVICE}"

    @property
    def primary(self) -> RedisServer:
        """The server that the sentinels take for the primary at present."""
        running = next(sentinel for sentinel in self.sentinels if sentinel.is_running)
        _, port = running.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def wait_for_another(self, former: RedisServer) -> RedisServer:
        """Wait until another server than the former one is the primary, and give it."""
        for _ in attempts(PATIENCE):
            found = self.primary
            with suppress(OSError):
                if found is not former and found.ask("ROLE")[0] == b"master":
                    return found
        raise RuntimeError(f"no failover. A sentinel's log:\n{self.sentinels[0].log}")

    def is_fresh(self) -> bool:
        """Empty it, unless a test has done harm to a server, or the primary is not the one it began with."""
        servers = (*self.servers, *self.sentinels)
        if any(server.is_touched for server in servers) or self.primary is not self.servers[0]:
            return False
        self.primary.ask("FLUSHALL")
        return True

    def close(self) -> None:
        """End all servers."""
        self._stack.close()

    def _wait_until_watched(self) -> None:
        """Wait until each sentinel knows the replica and the other sentinels."""
        for _ in attempts(PATIENCE):
            if all(self._knows_all(sentinel) for sentinel in self.sentinels):
                return
        raise RuntimeError(f"the sentinels do not find one another:\n{self.sentinels[0].log}")

    def _knows_all(self, sentinel: Sentinel) -> bool:
        words: list[Any] = sentinel.ask("SENTINEL", "MASTER", SERVICE)
        known = dict(zip(words[::2], words[1::2], strict=True))
        replicas = self.servers[0].info("replication")
        return (
            int(known[b"num-slaves"]) == 1
            and int(known[b"num-other-sentinels"]) == len(self.sentinels) - 1
            and "state=online" in replicas.get("slave0", "")
        )
