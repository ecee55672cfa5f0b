"""The floors of the package, enforced: imports point down only, and core is pure.

Every import counts, also those under TYPE_CHECKING and inside functions.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "asynccache"

FLOORS: Final = {
    # 6: the doors
    "__init__": 6,
    "__main__": 6,
    "cli": 6,
    "dashboard": 6,
    "testing": 6,
    # 5: know Cache and the flight, never a concrete store
    "decorator": 5,
    "http": 5,
    "wrapping": 5,
    # 4: tiers, freshness and flights joined
    "cache": 4,
    "locks": 4,
    "shared": 4,
    "options": 4,
    # 3: where entries are kept
    "memory": 3,
    "stores": 3,
    # 2: one concern a file
    "flight": 2,
    "hitpath": 2,
    "metrics": 2,
    "serializers": 2,
    "sweeper": 2,
    # 1: what the floors above rest on; core is pure, the others need not be, and none knows another
    "bypass": 1,
    "callables": 1,
    "core": 1,
    "loops": 1,
    "stats": 1,
    # 0: the words
    "errors": 0,
    "protocols": 0,
}
"""The floor of every module and folder right inside the package."""

MATES: Final = {
    "__main__": {"cli"},
    "cache": {"locks", "options", "shared"},
    "decorator": {"wrapping"},
    "shared": {"locks"},
}
"""Who may import whom on the same floor."""

IMPURE: Final = {
    "anyio", "asyncio", "logging", "os", "pathlib", "secrets", "selectors", "socket", "subprocess", "threading", "time",
}  # fmt: skip
"""What core must not import: waiting, clocks, input and output, logs. For `random`, see `impure`."""

RULES: Final = ("asynccache.http.rfc9111", "asynccache.http.syntax.status")
"""The rules of HTTP caching, and how what they led to is told: pure, with all that they are made of."""

MADE_OF: Final = {"conditional", "dates", "fields", "message", "policy", "ranges", "stored", "uris", "vary"}
"""What the rules of HTTP caching are known to be made of."""

LONGEST_FILE: Final = 400
LONGEST_FUNCTION: Final = 50

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """One module: its dotted name, whether it is a folder's `__init__`, and its text."""

    name: str
    is_folder: bool
    text: str

    @property
    def tree(self) -> ast.Module:
        """The module, parsed."""
        return ast.parse(self.text, self.name)

    @property
    def part(self) -> str:
        """The module or folder right inside the package that this belongs to."""
        return part_of(self.name)


def part_of(module: str) -> str:
    """The part of the package that a dotted name lies in; the package itself is `__init__`."""
    return (*module.split("."), "__init__")[1]


def sources() -> list[Source]:
    """Every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        steps = path.relative_to(PACKAGE.parent).with_suffix("").parts
        is_folder = steps[-1] == "__init__"
        found.append(Source(".".join(steps[:-1] if is_folder else steps), is_folder, path.read_text("utf-8")))
    return found


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of everything that a module imports, wherever in it."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = base_of(node, source)
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                yield node.lineno, str(first.value)


def base_of(node: ast.ImportFrom, source: Source) -> str:
    """The module that a `from ... import` names, with the dots of a relative one resolved."""
    if not node.level:
        return str(node.module)
    steps = source.name.split(".")
    folder = steps[: len(steps) + source.is_folder - node.level]
    return ".".join([*folder, node.module] if node.module else folder)


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def upward(source: Source) -> list[str]:
    """The imports of a module that its floor does not allow."""
    wrong: list[str] = []
    if source.part not in FLOORS:  # a test of its own tells
        return wrong
    for line, name in imported(source):
        if name.split(".")[0] != "asynccache":
            continue
        target = part_of(name)
        if target not in FLOORS:  # a name from the package's own __init__
            target = "__init__"
        may = target == source.part or target in MATES.get(source.part, ()) or FLOORS[target] < FLOORS[source.part]
        if not may:
            wrong.append(f"{source.name}:{line} (floor {FLOORS[source.part]}) imports {name} (floor {FLOORS[target]})")
    return wrong


def impure(source: Source) -> list[str]:
    """What a module does that core must not: wait, or import something that waits, tells the time or draws lots."""
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    wrong = [f"{source.name}:{node.lineno} awaits" for node in ast.walk(source.tree) if isinstance(node, waits)]
    for line, name in [*imported(source), *drawn(source)]:
        root = name.split(".")[0]
        handed_in = name in {"random", "random.Random"} and source.name.endswith(".random_replacement")
        if root in IMPURE or (root == "random" and not handed_in):
            wrong.append(f"{source.name}:{line} uses {name}")
    return wrong


def drawn(source: Source) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of everything that is taken from the module `random`."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="random"), attr=name, lineno=line):
                yield line, f"random.{name}"


def made_of(names: tuple[str, ...]) -> dict[str, Source]:
    """Modules and folders of the package, and all of the package that they import, directly or not."""
    known = {source.name: source for source in sources()}
    found: dict[str, Source] = {}
    waiting = [name for name in known if f"{name}.".startswith(tuple(f"{start}." for start in names))]
    while waiting:
        name = waiting.pop()
        if name not in known:  # what is imported is a name in a module
            name = name.rpartition(".")[0]
        if name in known and name not in found:
            found[name] = known[name]
            waiting += [each for _, each in imported(known[name])]
    return found


def functions(tree: ast.Module) -> Iterator[Function]:
    """Every function and method of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """The lines of a function, without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str()), lineno=start, end_lineno=int(end)):
            return lines - (end - start + 1)
    return lines


def test_every_module_has_a_floor() -> None:
    """A new module is given its floor in the table above."""
    parts = {source.part for source in sources()}
    assert parts >= {"__init__", "core", "protocols"}
    assert parts - FLOORS.keys() == set()


def test_imports_point_down_only() -> None:
    """A module imports from lower floors, from its own folder, and from the mates that the table allows."""
    assert [wrong for source in sources() for wrong in upward(source)] == []


def test_core_is_pure() -> None:
    """Core waits for nothing, does no input or output, has no clock, draws no lots and writes no log."""
    assert [wrong for source in sources() if source.part == "core" for wrong in impure(source)] == []


def test_the_rules_of_http_are_pure() -> None:
    """So are they: all that they need is handed in, and so it is with whatever they are made of."""
    found = made_of(RULES)
    assert {name.split(".")[-1] for name in found if name.startswith("asynccache.http.")} >= MADE_OF
    assert [wrong for source in found.values() for wrong in impure(source)] == []


def test_the_rules_of_http_know_no_store() -> None:
    """They could be used with another store, or none: of the package, they rest on core and each other only."""
    assert {source.part for source in made_of(RULES).values()} <= {"core", "errors", "http", "protocols"}


def test_what_something_is_made_of_is_found() -> None:
    """Imports are followed: what waits is found behind what does not, and a folder's modules are all looked at."""
    found = made_of(("asynccache.http.options",))
    assert {
        "asynccache.http.answering.engine",
        "asynccache.http.rfc9111.reusing",
        "asynccache.stores.contract",
    } <= found.keys()
    assert [wrong for source in found.values() for wrong in impure(source)] != []
    assert made_of(("asynccache.htt",)) == {}


