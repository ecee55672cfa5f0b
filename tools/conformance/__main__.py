"""`python -m tools.conformance`: runs the tests, writes the page, and fails if there is something new.

Decides which columns are run, and what is written where.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.conformance import suite as suites_of
from tools.conformance.clients import COLUMNS, Column
from tools.conformance.origin import Origin, origin, require_node
from tools.conformance.scoring import (
    Known,
    Surprises,
    as_published,
    forgotten,
    known_failures,
    published,
    reasons,
    surprises,
    verdicts,
)
from tools.conformance.steps import AT_ONCE, Bench, run_all
from tools.conformance.suite import Case, Revision, Suite
from tools.conformance.tables import Peer, Scored, later, page, summary

ROOT: Final = Path(__file__).parents[2]
DESCRIPTION: Final = "Runs the public HTTP cache tests against our HTTP caches."
FOLDER: Final = ROOT / ".conformance"
ABOUT_LATER: Final = Path(__file__).with_name("later.md")
PAGE: Final = ROOT / "docs" / "explanation" / "http-conformance.md"


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=DESCRIPTION)
    parser.add_argument("--suite", type=Path, help="a checkout of the tests; without it, npm's is fetched")
    parser.add_argument("--column", action="append", choices=COLUMNS, help="run only this one (may be repeated)")
    parser.add_argument("--test", action="append", default=[], help="run only this test, and show what is sent")
    parser.add_argument("--without-cache", action="store_true", help="run the same without our cache in between")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="how many tests of a column run at a time")
    parser.add_argument("--out", type=Path, help="save the results in this folder, as the suite does")
    parser.add_argument(
        "--others", action="store_true", help="list tests that some published cache passes, and we do not"
    )
    return parser.parse_args()


async def run(checkout: Path, suites: Sequence[Suite], options: argparse.Namespace) -> list[Scored]:
    """Run the columns that are asked for, all at the same time."""
    names: list[str] = options.column or list(COLUMNS)
    async with origin(checkout) as server:
        return list(await asyncio.gather(*(run_column(name, server, suites, options) for name in names)))


async def run_column(name: str, server: Origin, suites: Sequence[Suite], options: argparse.Namespace) -> Scored:
    """Run the tests of one column."""
    column: Column = COLUMNS[name]
    every = suites_of.by_id(suites)
    mine = suites_of.selected(suites, column.mode)
    wanted = suites_of.by_id(mine)
    if options.test:
        wanted = {test: every[test] for test in options.test if test in wanted}
    with_cache = not options.without_cache
    async with column.open_server(server.url, with_cache) as base:
        bench = Bench(
            origin=server,
            base=base,
            open_client=column.client(with_cache),
            is_private=column.mode != "shared",
            log=(lambda line: print(f"[{name}] {line}")) if options.test else (lambda _: None),
        )
        tests = list(wanted.values()) if options.test else suites_of.with_dependencies(wanted.values(), every)
        results = await run_all(tests, bench, options.at_once)
    return Scored(name, column.title, mine, results)


def peers(checkout: Path) -> list[Peer]:
    """Read the results that come with the suite."""
    found: list[Peer] = []
    for each in suites_of.load_published(checkout):
        saved = json.loads((checkout / "results" / each["file"]).read_text("utf-8"))
        title = f"{each['name']} {each.get('version', '').split(' ')[0]}".strip()
        found.append(Peer(title, each["type"] == "browser", published(saved)))
    return found


def show(found: Scored, every: Mapping[str, Case], told: Surprises) -> None:
    """Say what is not as it was known to be."""
    for name in told.unexplained:
        kind = suites_of.kind_of(every[name])
        print(f"{found.name}: {name} ({kind}) fails: {' '.join(found.results.get(name) or ['not run'])}")
    for name in told.passed:
        print(f"{found.name}: {name} passes, though known_failures.toml says why it does not")


def show_others(found: Scored, every: Mapping[str, Case], others: Sequence[Peer]) -> None:
    """List what somebody passes, and we do not."""
    ours = found.verdicts(every)
    theirs = {peer.title: verdicts(found.suites, peer.results, every) for peer in others}
    for test, how in ours.items():
        passing = [name for name, ended in theirs.items() if ended.get(test) == "pass"]
        if how != "pass" and passing:
            print(f"{found.name}: {test} ({suites_of.kind_of(every[test])}) {how}; passed by {', '.join(passing)}")


def main() -> int:
    """Do what the command line says."""
    options = arguments()
    require_node()
    logging.getLogger("asynccache").setLevel(logging.ERROR)  # that origins fail is what some tests are about
    checkout: Path = options.suite or suites_of.fetched(FOLDER)
    suites = suites_of.load(checkout)
    every = suites_of.by_id(suites)
    begun = time.monotonic()
    tested = asyncio.run(run(checkout, suites, options))
    if options.test:
        for each in tested:
            print(*(f"{each.name}: {name}: {found or 'passes'}" for name, found in each.results.items()), sep="\n")
        return 0
    took = time.monotonic() - begun
    print(*summary(tested, every), f"{sum(len(each.results) for each in tested)} tests in {took:.0f} s", sep="\n")
    for each in tested:
        if options.out:
            save(each, options.out)
        if options.others:
            show_others(each, every, peers(checkout))
    if options.without_cache:
        return 0
    revision = suites_of.revision_of(suites)
    known = known_failures(revision)
    if is_surprised(tested, every, known):
        return 1
    if not options.column:
        write(page_of(revision, tested, every, known, peers(checkout)), ABOUT_LATER if revision == "later" else PAGE)
    return 0


def is_surprised(tested: Sequence[Scored], every: Mapping[str, Case], known: Sequence[Known]) -> bool:
    """Say what is not as it is known to be; give whether there is something."""
    gone = forgotten(known, every)
    if gone:
        print(f"in known_failures.toml, but not in the suite: {', '.join(gone)}")
    told = [(each, surprises(each.verdicts(every), reasons(known, each.name))) for each in tested]
    for each, found in told:
        show(each, every, found)
    return bool(gone) or any(found for _, found in told)


def page_of(
    revision: Revision,
    tested: Sequence[Scored],
    every: Mapping[str, Case],
    known: Sequence[Known],
    others: Sequence[Peer],
) -> str:
    """Give the page, or what it will say of a later revision."""
    if revision == "later":
        return later(tested, every, others)
    about_later = ABOUT_LATER.read_text("utf-8").rstrip("\n") if ABOUT_LATER.exists() else ""
    return page(tested, every, known, others, about_later)


def write(text: str, path: Path) -> None:
    """Write a file with one newline at its end."""
    path.write_text(text.rstrip("\n") + "\n", "utf-8")
    print(f"written: {path.relative_to(ROOT)}")


def save(found: Scored, folder: Path) -> None:
    """Save results as the suite does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{found.name}.json").write_text(json.dumps(as_published(found.results), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
