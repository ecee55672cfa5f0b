"""Typed JSON: what is read is what was written, to the type; and whatever else is read is refused, in one way."""

import enum
import json
import math
import random
import sys
from collections import OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asynccache.serializers.typed_json import MOST_NESTED, Undecodable, Unencodable, decode, encode

CET: Final = timezone(timedelta(hours=1), "CET")

texts = st.text(st.characters())
zones = st.none() | st.builds(
    timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.text(min_size=1, max_size=3)
)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | texts
    | st.binary()
    | st.binary().map(bytearray)
    | st.datetimes(timezones=zones, allow_imaginary=True)
    | st.datetimes().map(lambda moment: moment.replace(fold=1))
    | st.dates()
    | st.times(timezones=zones)
    | st.timedeltas()
    | zones
    | st.decimals()
    | st.fractions()
    | st.uuids()
)
hashable = plain.filter(lambda value: type(value) is not bytearray and not is_signalling(value))
keys = hashable | st.tuples(hashable, hashable) | st.frozensets(hashable, max_size=3)
values = st.recursive(
    plain | keys,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(keys, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$tuple", "$", "$other", "key"]), inner, max_size=2)
    ),
    max_leaves=12,
)


def is_signalling(value: object) -> bool:
    """Whether this is the one kind of number that has no hash."""
    return isinstance(value, Decimal) and value.is_snan()


def exactly(value: Any) -> object:
    """A value with all its types spelled out, such that equal means: the same to the last bit."""
    match value:
        case list() | tuple():
            content: object = [exactly(item) for item in value]
        case set() | frozenset():
            content = sorted(repr(exactly(item)) for item in value)
        case dict():
            content = [(exactly(key), exactly(item)) for key, item in value.items()]
        case datetime() | time():
            content = (value.isoformat(), value.fold, value.tzname())
        case bool():
            content = repr(value)
        case int():
            content = hex(value)
        case _:
            content = repr(value)
    return (type(value).__name__, content)


def a_million_digits() -> int:
    """An integer longer than Python reads in decimal digits."""
    return 3**2_000_000


@given(values)
@example(-0.0)
@example(math.nan)
@example([math.inf, -math.inf, 5e-324, 1.7976931348623157e308])
@example(complex(-0.0, math.nan))
@example(complex(0.0, -0.0))
@example(2**2_048)
@example(-(2**20_000))
@example("\ud83d\ude00 is not \U0001f600, and \ud800 is nothing")
@example("\u2028 \x00 \x7f \n \ufeff")
@example({"$tuple": [1]})
@example({"$tuple": [1], "$set": []})
@example({"$": None})
@example({1: "a", "1": "b", 1.5: "c", None: "d", (1, frozenset({2})): "e"})
@example(datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=CET))
@example([timezone.utc, timezone(timedelta(0), "GMT"), timezone(timedelta(seconds=1, microseconds=5))])  # noqa: UP017
@example([Decimal("1E+5"), Decimal("-0.00"), Decimal("sNaN12"), Decimal("-Infinity"), Decimal("1e-999999")])
@example([timedelta.min, timedelta.max, date.min, date.max, time.max])
@example([datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)])  # noqa: DTZ001
@example((True, 1, 1.0, Decimal(1), Fraction(1), 1j))
def test_what_is_read_is_what_was_written(value: object) -> None:
    """Every value of the types that can be written comes back the same, and so does each type inside of it."""
    assert exactly(decode(encode(value))) == exactly(value)


def test_integers_of_any_size() -> None:
    """Integers that Python would refuse to read in digits are read all the same, with the strictest limit too."""
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        for number in (10**639, 10**640, -(10**5_000), a_million_digits()):
            assert decode(encode(number)) == number
    finally:
        sys.set_int_max_str_digits(limit)


def test_utc_stays_utc() -> None:
    """The one time zone that is compared by identity now and then is that very object again."""
    moment = decode(encode(datetime(2024, 1, 1, tzinfo=UTC)))
    assert isinstance(moment, datetime)
    assert moment.tzinfo is UTC


