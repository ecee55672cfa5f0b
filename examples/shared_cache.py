"""Two functions share one cache: one bound for both, and one tag that reaches what either knows about a product.

Run it with `python -m examples.shared_cache`.
"""

import asyncio

from asynccache import Cache, async_cached

cache = Cache(maxsize=10_000, ttl=300, name="shop")

prices = {"A1": 10, "B2": 20}
queries: list[str] = []


def product(_result: object, sku: str) -> list[str]:
    """Name the tags of whatever is about one product."""
    return [f"product {sku}"]


@async_cached(cache=cache, tags=product)
async def get_price(sku: str) -> int:
    """Read a price."""
    queries.append(f"price of {sku}")
    return prices[sku]


@async_cached(cache=cache, tags=product, ttl=3600)
async def get_label(sku: str) -> str:
    """Make a label, which has the price on it."""
    queries.append(f"label of {sku}")
    return f"{sku}: {await get_price(sku)} euros"


async def set_price(sku: str, price: int) -> None:
    """Write a price; nobody here needs to know who all has it in a cache."""
    prices[sku] = price
    await cache.invalidate_tags(f"product {sku}")


async def show() -> None:
    """Print both labels, and what had to be asked for them."""
    queries.clear()
    labels = [await get_label("A1"), await get_label("B2")]
    print(f"{', '.join(labels)}; queries: {', '.join(queries) or 'none'}")


async def main() -> None:
    """Change a price, then empty one of several namespaces."""
    async with cache:
        await show()
        await show()
        await set_price("A1", 12)
        await show()

        sessions = cache.namespace("sessions")
        await sessions.set("s-1", "Ada")
        await sessions.set("s-2", "Bob")
        print("sessions:", ", ".join(sorted(f"{key} of {user}" for key, user in sessions.items())))
        await sessions.clear()
        print("sessions, cleared:", len(sessions.items()))
        await show()


if __name__ == "__main__":
    asyncio.run(main())
