"""Requests to a cluster: each key goes to the server that has its slot, and all servers are asked at once.

Decides that a server that fails, or is left alone because it has failed, costs its own keys only; and that a key whose
server says that another one has it is asked for there, once.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.lanes import STALL, time_is_over_at
from asynccache.stores.redis.access import Address
from asynccache.stores.redis.commands import ASKING
from asynccache.stores.redis.faults import Redirection, redirection
from asynccache.stores.redis.topology import Cluster

_SPARE: Final = 0.15
"""Of the time that is left: what remains for those whose servers answer when one does not."""


async def scatter(cluster: Cluster, keys: Sequence[bytes], packed: Sequence[bytes]) -> list[object]:
    """Send one command for each key; give the reply to each, a `StoreError` where there is none.

    Raises:
        StoreError: it is not known which servers there are.
    """
    await cluster.ready()
    replies: list[object] = [StoreUnavailable(f"nobody in {cluster.access.name} has the slot")] * len(keys)
    shares: dict[tuple[Address, bool], list[int]] = {}
    for index, key in enumerate(keys):
        address = cluster.address_of(key)
        if address is not None:
            shares.setdefault((address, False), []).append(index)
    await _send_shares(cluster, shares, packed, replies)
    elsewhere = {index: found for index, reply in enumerate(replies) if (found := redirection(reply))}
    if elsewhere:
        await _follow(cluster, elsewhere, keys, packed, replies)
    return replies


async def _follow(
    cluster: Cluster,
    elsewhere: dict[int, Redirection],
    keys: Sequence[bytes],
    packed: Sequence[bytes],
    replies: list[object],
) -> None:
    shares: dict[tuple[Address, bool], list[int]] = {}
    for index, found in elsewhere.items():
        shares.setdefault((cluster.follow(found, keys[index]), found.is_for_once), []).append(index)
    await _send_shares(cluster, shares, packed, replies)


async def _send_shares(
    cluster: Cluster,
    shares: dict[tuple[Address, bool], list[int]],
    packed: Sequence[bytes],
    replies: list[object],
) -> None:
    async def send(address: Address, is_for_once: bool, share: list[int]) -> None:
        before = [ASKING] if is_for_once else []
        words = [word for index in share for word in (*before, packed[index])]
        try:
            received = await cluster.ask(address, b"".join(words), len(words))
        except StoreError as error:
            received = [error] * len(words)
        for index, reply in zip(share, received[len(before) :: len(before) + 1], strict=True):
            replies[index] = reply

    if len(shares) == 1:
        ((place, share),) = shares.items()
        await send(*place, share)
        return
    tasks = [asyncio.create_task(send(*place, share)) for place, share in shares.items()]
    await _wait(tasks)
    for task, ((address, _), share) in zip(tasks, shares.items(), strict=True):
        if task.done():
            task.result()
        else:
            late = StoreTimeout(f"{cluster.server(address).name} did not answer in time")
            for index in share:
                replies[index] = late


async def _wait(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all, or until it is time to answer with what there is; those that are not done then are cancelled."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    left = (1 - _SPARE) * (time_is_over_at() - begin)
    try:
        _, pending = await asyncio.wait(tasks, timeout=left)
        if pending and loop.time() - begin > left + STALL:  # the loop was blocked: replies may be there, and not read
            await asyncio.wait(pending, timeout=STALL / 2)
    finally:
        for task in tasks:
            task.cancel()
