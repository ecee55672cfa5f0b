"""What a call costs: hits, misses, waiters, memory and sweeping, beside the peers that are installed.

    python benchmarks/speed.py [WHAT] [--rounds 15] [--only asynccache,async-lru] [--json]

    hit         awaiting a stored value, without and with a ttl           floor: awaiting a bare coroutine
    arguments   the same with two arguments and a keyword                 floor: the same call, not cached
    methods     the same on a method of an instance                       floor: the bare method
    miss        a load that suspends once, with a new key each time       floor: create_task + await
    waiters     1,000 callers of one key at the same moment               floor: a future for each
    memory      bytes an entry that has a ttl, 300,000 of them            floor: a dict of the same keys
    sweep       1,000,000 entries overdue at once: the longest time for which the loop stood still

What no peer has, in asynccache alone:

    fresh       hits with stale, refresh_ahead, early, tags; a read of an old value          floor: as for hit
    shared      hits of functions with cache=, and of get, get_or_load, get_or_load_many     floor: as for hit
    batches     loads of 100 keys at once                                                    floor: a task each
    expiry      1,000 callers of a value that has just expired: the longest wait, and the loads
    entries     bytes an entry of a Cache, and of functions with ttl and with stale          floor: as for memory
    invalidate  100 calls of invalidate_tags that hit 1,000,000 entries, and the stalls of clearing those away
    clear       Cache.clear() of 1,000,000 entries, and the stalls of clearing those away

Without WHAT everything is measured. `--only` names contenders, or rows of the second list.

All contenders take turns in each round, so a machine whose speed drifts drifts for all of them. Hits are given as the
least of all rounds, with the garbage collector off, since all that can be added to the least is noise; misses, waiters
and batches as the median, with the collector on, since they make garbage that somebody has to collect. What changes
memory is measured in a process of its own each. A peer that is not installed, or has no such feature, is left out.

Decides what can be asked for. How it is measured is in `protocol.py`; what, in `calls.py` and `bulk.py`, and beyond
the peers in `features.py` and `groups.py`; how each peer is asked for the same thing, in `peers.py`.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a clone that is not installed can be measured too

from benchmarks import bulk, calls, features, groups  # noqa: E402
from benchmarks.protocol import Plan  # noqa: E402
from benchmarks.tables import Row, Table  # noqa: E402

MEASURES: dict[str, Callable[[Plan], Coroutine[Any, Any, list[Table]]]] = {
    "hit": calls.hit,
    "arguments": calls.arguments,
    "methods": calls.methods,
    "miss": calls.miss,
    "waiters": calls.waiters,
    "memory": bulk.memory,
    "sweep": bulk.sweep,
    "fresh": features.fresh,
    "shared": features.shared,
    "batches": features.batches,
    "expiry": groups.expiry,
    "entries": groups.entries,
    "invalidate": groups.invalidate,
    "clear": groups.clear,
}
ALONE: dict[str, Callable[[str, int, float], Coroutine[Any, Any, Row | None]]] = {
    "memory": bulk.memory_of,
    "sweep": bulk.sweep_of,
    "entries": groups.entries_of,
    "invalidate": groups.tags_of,
    "clear": groups.clear_of,
}


def read_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*MEASURES, "all"])
    parser.add_argument("--rounds", type=int, default=15, help="turns that each contender gets")
    parser.add_argument("--calls", type=int, default=20_000, help="hits in a turn; misses are a fiftieth")
    parser.add_argument("--callers", type=int, default=1_000, help="callers of one key at once")
    parser.add_argument("--entries", type=int, help="entries for memory, sweep, entries, invalidate and clear")
    parser.add_argument("--only", default="", help="contenders or rows, by name, with commas between")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--ttl", type=float, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Measure what the command line asks for."""
    given = read_arguments(words)
    if given.alone:
        print(json.dumps(asyncio.run(ALONE[given.what](given.alone, given.entries, given.ttl))), flush=True)
        os._exit(0)  # millions of objects need not be taken apart one by one
    only = frozenset(filter(None, given.only.split(",")))
    plan = Plan(given.rounds, given.calls, given.callers, given.entries, only)
    tables = []
    for measure in MEASURES.values() if given.what == "all" else [MEASURES[given.what]]:
        for table in asyncio.run(measure(plan)):
            tables.append(table.as_json())
            if not given.json:
                print("\n".join(table.lines()), end="\n\n", flush=True)
    if given.json:
        print(json.dumps(tables, indent=2))


if __name__ == "__main__":
    main()