def test_a_set_in_another_order() -> None:
    """Equal sets are written alike, however they were filled, also inside each other."""
    one, other = {8, 0}, {0, 8}  # of one place in the table: whoever comes first has it
    assert list(one) != list(other)
    assert encode(one) == encode(other)
    assert encode([frozenset({frozenset(one), "x"})]) == encode([frozenset({"x", frozenset(other)})])


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"null"),
        ([True, 5, 1.5, "\u00e9\n"], b'[true,5,1.5,"\xc3\xa9\\n"]'),
        ({"a": {"b": []}}, b'{"a":{"b":[]}}'),
        ((1, ("a",)), b'{"$tuple":[1,{"$tuple":["a"]}]}'),
        ({2, 1}, b'{"$set":[1,2]}'),
        (frozenset(), b'{"$frozenset":[]}'),
        ({1: "a"}, b'{"$dict":[[1,"a"]]}'),
        ({"$set": 1}, b'{"$dict":[["$set",1]]}'),
        (b"\x00\xff", b'{"$bytes":"AP8="}'),
        (bytearray(b"a"), b'{"$bytearray":"YQ=="}'),
        (2**2_048, b'{"$int":"0x1' + b"0" * 512 + b'"}'),
        (math.nan, b'{"$float":"nan"}'),
        (-math.inf, b'{"$float":"-inf"}'),
        (-0.0, b"-0.0"),
        (complex(1, -2), b'{"$complex":"(1-2j)"}'),
        (Decimal("1.50"), b'{"$decimal":"1.50"}'),
        (Fraction(1, 3), b'{"$fraction":[1,3]}'),
        (datetime(2024, 1, 2, 3, 4, 5, 6), b'{"$datetime":["2024-01-02T03:04:05.000006",0,null]}'),  # noqa: DTZ001
        (time(3, 4, fold=1, tzinfo=UTC), b'{"$time":["03:04:00",1,{"$timezone":[{"$timedelta":[0,0,0]}]}]}'),
        (date(2024, 1, 2), b'{"$date":"2024-01-02"}'),
        (timedelta(days=-1, seconds=5), b'{"$timedelta":[-1,5,0]}'),
        (CET, b'{"$timezone":[{"$timedelta":[0,3600,0]},"CET"]}'),
        (UUID(int=5), b'{"$uuid":"00000000-0000-0000-0000-000000000005"}'),
    ],
)
def test_the_spelling_is_fixed(value: object, data: bytes) -> None:
    """What an older version wrote is read by a newer one: these bytes never change."""
    assert encode(value) == data
    assert exactly(decode(data)) == exactly(value)


class Point(NamedTuple):
    """A subclass of tuple."""

    x: int


class Number(enum.IntEnum):
    """A subclass of int."""

    ONE = 1


class Word(str):
    """A subclass of str."""

    __slots__ = ()


SECRET: Final = "hunter2"


@pytest.mark.parametrize(
    "value",
    [
        Point(1), Number.ONE, Word(SECRET), OrderedDict(a=SECRET), defaultdict(int), deque([1]), object(), object, len,
        range(5), memoryview(b"a"), PurePosixPath(SECRET), ValueError(SECRET), slice(1), ...,
    ],
)  # fmt: skip
def test_other_types_are_refused(value: object) -> None:
    """A value of any other type, and of any subclass, is refused wherever it stands; the message names its type."""
    hashed = [frozenset((value,)), {value: 1}] if not isinstance(value, dict | deque | slice) else []
    for whole in (value, [value], (1, value), {"a": value}, {1: value}, *hashed):
        with pytest.raises(Unencodable, match=rf"\.{type(value).__qualname__} cannot be written") as caught:
            encode(whole)
        assert SECRET not in str(caught.value)


