"""`python -m examples.shop`: measure the service without and with the cache, and print both side by side."""

import argparse
import asyncio
import sys
from pathlib import Path

import aiohttp

from examples.shop.child import running_service
from examples.shop.data import make_database, sku_of
from examples.shop.open_files import connections_allowed
from examples.shop.report import Run, table
from examples.shop.service import SLOW_STEP
from examples.shop.traffic import measure, requests


async def _run(options: argparse.Namespace, paths: list[str], *, cached: bool) -> Run:
    """Start the service, let the customers at it, write a price, and stop it."""
    arguments = [f"--folder={options.folder}", f"--products={options.products}", f"--seed={options.seed}"]
    connector = aiohttp.TCPConnector(limit=options.concurrency)
    label = "With @async_cached" if cached else "Without cache"
    async with (
        running_service(*arguments, "--cached" if cached else "--no-cached") as address,
        aiohttp.ClientSession(address, connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session,
    ):
        measured = await measure(session, paths, options.concurrency, label)
        async with session.get("/counts") as response:
            counts: dict[str, int] = await response.json()
        served = await _new_price_is_served(session, sku_of(0))
    return Run(measured=measured, new_price_served=served, **counts)


async def _new_price_is_served(session: aiohttp.ClientSession, sku: str) -> bool:
    """Write a new price and read it, then the same with the old one, which leaves the shop as it was."""

    async def price() -> int:
        async with session.get(f"/products/{sku}") as response:
            page: dict[str, int] = await response.json()
            return page["price"]

    old = await price()
    seen = []
    for written in (old + 100, old):
        async with session.put(f"/products/{sku}/price", data=str(written)) as response:
            response.raise_for_status()
        seen.append(await price())
    return seen == [old + 100, old]


async def _both(options: argparse.Namespace, paths: list[str]) -> bool:
    asyncio.get_running_loop().slow_callback_duration = SLOW_STEP
    without = await _run(options, paths, cached=False)
    with_cache = await _run(options, paths, cached=True)
    print(table(without, with_cache))
    return without.fine and with_cache.fine


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    parser.add_argument("--requests", type=_positive, default=20_000, help="how many in each run")
    parser.add_argument("--concurrency", type=_positive, default=2_000, help="how many at a time")
    parser.add_argument("--products", type=_positive, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where the database is kept")
    return parser.parse_args()


def main() -> int:
    """Prepare, run, report; the exit code is 0 if all requests were answered, and correctly so."""
    options = _options()
    wanted = min(options.concurrency, options.requests)
    options.concurrency = connections_allowed(wanted)
    if options.concurrency < wanted:
        print(f"Only {options.concurrency:,} at a time: no more open files are allowed (ulimit -Hn).", file=sys.stderr)
    try:
        make_database(options.folder, options.products, options.seed)
        paths = requests(options.requests, options.products, options.seed)
        return 0 if asyncio.run(_both(options, paths)) else 1
    except KeyboardInterrupt:
        print("\nInterrupted; the service is stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
