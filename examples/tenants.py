"""A function whose answer depends on a context variable: `vary` puts it into the key, and two tenants never mix.

Run it with `python -m examples.tenants`.
"""

import asyncio
from contextvars import ContextVar

from asynccache import async_cached

tenant: ContextVar[str] = ContextVar("tenant")
"""Who is asking. A web framework's middleware would set it once for each request."""

runs: list[str] = []


@async_cached(vary=(tenant,))
async def settings(page: str) -> str:
    """Read the settings of a page; the tenant is no argument, and yet decides the answer."""
    runs.append(tenant.get())
    await asyncio.sleep(0.01)
    return f"{page} page of {tenant.get()}"


async def request(name: str) -> str:
    """Serve one request. Each runs in a task of its own, so that setting the variable concerns nobody else."""
    tenant.set(name)
    return await settings("start")


async def main() -> None:
    """Serve ten requests of each tenant, all at once."""
    names = ["green grocer", "red baker"] * 10
    answers = await asyncio.gather(*(request(name) for name in names))
    mixed_up = [answer for name, answer in zip(names, answers, strict=True) if answer != f"start page of {name}"]
    for answer in sorted(set(answers)):
        print(answer)
    print(f"{len(names)} requests, {len(runs)} calls, {len(mixed_up)} answers mixed up")


if __name__ == "__main__":
    asyncio.run(main())
