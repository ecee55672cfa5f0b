"""A Redis Cluster: primaries that share the slots, and a replica for each."""

from contextlib import ExitStack, suppress
from typing import Self

from tests.servers.ports import free_port
from tests.servers.process import HOST, attempts
from tests.servers.redis import RedisServer

SLOTS = 16_384
PATIENCE = 30.0


class RedisCluster:
    """Primaries and replicas on one machine. A context manager.

    Args:
        primaries: how many share the slots.
        replicas: of each primary.
        node_timeout: seconds without an answer after which the others give a node up; a replica takes its place about
            a second later.
    """

    def __init__(self, *, primaries: int = 3, replicas: int = 1, node_timeout: float = 1.5) -> None:
        words = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(round(node_timeout * 1_000))]
        words += ["--repl-diskless-sync-delay", "0"]
        self._stack = ExitStack()
        self._primaries = primaries
        self.nodes = [
            RedisServer(options=[*words, "--cluster-port", str(free_port())]) for _ in range(primaries * (1 + replicas))
        ]

    def __enter__(self) -> Self:
        with self._stack as stack:
            for node in self.nodes:
                stack.callback(node.close)
            for node in self.nodes:
                node.spawn()
            for node in self.nodes:
                node.wait_until(node.answers)
            self._form()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The URL of a store in it."""
        return f"redis+cluster://{','.join(node.address for node in self.nodes[: self._primaries])}"

    def primary_of(self, key: bytes) -> RedisServer:
        """Give the node that is the primary of a key's slot at present."""
        slot = self._alive().ask("CLUSTER", "KEYSLOT", key.decode("latin-1"))
        for words in self._table(self._alive()):
            ranges = [word.split("-") for word in words[8:] if "[" not in word]
            if any(int(ends[0]) <= slot <= int(ends[-1]) for ends in ranges):
                return self._by_address(words[1])
        raise LookupError(f"nobody has the slot {slot}")

    def primaries(self) -> list[RedisServer]:
        """Give the nodes that are primaries at present, and answer."""
        return [node for node in self.nodes if node.is_running and node.ask("ROLE")[0] == b"master"]

    def is_fresh(self) -> bool:
        """Empty it, unless a test has done harm to a node, or it is not whole."""
        if any(node.is_touched for node in self.nodes) or not self._is_whole():
            return False
        for node in self.primaries():
            node.ask("FLUSHALL")
            node.ask("CONFIG", "RESETSTAT")
        return True

    def wait_until_whole(self) -> None:
        """Wait until all nodes that run know of one another, and all slots are served."""
        for _ in attempts(PATIENCE):
            with suppress(OSError):
                if self._is_whole():
                    return
        raise RuntimeError(f"the cluster is not whole:\n{self._alive().ask('CLUSTER', 'NODES').decode()}")

    def close(self) -> None:
        """End all nodes."""
        self._stack.close()

    def _form(self) -> None:
        """Give out the slots, introduce the nodes, and tell the replicas whom to follow."""
        first, *others = self.nodes
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < self._primaries:
                ends = [SLOTS * part // self._primaries for part in (number, number + 1)]
                node.ask("CLUSTER", "ADDSLOTSRANGE", ends[0], ends[1] - 1)
        for node in others:
            bus = node.options[node.options.index("--cluster-port") + 1]
            first.ask("CLUSTER", "MEET", HOST, node.port, bus)
        self._wait_for_all_to_meet()
        for number, node in enumerate(self.nodes[self._primaries :]):
            followed = self.nodes[number % self._primaries].ask("CLUSTER", "MYID")
            node.ask("CLUSTER", "REPLICATE", followed.decode())
        self.wait_until_whole()

    def _wait_for_all_to_meet(self) -> None:
        for _ in attempts(PATIENCE):
            if all(len(self._met(node)) == len(self.nodes) for node in self.nodes):
                return
        raise RuntimeError("the nodes of the cluster do not meet")

    def _met(self, node: RedisServer) -> list[list[str]]:
        return [words for words in self._table(node) if not {"handshake", "noaddr"} & set(words[2].split(","))]

    def _is_whole(self) -> bool:
        running = [node for node in self.nodes if node.is_running]
        primaries = [node for node in running if node.ask("ROLE")[0] == b"master"]
        replicas = [node.info("replication") for node in running if node not in primaries]
        return (
            len(primaries) == self._primaries
            and all(b"cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in running)
            and all(replica["master_link_status"] == "up" for replica in replicas)
        )

    def _alive(self) -> RedisServer:
        return next(node for node in self.nodes if node.is_running)

    def _by_address(self, address: str) -> RedisServer:
        return next(node for node in self.nodes if node.address == address.partition("@")[0])

    @staticmethod
    def _table(node: RedisServer) -> list[list[str]]:
        """Give the lines of `CLUSTER NODES`: id, address, flags, the one followed, times, epoch, link, slots."""
        table = node.ask("CLUSTER", "NODES").decode()
        return [line.split() for line in table.splitlines()]
