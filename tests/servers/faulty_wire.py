"""The process of a fault proxy: it passes bytes on between clients and one server, as badly as it is told to.

Run as `python -m tests.servers.faulty_wire HOST PORT`. It prints the port that it listens on; then it reads one command
a line, and answers each with one line of JSON. It ends with its standard input, so it never outlives a test run.

It decides what happens to bytes, and knows nothing of what they mean. What TCP would never do, it does not do either:
a connection that has lost bytes is cut before it carries any more of them.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Way: TypeAlias = Literal["up", "down"]
"""Up is from clients to the server."""

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
"""A socket that is closed so sends a reset."""


@dataclass
class Faults:
    """What is done to bytes at present.

    Attributes:
        delays: the shortest and the longest delay of a piece, in seconds.
        chop: the longest piece, in bytes; 0 for no limit.
        stalled: the ways on which bytes wait.
        dropped: the ways on which bytes are lost.
        replies_to_lose: how many pieces from the server are still to be lost, each with its connection.
        chance: decides delays and pieces.
    """

    delays: tuple[float, float] = (0.0, 0.0)
    chop: int = 0
    stalled: set[Way] = field(default_factory=set)
    dropped: set[Way] = field(default_factory=set)
    replies_to_lose: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(0))


Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """One client's connection and ours to the server. It is carried by the task that makes it."""

    def __init__(self, proxy: "Proxy", client: Ends, server: Ends) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self.lost: set[Way] = set()
        self.task = asyncio.current_task()

    async def carry(self) -> None:
        """Pass bytes on both ways until one side ends; if this is cancelled, or bytes are missing, with a reset."""
        ways = (self._carry("up", self._client, self._server), self._carry("down", self._server, self._client))
        tasks = [asyncio.create_task(way) for way in ways]
        resets = True
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            resets = bool(self.lost)
        finally:
            for task in tasks:
                task.cancel()
            self._close(resets=resets)

    def _close(self, *, resets: bool) -> None:
        for _, writer in (self._client, self._server):
            if resets and not writer.is_closing():
                link: socket.socket = writer.get_extra_info("socket")
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                writer.transport.abort()
            writer.close()

    async def _carry(self, way: Way, source: Ends, target: Ends) -> None:
        with contextlib.suppress(OSError):
            while data := await source[0].read(65_536):
                for piece in self._pieces(data):
                    await self._proxy.wait_while_stalled(way)
                    if self._proxy.loses(way):
                        self.lost.add(way)
                    if way not in self.lost:
                        await self._delay()
                        target[1].write(piece)
                        await target[1].drain()
                    elif way not in self._proxy.faults.dropped:
                        return

    def _pieces(self, data: bytes) -> list[bytes]:
        faults = self._proxy.faults
        pieces: list[bytes] = []
        while faults.chop and data:
            length = faults.chance.randint(1, faults.chop)
            pieces.append(data[:length])
            data = data[length:]
        return pieces or [data]

    async def _delay(self) -> None:
        faults = self._proxy.faults
        if faults.delays[1]:
            await asyncio.sleep(faults.chance.uniform(*faults.delays))
        elif faults.chop:
            await asyncio.sleep(0)


class Proxy:
    """Listens, and keeps what is open.

    Args:
        host, port: of the server.
        listens_on: the port that clients connect to.
    """

    def __init__(self, host: str, port: int, listens_on: int) -> None:
        self.faults = Faults()
        self._target = (host, port)
        self._listens_on = listens_on
        self._listener: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._accepted = 0
        self._healed = asyncio.Event()

    async def listen(self) -> None:
        """Take connections, on the same port each time."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self._listens_on)

    async def refuse(self) -> None:
        """Take no connections any more; those that are open stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    async def reset(self, *, all_of_them: bool = True) -> None:
        """Cut all connections, or those that have lost bytes."""
        tasks = [connection.task for connection in self._open if all_of_them or connection.lost]
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    async def heal(self) -> None:
        """Pass everything on as it comes. Connections that have lost bytes are cut."""
        self.faults = Faults()
        self._healed.set()
        self._healed = asyncio.Event()
        await self.reset(all_of_them=False)
        await self.listen()

    def loses(self, way: Way) -> bool:
        """Tell whether a piece is lost that is to go this way now."""
        if way == "down" and self.faults.replies_to_lose:
            self.faults.replies_to_lose -= 1
            return True
        return way in self.faults.dropped

    async def wait_while_stalled(self, way: Way) -> None:
        """Wait until bytes may go this way."""
        while way in self.faults.stalled:
            await self._healed.wait()

    def counts(self) -> dict[str, int]:
        """Tell how many connections are open, and how many there were."""
        return {"open": len(self._open), "accepted": self._accepted}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted += 1
        try:
            server = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = Connection(self, (reader, writer), server)
        for end in (writer, server[1]):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        try:
            await connection.carry()
        finally:
            self._open.discard(connection)


async def obey(proxy: Proxy, words: list[str]) -> None:
    """Do what one line says."""
    faults = proxy.faults
    match words:
        case ["latency", low, high, seed]:
            faults.delays, faults.chance = (float(low), float(high)), random.Random(int(seed))
        case ["chop", longest, seed]:
            faults.chop, faults.chance = int(longest), random.Random(int(seed))
        case ["stall", *ways]:
            faults.stalled.update(way for way in ("up", "down") if way in ways)
        case ["drop", *ways]:
            faults.dropped.update(way for way in ("up", "down") if way in ways)
        case ["lose-replies", count]:
            faults.replies_to_lose = int(count)
        case ["reset"]:
            await proxy.reset()
        case ["refuse"]:
            await proxy.refuse()
        case ["heal"]:
            await proxy.heal()
        case _:
            pass  # a question about counts, which every line is answered with


async def main(host: str, port: str, listens_on: str) -> None:
    """Serve until the standard input ends."""
    proxy = Proxy(host, int(port), int(listens_on))
    await proxy.listen()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(json.dumps(proxy.counts()), flush=True)
    while line := await lines.readline():
        await obey(proxy, line.decode().split())
        print(json.dumps(proxy.counts()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
