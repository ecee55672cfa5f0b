"""What lies in the store need not be ours, whole, or of today's type: then it is a miss, counted and written anew."""

import asyncio
import decimal
import logging
from dataclasses import dataclass
from typing import Any, Final

import pytest

from asynccache import Cache
from asynccache.stores import Item
from tests.shared.world import HeldSource, Process, Source, World, turns, within_reach

KEY: Final = b'shop:v:"key"'
SECRET: Final = b"0123456789abcdef"
OTHER_SECRET: Final = b"fedcba9876543210"


@dataclass(frozen=True)
class Point:
    """A value of a type of one's own."""

    x: int
    y: int = 0


@dataclass(frozen=True)
class Named:
    """One of another type."""

    name: str


def unreadable(process: Process) -> dict[str, int]:
    """What could not be read, by reason."""
    shared = process.cache.stats().shared
    assert shared is not None
    return dict(shared.unreadable)


async def is_mended(process: Process, world: World, value: Any = "new") -> None:
    """See that a key is loaded, written, and read from the store."""
    source = Source(value)
    assert await within_reach(process.cache.get_or_load("key", source)) == value
    await turns()
    assert await process.cache.get("key") == value
    assert await process.cache.get_or_load("key", Source("wrong")) == value
    assert source.loads == 1


async def raw(world: World) -> bytes:
    """The bytes that lie in the store."""
    return (await world.store.get_many([KEY]))[KEY]


@pytest.mark.one_loop
@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"x",
        b"{}",
        b'"value"',
        b"\x80\x04.",
        b"\xacche",
        b"\xacche\x01" + bytes(200),
        b"\xff" * 1_000,
        b"0" * 100_000,
    ],
)
@pytest.mark.parametrize("tier", [{}, {"maxsize": 0}, {"secret": SECRET}, {"coalesce": "fleet"}])
async def test_junk_is_a_miss(world: World, tier: dict[str, Any], junk: bytes) -> None:
    """Bytes of another program are a miss for every read, counted, and overwritten by the next load."""
    a = await world.process(**tier)
    await a.cache.clear()
    await world.store.set_many({KEY: Item(junk)})
    assert await a.cache.get("key") is None
    assert await a.cache.get_many(["key"]) == {}
    assert not await a.cache.contains("key")
    assert not await a.cache.touch("key", 5)
    assert sum(unreadable(a).values()) >= 4
    await is_mended(a, world)


@pytest.mark.one_loop
async def test_a_value_that_was_cut_anywhere_is_a_miss(world: World) -> None:
    """Whatever is missing of a record's end, nothing is believed of the rest."""
    a = await world.process(maxsize=0)
    await a.cache.set("key", {"some": ["value", 1.5]}, tags=["tag"])
    whole = await raw(world)
    for size in range(len(whole)):
        await world.store.set_many({KEY: Item(whole[:size])})
        assert await a.cache.get("key") is None
    assert sum(unreadable(a).values()) == len(whole)
    await world.store.set_many({KEY: Item(whole)})
    assert await a.cache.get("key") == {"some": ["value", 1.5]}


@pytest.mark.one_loop
@pytest.mark.parametrize("secret", [None, SECRET])
async def test_a_value_with_a_flipped_bit_is_a_miss(world: World, secret: bytes | None) -> None:
    """Whichever byte is changed, nothing raises, and nothing wrong is given."""
    a = await world.process(maxsize=0, secret=secret)
    await a.cache.set("key", {"some": ["value", 1.5]}, tags=["tag"])
    whole = await raw(world)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        await world.store.set_many({KEY: Item(bytes(changed))})
        assert await a.cache.get("key") is None
    assert sum(unreadable(a).values()) == len(whole)


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_another_keys_bytes_are_a_miss(world: World, secret: bytes | None) -> None:
    """A record that was moved to another key is not believed."""
    a = await world.process(secret=secret)
    await a.cache.set("key", "value")
    await world.store.set_many({b'shop:v:"other"': Item(await raw(world))})
    assert await a.cache.get("other") is None
    assert unreadable(a) == {"key": 1}


