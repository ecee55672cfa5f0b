"""Two versions of the package are compared by the same calls, in processes of their own."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import before_after, calls
from benchmarks.protocol import Plan
from benchmarks.tables import Row, Table

LITTLE = ["--rounds", "1", "--calls", "50"]
TITLES = {"hit, no ttl", "hit, with a ttl", "hit, two arguments and a keyword", "hit on a method", "miss"}


def copying(edit: Callable[[Path], object] = str) -> Callable[[str, Path], None]:
    """Stand in for git: the version before is a copy of this one, with an edit in it."""

    def check_out(_revision: str, folder: Path) -> None:
        shutil.copytree(before_after.ROOT / "asynccache", folder / "asynccache")
        edit(folder / "asynccache")

    return check_out


def compared(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What a little comparison prints with --json."""
    before_after.main(["v1", *LITTLE, "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_both_versions_are_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each measurement has a figure of both versions; that of the one before is what the other is a multiple of."""
    monkeypatch.setattr(before_after, "check_out", copying())
    tables = compared(capsys)
    assert {table["title"] for table in tables} == TITLES
    for table in tables:
        assert set(table["rows"]) == {"v1", "now"}
        assert table["rows"]["v1"]["ratio"] == 1.0
        assert table["rows"]["now"]["figure"] > 0


def test_the_version_before_is_the_one_that_was_checked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the version before is said of it: this one is not measured in its place."""

    def spoil(package: Path) -> None:
        (package / "__init__.py").write_text('raise ImportError("an old mistake")\n')

    monkeypatch.setattr(before_after, "check_out", copying(spoil))
    with pytest.raises(SystemExit, match="an old mistake"):
        before_after.main(["v1", *LITTLE])


def test_people_get_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --json the same is printed as text."""
    monkeypatch.setattr(before_after, "check_out", copying())
    monkeypatch.setattr(before_after, "measured_apart", lambda _home, _calls: {"hit": 1.5})
    before_after.main(["v1", *LITTLE])
    title, *rows = capsys.readouterr().out.strip().splitlines()
    assert title == "hit"
    assert [row.split()[0] for row in sorted(rows)] == ["now", "v1"]


def test_neither_version_always_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions take turns, and the turns change their order."""
    order: list[str] = []

    def noting(home: Path, _calls: int) -> dict[str, float]:
        order.append(home.name)
        return {"hit": 1.0}

    monkeypatch.setattr(before_after, "measured_apart", noting)
    before_after.compare({"before": Path("before"), "now": Path("now")}, rounds=2, calls=1)
    assert order == ["now", "before", "before", "now"]


def test_a_version_that_is_not_there_is_told_plainly(tmp_path: Path) -> None:
    """A revision that git does not know, or git that is not there, ends in one sentence."""
    with pytest.raises(SystemExit, match="no-such-revision"):
        before_after.check_out("no-such-revision", tmp_path)


def test_another_package_is_not_measured_by_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without the package is refused, though the package can be found elsewhere."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit, match="was found instead"):
        before_after.measure(tmp_path, 1)


def test_a_process_gives_multiples_of_the_floor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process prints of a version is each measurement's ratio to the floor."""

    async def measured(_plan: Plan) -> list[Table]:
        return [Table("a hit", "ns", "floor", {"floor": Row(50.0), "asynccache": Row(100.0)})]

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(before_after, "MEASURES", ("hit",))
    monkeypatch.setattr(calls, "hit", measured)
    before_after.main(["--package", str(before_after.ROOT)])
    assert json.loads(capsys.readouterr().out) == {"a hit": 2.0}


def test_a_revision_has_to_be_named() -> None:
    """Without a version to compare with there is nothing to do."""
    with pytest.raises(SystemExit):
        before_after.main([])
