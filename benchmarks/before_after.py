"""What single calls cost now and at another revision: whether a feature has made dearer what others pay.

    python benchmarks/before_after.py REVISION [--rounds 9] [--calls 60000] [--json]

The package of the other revision is taken out of git into a temporary folder. Both versions then make the same calls,
by turns, each time in a new process, since one and the same code is faster in one process than in the next. Of each
version the median of its processes is given, as a multiple of the floor that the same process has measured; its ratio
to the version before stands behind it. Hits and misses are measured as by `speed.py`.

Decides how two versions are compared, and nothing of what is measured.
"""

import argparse
import asyncio
import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MEASURES = ("hit", "arguments", "methods", "miss")
TURNS = 7
"""Rounds within a process."""


def check_out(revision: str, folder: Path) -> None:
    """Put the package, as it was at a revision, into a folder.

    Raises:
        SystemExit: git does not know it, or there is no git.
    """
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "asynccache"]  # from the user's own PATH
    try:
        archive = subprocess.run(command, check=True, capture_output=True).stdout
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"git has no package at {revision}: {error.stderr.decode().strip()}") from None
    except OSError as error:
        raise SystemExit(f"git is needed to go back to {revision}: {error}") from None
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def measure(home: Path, calls: int) -> dict[str, float]:
    """Measure the package that lies in a folder: to be called in a process that has not imported another."""
    sys.path[:0] = [str(home), str(ROOT)]
    import asynccache

    if not Path(asynccache.__file__).is_relative_to(home):
        raise SystemExit(f"{asynccache.__file__} was found instead of the package in {home}")
    from benchmarks import calls as of_calls  # which imports the package
    from benchmarks.protocol import Plan

    plan = Plan(rounds=TURNS, calls=calls, callers=1, entries=None, only=frozenset({"asynccache"}))
    tables = [table for what in MEASURES for table in asyncio.run(getattr(of_calls, what)(plan))]
    return {table.title: table.ratio(table.rows["asynccache"]) or 0.0 for table in tables}


def measured_apart(home: Path, calls: int) -> dict[str, float]:
    """Measure the package that lies in a folder, in a new process."""
    command = [sys.executable, __file__, "--package", str(home), "--calls", str(calls)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{home}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(homes: dict[str, Path], rounds: int, calls: int) -> list[Any]:
    """Measure versions by turns, and make a table of each measurement."""
    from benchmarks.tables import Row, Table

    seen: dict[str, dict[str, list[float]]] = {}
    for turn in range(rounds):
        for version in list(homes) if turn % 2 else reversed(homes):  # neither always comes first
            for title, ratio in measured_apart(homes[version], calls).items():
                seen.setdefault(title, {}).setdefault(version, []).append(ratio)
    tables = []
    for title, versions in seen.items():
        rows = {
            version: Row(statistics.median(ratios), {"from": f"{min(ratios):.2f}", "to": f"{max(ratios):.2f}"})
            for version, ratios in versions.items()
        }
        tables.append(Table(title, "x floor", next(iter(homes)), rows))
    return tables


def read_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", nargs="?", help="what git knows the version before by")
    parser.add_argument("--rounds", type=int, default=9, help="processes of each version")
    parser.add_argument("--calls", type=int, default=60_000, help="hits in a turn; misses are a fiftieth")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--package", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.package is None and given.revision is None:
        parser.error("which revision was before?")
    return given


def main(words: list[str] | None = None) -> None:
    """Compare what lies in the working tree with another revision."""
    given = read_arguments(words)
    if given.package is not None:
        print(json.dumps(measure(given.package.resolve(), given.calls)))
        return
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        check_out(given.revision, Path(folder))
        tables = compare({given.revision: Path(folder).resolve(), "now": ROOT}, given.rounds, given.calls)
    if given.json:
        print(json.dumps([table.as_json() for table in tables], indent=2))
        return
    for table in tables:
        print("\n".join(table.lines()), end="\n\n")


if __name__ == "__main__":
    main()
