"""A restart that the database does not notice: the cache is saved on the way out, and taken up on the way in.

What is not in the file is loaded before the first request, a few at a time.

Run it with `python -m examples.warm_start`.
"""

import asyncio
import tempfile
from functools import partial
from pathlib import Path

from asynccache import Cache

queries: list[str] = []


async def load_price(sku: str) -> float:
    """Stand for a query."""
    queries.append(sku)
    await asyncio.sleep(0)
    return 9.99


async def serve(skus: list[str], saved: Path) -> None:
    """Live the life of one process: start warm, serve, save."""
    queries.clear()
    async with Cache(ttl=3600, name="prices") as cache:
        found = await cache.restore(saved)
        print(f"  from the file: {found.restored}")
        if found.problem is not None:
            print(f"  because: {found.problem}")
        await cache.warm(["A1", "A2", "A3"], load_price, concurrency=2)
        print(f"  queries before the first request: {len(queries)}")

        queries.clear()
        for sku in skus:
            await cache.get_or_load(sku, partial(load_price, sku))
        print(f"  {len(skus)} requests, {len(queries)} queries")
        report = await cache.snapshot(saved)
        print(f"  saved: {report.saved}")


async def main() -> None:
    """Start three times: with no file, with the one of before, and with one that was damaged."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "prices.cache"
        print("first start:")
        await serve(["A1", "B1", "B1", "B2"], saved)
        print("second start:")
        await serve(["A1", "B1", "B2", "B2"], saved)
        print("third start, after somebody cut the file in half:")
        saved.write_bytes(saved.read_bytes()[:100])
        await serve(["A1", "B1", "B1", "B2"], saved)


if __name__ == "__main__":
    asyncio.run(main())
