"""Four processes, each with 25 callers, want one report at the same moment: one of them makes it.

Run it with `python -m examples.one_load_for_a_fleet`, or give it the address of a store, such as
`python -m examples.one_load_for_a_fleet redis://localhost:6379/0`.
"""

import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path

from asynccache import Cache

PROCESSES = 4
CALLERS = 25


async def make_report(made: Path, month: str) -> str:
    """Stand for a query of half a second, and write down that it was made."""
    with made.open("a") as file:
        file.write(f"{month}\n")
    await asyncio.sleep(0.5)
    return f"the report of {month}"


async def serve(store: str, made: Path) -> None:
    """Be one of the processes."""
    async with Cache(store, namespace="one-load", ttl=600, coalesce="fleet", lease_ttl=10) as cache:
        load = partial(make_report, made, "May")
        reports = await asyncio.gather(*(cache.get_or_load("May", load) for _ in range(CALLERS)))
        assert reports == ["the report of May"] * CALLERS


async def main(store: str, made: Path) -> None:
    """Start all processes at once."""
    words = (sys.executable, "-m", "examples.one_load_for_a_fleet", store, str(made))
    processes = [await asyncio.create_subprocess_exec(*words) for _ in range(PROCESSES)]
    failed = sum([await process.wait() for process in processes])
    if failed:
        raise SystemExit("a process failed")


def report(made: Path) -> None:
    """Tell how many reports were made."""
    print(f"{PROCESSES} processes, {PROCESSES * CALLERS} callers, reports made: {len(made.read_text().split())}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            # Processes that have just started may need more than the usual tenth of a second.
            default = f"sqlite:///{Path(folder) / 'cache.db'}?timeout=5"
            notes = Path(folder) / "made"
            asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else default, notes))
            report(notes)
