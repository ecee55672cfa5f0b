"""Options that say what calls are told apart by, and arguments that cannot be told apart."""

import inspect
from contextvars import ContextVar, copy_context
from typing import Any, Final

import pytest
from hypothesis import strategies as st

from asynccache import async_cached
from asynccache.decorator import Decorator

Bound = dict[str, Any]


TRICKY_NAMES: Final = [
    "type", "hash", "tuple", "sorted", "map", "self", "cls", "function", "entry", "entries", "key", "key_of", "hits",
    "_hits", "__hits", "_entries", "_fetch", "_key", "_key_of", "_touch", "_MISSING", "_no_kwargs", "_default_a",
    "_copy", "clock", "_clock", "now", "result", "value", "args", "kwargs", "receiver", "name", "_", "__",
    "_name", "error", "_explain", "MISSING", "limit", "a", "b",
]  # fmt: skip


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
            taken = {q.name for q in parameters if q.kind is not q.POSITIONAL_ONLY}
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


@pytest.mark.one_loop
@pytest.mark.parametrize(("typed", "loads"), [(False, 1), (True, 3)])
async def test_typed_tells_equal_numbers_apart(typed: bool, loads: int) -> None:
    """1, 1.0 and True are one entry, as with functools; with `typed` they are three."""

    @async_cached(typed=typed)
    async def load(x: object, *rest: object, **named: object) -> object:
        return x, rest, named

    for one in (1, 1.0, True):
        await load(one)
    assert load.cache_info().misses == loads
    for one in (1, 1.0, True):
        await load(0, one)
    assert load.cache_info().misses == 2 * loads
    for one in (1, 1.0, True):
        await load(0, n=one)
    assert load.cache_info().misses == 3 * loads
    assert load.cache_parameters()["typed"] is typed


@pytest.mark.one_loop
async def test_typed_knows_defaults() -> None:
    """With `typed` too, a default that is spelled out is the same call."""

    @async_cached(typed=True)
    async def load(x: int, y: float = 1.0) -> float:
        return x + y

    await load(1)
    await load(1, 1.0)
    await load(y=1.0, x=1)
    assert load.cache_info()[:2] == (2, 1)


@pytest.mark.one_loop
async def test_ignored_parameters_do_not_count() -> None:
    """Calls that differ in ignored parameters only are one entry, even where those are unhashable."""

    @async_cached(ignore=["session", "rest"])
    async def load(session: object, user: int, *rest: object) -> int:
        return user

    assert await load([], 1) == await load({}, 1, []) == await load("s", 1, 2) == 1
    assert await load([], 2) == 2
    assert load.cache_info()[:2] == (2, 2)
    assert load.cache_invalidate("other", 1)


@pytest.mark.one_loop
async def test_everything_ignored_is_one_entry() -> None:
    """With all parameters ignored there is one entry for all calls."""

    @async_cached(ignore=("x",))
    async def load(x: list[int]) -> int:
        return x[0]

    assert await load([1]) == await load([2]) == 1


@pytest.mark.one_loop
async def test_key_function_gets_the_arguments_of_the_call() -> None:
    """`key=` is given the call's arguments, defaults included, and what it gives tells calls apart."""
    seen: list[object] = []

    def key(query: list[str], *, limit: int) -> object:
        seen.append((query, limit))
        return tuple(query)

    @async_cached(key=key)
    async def load(query: list[str], *, limit: int = 10) -> int:
        return limit

    assert await load(["a"]) == await load(["a"], limit=20) == await load(query=["a"]) == 10
    assert await load(["b"]) == 10
    assert seen == [(["a"], 10), (["a"], 20), (["a"], 10), (["b"], 10)]
    assert load.cache_key(["a"], limit=3) == ("a",)
    assert load.cache_contains(["b"], limit=99)


@pytest.mark.one_loop
async def test_key_function_that_gives_a_list_is_explained() -> None:
    """A key that has no hash is a `TypeError` that says what to give instead; nothing is counted or loaded."""

    @async_cached(key=lambda x: [x])
    async def load(x: int) -> int:
        raise AssertionError

    with pytest.raises(TypeError, match=r"key= function of .*load gave an unhashable list.*tuple"):
        await load(1)
    assert load.cache_info() == (0, 0, 1024, 0)


