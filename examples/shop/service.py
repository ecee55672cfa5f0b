"""The shop's web service, an ordinary aiohttp application.

Shows that handlers need not know whether the reads behind them are cached. Run it by hand with
`python -m examples.shop.service`; it stops when its standard input ends (Ctrl-D) or on Ctrl-C.
"""

import argparse
import asyncio
import contextlib
import os
import threading
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from examples.shop.catalog import CachedCatalog, Catalog
from examples.shop.data import make_database
from examples.shop.database import Database

CATALOG: web.AppKey[Catalog | CachedCatalog] = web.AppKey("catalog")
DATABASE = web.AppKey("database", Database)

SLOW_STEP = 2.0
"""Seconds from which asyncio's debug mode calls a step slow: accepting 2,000 connections on two busy cores is not."""


async def get_product(request: web.Request) -> web.Response:
    """Answer GET /products/{sku}."""
    product = await request.app[CATALOG].product(request.match_info["sku"])
    if product is None:
        raise web.HTTPNotFound
    return web.json_response(asdict(product))


async def get_top(request: web.Request) -> web.Response:
    """Answer GET /categories/{name}/top."""
    top = await request.app[CATALOG].top(request.match_info["name"])
    if not top:
        raise web.HTTPNotFound
    return web.json_response([asdict(product) for product in top])


async def put_price(request: web.Request) -> web.Response:
    """Answer PUT /products/{sku}/price; the body is the price in cents."""
    try:
        price = int(await request.text())
    except ValueError:
        raise web.HTTPBadRequest(text="The body must be a whole number of cents.\n") from None
    if await request.app[CATALOG].set_price(request.match_info["sku"], price) is None:
        raise web.HTTPNotFound
    return web.Response(status=204)


async def get_counts(request: web.Request) -> web.Response:
    """Answer GET /counts: what the demo shows besides the times."""
    catalog = request.app[CATALOG]
    infos = (catalog.product.cache_info(), catalog.top.cache_info()) if isinstance(catalog, CachedCatalog) else ()
    hits, misses = sum(info.hits for info in infos), sum(info.misses for info in infos)
    return web.json_response({"hits": hits, "misses": misses, "database_calls": request.app[DATABASE].calls})


def application(database: Database, *, cached: bool) -> web.Application:
    """Make the application; whether the reads are cached makes no difference to its handlers."""
    app = web.Application()
    app[DATABASE] = database
    app[CATALOG] = CachedCatalog(database) if cached else Catalog(database)
    app.router.add_get("/products/{sku}", get_product)
    app.router.add_put("/products/{sku}/price", put_price)
    app.router.add_get("/categories/{name}/top", get_top)
    app.router.add_get("/counts", get_counts)
    return app


async def serve(path: Path, *, cached: bool, port: int) -> None:
    """Serve until standard input ends; port 0 takes any that is free. The first line printed is the address."""
    asyncio.get_running_loop().slow_callback_duration = SLOW_STEP
    async with Database(path) as database:
        runner = web.AppRunner(application(database, cached=cached), access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
            await site.start()
            print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
            await _end_of_input()
        finally:
            await runner.cleanup()


async def _end_of_input() -> None:
    """Wait until standard input ends, as it does when the process that started this one is gone, however it went."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # The loop is closed already: Ctrl-C came first.
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, name="end of input", daemon=True).start()
    await ended.wait()


def main() -> None:
    """Read the command line, make the database if need be, and serve."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop.service", description="The demo's web service.")
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where the database is kept")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8080, help="0 for any that is free")
    parser.add_argument("--cached", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    path = make_database(options.folder, options.products, options.seed)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(path, cached=options.cached, port=options.port))


if __name__ == "__main__":
    main()