def test_files_are_short() -> None:
    """A file can be read in one sitting."""
    lengths = {source.name: len(source.text.splitlines()) for source in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    """A function can be seen whole; its docstring does not count."""
    lengths = {
        f"{source.name}:{function.lineno} {function.name}": length(function)
        for source in sources()
        for function in functions(source.tree)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize(
    ("importer", "text"),
    [
        ("core.lru", "from asynccache.cache import Cache"),
        ("core.lru", "import asynccache.loops"),
        ("core.lru", "from asynccache import Cache"),
        ("core.lru", "from asynccache import flight"),
        ("core.lru", "from .. import flight"),
        ("core.lru", "from ..flight import Flights"),
        ("core.lru", "if TYPE_CHECKING:\n    from asynccache.flight import Flights"),
        ("core.lru", "def late():\n    import asynccache.memory"),
        ("core.lru", "importlib.import_module('asynccache.stores.redis')"),
        ("stores.redis", "from asynccache.memory import MemoryStore"),
        ("flight", "from asynccache.sweeper import Sweeper"),
        ("errors", "from asynccache.protocols import Clock"),
        ("wrapping.signature", "from asynccache.decorator import async_cached"),
    ],
)
def test_an_upward_import_is_caught(importer: str, text: str) -> None:
    """However an import from above or beside is written, it is seen."""
    assert len(upward(Source(f"asynccache.{importer}", False, text))) == 1


@pytest.mark.parametrize(
    ("importer", "text"),
    [
        ("core.lru", "from asynccache.core.entry import Entry"),
        ("core.lru", "from .entry import Entry"),
        ("core.lru", "from ..protocols import Clock"),
        ("decorator", "from asynccache.wrapping.signature import bind"),
        ("memory", "from asynccache import core, flight"),
        ("memory", "import asyncio"),
    ],
)
def test_a_downward_import_is_allowed(importer: str, text: str) -> None:
    """Imports from below, from the own folder, and from other packages are let through."""
    assert upward(Source(f"asynccache.{importer}", False, text)) == []


def test_a_folder_resolves_its_own_dots() -> None:
    """In a folder's `__init__`, one dot is the folder and two are the package."""
    folder = Source("asynccache.core", True, "from .lru import LRUCache\nfrom ..flight import Flights")
    assert [name for _, name in imported(folder)] == ["asynccache.core.lru.LRUCache", "asynccache.flight.Flights"]


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio",
        "def late():\n    from time import monotonic",
        "import random\nvictim = random.choice(keys)",
        "from random import Random, choice",
        "async def wait(): pass",
    ],
)
def test_impurity_is_caught(text: str) -> None:
    """What core must not do is seen, `random` also in the one file that may be handed a `Random`."""
    assert len(impure(Source("asynccache.core.random_replacement", False, text))) == 1


def test_a_random_may_be_handed_in() -> None:
    """The type `random.Random` may be used in random replacement, and nowhere else in core."""
    for text in ("from random import Random", "import random\ndef f(rng: random.Random) -> None: ..."):
        assert impure(Source("asynccache.core.random_replacement", False, text)) == []
        assert impure(Source("asynccache.core.lru", False, text)) != []


def test_a_docstring_is_not_counted() -> None:
    """A well explained function is not a long one."""
    plain, explained = functions(
        ast.parse('def f():\n    return 1\n\ndef g():\n    """One.\n\n    Two.\n    """\n    return 1')
    )
    assert length(plain) == length(explained) == 2
