"""Which calls are one entry, and which are not."""

import inspect
import keyword
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache import CachedFunction, async_cached

Bound = dict[str, Any]
Recorder = Callable[[Bound], Bound]

# Built-in functions, and names that a wrapper might itself use for something.
TRICKY_NAMES: Final = [
    "type", "hash", "tuple", "sorted", "map", "self", "cls", "function", "entry", "entries", "key", "key_of", "hits",
    "_hits", "__hits", "_entries", "_fetch", "_key", "_key_of", "_touch", "_MISSING", "_no_kwargs", "_default_a",
    "_copy", "clock", "_clock", "now", "result", "value", "args", "kwargs", "receiver", "name", "_", "__",
    "_name", "error", "_explain", "MISSING", "limit", "a", "b",
]  # fmt: skip
FUNCTION_NAMES: Final = [
    "load", "hits", "_hits", "_entries", "_entry", "_fetch", "_touch", "_make", "_key_for", "_tally", "_clock", "_copy",
    "_now", "_idle", "_hash", "_MISSING", "_no_kwargs", "_explain", "__",
]  # fmt: skip


def compiled(
    name: str, parameters: list[inspect.Parameter], record: Recorder
) -> Callable[..., Coroutine[Any, Any, Bound]]:
    """An `async def` with these parameters, that gives them by name, and records its calls."""
    defaults = {f"{p.name} default": p.default for p in parameters}
    bare = [p.replace(default=inspect.Parameter.empty) for p in parameters]
    with_marks = [p if q.default is p.empty else p.replace(default=...) for p, q in zip(bare, parameters, strict=True)]
    declaration = str(inspect.Signature(with_marks)).replace("Ellipsis", "...")
    passed = ", ".join(f"{p.name!r}: {p.name}" for p in parameters)
    namespace: dict[str, Any] = {"report recorded": record}
    exec(f"async def {name}{declaration}: return globals()['report recorded']({{{passed}}})", namespace)
    function = namespace[name]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    function.__defaults__ = tuple(p.default for p in positional if p.default is not p.empty)
    function.__kwdefaults__ = {
        p.name: defaults[f"{p.name} default"]
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
    }
    return function  # type: ignore[no-any-return]


@st.composite
def signatures(draw: st.DrawFn) -> list[inspect.Parameter]:
    """Parameters of all kinds in a lawful order, some with defaults, with names that get in the way."""
    names = draw(st.lists(st.sampled_from(TRICKY_NAMES), max_size=6, unique=True))
    # A function whose first parameter is `self` or `cls` is taken for a method.
    names.sort(key=lambda name: name in ("self", "cls"))
    if names and names[0] in ("self", "cls"):
        names.insert(0, "first")
    kinds = sorted(draw(st.lists(st.sampled_from(inspect._ParameterKind), min_size=len(names), max_size=len(names))))
    parameters: list[inspect.Parameter] = []
    for name, kind in zip(names, kinds, strict=True):
        stars = kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if stars and any(p.kind is kind for p in parameters):
            continue
        positional = kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        must = positional and any(p.default is not p.empty for p in parameters)
        has_default = not stars and (must or draw(st.booleans()))
        default = draw(st.sampled_from([0, None, ()])) if has_default else inspect.Parameter.empty
        parameters.append(inspect.Parameter(name, kind, default=default))
    return parameters


@st.composite
def calls(draw: st.DrawFn, parameters: list[inspect.Parameter]) -> tuple[list[Any], Bound]:
    """Arguments that the parameters take, spelled by chance."""
    values = st.sampled_from([0, 1, None, (), "x"])
    args: list[Any] = []
    kwargs: Bound = {}
    by_position = True
    for p in parameters:
        if p.kind is p.VAR_POSITIONAL:
            args += draw(st.lists(values, max_size=2)) if by_position else []
        elif p.kind is p.VAR_KEYWORD:
            # A positional-only name could come again here; `Signature.bind` does not know that on all versions.
            taken = {q.name for q in parameters}
            free = [name for name in [*TRICKY_NAMES, "extra"] if name not in taken]
            kwargs |= draw(st.dictionaries(st.sampled_from(free), values, max_size=2))
        elif p.default is not p.empty and draw(st.booleans()):
            by_position = False
        elif p.kind is p.POSITIONAL_ONLY:
            if by_position:
                args.append(draw(values))
        elif p.kind is p.POSITIONAL_OR_KEYWORD and by_position and draw(st.booleans()):
            args.append(draw(values))
        else:
            by_position = False
            kwargs[p.name] = draw(values)
    shuffled = draw(st.permutations(list(kwargs.items())))
    return args, dict(shuffled)


def bound(signature: inspect.Signature, args: list[Any], kwargs: Bound) -> Bound:
    """What a call means, as `inspect` sees it."""
    arguments = signature.bind(*args, **kwargs)
    arguments.apply_defaults()
    return dict(arguments.arguments)


