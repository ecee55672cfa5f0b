"""A method can be cached too: each instance has answers of its own, and is not kept alive by them.

Run it with `python -m examples.methods`.
"""

import asyncio
import gc
import weakref

from asynccache import async_cached


class WeatherClient:
    """Asks one weather station; `unit` is an example of what differs between two clients."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.requests = 0

    @async_cached(maxsize=100, ttl=60)
    async def temperature(self, city: str) -> str:
        """Ask for a city's temperature; a second question within a minute is answered from the cache."""
        self.requests += 1
        await asyncio.sleep(0.01)
        return f"{12 if self.unit == 'C' else 54} °{self.unit} in {city}"


async def main() -> None:
    """Use two clients, invalidate one answer of one of them, and let one go."""
    celsius, fahrenheit = WeatherClient("C"), WeatherClient("F")
    for _ in range(3):
        print(await celsius.temperature("Oslo"), "and", await fahrenheit.temperature("Oslo"))
    print(f"requests: {celsius.requests} and {fahrenheit.requests}")

    celsius.temperature.cache_invalidate("Oslo")
    await celsius.temperature("Oslo")
    await fahrenheit.temperature("Oslo")
    print(f"after an invalidation in the first: {celsius.requests} and {fahrenheit.requests}")

    gone = weakref.ref(fahrenheit)
    del fahrenheit
    gc.collect()
    print("the second client is", "gone" if gone() is None else "still alive")


if __name__ == "__main__":
    asyncio.run(main())
