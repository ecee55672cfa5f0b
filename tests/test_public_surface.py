"""What `import asynccache` gives, and what it leaves alone."""

import ast
import importlib
import inspect
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final, Never, get_overloads

import pytest

import asynccache
import asynccache.http
from asynccache import Cache, CachedFunction, LoadOptions, SharedFunction
from asynccache.decorator import AsyncCached
from asynccache.http.options import HttpCacheOptions
from asynccache.http.server.face import ServerCacheOptions
from asynccache.options.caches import CacheOptions
from asynccache.options.shared import SHARED_OPTIONS
from asynccache.wrapping.controls import CallControls, Controls
from asynccache.wrapping.shared import SharedControls

PACKAGE: Final = Path(__file__).parents[1] / "asynccache"
PUBLIC_MODULES: Final = ("asynccache", "asynccache.core", "asynccache.http", "asynccache.stores", "asynccache.testing")
OPTIONAL: Final = {"aiohttp", "emcache", "hazelcast", "redis", "sqlite3", "uvloop"}
TOOLS_OF_IMPORTING: Final = {"Any", "Final", "TYPE_CHECKING", "annotations"}

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


def is_ours(kind: type) -> bool:
    """Whether a class is of the package."""
    return kind.__module__.partition(".")[0] == "asynccache"


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


def parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """A function's parameters by name; not what only catches those that it does not have."""
    kinds = inspect.signature(function).parameters
    return {name: kind for name, kind in kinds.items() if kind.annotation not in (Never, "Never")}


def overloaded_options(index: int) -> set[str]:
    """The options that one of the types of `async_cached` has."""
    overloads = get_overloads(AsyncCached.__call__)
    kinds = parameters(overloads[index])
    return {name for name, parameter in kinds.items() if parameter.kind is inspect.Parameter.KEYWORD_ONLY}


def test_options_are_given_by_name() -> None:
    """All options of `Cache` but the store are keyword-only, so that new ones have a place anywhere."""
    kinds = [parameter.kind for parameter in inspect.signature(Cache).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_KEYWORD]
    with pytest.raises(TypeError, match="is a store or its URL"):
        Cache(5)  # type: ignore[arg-type]


def test_a_cache_and_a_function_have_the_same_options() -> None:
    """What both can have is called the same, and only what is about calls or about sharing is the decorator's alone."""
    of_caches, shared, own = set(CacheOptions.__annotations__), overloaded_options(2), overloaded_options(3)
    assert own - of_caches == {"ignore", "key", "typed", "vary"}
    assert of_caches - own == SHARED_OPTIONS - {"store"}
    assert shared - own == {"cache", "type", "version"}
    assert own - shared == {
        "clock", "copy", "idle", "max_refreshes", "max_weight", "maxsize", "on_evict", "policy", "weigher",
    }  # fmt: skip


def test_options_of_one_call() -> None:
    """A call of a cache can say whatever a function that shares it can, and what its value weighs."""
    of_call = set(LoadOptions.__annotations__)
    assert of_call - {"weight"} == overloaded_options(2) - {
        "cache",
        "ignore",
        "key",
        "name",
        "typed",
        "vary",
        "version",
    }


def test_every_option_is_explained() -> None:
    """The docstring of the decorator has a line for each option, and that of `Cache` names each."""
    explained = set(re.findall(r"^ {4}(\w+): ", inspect.getdoc(AsyncCached.__call__) or "", re.MULTILINE))
    assert (overloaded_options(2) | overloaded_options(3)) - explained == set()
    named = set(re.findall(r"\w+", (Cache.__doc__ or "").split("Args:")[1]))
    assert {"store", *CacheOptions.__annotations__} - named == set()


@pytest.mark.parametrize("options", [HttpCacheOptions, ServerCacheOptions])
def test_every_option_of_http_caches_is_explained(options: type) -> None:
    """Each option has a line where it is declared."""
    explained = set(re.findall(r"^(\w+): ", inspect.getdoc(options) or "", re.MULTILINE))
    inherited = set() if options is HttpCacheOptions else set(HttpCacheOptions.__annotations__)
    assert explained == set(options.__annotations__) - inherited


@pytest.mark.parametrize("cache", [asynccache.http.CacheMiddleware, asynccache.http.ResponseCache])
def test_options_of_http_caches_are_given_by_name(cache: type) -> None:
    """Only the store has a place; all else is said by name."""
    kinds = [parameter.kind for parameter in inspect.signature(cache).parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_KEYWORD]


def test_methods_are_explained() -> None:
    """Every public method of a public class of the package has a docstring of its own or of what it overrides."""
    modules = (asynccache, asynccache.http)
    values = [getattr(module, name) for module in modules for name in module.__all__]
    classes = {base for value in values if inspect.isclass(value) for base in value.__mro__ if is_ours(base)}
    silent = [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, member in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_") and name in vars(cls) and not inspect.getdoc(member)
    ]
    assert silent == []


@pytest.mark.parametrize(("cached", "controls"), [(CachedFunction, Controls), (SharedFunction, SharedControls)])
def test_controls_are_as_their_types_say(cached: type, controls: type[CallControls]) -> None:
    """What a type checker knows of a decorated function is what it has."""
    typed = {name for name in vars(cached) if name.startswith("cache_")}
    assert typed == set(controls.names)
    for name in typed:
        is_awaited = inspect.iscoroutinefunction(getattr(controls, name))
        annotation = str(inspect.signature(getattr(cached, name)).return_annotation)
        said = inspect.iscoroutinefunction(getattr(cached, name)) or "Coroutine" in annotation
        assert is_awaited == said, name
