"""An outage, ridden out: while the weather service is down, callers get what it said before it went.

The source is asked again only every ten seconds, however many call meanwhile. The clock is moved by hand, so that the
hour of this story takes no time.

Run it with `python -m examples.old_rather_than_error`.
"""

import asyncio

from asynccache import async_cached
from asynccache.testing import ManualClock

clock = ManualClock()
down: set[str] = set()
"""The services that do not answer at the moment."""

requests: list[str] = []


@async_cached(ttl=60, stale_if_error=3600, error_backoff=10, clock=clock)
async def weather(city: str) -> str:
    """Ask the weather service."""
    requests.append(city)
    await asyncio.sleep(0)
    if "weather" in down:
        raise ConnectionError("the weather service does not answer")
    return f"sunny in {city}"


async def hundred_calls() -> str:
    """Let a hundred callers ask, and tell what they got."""
    requests.clear()
    results = await asyncio.gather(*(weather("Oslo") for _ in range(100)), return_exceptions=True)
    outcome = ", ".join(sorted({repr(result) for result in results}))
    return f"{outcome}; requests: {len(requests)}"


async def main() -> None:
    """Let the service go down, stay down for too long, and come back."""
    print(f"   0 s, it is up:    {await hundred_calls()}")

    down.add("weather")
    clock.advance(61)
    print(f"{clock():4.0f} s, it is down:  {await hundred_calls()}")
    clock.advance(5)
    print(f"{clock():4.0f} s, still down:  {await hundred_calls()}")
    clock.advance(5)
    print(f"{clock():4.0f} s, tried again: {await hundred_calls()}")

    clock.advance(3600)
    print(f"{clock():4.0f} s, too long:    {await hundred_calls()}")

    down.clear()
    print(f"{clock():4.0f} s, it is back:  {await hundred_calls()}")
    stats = weather.cache_stats()
    print(f"{stats.stale} answers were old, {stats.failures} loads failed")


if __name__ == "__main__":
    asyncio.run(main())