@pytest.mark.one_loop
async def test_key_function_that_raises_reaches_the_caller() -> None:
    """What `key=` raises is the caller's to see, whatever it is; nothing is counted or loaded."""

    def key(x: type[Exception]) -> object:
        raise x("from key")

    @async_cached(key=key)
    async def load(x: type[Exception]) -> int:
        raise AssertionError

    for kind in (LookupError, KeyError, AttributeError, TypeError, RuntimeError):
        with pytest.raises(kind, match="from key"):
            await load(kind)
    assert load.cache_info() == (0, 0, 1024, 0)


@pytest.mark.one_loop
@pytest.mark.parametrize("options", [{}, {"maxsize": 0}, {"typed": True}, {"copy": "deep"}, {"ttl": 5}])
async def test_unhashable_argument_is_named(options: dict[str, Any]) -> None:
    """An argument without a hash is a `TypeError` that names it, its type and the function, and shows the way out."""
    decorate: Decorator = async_cached(**options)

    @decorate
    async def load(x: int, names: list[str], **more: object) -> int:
        raise AssertionError

    with pytest.raises(TypeError, match=r"'names' \(list\) of .*load: .*key="):
        await load(1, [])
    with pytest.raises(TypeError, match=r"'extra' \(dict\) of .*load: .*key="):
        await load(1, (), extra={})  # type: ignore[arg-type]
    assert load.cache_info()[:2] == (0, 0)


@pytest.mark.one_loop
async def test_mistake_in_a_hash_is_not_explained_away() -> None:
    """What an argument's own `__hash__` or `__eq__` raises reaches the caller as it is."""

    class Odd:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def __hash__(self) -> int:
            raise self.error

    @async_cached
    async def load(x: object) -> object:
        raise AssertionError

    for error in (KeyError("odd"), AttributeError("odd"), ValueError("odd")):
        with pytest.raises(type(error), match="odd"):
            await load(Odd(error))


@pytest.mark.one_loop
async def test_vary_keeps_tenants_apart() -> None:
    """With `vary`, equal calls under different values of a context variable never share a value."""
    tenant: ContextVar[str] = ContextVar("tenant")

    @async_cached(vary=(tenant,))
    async def load(x: int) -> str:
        return f"{tenant.get('nobody')} {x}"

    assert await load(1) == "nobody 1"
    for name in ("alice", "bob", "alice"):
        tenant.set(name)
        assert await load(1) == f"{name} 1"
    assert load.cache_info()[:2] == (1, 3)
    assert load.cache_invalidate(1)
    assert copy_context().run(load.cache_contains, 1) is False
    tenant.set("bob")
    assert load.cache_contains(1)


@pytest.mark.one_loop
async def test_vary_takes_an_unset_variable_for_its_default() -> None:
    """A variable that is not set counts as its own default: setting it to that changes nothing."""
    language = ContextVar("language", default="en")

    @async_cached(vary=[language])
    async def load() -> str:
        return language.get()

    assert await load() == "en"
    language.set("en")
    assert await load() == "en"
    assert load.cache_info()[:2] == (1, 1)
    language.set("de")
    assert await load() == "de"


@pytest.mark.one_loop
async def test_vary_with_other_options() -> None:
    """`vary`, `typed` and `ignore` work together."""
    tenant = ContextVar("tenant", default="none")

    @async_cached(vary=(tenant,), typed=True, ignore=("session",))
    async def load(session: object, x: object) -> object:
        return tenant.get(), x

    for name in ("a", "b"):
        tenant.set(name)
        for x in (1, 1.0):
            value = await load([], x)
            assert value == (name, x)
    assert load.cache_info()[:2] == (0, 4)


@pytest.mark.one_loop
async def test_default_is_taken_when_the_function_was_made() -> None:
    """A mutable default that is not hashable is explained like any argument; ignoring it is a way out."""
    shared: list[int] = []

    async def load(x: int, into: list[int] = shared) -> list[int]:
        return into

    with pytest.raises(TypeError, match="'into'"):
        await async_cached(load)(1)
    assert await async_cached(ignore=("into",))(load)(1) is shared
