"""Three processes, one after the other, share a cache in a file: what the first has loaded, the second finds.

Run it with `python -m examples.two_processes`, or give it the address of a store, such as
`python -m examples.two_processes redis://localhost:6379/0`.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from asynccache import Cache, async_cached


@dataclass(frozen=True)
class Product:
    sku: str
    price: float


async def serve(store: str, work: str) -> None:
    """Be one of the processes: read a product, or change it."""
    loads: list[str] = []
    async with Cache(store, namespace="two-processes", ttl=60) as cache:

        @async_cached(cache=cache, name="product", tags=lambda _, sku: [f"product {sku}"])
        async def get_product(sku: str) -> Product:
            loads.append(sku)
            return Product(sku, 9.99)

        if work == "change":
            await cache.invalidate_tags("product A1")
            print("changed A1")
        else:
            product = await get_product("A1")
            print(f"{product}, {'loaded' if loads else 'from the store'}")


async def start(store: str, work: str) -> None:
    """Start a process, and wait until it has done its work."""
    print(f"process that is to {work}: ", end="", flush=True)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "examples.two_processes", store, work)
    if await process.wait():
        raise SystemExit("it failed")


async def main(store: str) -> None:
    """Read twice, change, and read again, each in a process of its own."""
    for work in ("read", "read", "change", "read"):
        await start(store, work)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [store, work]:
            asyncio.run(serve(store, work))
        case [store]:
            asyncio.run(main(store))
        case _:
            with tempfile.TemporaryDirectory() as folder:
                # Processes that have just started may need more than the usual tenth of a second.
                asyncio.run(main(f"sqlite:///{Path(folder) / 'cache.db'}?timeout=5"))