async def test_another_namespaces_bytes_are_a_miss(world: World) -> None:
    """A record that was copied from another service is not believed."""
    a = await world.process()
    async with Cache(world.store, clock=world.clock, namespace="else") as other:
        await other.set("key", "its")
    await world.store.set_many({KEY: Item((await world.store.get_many([b'else:v:"key"']))[b'else:v:"key"'])})
    assert await a.cache.get("key") is None


async def test_another_codecs_value_is_a_miss(world: World) -> None:
    """What was written by another codec is not read, and is replaced."""
    a, b = await world.process(codec="json"), await world.process(codec="msgpack")
    await a.cache.set("key", "old")
    assert await b.cache.get("key") is None
    assert unreadable(b) == {"payload": 1}
    await is_mended(b, world)
    assert await a.cache.get("key") is None


async def test_a_value_of_another_type_is_a_miss(world: World) -> None:
    """A program whose type has changed loads anew, and is given nothing of the old form."""
    a, b = await world.process(type=Named), await world.process(type=Point)
    await a.cache.set("key", Named("old"))
    assert await b.cache.get("key") is None
    assert unreadable(b) == {"payload": 1}
    await is_mended(b, world, Point(1, 2))
    assert await a.cache.get("key") is None


async def test_a_type_of_one_call(world: World) -> None:
    """`type=` of a call decides for that call."""
    a, b = await world.pair()
    assert await a.cache.get_or_load("key", Source(Point(1)), type=Point) == Point(1)
    assert await b.cache.get_or_load("key", Source("wrong"), type=Point) == Point(1)


@pytest.mark.parametrize(
    ("writer", "reader", "reason"),
    [
        (None, SECRET, "unsigned"),
        (SECRET, None, "signed"),
        (SECRET, OTHER_SECRET, "forged"),
        ({"old": SECRET}, {"new": OTHER_SECRET}, "secret"),
    ],
)
async def test_who_has_another_secret_believes_nothing(world: World, writer: Any, reader: Any, reason: str) -> None:
    """Signed, unsigned and otherwise signed do not mix: a miss, and the reason is counted."""
    a, b = await world.process(secret=writer), await world.process(secret=reader)
    await a.cache.set("key", "old")
    assert await b.cache.get("key") is None
    assert unreadable(b)[reason] >= 1
    await b.cache.clear()
    await is_mended(b, world)


async def test_a_secret_can_be_changed_without_a_miss(world: World) -> None:
    """With the new secret in front and the old one behind, what the old one has signed is still read."""
    a = await world.process(secret={"old": SECRET})
    b = await world.process(secret={"new": OTHER_SECRET, "old": SECRET})
    await a.cache.set("key", "value")
    assert await b.cache.get("key") == "value"
    await b.cache.set("key", "newer")
    assert await a.cache.get("key") is None


async def test_a_record_that_is_junk_makes_what_depends_on_it_a_miss(world: World) -> None:
    """If a tag's record or the whole cache's is no record, values are loaded anew and can be stored again."""
    for record in (b"shop:s:", b"shop:t:tag"):
        a, b = await world.pair()
        await a.cache.set("key", "old", tags=["tag"])
        await world.store.set_many({record: Item(b"junk")})
        await turns()
        assert await b.cache.get("key") is None
        await within_reach(b.cache.get_or_load("key", Source("new"), tags=["tag"]))
        await b.cache.clear()
        await b.cache.invalidate_tags("tag")
        world.clock.advance(1)
        assert await within_reach(b.cache.get_or_load("key", Source("newer"), tags=["tag"])) == "newer"
        assert await a.cache.get("key") == "newer"


