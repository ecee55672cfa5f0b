"""A `Cache` against a dict with deadlines: whatever is done to both, in whatever order, they answer the same."""

import asyncio
import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccache import Cache
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import turns

SPACES: Final = ((), ("a",), ("b",), ("a", "b"))
KEYS: Final = (1, "1", (1, 2), None)
TAGS: Final = ("s", "t", "a")
DEFAULT_TTL: Final = 8

Space: TypeAlias = tuple[str, ...]
Place: TypeAlias = tuple[Space, object]
Steps: TypeAlias = list[tuple[object, ...]]


@dataclass
class Kept:
    """What the model keeps for a key."""

    value: object
    until: float
    tags: frozenset[str]


class Model:
    """A dict with deadlines, and what each operation does to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept: dict[Place, Kept] = {}

    def fresh(self) -> dict[Place, Kept]:
        """What is to be seen now."""
        return {place: kept for place, kept in self.kept.items() if self.now < kept.until}

    def get(self, space: Space, key: object) -> object:
        """Give a value, "nothing" if there is none."""
        kept = self.fresh().get((space, key))
        return "nothing" if kept is None else kept.value

    def set(self, space: Space, key: object, value: object, ttl: float | None, tags: frozenset[str]) -> None:
        """Store a value."""
        self.kept[space, key] = Kept(value, math.inf if ttl is None else self.now + ttl, tags)

    def delete(self, space: Space, key: object) -> bool:
        """Forget a value; tell whether there was one."""
        found = (space, key) in self.fresh()
        self.kept.pop((space, key), None)
        return found

    def touch(self, space: Space, key: object, ttl: float | None) -> bool:
        """Begin a new term; tell whether there was a value."""
        kept = self.fresh().get((space, key))
        if kept is not None:
            kept.until = math.inf if ttl is None else self.now + ttl
        return kept is not None

    def get_or_load(self, space: Space, key: object, value: object) -> object:
        """Give what is there, or load this value."""
        if self.get(space, key) == "nothing":
            self.set(space, key, value, DEFAULT_TTL, frozenset())
        return self.get(space, key)

    def invalidate(self, tags: frozenset[str]) -> None:
        """Forget what carries one of these tags."""
        self.kept = {place: kept for place, kept in self.kept.items() if not kept.tags & tags}

    def clear(self, space: Space) -> None:
        """Forget what is in a namespace and in those within it."""
        self.kept = {place: kept for place, kept in self.kept.items() if place[0][: len(space)] != space}


class Both:
    """The cache and the model side by side; each step is done to both, and tells what each has answered."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cache = Cache(maxsize=None, ttl=DEFAULT_TTL, clock=self.clock)
        self.model = Model()

    def part(self, space: Space) -> Cache:
        """Give a new view of a namespace."""
        part = self.cache
        for name in space:
            part = part.namespace(name)
        return part

    async def get(self, space: Space, key: object) -> tuple[object, object]:
        """Read one."""
        return await self.part(space).get(key, "nothing"), self.model.get(space, key)

    async def peek(self, space: Space, key: object) -> tuple[object, object]:
        """Look at one."""
        part, there = self.part(space), self.model.get(space, key)
        return (await part.peek(key, "nothing"), await part.contains(key)), (there, there != "nothing")

    async def set(
        self, space: Space, key: object, value: object, ttl: float | None, tags: frozenset[str]
    ) -> tuple[object, object]:
        """Store one."""
        await self.part(space).set(key, value, ttl=ttl, tags=tags)
        self.model.set(space, key, value, ttl, tags)
        return None, None

    async def delete(self, space: Space, key: object) -> tuple[object, object]:
        """Forget one."""
        return await self.part(space).delete(key), self.model.delete(space, key)

    async def delete_many(self, space: Space, keys: list[object]) -> tuple[object, object]:
        """Forget several."""
        return await self.part(space).delete_many(keys), sum([self.model.delete(space, key) for key in keys])

    async def touch(self, space: Space, key: object, ttl: float | None) -> tuple[object, object]:
        """Begin a new term."""
        return await self.part(space).touch(key, ttl), self.model.touch(space, key, ttl)

    async def get_or_load(self, space: Space, key: object, value: object) -> tuple[object, object]:
        """Read one, or load it."""

        async def load() -> object:
            await asyncio.sleep(0)
            return value

        return await self.part(space).get_or_load(key, load), self.model.get_or_load(space, key, value)

    async def get_or_load_many(self, space: Space, keys: list[object], value: object) -> tuple[object, object]:
        """Read several, or load them."""

        async def load(asked: list[object]) -> list[object]:
            await asyncio.sleep(0)
            return [value] * len(asked)

        found = await self.part(space).get_or_load_many(keys, load)
        return list(found.items()), [(key, self.model.get_or_load(space, key, value)) for key in dict.fromkeys(keys)]

    async def invalidate(self, tags: frozenset[str]) -> tuple[object, object]:
        """Forget what carries a tag."""
        await self.cache.invalidate_tags(*tags)
        self.model.invalidate(tags)
        return None, None

    async def clear(self, space: Space) -> tuple[object, object]:
        """Forget a namespace."""
        await self.part(space).clear()
        self.model.clear(space)
        return None, None

    async def advance(self, seconds: float) -> tuple[object, object]:
        """Let time pass, and the sweeper sweep."""
        self.clock.advance(seconds)
        self.model.now += seconds
        await turns(3)
        return None, None

    def seen(self) -> tuple[dict[Space, dict[object, object]], dict[Space, dict[object, object]]]:
        """Tell all that there is to be seen, in the cache and in the model."""
        fresh = self.model.fresh()
        return {space: dict(self.part(space).items()) for space in SPACES}, {
            space: {place[1]: kept.value for place, kept in fresh.items() if place[0] == space} for space in SPACES
        }

    async def run(self, steps: Steps) -> None:
        """Do these steps, and compare after each."""
        for step in steps:
            name, *arguments = step
            real, expected = await getattr(self, str(name))(*arguments)
            assert real == expected, step
            real_items, expected_items = self.seen()
            assert real_items == expected_items, step
        await self.advance(10_000_000)
        await turns(50)
        assert self.cache.stats().size == len(self.model.fresh())  # all that is of no use was swept
        await self.cache.clear()
        assert (self.cache.stats().size, live_flights()) == (0, [])


