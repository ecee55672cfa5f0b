"""What `import asynccache` gives, and what it leaves alone."""

import ast
import importlib
import inspect
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "asynccache"
PUBLIC_MODULES: Final = ("asynccache", "asynccache.core", "asynccache.testing")
OPTIONAL: Final = {"aiohttp", "emcache", "hazelcast", "redis", "sqlite3", "uvloop"}
TOOLS_OF_IMPORTING: Final = {"TYPE_CHECKING", "annotations"}

IMPORT_AND_REPORT: Final = """
import asyncio, json, sys, threading

loops = []
asyncio.BaseEventLoop.__init__ = lambda self, *args: loops.append(self)
import asynccache
print(json.dumps({
    "modules": sorted(sys.modules),
    "threads": [thread.name for thread in threading.enumerate()],
    "loops": len(loops),
}))
"""


def public_names(module: ModuleType) -> set[str]:
    """What a reader of the module sees: names without an underscore that are not modules."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in TOOLS_OF_IMPORTING and not isinstance(value, ModuleType)
    }


def documented_constants() -> set[str]:
    """Names that are assigned at the top of a module and explained by a string right after."""
    documented = set()
    for path in PACKAGE.rglob("*.py"):
        body = ast.parse(path.read_text("utf-8")).body
        for statement, after in itertools.pairwise(body):
            match statement, after:
                case (
                    ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str())),
                ):
                    documented.add(name)
    return documented


def has_docstring(value: object) -> bool:
    """Whether a class or function explains itself; a class does not inherit its explanation."""
    return bool((vars(value).get("__doc__") if inspect.isclass(value) else inspect.getdoc(value)) or "")


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_all_is_what_is_public(name: str) -> None:
    """`__all__` names what a reader of the module sees: nothing less, and nothing that is not there."""
    module = importlib.import_module(name)
    listed = set(module.__all__)
    values = {name: getattr(module, name) for name in listed}
    assert public_names(module) - listed == set()
    assert {name for name, value in values.items() if name.startswith("_") and name != "__version__"} == set()


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_all_is_sorted(name: str) -> None:
    """`__all__` has each name once, in the order of `sorted`, so that additions have one place to go."""
    listed = importlib.import_module(name).__all__
    assert list(listed) == sorted(set(listed))


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_everything_public_is_explained(name: str) -> None:
    """Every public class, function and constant has a docstring."""
    module = importlib.import_module(name)
    constants = documented_constants()
    silent = []
    for public in module.__all__:
        value = getattr(module, public)
        explains_itself = inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)
        if not (has_docstring(value) if explains_itself else public in constants or public == "__version__"):
            silent.append(public)
    assert silent == []


def test_importing_has_no_effect() -> None:
    """`import asynccache` imports no optional package, and starts no thread and no event loop."""
    done = subprocess.run([sys.executable, "-c", IMPORT_AND_REPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert OPTIONAL & set(report["modules"]) == set()
    assert report["threads"] == ["MainThread"]
    assert report["loops"] == 0
