"""That `api.py` beside this file is checked, and says something about all that is public."""

import ast
import tomllib
from pathlib import Path
from typing import Any, Final

import asynccache

ROOT: Final = Path(__file__).parents[2]
API: Final = Path(__file__).with_name("api.py")


def tool(name: str) -> dict[str, Any]:
    """A tool's table in `pyproject.toml`."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][name]
    return table


def test_both_checkers_read_it_strictly() -> None:
    """Mypy and pyright are set to check the file with all their rules, for the oldest Python that we support."""
    mypy, pyright = tool("mypy"), tool("pyright")
    assert mypy["strict"] is True
    assert "tests" in mypy["files"]
    assert "tests/typing" in pyright["include"]
    assert "tests/typing" in pyright["strict"]
    assert mypy["python_version"] == pyright["pythonVersion"] == "3.11"
    assert API.exists()
    assert not any("tests" in str(override["module"]) for override in mypy["overrides"])


def test_expected_complaints_must_come() -> None:
    """A complaint that is expected and does not come is an error to both checkers."""
    assert tool("mypy").get("warn_unused_ignores", True) is True
    assert API.read_text("utf-8").startswith("# pyright: strict, reportUnnecessaryTypeIgnoreComment=true\n")


def test_checking_is_part_of_every_run() -> None:
    """`make check` and `make test` run both checkers."""
    goals = (ROOT / "Makefile").read_text("utf-8")
    for goal in ("\ncheck:", "\ntest:"):
        assert " types" in goals.split(goal)[1].splitlines()[0]
    commands = goals.split("\ntypes:")[1].split("\n\n")[0]
    assert "-m mypy" in commands
    assert "-m pyright" in commands


def test_every_public_name_is_there() -> None:
    """What is public is used in `api.py`: a change of a public type shows there."""
    names = {node.id for node in ast.walk(ast.parse(API.read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert set(asynccache.__all__) - names == set()


def test_controls_are_used_wrongly_on_purpose() -> None:
    """For each control that is about a call there is a use that checkers must refuse."""
    wrong = [line for line in API.read_text("utf-8").splitlines() if "# type: ignore[" in line]
    for control in ("invalidate", "contains", "peek", "key", "put", "refresh"):
        assert any(f".cache_{control}(" in line for line in wrong), control
