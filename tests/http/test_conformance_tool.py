"""What the tool behind `make conformance` makes of results: scores, surprises, and the page."""

from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from tools.conformance.checks import Problem
from tools.conformance.scoring import (
    Known,
    Surprises,
    as_published,
    counts,
    forgotten,
    known_failures,
    published,
    reasons,
    surprises,
    verdicts,
)
from tools.conformance.steps import Results
from tools.conformance.suite import Case, Suite, by_id, revision_of, selected, with_dependencies
from tools.conformance.tables import Peer, Scored, later, page


def a_test(name: str, **members: Any) -> Case:
    """A test of that name."""
    return cast("Case", {"id": name, "name": name, "requests": [{}], **members})


def a_suite(*tests: Case, name: str = "some") -> Suite:
    """A suite of these tests."""
    return {"id": name, "name": name, "tests": list(tests)}


FAILED = Problem("Assertion", "no")


class TestSelection:
    tests = (
        a_test("plain"),
        a_test("browsers", browser_only=True),
        a_test("proxies", browser_skip=True),
        a_test("cdn", cdn_only=True),
    )

    def test_modes_select_as_the_suite_does(self) -> None:
        """Browsers and proxies each have tests of their own."""
        suites = [a_suite(*self.tests), a_suite(a_test("spared", browser_skip=True), name="status")]
        assert set(by_id(selected(suites, "private"))) == {"plain", "browsers"}
        assert set(by_id(selected(suites, "shared"))) == {"plain", "proxies", "spared"}
        assert set(by_id(selected(suites, "extra"))) == {"spared"}

    def test_what_a_test_depends_on_is_run_too(self) -> None:
        """Also what that depends on, and each once."""
        every = {t["id"]: t for t in (a_test("a"), a_test("b", depends_on=["a"]), a_test("c", depends_on=["b", "a"]))}
        assert sorted(t["id"] for t in with_dependencies([every["c"]], every)) == ["a", "b", "c"]


class TestScores:
    suite = a_suite(
        a_test("passes"),
        a_test("fails", kind="optimal"),
        a_test("needs", depends_on=["fails"]),
        a_test("needs more", depends_on=["needs"], kind="check"),
        a_test("set up"),
        a_test("again"),
        a_test("late"),
        a_test("never run"),
    )
    results: ClassVar[Results] = {
        "passes": None,
        "fails": FAILED,
        "needs": None,
        "needs more": None,
        "set up": Problem("Setup", "x"),
        "again": Problem("Setup", "retry"),
        "late": Problem("AbortError", "x"),
    }

    def ended(self) -> dict[str, Any]:
        """How the tests ended."""
        return dict(verdicts([self.suite], self.results, by_id([self.suite])))

    def test_verdicts(self) -> None:
        """A test that depends on one that did not pass does not count, however it ended."""
        assert self.ended() == {
            "passes": "pass",
            "fails": "fail",
            "needs": "dependency",
            "needs more": "dependency",
            "set up": "setup",
            "again": "retry",
            "late": "harness",
            "never run": "untested",
        }

    def test_counts(self) -> None:
        """Each kind is counted by itself; tests without a kind are required."""
        counted = counts(self.suite["tests"], self.ended())
        assert {kind: counter.total() for kind, counter in counted.items()} == {"required": 6, "optimal": 1, "check": 1}
        assert counted["required"]["pass"] == 1
        assert counted["optimal"]["pass"] == 0

    def test_a_failure_without_a_reason_is_a_surprise(self) -> None:
        """What failed needs a reason, also if it was not run; what depends on it needs none."""
        explained = {"fails": "because", "late": "because"}
        assert surprises(self.ended(), explained) == Surprises(unexplained=("again", "never run", "set up"))

    def test_a_reason_for_what_passes_is_a_surprise(self) -> None:
        """A test that we have come to pass must lose its reason."""
        told = surprises({"t": "pass"}, {"t": "because"})
        assert told == Surprises(passed=("t",))
        assert told
        assert not surprises({"t": "pass"}, {})

    def test_reasons_for_tests_that_are_gone(self) -> None:
        """A reason must not outlive its test."""
        known = [Known(frozenset({"a", "b"}), frozenset({"client"}), "x")]
        assert forgotten(known, ["a"]) == ["b"]

    def test_results_as_the_suite_saves_them(self) -> None:
        """What we save, we read back; also the odd entries of older files."""
        assert published(as_published(self.results)) == self.results
        assert published({"t": False}) == {"t": Problem("Assertion", "")}


