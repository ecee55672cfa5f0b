"""What a fleet asks of its store: formulae for paper, and beside them what a simulation counts.

    python benchmarks/fleet.py [hot|traffic|changes|local|connections|records ...]
                               [--processes 10,1000,100000] [--reads 10] [--load 0.1] [--key-bytes 40] [--json]

No server is asked, and no store is used: `fleet_model.py` simulates one key in many processes, with a fixed seed. So
every run gives the same figures, in some seconds; most of them go to the hundred thousand processes of `hot`. Decides
what is computed by which formula. A cell "617 (633)" is what was counted, and what the formula says.

What a primary takes to tell of a change, what a connection takes up there, and what a record does, was measured on
Redis 7.0 on one machine; put in what you measure on yours.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, it finds the model beside it

from benchmarks.fleet_model import Fleet, Plan

TOLD_ALONE = 4e-6
"""Seconds of a primary for one process told of one change, when changes come one by one: a system call for each."""

TOLD_TOGETHER = 0.22e-6
"""The same when fifty changes come at once, and go out in one piece to each process."""

NEWS_FRAME = 31
"""Bytes of a piece of news around the key: RESP3's push, with its lengths."""

CONNECTION_BYTES = (2_300, 34_000)
"""What a connection takes up in a primary: while it is idle, and while it is in use."""

RECORD_BYTES = 250
"""What a tombstone, a lease or the record of a tag takes up, its key and Redis's own share included."""

MOST_REQUESTS = 5
"""Connections that one event loop has to one primary at most, besides that for news: four reads and one write."""

TOMBSTONE_SECONDS = 60
TAG_SECONDS = 30 * 86_400

Cells: TypeAlias = dict[str, str]


class Setting(NamedTuple):
    """What all tables are computed for."""

    fleets: Sequence[int]
    reads: float
    load: float
    key_bytes: int


class Report(NamedTuple):
    """A table: its name, what it shows, and its rows."""

    name: str
    about: str
    rows: list[Cells]

    def lines(self) -> Iterator[str]:
        """Give the table as people read it."""
        yield f"{self.name}: {self.about}"
        widths = {column: max(len(column), *(len(row[column]) for row in self.rows)) for column in self.rows[0]}
        yield "  " + "  ".join(column.rjust(width) for column, width in widths.items())
        for row in self.rows:
            yield "  " + "  ".join(row[column].rjust(width) for column, width in widths.items())


def number(value: float) -> str:
    """Write a number as a whole one, or with the digits that count if it is small."""
    if 0 < value < 0.01:
        return "< 0.01"
    return f"{value:.3g}" if value < 10 else f"{value:,.0f}"


def both(counted: float, computed: float) -> str:
    """Write what was counted, and what the formula says."""
    return f"{number(counted)} ({number(computed)})"


# --- formulae ---------------------------------------------------------------------------------------------------------


def early(plan: Plan) -> float:
    """The processes that read a key before the first load of it has been written: all of those find nothing.

    Readers come by Poisson's law; the window is a load, and the ways to the store and back before it and after it.
    """
    window = plan.load + 2 * plan.way
    return plan.processes * -math.expm1(-plan.reads * window)


def gets_of_expiry(plan: Plan) -> float:
    """Reads of the store when a key has expired: each process once, and again those who came too early; they look once
    more when they find that another has the lease.
    """
    return plan.processes + early(plan) * (2 if plan.coalesce == "fleet" else 1)


def gets_of_local(plan: Plan) -> float:
    """Reads of the store by one process a second: each term of a copy, and the wait for the next reader, gives one."""
    assert plan.local_ttl is not None
    return 1 / (plan.local_ttl + 1 / plan.reads)


def stale_share(plan: Plan) -> float:
    """The share of time that a process holds a deleted copy: what a term has left after the first deletion."""
    assert plan.local_ttl is not None
    term, rate = plan.local_ttl, plan.deletions
    return (term + math.expm1(-rate * term) / rate) / (term + 1 / plan.reads)


def gets_of_changes(plan: Plan) -> float:
    """Reads of the store by one process a second, where a key is read more often than deleted: each deletion is an
    expiry for all.
    """
    return plan.deletions * gets_of_expiry(plan) / plan.processes


# --- tables -----------------------------------------------------------------------------------------------------------


def hot(setting: Setting) -> Report:
    """Let one key expire that all processes read."""
    rows: list[Cells] = []
    for processes in setting.fleets:
        for coalesce in ("process", "fleet"):
            plan = Plan(
                processes=processes, reads=setting.reads, load=setting.load, coalesce=coalesce,
                duration=setting.load + 20 / setting.reads,
            )  # fmt: skip
            counts = Fleet(plan).run()
            rows.append({
                "processes": number(processes),
                "coalesce": coalesce,
                "loads": both(counts.loads, early(plan) if coalesce == "process" else 1),
                "store reads": both(counts.gets, gets_of_expiry(plan)),
                "writes": number(counts.writes),
                "lease requests": number(counts.leases),
                "news sent": number(counts.changes * processes),
            })  # fmt: skip
    about = (
        f"one expiry of a key that each process reads {setting.reads:g} times a second; a load takes {setting.load:g} s"
    )
    return Report("hot", about, rows)


