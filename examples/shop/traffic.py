"""The shop's customers: which pages they ask for, and a client that asks for them, many at a time.

Shows traffic as shops have it. A few pages are asked for all the time and most hardly ever: by Zipf's law the page of
rank n is asked for 1/n times as often as the first (L. Breslau et al., "Web Caching and Zipf-like Distributions:
Evidence and Implications", INFOCOM 1999).
"""

import asyncio
import itertools
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp

from examples.shop.data import CATEGORIES, category_of, sku_of
from examples.shop.progress import Progress

_PRODUCT_SHARE = 0.7
"""Of ten requests, seven are for a product and three are for a category's best."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What the client has seen."""

    seconds: float
    latencies: list[float]
    """In seconds, one for each request, in ascending order."""
    errors: int


def requests(count: int, products: int, seed: int) -> list[str]:
    """Give the paths to ask for, in order: always the same for the same arguments."""
    chance = random.Random(seed)
    product_pages = [f"/products/{sku_of(number)}" for number in range(products)]
    category_pages = [f"/categories/{category_of(number)}/top" for number in range(min(CATEGORIES, products))]
    chance.shuffle(product_pages)  # What sells best is not what was entered first.
    popular_products = iter(_by_zipf(product_pages, count, chance))
    popular_categories = iter(_by_zipf(category_pages, count, chance))
    return [next(popular_products if chance.random() < _PRODUCT_SHARE else popular_categories) for _ in range(count)]


def _by_zipf(pages: list[str], count: int, chance: random.Random) -> list[str]:
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(pages) + 1)))
    return chance.choices(pages, cum_weights=weights, k=count)


async def measure(session: aiohttp.ClientSession, paths: list[str], concurrency: int, label: str) -> Measured:
    """Ask for all paths, `concurrency` at a time: whoever has an answer takes the next path at once."""
    latencies: list[float] = []
    progress = Progress(label, len(paths))
    remaining = iter(paths)  # Shared by all customers, so that each path is taken once.
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        customers = [group.create_task(_customer(session, remaining, latencies, progress)) for _ in range(concurrency)]
    seconds = time.perf_counter() - started
    progress.finish()
    errors = sum(customer.result() for customer in customers)
    return Measured(seconds=seconds, latencies=sorted(latencies), errors=errors)


async def _customer(
    session: aiohttp.ClientSession, paths: Iterable[str], latencies: list[float], progress: Progress
) -> int:
    """Ask for one path after the other, and tell how many were not answered as they should be."""
    errors = 0
    for path in paths:
        started = time.perf_counter()
        try:
            async with session.get(path) as response:
                await response.read()
                errors += response.status != 200
        except (aiohttp.ClientError, TimeoutError):
            errors += 1
        latencies.append(time.perf_counter() - started)
        progress.show(len(latencies))
    return errors
