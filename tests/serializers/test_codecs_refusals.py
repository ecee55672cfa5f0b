"""Values of classes that are not as was promised, and types that cannot be: each is refused, in the one way."""

import sys
from abc import ABC, abstractmethod
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, make_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import (
    Any,
    Final,
)
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.serializers.codecs import Codec, codec_for
from asynccache.serializers.typed_json import Undecodable, Unencodable
from tests.serializers.models import (
    MONEY,
    ROUND_TRIPS,
    ZOE,
    Base,
    Box,
    Color,
    Money,
    Point,
    Row,
    Size,
    Tree,
    User,
    known,
)

CODECS: Final = pytest.mark.parametrize("name", ["json", "msgpack"])


class Better(User):
    """A subclass, which may carry more."""


class Abroad(pydantic.BaseModel):
    """A model whose field does not come back from JSON."""

    secret: pydantic.SecretStr


@CODECS
@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        (User, Better("a", date(2000, 1, 1))),
        (User, None),
        (User, "Zoë"),
        (User, {"name": "Zoë"}),
        (User | None, MONEY),
        (list[User], (ZOE,)),
        (list[User], [MONEY]),
        (tuple[User, int], (ZOE, 5, 6)),
        (tuple[User, int], [ZOE, 5]),
        (dict[str, User], {"a": MONEY}),
        (dict[str, User], {5: ZOE}),
        (dict[str, User], OrderedDict(a=ZOE)),
        (Sequence[Color], deque([Color.RED])),
        (Money, Money(1.5, datetime(2024, 1, 1, tzinfo=UTC))),  # type: ignore[arg-type]
        (Money, Money(Decimal(1), datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")))),
        (Box, Box(ZOE)),
        (Box[int], Box("text")),
        (Point, Point("a")),  # type: ignore[arg-type]
        (Row, {"note": "no user"}),
        (Row, {"user": ZOE, "more": 1}),
        (Color, 1),
        (Color, Size.SMALL),
        (Money | User, 5),
        (Abroad, Abroad(secret=pydantic.SecretStr("private"))),
        (Base, Base.model_construct(money="no money")),
        (Base, Base.model_construct(money=MONEY, names=[object()])),
        (Base, Tree()),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_promised_is_refused(name: str, value_type: Any, value: Any) -> None:
    """A value of another type than was said, on the outside or within: refused, by types and not by values."""
    with pytest.raises(Unencodable) as caught:
        codec_for(name, value_type).encode(value)
    assert "private" not in str(caught.value)
    assert "Zoë" not in str(caught.value)


@CODECS
def test_another_type_reads_nothing(name: str) -> None:
    """Neither another class, nor plain data, nor the same class with other fields takes it for its own."""
    first = make_dataclass("Shifting", [("a", int), ("b", str, "")])
    second = make_dataclass("Shifting", [("a", int), ("c", str, "")])
    third = make_dataclass("Shifting", [("a", float), ("b", str, "")])
    types: list[Any] = [Any, first, second, third, list[first], first | None, User, dict[str, first]]  # type: ignore[valid-type]
    codecs = [codec_for(name, value_type) for value_type in types]
    written = [[codec.encode(None if codec.id < 16 else value)] for codec, value in zip(
        codecs, [None, first(1), second(1), third(1), [first(1)], first(1), ZOE, {"a": first(1)}], strict=True
    )]  # fmt: skip
    for reader, codec in enumerate(codecs):
        for writer, (data,) in enumerate(written):
            if reader == writer:
                codec.decode(data)
            else:
                with pytest.raises(Undecodable):
                    codec.decode(data)


@CODECS
@settings(max_examples=15)
@given(st.data())
def test_plain_junk_with_the_right_mark_is_refused(name: str, draw: st.DataObject) -> None:
    """Whoever can write to the store knows the mark too: other plain data behind it makes no junk instances."""
    plain = codec_for(name)
    for value_type, value in ROUND_TRIPS:
        codec = codec_for(name, value_type)
        mark = codec.encode(value)[:8]
        junk = draw.draw(JUNK)
        read(codec, mark + plain.encode(junk))


JUNK: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["RED", "a", "money", "user"]),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["user", "note", "a"]), inner, max_size=2)
    ),
    max_leaves=8,
)


def read(codec: Codec, data: bytes) -> None:
    """Decode: any error but the right one fails the test, and so does a value that could not have been written."""
    try:
        value = codec.decode(data)
    except Undecodable:
        return
    assert known(codec.decode(codec.encode(value))) == known(value)


@dataclass
class Unfinished:
    """A class whose annotation cannot be found."""

    part: "NoSuchClass"  # type: ignore[name-defined]  # noqa: F821


class Abstract(ABC):
    """A class of which there are no instances."""

    @abstractmethod
    def method(self) -> int:
        """Nothing."""


@dataclass
class AbstractData(Abstract):
    """A dataclass of which there are none either."""

    part: int


@dataclass
class Problem(Exception):
    """A dataclass that is made in another way."""

    part: int


