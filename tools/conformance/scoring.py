"""What results mean: how a test ended, how many did so, and whether that is what we know of already.

Decides as `cache-tests.fyi` does: a test that depends on one that did not pass does not count.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from tools.conformance.checks import Problem
from tools.conformance.steps import Results
from tools.conformance.suite import Case, Kind, Revision, Suite, kind_of

Verdict: TypeAlias = Literal["pass", "fail", "dependency", "setup", "retry", "harness", "untested"]
Counts: TypeAlias = Mapping[Kind, Counter[Verdict]]
Reasons: TypeAlias = Mapping[str, str]
"""By test: why we do not pass it."""

KNOWN: Final = Path(__file__).with_name("known_failures.toml")


def verdict(test: Case, results: Mapping[str, Problem | None], every: Mapping[str, Case]) -> Verdict:
    """How a test ended."""
    if test["id"] not in results:
        return "untested"
    if any(verdict(every[name], results, every) != "pass" for name in test.get("depends_on", ())):
        return "dependency"
    found = results[test["id"]]
    if found is None:
        return "pass"
    if found.kind == "Setup":
        return "retry" if found.message == "retry" else "setup"
    return "harness" if found.kind == "AbortError" else "fail"


def verdicts(suites: Iterable[Suite], results: Results, every: Mapping[str, Case]) -> dict[str, Verdict]:
    """How each test of these suites ended."""
    return {test["id"]: verdict(test, results, every) for suite in suites for test in suite["tests"]}


def counts(tests: Iterable[Case], ended: Mapping[str, Verdict]) -> dict[Kind, Counter[Verdict]]:
    """How many tests of each kind ended in which way."""
    counted: dict[Kind, Counter[Verdict]] = {}
    for test in tests:
        counted.setdefault(kind_of(test), Counter())[ended[test["id"]]] += 1
    return counted


class Known(NamedTuple):
    """Failures that share a reason; `only` tells in which revisions of the suite, if not in all."""

    tests: frozenset[str]
    columns: frozenset[str]
    reason: str
    only: Revision | None = None


@dataclass(frozen=True, slots=True)
class Surprises:
    """Where results are not what we know of.

    Attributes:
        unexplained: tests that failed, for which no reason is written down.
        passed: tests that passed, though a reason is written down why they do not.
    """

    unexplained: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unexplained or self.passed)


def known_failures(revision: Revision, path: Path = KNOWN) -> list[Known]:
    """Read the reasons that are written down for a revision of the suite.

    Raises:
        ValueError: a test has two of them for one column, or one is empty.
    """
    entries = tomllib.loads(path.read_text("utf-8")).get("failure", [])
    found = [
        Known(frozenset(e["tests"]), frozenset(e["columns"]), " ".join(e["reason"].split()), e.get("only"))
        for e in entries
        if e.get("only") in (None, revision)
    ]
    told = [(test, column) for known in found for test in known.tests for column in known.columns]
    twice = sorted(pair for pair, times in Counter(told).items() if times > 1)
    if twice:
        raise ValueError(f"more than one reason for {twice}")
    if any(not known.reason for known in found):
        raise ValueError("a reason is empty")
    return found


def reasons(known: Iterable[Known], column: str) -> dict[str, str]:
    """By test: why it fails in a column."""
    return {test: each.reason for each in known if column in each.columns for test in each.tests}


def forgotten(known: Iterable[Known], every: Iterable[str]) -> list[str]:
    """Give the tests that have a reason, but are not in the suite any more."""
    return sorted({test for each in known for test in each.tests}.difference(every))


def surprises(ended: Mapping[str, Verdict], explained: Reasons) -> Surprises:
    """Compare how tests ended with the reasons that are written down.

    A test that depends on one that did not pass needs no reason of its own.
    """
    failed = (name for name, how in ended.items() if how not in ("pass", "dependency"))
    return Surprises(
        unexplained=tuple(sorted(name for name in failed if name not in explained)),
        passed=tuple(sorted(name for name in explained if ended.get(name) == "pass")),
    )


def published(saved: Mapping[str, bool | list[str]]) -> Results:
    """Read results as the suite saves them: `true`, or a kind of failure and a message."""
    found: Results = {}
    for name, result in saved.items():
        if isinstance(result, bool):
            found[name] = None if result else Problem("Assertion", "")
        else:
            found[name] = Problem(result[0], " ".join(map(str, result[1:])))
    return found


def as_published(results: Results) -> dict[str, bool | list[str]]:
    """Give results as the suite saves them."""
    return {name: True if found is None else list(found) for name, found in results.items()}