def traffic(setting: Setting) -> Report:
    """Compute what news of changes weigh: each change is told to each process."""
    rows: list[Cells] = []
    for processes in setting.fleets:
        for rate in (0.01, 0.1, 1.0):
            changes = rate * processes
            news = changes * processes
            rows.append({
                "processes": number(processes),
                "changes/s by each": number(rate),
                "news/s to each": number(changes),
                "MB/s to each": number(changes * (NEWS_FRAME + setting.key_bytes) / 1e6),
                "news/s sent": number(news),
                "MB/s sent": number(news * (NEWS_FRAME + setting.key_bytes) / 1e6),
                "cores, one by one": number(news * TOLD_ALONE),
                "cores, at best": number(news * TOLD_TOGETHER),
            })  # fmt: skip
    return Report("traffic", f"news of changes, keys of {setting.key_bytes} bytes, one primary", rows)


def changes(setting: Setting) -> Report:
    """Let a key be deleted more and more often, and count how much is left for the tier in the process."""
    rows: list[Cells] = []
    for rate in (0.01, 0.1, 1.0):
        duration = 500 / rate
        plan = Plan(
            processes=20, reads=setting.reads, load=setting.load, deletions=rate, ttl=math.inf, duration=duration,
            coalesce="fleet",
        )  # fmt: skip
        counts = Fleet(plan).run()
        everything = plan.processes * plan.duration
        rows.append({
            "deletions/s": number(rate),
            "store reads/s by each": both(counts.gets / everything, gets_of_changes(plan)),
            "hits in the process": f"{1 - min(counts.gets / everything / plan.reads, 1):.1%}",
            "loads/s": number(counts.loads / duration),
            "longest stale, ms": number(counts.oldest * 1e3),
        })  # fmt: skip
    return Report(
        "changes", f"a key that 20 processes read {setting.reads:g} times a second each; news of changes", rows
    )


def local(setting: Setting) -> Report:
    """Let nobody tell of changes, and count what a term costs and how old values get."""
    rows: list[Cells] = []
    for term in (0.2, 1.0, 5.0, 30.0):
        plan = Plan(
            processes=5, reads=setting.reads, load=setting.load, deletions=0.01, ttl=math.inf, duration=20_000.0,
            local_ttl=term,
        )  # fmt: skip
        counts = Fleet(plan).run()
        everything = plan.processes * plan.duration
        rows.append({
            "local_ttl": number(term),
            "store reads/s by each": both(counts.gets / everything, gets_of_local(plan)),
            "time stale": f"{counts.stale_seconds / everything:.2%} ({stale_share(plan):.2%})",
            "longest stale, s": number(counts.oldest),
        })  # fmt: skip
    about = f"a key read {setting.reads:g} times a second by each of 5 processes, and deleted every 100 s; no news"
    return Report("local", about, rows)


def connections(setting: Setting) -> Report:
    """Compute the connections to each primary: requests in the air, and one for news."""
    idle, busy = CONNECTION_BYTES
    rows: list[Cells] = []
    for processes in setting.fleets:
        for loops in (1, 4):
            least, most = 2 * processes * loops, (MOST_REQUESTS + 1) * processes * loops
            rows.append({
                "processes": number(processes),
                "event loops in each": number(loops),
                "connections": f"{number(least)} to {number(most)}",
                "MB in the primary, idle": number(most * idle / 1e6),
                "MB, all in use": number(most * busy / 1e6),
            })  # fmt: skip
    return Report("connections", "to each primary, however many there are", rows)


def records(_setting: Setting) -> Report:
    """Compute what there is in the store besides values."""
    rows: list[Cells] = [
        {
            "a second": number(rate),
            "MB of tombstones, if deletions": number(rate * TOMBSTONE_SECONDS * RECORD_BYTES / 1e6),
            "MB of leases, if loads of 1 s": number(rate * 1 * RECORD_BYTES / 1e6),
            "MB of tags, if new names": number(rate * TAG_SECONDS * RECORD_BYTES / 1e6),
        }
        for rate in (1, 100, 10_000)
    ]
    return Report("records", f"what is kept besides values, {RECORD_BYTES} bytes each", rows)


TABLES = {table.__name__: table for table in (hot, traffic, changes, local, connections, records)}


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables that are asked for, or all."""
    parser = argparse.ArgumentParser(description="what a fleet asks of its store")
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], metavar="table", help=", ".join(TABLES))
    parser.add_argument("--processes", default="10,1000,100000", help="sizes of fleets, separated by commas")
    parser.add_argument("--reads", type=float, default=10.0, help="of a key, by a process, a second")
    parser.add_argument("--load", type=float, default=0.1, help="seconds that a load takes")
    parser.add_argument("--key-bytes", type=int, default=40, help="what a key takes in the store")
    parser.add_argument("--json", action="store_true", help="for machines")
    given = parser.parse_args(words)
    fleets = [int(text) for text in given.processes.split(",")]
    setting = Setting(fleets, given.reads, given.load, given.key_bytes)
    reports = [TABLES[name](setting) for name in given.tables or TABLES]
    if given.json:
        print(json.dumps([report._asdict() for report in reports], indent=2))
    else:
        print("\n\n".join("\n".join(report.lines()) for report in reports))


if __name__ == "__main__":
    main()
