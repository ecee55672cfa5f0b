"""What tests of the store on Hazelcast share: keys of their own, stores, clients, and ways to wait."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from asynccache.stores import (
    HazelcastStore,
)
from asynccache.stores.hazelcast.link import load
from tests.servers.hazelcast import CLUSTER, HazelcastMembers

if TYPE_CHECKING:
    from hazelcast.asyncio import HazelcastClient

Keys: TypeAlias = Callable[[str], bytes]
PATIENT = 5.0
"""Seconds, where it is not about time."""

numbers = itertools.count()


def own_keys() -> Keys:
    """Make keys that no other test uses."""
    prefix = f"{os.getpid()}:{next(numbers)}:"
    return lambda text: f"{prefix}{text}".encode()


def store_on(members: HazelcastMembers, timeout: float = PATIENT, map: str = "asynccache") -> HazelcastStore:  # noqa: A002  # as in the store
    """Make a store on all members."""
    return HazelcastStore([member.address for member in members.members], cluster=CLUSTER, map=map, timeout=timeout)


async def plain_client(members: HazelcastMembers) -> "HazelcastClient":
    """A client that knows nothing of stores."""
    driver: type[HazelcastClient] = load().HazelcastClient  # without what importing it says on Python 3.11
    return await driver.create_and_start(
        cluster_name=CLUSTER, cluster_members=[member.address for member in members.members]
    )


async def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Ask again and again, until it holds."""
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


async def until_gone(store: HazelcastStore, key: bytes) -> None:
    """Read until there is nothing."""
    async with asyncio.timeout(20):
        while True:
            if not await store.get_many([key]):
                return
            await asyncio.sleep(0.05)


class News:
    """What a feed has told."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.all = 0

    def __call__(self, keys: Iterable[bytes] | None) -> None:
        """Take note."""
        if keys is None:
            self.all += 1
        else:
            self.keys += keys