spaces = st.sampled_from(SPACES)
keys = st.sampled_from(KEYS)
values = st.integers() | st.none()
times = st.none() | st.sampled_from([0, 1, 5, 100])
tags = st.frozensets(st.sampled_from(TAGS), max_size=2)
many_keys = st.lists(keys, max_size=5)
STEPS = st.one_of(
    st.tuples(st.just("set"), spaces, keys, values, times, tags),
    st.tuples(st.just("set"), spaces, keys, values, times, tags),
    st.tuples(st.sampled_from(["get", "peek", "delete"]), spaces, keys),
    st.tuples(st.just("delete_many"), spaces, many_keys),
    st.tuples(st.just("touch"), spaces, keys, times),
    st.tuples(st.just("get_or_load"), spaces, keys, values),
    st.tuples(st.just("get_or_load_many"), spaces, many_keys, values),
    st.tuples(st.just("invalidate"), tags),
    st.tuples(st.just("clear"), spaces),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 1.0, 4.0, 7.0, 100.0])),
)

TOUCHED: Final[Steps] = [
    ("set", ("a", "b"), 1, None, 5, frozenset("t")),
    ("touch", ("a", "b"), 1, None),
    ("advance", 100.0),
    ("get", ("a", "b"), 1),
    ("invalidate", frozenset("a")),
    ("peek", ("a", "b"), 1),
    ("clear", ("a",)),
    ("get_or_load_many", ("a", "b"), [1, None, 1], 7),
]


@pytest.mark.one_loop
@given(steps=st.lists(STEPS, max_size=40))
@example(steps=TOUCHED)
@settings(max_examples=150)
def test_the_cache_does_as_the_model_says(steps: Steps) -> None:
    """Each call answers as the dict does, and after each all namespaces show the same values."""
    asyncio.run(Both().run(steps))


@pytest.mark.one_loop
def test_the_model_tells_right_from_wrong() -> None:
    """A cache that forgets to do as it is told is found out."""

    class Forgetful(Both):
        async def clear(self, space: Space) -> tuple[object, object]:
            self.model.clear(space)
            return None, None

    with pytest.raises(AssertionError, match="clear"):
        asyncio.run(Forgetful().run(TOUCHED))
