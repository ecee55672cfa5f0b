"""The simulation of a fleet follows its protocol, agrees with the formulae, and prints what it counted."""

import asyncio
import json
import math
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Literal

import pytest

from asynccache import Cache
from asynccache.stores import MemoryStore
from asynccache.testing import Chaos
from benchmarks import fleet
from benchmarks.fleet_model import Fleet, Plan

LITTLE = ["--processes", "3,20"]


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """What a small run prints with --json."""
    fleet.main([*words, *LITTLE, "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_one_process_that_expires_nothing_loads_once() -> None:
    """A single process loads once and reads the store twice: before the load, and after the news of its own write."""
    counts = Fleet(Plan(processes=1, reads=100.0, duration=10.0)).run()
    assert (counts.loads, counts.writes, counts.gets, counts.changes) == (1, 1, 2, 1)
    assert counts.stale_seconds == 0


def test_a_lease_makes_it_one_load() -> None:
    """Twenty processes that read at once make many loads, and with leases one."""
    alone = Fleet(Plan(processes=20, reads=100.0, duration=10.0)).run()
    together = Fleet(Plan(processes=20, reads=100.0, duration=10.0, coalesce="fleet")).run()
    assert alone.loads > 10
    assert together.loads == together.writes == 1
    assert together.leases >= 2  # taken and given back


def test_of_many_loads_one_is_stored() -> None:
    """A load that ends after another's value was written is refused: all processes are told once."""
    counts = Fleet(Plan(processes=20, reads=100.0, duration=10.0)).run()
    assert 1 < counts.writes == counts.loads
    assert counts.changes == 1


def test_a_value_is_loaded_anew_for_each_term() -> None:
    """Over ten terms, there are ten loads in the fleet, and nothing stale, as every copy knows its deadline."""
    plan = Plan(processes=5, reads=50.0, ttl=10.0, load=0.01, duration=99.0, coalesce="fleet")
    counts = Fleet(plan).run()
    assert counts.loads == 10
    assert counts.stale_seconds == 0


def test_news_bound_how_old_a_copy_may_be() -> None:
    """Where changes are told, no copy is older than the news took; where they are not, none is older than its term."""
    told = Plan(processes=10, reads=20.0, deletions=0.5, duration=200.0, ttl=math.inf)
    counts = Fleet(told).run()
    assert 0 < counts.oldest <= told.way + told.fan_out * told.processes
    untold = Plan(processes=10, reads=20.0, deletions=0.5, duration=200.0, ttl=math.inf, local_ttl=2.0)
    assert told.way < Fleet(untold).run().oldest <= 2.0


async def counted(coalesce: Literal["process", "fleet"], processes: int) -> tuple[int, int]:
    """How many loads, and reads of the store, so many caches make if one begins to load and the others come."""
    stores = [Chaos(MemoryStore(f"model {coalesce}")) for _ in range(processes)]
    loads = 0
    gate = asyncio.Event()

    async def load() -> str:
        nonlocal loads
        loads += 1
        await gate.wait()
        return "value"

    async with AsyncExitStack() as stack:
        caches = [await stack.enter_async_context(Cache(store, coalesce=coalesce)) for store in stores]
        await settled()
        for cache in caches:  # what is read once in a process's life is read already
            await cache.set("another", 1)
            await cache.get("another")
        await settled()
        before = sum(store.calls["get_many"] for store in stores)
        callers: list[asyncio.Task[str]] = []
        for cache in caches:
            callers.append(asyncio.create_task(cache.get_or_load("key", load)))
            await settled()
        gate.set()
        assert await asyncio.gather(*callers) == ["value"] * processes
        return loads, sum(store.calls["get_many"] for store in stores) - before


async def settled() -> None:
    """Let everything happen that needs no time."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_the_library_asks_as_the_model_does() -> None:
    """Real caches make the loads and the reads of the store that the formulae give, while a value is being loaded."""
    processes = 10
    plan = Plan(processes=processes, reads=1e6)  # so that all come before the first load has ended
    assert await counted("process", processes) == (
        processes,
        fleet.gets_of_expiry(plan) - processes,
    )  # read again later
    loads, gets = await counted("fleet", processes)
    assert loads == 1
    assert gets == pytest.approx(fleet.gets_of_expiry(replace(plan, coalesce="fleet")), rel=0.1)


def test_the_same_seed_gives_the_same_run() -> None:
    """Figures can be had again; another seed gives others."""
    plan = {"processes": 30, "reads": 10.0, "deletions": 0.1}
    first, again = (Fleet(Plan(**plan, seed=7)).run() for _ in range(2))  # type: ignore[arg-type]
    other = Fleet(Plan(**plan, seed=8)).run()  # type: ignore[arg-type]
    assert first == again != other


def test_waiting_without_news_is_refused() -> None:
    """A fleet that waits for news has to be told."""
    with pytest.raises(ValueError, match="leave out local_ttl"):
        Plan(processes=1, reads=1.0, coalesce="fleet", local_ttl=1.0)


@pytest.mark.parametrize("coalesce", ["process", "fleet"])
def test_an_expiry_costs_what_the_formulae_say(coalesce: Any) -> None:
    """Loads and reads of the store after an expiry are within a tenth of the formulae."""
    plan = Plan(processes=500, reads=10.0, duration=3.0, coalesce=coalesce)
    counts = Fleet(plan).run()
    assert counts.gets == pytest.approx(fleet.gets_of_expiry(plan), rel=0.1)
    assert counts.loads == pytest.approx(fleet.early(plan) if coalesce == "process" else 1, rel=0.1)


def test_deletions_cost_what_the_formulae_say() -> None:
    """Reads of the store after deletions that all are told of are within a tenth of the formula."""
    plan = Plan(processes=20, reads=20.0, deletions=0.1, duration=3_000.0, ttl=math.inf, coalesce="fleet")
    counts = Fleet(plan).run()
    assert counts.gets / plan.processes / plan.duration == pytest.approx(fleet.gets_of_changes(plan), rel=0.1)


@pytest.mark.parametrize("term", [0.5, 5.0])
def test_a_term_costs_what_the_formulae_say(term: float) -> None:
    """Reads of the store by processes that nobody tells are within a tenth of the formula, staleness within a fifth."""
    plan = Plan(processes=5, reads=10.0, deletions=0.05, duration=5_000.0, ttl=math.inf, local_ttl=term)
    counts = Fleet(plan).run()
    everything = plan.processes * plan.duration
    assert counts.gets / everything == pytest.approx(fleet.gets_of_local(plan), rel=0.1)
    assert counts.stale_seconds / everything == pytest.approx(fleet.stale_share(plan), rel=0.2)


@pytest.mark.parametrize("name", ["hot", "traffic", "connections", "records"])
def test_each_table_has_rows(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every table can be asked for by name, and all its rows have the same columns."""
    (report,) = printed(capsys, name)
    assert report["name"] == name
    assert report["about"]
    assert len({tuple(row) for row in report["rows"]}) == 1


def test_people_can_read_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json, columns stand one below the other, and what was counted stands beside the formula."""
    fleet.main(["hot", *LITTLE])
    title, head, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("hot: ")
    assert {len(row) for row in rows} == {len(head)}
    assert all(" 1 (1) " in row for row in rows if " fleet " in row)


def test_a_table_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped name is told, with those that there are."""
    with pytest.raises(SystemExit):
        fleet.main(["cold"])
    assert "hot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.001, "< 0.01"), (0.5, "0.5"), (6.3393, "6.34"), (163_396.2, "163,396")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    """A number has as many digits as mean something."""
    assert fleet.number(value) == text