class TestKnownFailures:
    def test_the_file_can_be_read(self) -> None:
        """Every reason is written for columns that exist."""
        for known in (*known_failures("npm"), *known_failures("later")):
            assert known.columns <= {"client", "extra", "web", "asgi"}
            assert known.columns
            assert known.tests

    def test_reasons_are_for_their_columns(self, tmp_path: Path) -> None:
        """One reason may be for several tests and columns."""
        path = tmp_path / "known.toml"
        path.write_text('[[failure]]\ntests = ["a", "b"]\ncolumns = ["web"]\nreason = " because "\n')
        assert reasons(known_failures("npm", path), "web") == {"a": "because", "b": "because"}
        assert reasons(known_failures("npm", path), "asgi") == {}

    def test_reasons_may_be_for_one_revision_only(self, tmp_path: Path) -> None:
        """What later revisions of the suite ask differently has reasons of its own."""
        path = tmp_path / "known.toml"
        entry = '[[failure]]\ntests = ["a"]\ncolumns = ["web"]\nonly = "{0}"\nreason = "{0}"\n'
        path.write_text(entry.format("npm") + entry.format("later"))
        assert reasons(known_failures("npm", path), "web") == {"a": "npm"}
        assert reasons(known_failures("later", path), "web") == {"a": "later"}
        assert revision_of([a_suite(name="interim")]) == "later"
        assert revision_of([a_suite()]) == "npm"

    @pytest.mark.parametrize("reason", ["", "two"])
    def test_what_makes_no_sense_is_refused(self, reason: str, tmp_path: Path) -> None:
        """Each failure has one reason, in words."""
        entry = f'[[failure]]\ntests = ["a"]\ncolumns = ["web"]\nreason = "{reason}"\n'
        path = tmp_path / "known.toml"
        path.write_text(entry * 2 if reason else entry)
        with pytest.raises(ValueError, match="more than one reason" if reason else "empty"):
            known_failures("npm", path)


def test_the_page_tells_all() -> None:
    """Totals, the same by suite, what others have published, and each known failure with its reason stand there."""
    suite = a_suite(a_test("good"), a_test("bad", kind="optimal"), name="subject")
    every = by_id([suite])
    tested = [
        Scored("client", "client", [suite], {"good": None, "bad": FAILED}),
        Scored("web", "aiohttp.web", [suite], {"good": None, "bad": None}),
    ]
    known = [Known(frozenset({"bad"}), frozenset({"client"}), "It is hard.")]
    peers = [Peer("Browser 1.0", True, {"good": FAILED, "bad": None}), Peer("proxy 2", False, {"good": None})]
    text = page(tested, every, known, peers, "Later: more.")
    assert "\nLater: more.\n" in text
    assert "| client | 1 of 1 | 0 of 1 |  |" in text
    assert "| aiohttp.web | 1 of 1 | 1 of 1 |  |" in text
    assert "| subject | optimal | 0 of 1 | 1 of 1 |" in text
    assert "| Browser 1.0 | for private caches | 0 of 1 | 1 of 1 |  |" in text
    assert "| proxy 2 | for shared caches | 1 of 1 | 0 of 1 |  |" in text
    assert "- It is hard.\n  *optimal; client:* `bad`" in text


def test_the_page_tells_of_a_later_revision() -> None:
    """Its totals, and how many tests it has, are what the page is to say of it."""
    suite = a_suite(a_test("good"), name="interim")
    text = later(
        [Scored("client", "client", [suite], {"good": None})], by_id([suite]), [Peer("Browser", True, {"good": FAILED})]
    )
    assert "1 of them" in text
    assert "| client | 1 of 1 |  |  |" in text
    assert "| Browser | for private caches | 0 of 1 |  |  |" in text
