"""Codecs: what is decoded is what was encoded, to the type; what nobody encoded is refused, and never run."""

import math
import pickle
import sys
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asynccache.serializers import typed_json
from asynccache.serializers.codecs import NAMES, Codec, codec_for
from asynccache.serializers.typed_json import MOST_NESTED, Undecodable, Unencodable
from tests.serializers.test_typed_json import exactly, values

JSON: Final = codec_for("json")
MSGPACK: Final = codec_for("msgpack")
PICKLE: Final = codec_for("pickle", signed=True)
BYTES: Final = codec_for("bytes")
PLAIN: Final = pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=["json", "msgpack"])


class Color(Enum):
    """A type that plain data lacks."""

    RED = 1


def read(codec: Codec, data: bytes) -> object:
    """What these bytes are decoded to, or `Undecodable`; any other error fails the test."""
    try:
        return codec.decode(data)
    except Undecodable:
        return Undecodable


@given(values)
@example([-0.0, math.nan, math.inf, 5e-324])
@example([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**4_000])
@example({"$tuple": [1], "a": {"$": ["$set"]}, "\\u0024tuple": [1]})
@example({1: "a", "1": "b", None: "c", (1, frozenset({2})): "d"})
@example(datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=timezone(timedelta(hours=1), "CET")))
@example(("tuple", {"set"}, frozenset({"frozen"}), [bytearray(b"\xff"), b"\xff"], Decimal("1E+5")))
@example('\x01 " \\ $ \\u0024')
def test_plain_data_comes_back_as_it_was(value: object) -> None:
    """To the last bit and the very type. Lone surrogates, which msgpack lacks, it refuses."""
    assert exactly(JSON.decode(JSON.encode(value))) == exactly(value)
    try:
        written = MSGPACK.encode(value)
    except Unencodable:
        assert "\\ud" in ascii(value)  # a surrogate
    else:
        assert exactly(MSGPACK.decode(written)) == exactly(value)


@given(values)
def test_pickled_data_comes_back_as_it_was(value: object) -> None:
    """Whatever plain data has."""
    assert exactly(PICKLE.decode(PICKLE.encode(value))) == exactly(value)


@given(st.binary())
def test_bytes_come_back_as_they_were(value: bytes) -> None:
    """Nothing is added, and nothing is copied."""
    assert BYTES.encode(value) is value
    assert BYTES.decode(value) is value


@given(values)
def test_json_is_typed_json(value: object) -> None:
    """The quick way writes and reads the same as the thorough one."""
    data = typed_json.encode(value)
    assert JSON.encode(value) == data
    assert exactly(JSON.decode(data)) == exactly(typed_json.decode(data))


@pytest.mark.parametrize("data", [b'{"\\u0024tuple":[1]}', b'{"\\u0024none":[1]}', b"{}{}", b"1 2", b"1\n", b"NaN"])
def test_the_quick_way_takes_no_more_than_the_thorough_one(data: bytes) -> None:
    """Tags that hide behind an escape, and what comes behind the end."""
    try:
        thorough: object = typed_json.decode(data)
    except Undecodable:
        thorough = Undecodable
    assert read(JSON, data) == (thorough if data != b"1\n" else Undecodable)


@PLAIN
@pytest.mark.parametrize(
    "value",
    [Color.RED, object(), OrderedDict(a=1), [True, {"a": (Color.RED,)}], {1: Color.RED}, {(Color.RED,): 1}, len, Color],
)
def test_other_types_are_refused(codec: Codec, value: object) -> None:
    """A subclass, an instance, a function: refused by name, at whatever depth."""
    with pytest.raises(Unencodable, match=r"Color|builtins\.|OrderedDict|enum\.EnumType"):
        codec.encode(value)


@PLAIN
def test_nesting_has_an_end(codec: Codec) -> None:
    """What refers to itself is refused like what is nested too deeply, and what is not too deep is written."""
    endless: list[object] = []
    endless.append(endless)
    deep: object = 1
    for _ in range(MOST_NESTED):
        deep = [deep]
    assert codec.decode(codec.encode(deep)) == deep
    for value in (endless, [deep]):
        with pytest.raises(Unencodable, match="nested"):
            codec.encode(value)


def at_the_end_of_the_stack(action: Callable[[], object]) -> object:
    """Call it where there is just enough stack left to call it at all."""
    try:
        return at_the_end_of_the_stack(action)
    except RecursionError:
        return action()


@PLAIN
def test_the_end_of_the_stack_is_met_in_the_one_way(codec: Codec) -> None:
    """A value that could be written elsewhere is refused, not answered with a RecursionError."""
    value = [[[[[[[[{"a": [1]}]]]]]]]]
    assert codec.decode(codec.encode(value)) == value
    with pytest.raises(Unencodable, match="stack"):
        at_the_end_of_the_stack(lambda: codec.encode(value))


def test_a_lone_surrogate_is_refused_by_name() -> None:
    """Msgpack is UTF-8, which lacks them; the message does not tell the text."""
    for value in ("private \ud800", {"private \ud800": 1}, ["private \ud800"]):
        with pytest.raises(Unencodable, match="a lone surrogate") as caught:
            MSGPACK.encode(value)
        assert "private" not in str(caught.value)


def test_only_bytes_are_bytes() -> None:
    """Not what would have to be copied, and no subclass."""
    for value in ("text", bytearray(b"x"), memoryview(b"x"), None, type("Blob", (bytes,), {})(b"x")):
        with pytest.raises(Unencodable, match="bytes"):
            BYTES.encode(value)


