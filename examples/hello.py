"""A hundred callers ask for the same thing at the same moment, and the function runs once.

Run it with `python -m examples.hello`.
"""

import asyncio

from asynccache import async_cached

runs: list[str] = []


@async_cached
async def greeting(name: str) -> str:
    """Stand for a slow read: a query, a request to another service."""
    runs.append(name)
    await asyncio.sleep(0.05)
    return f"Hello, {name}!"


async def main() -> None:
    """Ask a hundred times at once, then a hundred times more."""
    answers = await asyncio.gather(*(greeting("world") for _ in range(100)))
    print(f"{len(answers)} callers at once, {len(runs)} call: {answers[0]}")

    for _ in range(100):
        await greeting("world")
    print(f"100 more, one after the other: still {len(runs)} call")

    await greeting("moon")
    print(f"another name: {len(runs)} calls, {greeting.cache_info().currsize} answers in the cache")


if __name__ == "__main__":
    asyncio.run(main())
