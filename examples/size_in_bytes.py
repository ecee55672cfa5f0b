"""A cache that is bounded by the memory of its values rather than by their number.

Run it with `python -m examples.size_in_bytes`.
"""

import asyncio

from asynccache import async_cached

BUDGET = 1_000_000
"""How many bytes all pictures in the cache may have together."""

loads: list[str] = []


def size(_key: object, picture: bytes) -> int:
    """Weigh an entry: here, only the picture counts."""
    return len(picture)


@async_cached(max_weight=BUDGET, weigher=size, policy="lru")
async def picture(name: str, kilobytes: int) -> bytes:
    """Stand for a download."""
    loads.append(name)
    await asyncio.sleep(0)
    return bytes(kilobytes * 1000)


async def main() -> None:
    """Load ten pictures of 200 kB, of which five fit; then one that is too large to be kept at all."""
    for number in range(10):
        await picture(f"photo {number}", 200)
    print(f"10 pictures of 200 kB loaded, {picture.cache_info().currsize} fit into {BUDGET // 1000} kB")

    await picture("thumbnail", 1)
    print(f"one of 1 kB takes the place of one other: {picture.cache_info().currsize} in the cache")

    loads.clear()
    await picture("poster", 5000)
    poster = await picture("poster", 5000)
    print(f"a poster of {len(poster) // 1000} kB is served but not kept: loaded {len(loads)} times,", end=" ")
    print(f"{picture.cache_info().currsize} others stayed")


if __name__ == "__main__":
    asyncio.run(main())