@PLAIN
@given(st.binary(max_size=80))
@example(b"")
@example(b"{} ")
@example(b" {}")
@example(b"{}{}")
@example(b"NaN")
@example(b"[1e999]")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"\x91" * 100_000)
@example(b"\x81\xa1a" * 100_000)
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff\xa1a")
@example(b"\xc9\xff\xff\xff\xff\x01")
@example(b"\x81\x80\x01")
@example(b"\xa2\xff\xff")
@example(b"\xd8\xff" + b"a" * 16)
@example(b"\xd4\x01[")
@example(b"\xd4\x02\x01")
@example(b"\xd4\x04\x90")
@example(b"\xc7\x03\x04\x92\x01\x01")
@example(b"\xc7\x02\x04\x91\x90")
@example(b"\xc7\x02\x02\x91\x01")
@example(b"\xd4\x63\x01")
@example(b"1" * 5_000)
@example(b"\xef\xbb\xbf1")
def test_junk_is_undecodable_or_plain(codec: Codec, junk: bytes) -> None:
    """Any bytes: they are read as plain data, or refused in the one way."""
    value = read(codec, junk)
    if value is not Undecodable:
        assert exactly(codec.decode(codec.encode(value))) == exactly(value)


@PLAIN
@given(values, st.data())
def test_damaged_data_is_undecodable_or_plain(codec: Codec, value: object, draw: st.DataObject) -> None:
    """Should damage ever pass the checksum, it still makes plain data and nothing else."""
    data = JSON.encode(value) if codec is JSON else codec.encode(without_surrogates(value))
    at = draw.draw(st.integers(0, len(data)))
    read(codec, data[:at] + draw.draw(st.binary(max_size=3)) + data[at + draw.draw(st.integers(0, 3)) :])


def without_surrogates(value: object) -> object:
    """The value, or another one that msgpack can write."""
    return "text" if "\\ud" in ascii(value) else value


def test_a_lie_about_a_length_takes_no_room() -> None:
    """Five bytes that promise four thousand million items are refused before anything is made for them."""
    for kind in (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"):
        tracemalloc.start()
        try:
            assert read(MSGPACK, kind + b"\xff\xff\xff\xff" + b"\x01" * 10) is Undecodable
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()


def test_what_is_written_twice_is_refused() -> None:
    """A set or a dict with an item that comes twice is none that was written."""
    for data in (b"\xc7\x03\x04\x92\x01\x01", b"\xc7\x07\x02\x92\x92\x01\x02\x92\x01\x03"):
        with pytest.raises(Undecodable, match="twice"):
            MSGPACK.decode(data)


ran: Final[list[str]] = []
"""What an evil pickle has run."""


class Evil:
    """What says to pickle: run this."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return run, ("evil",)


def run(word: str) -> None:
    """Do what it says."""
    ran.append(word)


def test_evil_pickles_are_never_run() -> None:
    """No codec but pickle unpickles, and pickle is not to be had where records are not signed."""
    data = pickle.dumps(Evil())
    for codec in (JSON, MSGPACK, BYTES, codec_for("json", list[Color]), codec_for("msgpack", list[Color])):
        read(codec, data)
        with pytest.raises(Unencodable):
            codec.encode(Evil())
    with pytest.raises(ValueError, match="secret="):
        codec_for("pickle")
    assert ran == []
    PICKLE.decode(data)
    assert ran == ["evil"], "or the test would say nothing"
    ran.clear()


class Unpicklable:
    """An instance whose own code refuses, and tells secrets."""

    def __reduce__(self) -> str:
        raise OSError("private")


def test_pickle_errors_are_told_in_the_one_way() -> None:
    """Whatever an object's own code raises, it is told by type, not by what it says."""
    for value in (Unpicklable(), lambda: None, [lambda: None]):
        with pytest.raises(Unencodable, match="cannot be pickled") as caught:
            PICKLE.encode(value)
        assert "private" not in str(caught.value)
    for data in (b"", b"junk", b"\x80\x05.", PICKLE.encode(Color.RED)[:-3], b"cno.such.module\nname\n."):
        with pytest.raises(Undecodable, match="cannot be unpickled"):
            PICKLE.decode(data)
    assert PICKLE.decode(PICKLE.encode(Color.RED)) is Color.RED


def test_codecs_have_numbers_of_their_own() -> None:
    """A record names its codec by number: no two have the same, and none of them changes."""
    ids = [codec_for(name, signed=True).id for name in NAMES]
    assert ids == [1, 2, 3, 4]
    assert [codec_for(name, Color).id for name in ("json", "msgpack")] == [17, 18]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (("yaml",), ValueError, "json, msgpack, bytes, pickle"),
        (("pickle",), ValueError, "secret="),
        (("bytes", str), TypeError, 'codec="json"'),
        (("json", Callable[[], int]), TypeError, "dataclass"),
    ],
)
def test_codecs_that_cannot_be_are_refused(options: Any, error: type[Exception], words: str) -> None:
    """At once, with what to write instead."""
    with pytest.raises(error, match=words):
        codec_for(*options)


def test_msgpack_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without msgspec, the message has what to install."""
    monkeypatch.delitem(sys.modules, "asynccache.serializers.msgpack", raising=False)
    monkeypatch.setitem(sys.modules, "msgspec.msgpack", None)
    with pytest.raises(ImportError, match=r"asynccache\[msgspec\]"):
        codec_for("msgpack")


def test_msgpack_is_the_smaller() -> None:
    """That is what it is for; bytes most of all."""
    row = {"id": 17, "name": "Zoë", "image": bytes(300), "at": datetime(2024, 1, 1, tzinfo=UTC)}
    assert len(MSGPACK.encode([row] * 10)) < 0.85 * len(JSON.encode([row] * 10))
