"""Write first, then invalidate: the next reader sees what was written, even if an older read is still on its way.

Run it with `python -m examples.invalidate_after_write`.
"""

import asyncio

from asynccache import async_cached

database = {"A1": 1000}
"""Prices in cents; stands for a table somewhere else."""

query_has_run = asyncio.Event()
reply_may_arrive = asyncio.Event()


@async_cached(ttl=60)
async def get_price(sku: str) -> int:
    """Read a price; the two events let `main` decide when the reply arrives."""
    price = database[sku]
    query_has_run.set()
    await reply_may_arrive.wait()
    return price


async def set_price(sku: str, price: int) -> None:
    """Write a price, then drop what the cache holds of it."""
    database[sku] = price
    get_price.cache_invalidate(sku)


async def main() -> None:
    """Write twice: once after a read, and once in the middle of one."""
    reply_may_arrive.set()
    print(f"read:  {await get_price('A1')}")
    await set_price("A1", 1100)
    print(f"write: 1100, read: {await get_price('A1')}")

    get_price.cache_clear()
    reply_may_arrive.clear()
    query_has_run.clear()
    slow_reader = asyncio.create_task(get_price("A1"))
    await query_has_run.wait()  # This reader has seen 1100, but its reply is still on the way...
    await set_price("A1", 1200)  # ...when the price changes.
    reply_may_arrive.set()
    await slow_reader
    print(f"write: 1200 in the middle of a read, next read: {await get_price('A1')}")


if __name__ == "__main__":
    asyncio.run(main())