def test_a_zone_with_rules_is_refused() -> None:
    """A time zone whose offset changes would be read from the files of another machine."""
    with pytest.raises(Unencodable, match="ZoneInfo"):
        encode(datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")))


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_nested_deeply() -> None:
    """As many levels as are promised can be written and read; one more, and a value within itself, is refused."""
    assert decode(encode(nested(MOST_NESTED))) == nested(MOST_NESTED)
    ring: list[Any] = []
    ring.append(ring)
    for value in (nested(MOST_NESTED + 1), nested(100_000), ring, {"ring": ring}):
        with pytest.raises(Unencodable, match="levels deep"):
            encode(value)


MALFORMED: Final = [
    b"", b" ", b"nul", b"[1", b"[1]]", b"{'a':1}", b"\xff", b"\xef\xbb\xbf1", b"01",
    b"NaN", b"[Infinity]", b"-Infinity", b'{"a":1,"a":2}',
    b'{"$tuple":[1],"$tuple":[1]}', b'{"$unknown":1}', b'{"$":1}', b'{"$__import__":"os"}',
    b'{"$bytes":"\xc3\xa9"}', b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b"1" * 5_000,
    b'{"$tuple":[' * 50_000 + b"]}" * 50_000,
]  # fmt: skip

PAYLOADS: Final = {
    "$int": r'5 "5" "\u00200x5" "0x1_0" "0xg" null [1]',
    "$float": '5 "NAN" "abc" [1] null',
    "$complex": '5 "1" [1,2] "abc"',
    "$decimal": r'5 0.1 "abc" [0,[1],2] "\u00201" "1_0" null',
    "$fraction": '[2,4] [1,0] [1,-2] ["1e999999999999"] [1.0,2] "1/3" 5 [1,2,3]',
    "$bytes": r'"AP8" "AP8=\n" "A" "*" [1] 5 null {"$bytes":"AP8="}',
    "$bytearray": '5 "AP8"',
    "$tuple": '"ab" {"a":1} null 5 {"$tuple":[1]} {"$set":[1]}',
    "$set": '[[]] [1,1] [1,true] "abc" {"a":1} null 5 [{"$decimal":"sNaN"}] {"$tuple":[1]}',
    "$frozenset": '[{}] "abc"',
    "$dict": '[[[],1]] [[1,2],[1,3]] [[1]] [[1,2,3]] ["ab"] {"a":1} 5 null [{"$tuple":[1,2]}]',
    "$datetime": """["2024-01-02",0,null] [] ["2024-01-02T00:00:00",2,null] ["2024-01-02T00:00:00",0,"UTC"]
        ["2024-01-02T00:00:00+01:00",0,null] ["2024-01-02T00:00:00",0,null,1] "2024-01-02T00:00:00" {"0":1} 5
        ["2024-01-02T00:00:00",1.0,null] ["2024-13-02T00:00:00",0,null] [5,0,null]""",
    "$date": '"20240102" "2024-02-30" "2024-01-02T00:00:00" 5 null',
    "$time": '["25:00:00",0,null] ["1200",0,null] [] "12:00:00" 5',
    "$timedelta": '[0,0,9999999] [1e999,0,0] [0.5,0,0] [99999999999999999999,0,0] "abc" 5 [] [0,0,0,0]',
    "$timezone": """[] [5] [null] [{"$timedelta":[5,0,0]}] [{"$timedelta":[0,0,0]},"UTC"] "UTC" 5
        [{"$timedelta":[0,0,0]},null]""",
    "$uuid": '5 "{0}" null "00000000000000000000000000000005" {"$bytes":"AP8="}',
}
"""Payloads that a tag is not written with."""

MALFORMED_TAGS: Final = [
    f'{{"{tag}":{data}}}'.encode() for tag, several in PAYLOADS.items() for data in several.split()
]


@pytest.mark.parametrize("data", [*MALFORMED, *MALFORMED_TAGS], ids=lambda data: repr(data)[:60])
def test_anything_else_is_refused(data: bytes) -> None:
    """Whatever was not written by `encode` gives one error, that tells nothing of what it reads."""
    with pytest.raises(Undecodable, match="not typed JSON") as caught:
        decode(data)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


FRAGMENTS: Final = [b'"', *b"{ } [ ] , : - null 1e400 \\ud800 \xed\xa0\x80".split(), b"9" * 5_000]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0x5", "nan", "12:00:00"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*PAYLOADS]), inner, min_size=1, max_size=1)
    ),
    max_leaves=10,
)


def read(data: bytes) -> None:
    """Read bytes; what is read at all can be written again, and is then the same."""
    try:
        value = decode(data)
    except Undecodable:
        return
    assert exactly(decode(encode(value))) == exactly(value)


@given(json_values)
def test_every_tag_on_every_payload(value: object) -> None:
    """A tag on a payload that it was never meant for is refused, or read as a value; it is no error of another kind."""
    read(json.dumps(value).encode())


@given(values, st.randoms(use_true_random=False))
def test_damaged_bytes(value: object, chance: random.Random) -> None:
    """Bytes that were changed, cut or mixed up are refused, or read as a value; there is no error of another kind."""
    data = bytearray(encode(value))
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randint(0, 3))
        data[start:end] = chance.choice([b"", chance.randbytes(1), chance.choice(FRAGMENTS), bytes(data[:5])])
    read(bytes(data))


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """Bytes that have nothing to do with it are refused, or read as a value."""
    read(data)
