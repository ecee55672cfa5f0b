"""One connection on which a server tells what changes: opened, proven, watched, read.

Decides what proves that it works: a key that we write ourselves has to be told of. Nothing that a server says about its
abilities is believed. What is told is handed on at once.

A server forgets what was asked of it when a connection ends, and replays nothing: so a channel that is lost is over.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from redis.exceptions import RedisError, ResponseError

from asynccache.errors import StoreError, StoreTimeout
from asynccache.stores.contract import OnChange
from asynccache.stores.redis.access import Access, Address, place
from asynccache.stores.redis.commands import PING, pack
from asynccache.stores.redis.faults import translate
from asynccache.stores.redis.server import CONNECTING, drop

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

PROVING: Final = 1.0
"""Seconds in which the change that we make ourselves has to be told."""

WATCHING: Final = 1.0
"""Seconds between two questions whether the other side is still there, and seconds that it has to say anything."""

_LOOKS: Final = 4
"""How often it is looked within that time whether something came: a loop that was blocked gets to read first."""

_STRETCH: Final = 0.002
"""Seconds of reading what is there already before others on the loop have their turn."""


class _Told(NamedTuple):
    keys: list[bytes] | None


async def _tell(response: list[Any]) -> _Told:
    return _Told(response[1])


class Channel:
    """One connection on which changes are told.

    Args:
        access: how servers are reached.
        address: of the server.
        prefix: how the keys begin that are told of.
        probe: a key of that kind, which this server has.
        on_change: is told of changes.
    """

    def __init__(self, access: Access, address: Address, prefix: bytes, probe: bytes, on_change: OnChange) -> None:
        self.name = f"Redis at {place(address)}"
        self.proven = asyncio.Event()
        """Set when the change that we made ourselves was told."""
        self._access = access
        self._address = address
        self._prefix = prefix
        self._probe = probe
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._heard_at = 0.0

    async def run(self) -> NoReturn:
        """Tell of changes until the connection is lost.

        Raises:
            StoreTimeout: the server has fallen silent.
            StoreUnavailable: it cannot be reached any more.
            StoreError: it does not tell of changes at all.
        """
        try:
            async with asyncio.timeout(CONNECTING):
                connection = await self._access.connect(self._address, protocol=3)
        except (RedisError, OSError) as error:
            raise translate(error, self.name) from error
        try:
            _parser_of(connection).set_invalidation_push_handler(_tell)
            await connection.send_packed_command([self._beginning()], check_health=False)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(connection))
                group.create_task(self._prove())
                await self._read(connection)
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
            if isinstance(first, RedisError | OSError):
                raise translate(first, self.name) from first
            raise first from None
        except (RedisError, OSError) as error:
            raise translate(error, self.name) from error
        finally:
            drop(connection)

    def _beginning(self) -> bytes:
        tracking = pack(b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", self._prefix)
        change = pack(b"SET", self._probe, b"", b"PX", b"1000")
        return tracking + change + pack(b"UNLINK", self._probe)

    async def _prove(self) -> None:
        try:
            async with asyncio.timeout(PROVING):
                await self.proven.wait()
        except TimeoutError:
            raise StoreError(f"{self.name} does not tell of changes") from None

    async def _read(self, connection: "AbstractConnection") -> NoReturn:
        pause_at = 0.0
        while True:
            try:
                told: object = await connection.read_response(  # pyright: ignore[reportUnknownVariableType]
                    disable_decoding=True, push_request=True
                )
            except ResponseError as error:
                raise translate(error, self.name) from error
            self._heard_at = now = self._loop.time()
            if isinstance(told, _Told):
                self._hand_on(told.keys)
            if now >= pause_at:
                await asyncio.sleep(0)
                pause_at = self._loop.time() + _STRETCH

    def _hand_on(self, keys: list[bytes] | None) -> None:
        if keys is not None and not self.proven.is_set() and self._probe in keys:
            self.proven.set()
            keys = [key for key in keys if key != self._probe]
        if keys != []:
            self._on_change(keys)  # None: everything was deleted

    async def _watch(self, connection: "AbstractConnection") -> NoReturn:
        while True:
            await asyncio.sleep(WATCHING)
            asked_at = self._loop.time()
            await connection.send_packed_command([PING], check_health=False)
            for _ in range(_LOOKS):
                if self._heard_at < asked_at:
                    await asyncio.sleep(WATCHING / _LOOKS)
            if self._heard_at < asked_at:
                raise StoreTimeout(f"{self.name} has fallen silent")


def _parser_of(connection: "AbstractConnection") -> Any:
    # There is no public way to get these replies. If this one ends, the proof fails, and nothing is told: not a lie.
    return connection._parser  # pyright: ignore[reportPrivateUsage]