async def test_what_cannot_be_written_is_kept_in_process_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A value that the codec cannot write is given, kept here, counted, and told once to the log, without itself."""
    a, b = await world.pair()

    class Private:
        def __repr__(self) -> str:
            return "private value"

    value = Private()
    await a.cache.clear()
    with caplog.at_level(logging.DEBUG):
        for number in range(3):
            assert await a.cache.get_or_load(f"private {number}", Source(value)) is value
    assert await a.cache.get("private 0") is value
    assert await b.cache.get("private 0") is None
    shared = a.cache.stats().shared
    assert shared is not None
    assert shared.unwritable == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Private" in caplog.text
    assert "private" not in caplog.text


@pytest.mark.parametrize("tier", [{}, {"maxsize": 0}])
async def test_what_cannot_be_written_replaces_what_could(world: World, tier: dict[str, Any]) -> None:
    """A set or a load whose value cannot be written leaves no older one in the store."""
    a, b = await world.pair(**tier)
    await a.cache.set_many({"set": "old", "loaded": "old"})
    assert await b.cache.get_many(["set", "loaded"]) == {"set": "old", "loaded": "old"}
    await a.cache.set("set", object())
    with a.cache.refreshing():
        await a.cache.get_or_load("loaded", Source(object()))
    await turns()
    assert await b.cache.get_many(["set", "loaded"]) == {}
    assert await world.stored("set") is None


async def test_a_value_with_a_part_that_cannot_be_written(world: World) -> None:
    """A wrong part makes the whole unwritable, never half of it."""
    a, b = await world.pair()
    await a.cache.set("key", {"fine": 1, "not": [lambda: None]})
    assert await b.cache.get("key") is None


async def test_values_come_back_as_they_were(world: World) -> None:
    """Plain data comes back of the very types that it had."""
    a, b = await world.pair()
    values = {
        "tuple": (1, 1.0, True, None), "set": {1, 2}, "bytes": b"\x00\xff", "nested": {"a": [(1,), {2: "x"}]},
        "decimal": decimal.Decimal("1.10"), "text": "äöü\ud800", "": "", 0: [], "large": "x" * 200_000,
    }  # fmt: skip
    await a.cache.set_many(values)
    found = await within_reach(b.cache.get_many(values))
    assert found == values
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in values.items()}


@pytest.mark.parametrize("compress", ["zlib", None])
async def test_a_large_value_that_is_overtaken_while_it_is_decoded(world: World, compress: Any) -> None:
    """What is decoded in a thread is not kept if its key has changed meanwhile."""
    a, b = await world.pair(compress=compress)
    large = ["x" * 100] * 20_000
    await a.cache.set("key", large)
    await turns()
    reading = asyncio.create_task(b.cache.get("key"))
    await turns(6)
    await a.cache.set("key", "new")
    assert await within_reach(reading) in (large, "new")
    assert await b.cache.get("key") == "new"


async def test_nothing_private_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither `repr` nor the log nor errors name keys, values or secrets."""
    with caplog.at_level(logging.DEBUG):
        a = await world.process(secret=b"a very private secret")
        await a.cache.set("private key", "private value", tags=["private tag"])
        await a.cache.get("private key")
        await world.store.set_many({b'shop:v:"private key"': Item(b"private junk")})
        await turns()
        assert await a.cache.get("private key") is None
        a.wire.down = True
        await a.cache.delete("private key")
        source = HeldSource("private value")
        loading = asyncio.create_task(a.cache.get_or_load("private key", source))
        await turns()
        told = [repr(part) for part in (a.cache, a.wire, a.cache.stats(), a.cache.namespace("x"))]
        source.go_on.set()
        await within_reach(loading)
    assert "private" not in caplog.text
    assert "private" not in "".join(told)


async def test_a_key_that_cannot_be_spelled_is_refused(world: World) -> None:
    """A key that means nothing in another process is a `TypeError` that says what to write, and tells nothing of it."""
    a = await world.process()

    class Private:
        def __repr__(self) -> str:
            return "private"

    calls: list[Any] = [
        a.cache.get, a.cache.delete, a.cache.contains, a.cache.peek,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match="key=") as raised:
            await call(Private())
        assert "private" not in str(raised.value)
    with pytest.raises(TypeError, match="key="):
        await a.cache.set(Private(), 1)
    with pytest.raises(TypeError, match="key="):
        await a.cache.get_or_load(Private(), Source())
    with pytest.raises(TypeError, match="key="):
        await a.cache.get_many(["fine", Private()])
    assert a.cache.stats().in_flight == 0
