"""The shop as a whole: run with small numbers, interrupted, and asked for what it does not have."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import aiohttp
import pytest

from examples.shop.child import running_service

ROOT: Final = Path(__file__).resolve().parents[2]
RunExample: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

PROGRESS: Final = re.compile(r"(Making 500 products|Without cache|With @async_cached): (\d+%|done in [\d.]+ s)")


@dataclass(frozen=True)
class Report:
    """What one run of the demo has printed."""

    code: int
    progress: list[str]
    without: dict[str, str]
    cached: dict[str, str]


@pytest.fixture(scope="module")
def report(run_example: RunExample, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the demo once, small."""
    folder = tmp_path_factory.mktemp("shop")
    done = run_example("shop", "--products=500", "--requests=400", "--concurrency=50", "--seed=7", f"--folder={folder}")
    rows = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    figures = [row for row in rows if len(row) == 3 and row[0]]
    return Report(
        code=done.returncode,
        progress=done.stderr.splitlines(),
        without={label: left for label, left, _ in figures},
        cached={label: right for label, _, right in figures},
    )


def test_a_run_succeeds(report: Report) -> None:
    """All requests are answered, in both runs, and the exit code says so."""
    assert report.code == 0
    assert report.without["errors"] == report.cached["errors"] == "0"


def test_the_table_has_every_figure(report: Report) -> None:
    """A reader finds speed, database calls, both latencies, the hit ratio, errors and the check of the new price."""
    assert [label.partition(" (")[0] for label in report.cached] == [
        "requests per second",
        "database calls",
        "latency p50",
        "latency p99",
        "answered from the cache",
        "errors",
        "new price after a PUT",
    ]


def test_the_cache_spares_the_database(report: Report) -> None:
    """Without the cache each request is a database call; with it, fewer than half are."""
    assert report.without["database calls"] == "400"
    assert 0 < int(report.cached["database calls"]) < 200


def test_hit_ratio(report: Report) -> None:
    """More than half of the reads are answered from the cache, and none where there is no cache."""
    assert report.without["answered from the cache"] == "0.0%"
    assert float(report.cached["answered from the cache"].rstrip("%")) > 50


def test_a_new_price_is_served_at_once(report: Report) -> None:
    """After a PUT the new price is served: the cache was invalidated."""
    assert report.without["new price after a PUT"] == report.cached["new price after a PUT"] == "served"


def test_nothing_but_progress_on_standard_error(report: Report) -> None:
    """No warning is shown, neither of the client nor of the service."""
    assert report.progress
    assert [line for line in report.progress if not PROGRESS.fullmatch(line)] == []


def test_an_interrupt_leaves_no_service_behind(tmp_path: Path) -> None:
    """On Ctrl-C the demo stops its service, and ends with the code that shells expect."""
    command = [sys.executable, "-X", "dev", "-m", "examples.shop", "--products=500", "--requests=6000"]
    with subprocess.Popen(
        [*command, "--concurrency=20", f"--folder={tmp_path}"], cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8"
    ) as demo:
        assert demo.stderr is not None
        while "Without cache: 25%" not in demo.stderr.readline():  # The service is in the midst of it.
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        # The service writes to the same pipe, which ends only when both have ended.
        last = demo.stderr.read().splitlines()[-1]
    assert demo.returncode == 130
    assert last == "Interrupted; the service is stopped."


async def answers(folder: Path, cached: str) -> list[int]:
    """Ask a service for what there is and what there is not; give the status of each answer."""
    async with (
        running_service("--products=50", f"--folder={folder}", cached) as address,
        aiohttp.ClientSession(address) as session,
    ):
        asked = [
            session.get("/products/P000001"),
            session.get("/products/P999999"),
            session.get("/categories/amber-bench/top"),
            session.get("/categories/no-such/top"),
            session.put("/products/P000001/price", data="1999"),
            session.put("/products/P999999/price", data="1999"),
            session.put("/products/P000001/price", data="cheap"),
        ]
        statuses = []
        for request in asked:
            async with request as response:
                statuses.append(response.status)
        return statuses


@pytest.mark.parametrize("cached", ["--cached", "--no-cached"])
def test_the_service_says_what_it_does_not_have(cached: str, tmp_path: Path) -> None:
    """With and without cache, what there is not is 404, and a price that is no number is 400."""
    assert asyncio.run(answers(tmp_path, cached)) == [200, 404, 200, 404, 204, 404, 400]


def test_a_service_that_cannot_start_is_reported(tmp_path: Path) -> None:
    """A service that ends before it serves is an error at once, rather than a wait without end."""
    (tmp_path / "taken").touch()

    async def start() -> None:
        async with running_service(f"--folder={tmp_path / 'taken'}"):
            pass

    with pytest.raises(RuntimeError, match="ended with code 1"):
        asyncio.run(start())