@pytest.mark.one_loop
@given(data=st.data())
async def test_calls_that_mean_the_same_are_one_entry(data: st.DataObject) -> None:
    """For any signature: calls that `inspect` binds alike share one load, and others get what is theirs."""
    parameters = data.draw(signatures())
    signature = inspect.Signature(parameters)
    loads: list[Bound] = []

    def record(arguments: Bound) -> Bound:
        loads.append(arguments)
        return arguments

    function = async_cached(compiled("function_under_test", parameters, record))
    distinct: list[Bound] = []
    for args, kwargs in data.draw(st.lists(calls(parameters), min_size=1, max_size=4)):
        means = bound(signature, args, kwargs)
        known = means in distinct
        assert function.cache_contains(*args, **kwargs) == known
        assert await function(*args, **kwargs) == means
        if not known:
            distinct.append(means)
        assert loads == distinct
        assert function.cache_peek(*args, **kwargs) == means


@pytest.mark.one_loop
@pytest.mark.parametrize("name", FUNCTION_NAMES)
@pytest.mark.parametrize("options", [{}, {"ttl": 9}, {"idle": 9, "policy": "lru"}, {"maxsize": 0}, {"copy": "shallow"}])
async def test_name_of_function_does_not_matter(name: str, options: dict[str, Any]) -> None:
    """A function may be called what it likes, `_fetch` too."""
    function: CachedFunction[..., Bound] = async_cached(**options)(compiled(name, [], lambda arguments: arguments))
    assert await function() == await function() == {}
    assert function.cache_info()[:2] == ((1, 1) if options != {"maxsize": 0} else (0, 2))
    assert function.__name__ == name  # type: ignore[attr-defined]
    assert function.cache_key() == ()


@pytest.mark.one_loop
@pytest.mark.parametrize("argument", ["self", "cls", "args", "kwargs", "function", "value", "receiver", "wait", "key"])
async def test_controls_take_any_keyword(argument: str) -> None:
    """Whatever keyword argument a call can have, the controls about that call can have."""

    @async_cached
    async def load(x: int, **rest: object) -> int:
        return x

    call: dict[str, Any] = {argument: 2}
    assert await load(1, **call) == 1
    assert load.cache_contains(1, **call)
    assert load.cache_peek(1, **call) == 1
    assert await load.cache_refresh(1, **call) == 1
    load.cache_put(5, 1, **call)
    assert await load(1, **call) == 5
    assert load.cache_key(1, **call) != load.cache_key(1)
    assert load.cache_invalidate(1, **call)


@pytest.mark.one_loop
@given(
    calls=st.lists(
        st.tuples(st.lists(st.integers(0, 2) | st.text("ab:,", max_size=3), max_size=3).map(tuple), st.integers(0, 2)),
        max_size=8,
    )
)
async def test_distinct_arguments_are_distinct_entries(calls: list[tuple[tuple[object, ...], int]]) -> None:
    """No two different calls share a value, however alike their arguments look when strung together."""

    @async_cached
    async def load(*parts: object, last: int) -> tuple[object, int]:
        return parts, last

    for parts, last in calls:
        assert await load(*parts, last=last) == (parts, last)
    assert load.cache_info().misses == len(set(calls))


@pytest.mark.one_loop
async def test_positional_only_name_may_come_again() -> None:
    """A keyword argument may be called like a positional-only parameter: the two do not get mixed up."""

    @async_cached
    async def load(type: int = 0, /, **more: int) -> tuple[int, dict[str, int]]:  # noqa: A002  # what is tested
        return type, more

    assert await load(type=1) == (0, {"type": 1})
    assert await load(1) == (1, {})
    assert await load(1, type=0) == (1, {"type": 0})
    assert load.cache_info()[:2] == (0, 3)
    assert load.cache_contains(0, type=1)


@pytest.mark.one_loop
async def test_text_and_bytes_and_hash_twins_are_apart() -> None:
    """Text and bytes, -1 and -2 (whose hashes are equal), 1 and "1" are all different arguments."""

    @async_cached
    async def load(x: object) -> object:
        return x

    arguments: list[object] = ["a", b"a", -1, -2, 1, "1", (1,), (1, None), None, "None", "", b""]
    assert [await load(x) for x in arguments] == arguments
    assert load.cache_info().misses == len(arguments)


@pytest.mark.one_loop
@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", b"", (), frozenset(), b"123", NotImplemented])
async def test_falsy_values_are_values(value: object) -> None:
    """None, False, 0, "" and b"" are stored and given back as they are, as is b"123"."""
    calls = 0

    @async_cached
    async def load() -> object:
        nonlocal calls
        calls += 1
        return value

    assert await load() is await load() is value
    assert load.cache_peek() is value
    assert load.cache_contains()
    assert calls == 1


@pytest.mark.one_loop
async def test_nan_is_found_again_only_as_itself() -> None:
    """One NaN object is one entry, as in a dict; another NaN is another entry, and the bound holds."""

    @async_cached(maxsize=4)
    async def load(x: float) -> float:
        return x

    await load(math.nan)
    await load(math.nan)
    assert load.cache_info() == (1, 1, 4, 1)
    for _ in range(10):
        await load(float("nan"))
    assert load.cache_info() == (1, 11, 4, 4)


def test_tricky_names_are_names() -> None:
    """The names above can all be parameters: none is a keyword."""
    assert [name for name in TRICKY_NAMES if keyword.iskeyword(name) or not name.isidentifier()] == []
