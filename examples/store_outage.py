"""A store that goes away, and comes back: callers notice nothing, and what was deleted meanwhile stays deleted.

`Chaos` stands between a cache and its store, and fails when it is told to.

Run it with `python -m examples.store_outage`.
"""

import asyncio
import logging
from functools import partial

from asynccache import Cache
from asynccache.stores import MemoryStore
from asynccache.testing import Chaos

queries: list[str] = []
prices = {"A1": 10, "B2": 20}


async def load_price(sku: str) -> int:
    """Stand for a query."""
    queries.append(sku)
    await asyncio.sleep(0)
    return prices[sku]


async def ask(cache: Cache, sku: str) -> str:
    """Let a hundred callers ask for a price, and tell what they got."""
    queries.clear()
    load = partial(load_price, sku)
    results = await asyncio.gather(*(cache.get_or_load(sku, load) for _ in range(100)), return_exceptions=True)
    return f"{sku} costs {', '.join(map(str, set(results)))}, queries: {len(queries)}"


async def owes_nothing(cache: Cache) -> None:
    """Wait until the store has been told what it has missed: a second at most."""
    for _ in range(100):
        shared = cache.stats().shared
        if shared is None or not shared.owed:
            return
        await asyncio.sleep(0.01)


async def main() -> None:
    """Let two processes share a store that fails one of them."""
    logging.getLogger("asynccache").setLevel(logging.ERROR)  # it would warn that the store fails
    store = MemoryStore()
    chaos = Chaos(store)
    async with Cache(chaos, namespace="shop", ttl=60) as here, Cache(store, namespace="shop", ttl=60) as there:
        print(f"all is well:            {await ask(here, 'A1')}")
        print(f"in another process:     {await ask(there, 'A1')}")

        chaos.down = True
        print(f"the store is away:      {await ask(here, 'B2')}")
        prices["A1"] = 12
        await here.delete("A1")
        print(f"A1 has changed here:    {await ask(here, 'A1')}")
        print(f"the other cannot know:  {await ask(there, 'A1')}")

        chaos.down = False
        await owes_nothing(here)
        await asyncio.sleep(0.05)  # news travel
        print(f"the store is back:      {await ask(there, 'A1')}")


if __name__ == "__main__":
    asyncio.run(main())