@pytest.mark.parametrize(
    "value_type",
    [
        "User", [int], 5, object(), Callable[[int], str], type, type[User], Iterator[User], deque, deque[User],
        defaultdict[str, User], OrderedDict, memoryview, Exception, Abstract, AbstractData, Problem, Unfinished,
        list[User] | list[Money], list[User] | list[int], Row | dict[str, int], pydantic.HttpUrl, Box[Iterator[int]],
        dict[str, memoryview], tuple[User, type],
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
@CODECS
def test_types_that_cannot_be_are_refused_at_once(name: str, value_type: Any) -> None:
    """When the cache is made, not when a value is lost; the message says what to write."""
    with pytest.raises(TypeError, match=r"write a|define what it names"):
        codec_for(name, value_type)


if sys.version_info >= (3, 12):  # where `type` statements begin

    def test_aliases_stand_for_what_they_name() -> None:
        """Also `type` statements; one that refers to itself is refused."""
        names: dict[str, Any] = {"User": User}
        exec("type Users = list[User]\ntype Endless = dict[str, Endless | User]", names)
        codec = codec_for("json", names["Users"])
        assert codec.decode(codec.encode([ZOE])) == [ZOE]
        with pytest.raises(TypeError, match="refers to itself"):
            codec_for("json", names["Endless"])


class Slotted:
    """A base with a slot that is no field."""

    __slots__ = ("hidden",)


@dataclass(slots=True)
class WithHidden(Slotted):
    """A dataclass that has one therefore."""

    part: int


def test_a_slot_that_is_no_field_is_not_lost() -> None:
    """An instance that keeps something there is refused, rather than kept without it."""
    codec = codec_for("json", WithHidden)
    value = WithHidden(5)
    assert codec.decode(codec.encode(value)) == value
    object.__setattr__(value, "hidden", 1)
    with pytest.raises(Unencodable, match="slots"):
        codec.encode(value)


@dataclass
class Raising:
    """A class whose own code raises."""

    part: int

    def __getattribute__(self, name: str) -> Any:
        if name == "part":
            raise ZeroDivisionError("private")
        return super().__getattribute__(name)


def test_code_of_the_class_that_raises_is_told_by_type() -> None:
    """Whatever it says."""
    with pytest.raises(Unencodable, match="ZeroDivisionError") as caught:
        codec_for("json", Raising).encode(Raising.__new__(Raising))
    assert "private" not in str(caught.value)


def test_endless_instances_are_refused() -> None:
    """One that holds itself is no end of data."""
    zoe = User("Zoë", date(2000, 1, 1))
    zoe.friends.append(zoe)
    with pytest.raises(Unencodable, match="RecursionError"):
        codec_for("json", User).encode(zoe)


class Counting(pydantic.BaseModel):
    """A model with a field that can be gone through once."""

    numbers: Generator[int, None, None]


class Opaque:
    """A class that nobody knows."""


class Holding(pydantic.BaseModel):
    """A model with a field of it."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    opaque: Opaque


@pytest.mark.parametrize("model", [Counting, Holding])
def test_what_pydantic_cannot_write_either_is_refused(model: Any) -> None:
    """At once, as without pydantic."""
    with pytest.raises(TypeError, match="write a"):
        codec_for("json", model)


def test_attributes_that_take_the_place_of_fields_are_refused() -> None:
    """Forged data cannot say a field twice, and what a model holds besides its fields is not lost."""
    plain, codec = codec_for("json"), codec_for("json", User)
    data = codec.encode(ZOE)
    parts = plain.decode(data[8:])
    assert isinstance(parts, list)
    codec.decode(data[:8] + plain.encode(parts))
    for wrong in ([*parts[:-1], {"name": "other"}], parts[:2], [*parts, {}, {}], {"name": "other"}):
        with pytest.raises(Undecodable):
            codec.decode(data[:8] + plain.encode(wrong))
    model = Base(money=MONEY)
    vars(model)["more"] = 1
    with pytest.raises(Unencodable, match="other attributes"):
        codec_for("json", Base).encode(model)


def test_forged_models_are_refused() -> None:
    """The parts that every model has must be of their own types."""
    plain, codec = codec_for("json"), codec_for("json", Base)
    data = codec.encode(Base(money=MONEY))
    parts = plain.decode(data[8:])
    assert isinstance(parts, list)
    codec.decode(data[:8] + plain.encode(parts))
    for place in range(4):
        with pytest.raises(Undecodable):
            codec.decode(data[:8] + plain.encode([*parts[:place], "junk", *parts[place + 1 :]]))


def test_a_member_without_a_name_is_refused() -> None:
    """One that an enumeration makes up is not found again."""

    class Open(Enum):
        KNOWN = 1

        @classmethod
        def _missing_(cls, value: object) -> "Open":
            made = object.__new__(cls)
            made._name_, made._value_ = "made up", value
            return made

    with pytest.raises(Unencodable, match="own name"):
        codec_for("json", Open).encode(Open(5))
