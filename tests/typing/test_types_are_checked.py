"""That `api.py` and its kin beside this file are checked, and say something about all that is public."""

import ast
import inspect
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

import asynccache
import asynccache.http
from asynccache import Cache
from asynccache.http.server.face import ServerCacheOptions

ROOT: Final = Path(__file__).parents[2]
API: Final = sorted(Path(__file__).parent.glob("api*.py"))


def tool(name: str) -> dict[str, Any]:
    """A tool's table in `pyproject.toml`."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][name]
    return table


def test_both_checkers_read_it_strictly() -> None:
    """Mypy and pyright are set to check these files with all their rules, for the oldest Python that we support."""
    mypy, pyright = tool("mypy"), tool("pyright")
    assert mypy["strict"] is True
    assert "tests" in mypy["files"]
    assert "tests/typing" in pyright["include"]
    assert "tests/typing" in pyright["strict"]
    assert mypy["python_version"] == pyright["pythonVersion"] == "3.11"
    assert len(API) >= 3
    assert not any("tests" in str(override["module"]) for override in mypy["overrides"])


def test_expected_complaints_must_come() -> None:
    """A complaint that is expected and does not come is an error to both checkers."""
    assert tool("mypy").get("warn_unused_ignores", True) is True
    for path in API:
        assert path.read_text("utf-8").startswith("# pyright: strict, reportUnnecessaryTypeIgnoreComment=true\n")


def test_checking_is_part_of_every_run() -> None:
    """`make check` and `make test` run both checkers."""
    goals = (ROOT / "Makefile").read_text("utf-8")
    for goal in ("\ncheck:", "\ntest:"):
        assert " types" in goals.split(goal)[1].splitlines()[0]
    commands = goals.split("\ntypes:")[1].split("\n\n")[0]
    assert "-m mypy" in commands
    assert "-m pyright" in commands


def test_every_public_name_is_there() -> None:
    """What is public is used there: a change of a public type shows."""
    trees = [ast.parse(path.read_text("utf-8")) for path in API]
    names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {*asynccache.__all__, *asynccache.http.__all__} - names == set()


def used_wrongly() -> list[str]:
    """The lines that checkers must refuse."""
    return [line for path in API for line in path.read_text("utf-8").splitlines() if "# type: ignore[" in line]


@pytest.mark.parametrize("function", ["bare", "shared"])
@pytest.mark.parametrize("control", ["invalidate", "contains", "peek", "key", "put", "refresh"])
def test_controls_are_used_wrongly_on_purpose(function: str, control: str) -> None:
    """For each control that is about a call there is a use that checkers must refuse."""
    assert any(f" {function}.cache_{control}(" in line for line in used_wrongly())


def test_methods_of_a_cache_are_all_there() -> None:
    """Each public method of `Cache` is called, and those that take arguments also wrongly."""
    text = "".join(path.read_text("utf-8") for path in API)
    methods = {name: method for name, method in vars(Cache).items() if not name.startswith("_")}
    assert [name for name in methods if f"cache.{name}(" not in text] == []
    take_options = [name for name, method in methods.items() if "LoadOptions" in str(inspect.signature(method))]
    assert take_options
    wrong = used_wrongly()
    assert [name for name in take_options if not any(f"cache.{name}(" in line for line in wrong)] == []


def keywords(*callables: str) -> set[str]:
    """The names of all arguments that are given by name where one of these is called."""
    calls = [
        node for path in API for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    return {
        str(keyword.arg)
        for call in calls
        if any(isinstance(part, ast.Name) and part.id in callables for part in (call.func, *call.args))
        for keyword in call.keywords
    }


def test_options_of_http_caches_are_all_there() -> None:
    """Each option of an HTTP cache, of a rule and of `directives` is given there."""
    given = keywords("CacheMiddleware", "ResponseCache", "ASGICacheMiddleware")
    assert {"store", *ServerCacheOptions.__annotations__} - given == set()
    for made in (asynccache.http.Rule, asynccache.http.directives):
        options = inspect.signature(made).parameters.keys() - {"url"}
        assert options - keywords(made.__name__) == set()


def test_methods_of_http_caches_are_all_there() -> None:
    """Each public method of an HTTP cache is called."""
    text = "".join(path.read_text("utf-8") for path in API)
    kinds = [asynccache.http.CacheMiddleware, asynccache.http.ResponseCache, asynccache.http.ASGICacheMiddleware]
    methods = {name for kind in kinds for name in dir(kind) if not name.startswith("_")}
    assert {"invalidate", "purge_tags", "cached"} <= methods
    assert [name for name in sorted(methods) if f".{name}" not in text] == []
