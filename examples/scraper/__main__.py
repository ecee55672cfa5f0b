"""`python -m examples.scraper`: four runs over a site, with hours in between."""

import asyncio
import tempfile
import time
from pathlib import Path

from aiohttp.test_utils import TestServer

from asynccache.testing import ManualClock
from examples.scraper.crawl import crawl, polite_session
from examples.scraper.site import STYLE, Site


async def run(site: Site, start: str, path: Path, clock: ManualClock, what: str) -> None:
    """Crawl once, as a program that has just been started, and print what the site was asked."""

    async def sleep(seconds: float) -> None:
        print(f"  told to come again in {seconds:.0f} s")
        clock.advance(seconds)

    site.answers.clear()
    async with polite_session(path, clock, sleep) as session:
        pages = await crawl(session, start)
    whole = sum(text.endswith(STYLE) for text in pages.values())
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(site.answers.items()))
    print(f"{what}: {whole} pages with their style; the site has answered {answers or 'nothing'}")


async def main(path: Path) -> None:
    """Run once, again soon, after an hour, and while the site is down."""
    clock = ManualClock(time.time())  # so that hours pass by `advance`
    site = Site(clock)
    async with TestServer(site.application()) as running:
        start = str(running.make_url("/pages/1"))
        await run(site, start, path, clock, "first")
        await run(site, start, path, clock, "again, at once")
        clock.advance(3600)
        await run(site, start, path, clock, "an hour later")
        clock.advance(3600)
        site.is_down = True
        await run(site, start, path, clock, "the site is down")
        print(f"at most {site.most_at_once} of them at a time")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "pages.db"))
