"""Values of classes: they come back as instances of the very class, or are refused; never as anything else."""

import sys
from abc import ABC, abstractmethod
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field, make_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntFlag, StrEnum
from functools import cached_property
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.serializers.codecs import Codec, codec_for
from asynccache.serializers.typed_json import Undecodable, Unencodable
from tests.serializers.test_typed_json import exactly

T = TypeVar("T")
CODECS: Final = pytest.mark.parametrize("name", ["json", "msgpack"])


class Color(Enum):
    """An enumeration; one of its members has two names."""

    RED = 1
    CRIMSON = 1  # noqa: PIE796 - on purpose
    BLUE = (2, "b")


class Size(StrEnum):
    """One whose members are strings."""

    SMALL = "s"


class Right(Flag):
    """One whose members can be joined."""

    READ = 1
    WRITE = 2


class Code(IntFlag):
    """One whose members are numbers, and that takes any."""

    A = 1


@dataclass(frozen=True, slots=True)
class Money:
    """All that plain data has and JSON lacks."""

    amount: Decimal
    at: datetime
    raw: bytes = b""
    color: Color = Color.RED
    id: UUID | None = None


@dataclass
class User:
    """A class with attributes that are no fields, as computed ones are."""

    name: str
    born: date
    balance: Money | None = None
    friends: list["User"] = field(default_factory=list)
    logins: int = field(default_factory=int, init=False)
    salt: InitVar[int] = 5

    def __post_init__(self, salt: int) -> None:
        self.name = self.name.upper()
        self.shadow = salt

    @cached_property
    def slow(self) -> object:
        """Worked out once."""
        return object()


@dataclass
class Box(Generic[T]):
    """A generic class."""

    item: T
    more: list["Box[T]"] = field(default_factory=list)
    by_name: dict[str, T] = field(default_factory=dict)


class Point(NamedTuple):
    """A named tuple."""

    x: float
    y: float = 0.0
    owner: User | None = None


class Row(TypedDict):
    """A dict with keys of their own types."""

    user: User
    note: NotRequired[str]


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A struct of msgspec."""

    the_money: Money
    some_tags: tuple[str, ...] = ()


@attrs.define
class Part:
    """A class of attrs, with slots."""

    money: Money
    _count: int = 5


@attrs.frozen(slots=False)
class Piece:
    """Another one."""

    parts: tuple[Part, ...]


class Base(pydantic.BaseModel):
    """A model with all that one can have."""

    model_config = pydantic.ConfigDict(extra="allow")
    money: Money
    link: pydantic.HttpUrl | None = None
    count: pydantic.PositiveInt = pydantic.Field(default=1, alias="theCount")
    names: list[str] = pydantic.Field(default_factory=list)
    _note: str = pydantic.PrivateAttr(default="none")

    @pydantic.field_validator("names", mode="after")
    @classmethod
    def changed(cls, names: list[str]) -> list[str]:
        """A validator that must not run twice."""
        return [*names, "validated"]


class Tree(pydantic.BaseModel):
    """A model of models."""

    children: list["Tree"] = []
    boxes: dict[str, Box[int]] = {}


Items = pydantic.RootModel[list[Money]]
Pair = namedtuple("Pair", ["first", "second"])
UserId = NewType("UserId", int)

MONEY: Final = Money(
    Decimal("1.50"),
    datetime(2024, 10, 27, 2, 30, 1, 5, timezone(timedelta(hours=2), "X"), fold=1),
    b"\xff",
    Color.BLUE,
    UUID(int=5),
)
ZOE: Final = User("Zoë", date(2000, 2, 29), MONEY, [User("Al", datetime(2001, 1, 1, tzinfo=UTC))])

ROUND_TRIPS: Final[list[tuple[Any, Any]]] = [
    (Money, MONEY),
    (User, ZOE),
    (Money | None, None),
    (Optional[Money], MONEY),  # noqa: UP045 - as many still write it
    (list[User], [ZOE, ZOE]),
    (tuple[User, ...], (ZOE,)),
    (tuple[User, int, Color], (ZOE, 5, Color.RED)),
    (tuple[()] | Color, ()),
    (set[Money], {MONEY}),
    (frozenset[Color], frozenset(Color)),
    (dict[str, User], {"zoë": ZOE, "$tuple": ZOE}),
    (dict[Money, list[Color]], {MONEY: [Color.RED]}),
    (dict[Color, int], {Color.RED: 1}),
    (Mapping[str, Money], {"a": MONEY}),
    (Sequence[Money], [MONEY]),
    (Sequence[Money], (MONEY,)),
    (AbstractSet[Color], frozenset({Color.RED})),
    (AbstractSet[Color], {Color.RED}),
    (Collection[Color], {Color.RED}),
    (Iterable[Color], (Color.RED,)),
    (Box[Money], Box(MONEY, [Box(MONEY)], {"a": MONEY})),
    (Box[Box[Color]], Box(Box(Color.RED))),
    (Box[int], Box(5, [Box(6)])),
    (Box, Box({"any": ("plain", "data")})),
    (Point, Point(1, 2.5, ZOE)),
    (Pair, Pair(1, ("a", b"b"))),
    (Row, {"user": ZOE, "note": "hello"}),
    (Row, {"user": ZOE}),
    (Struct, Struct(the_money=MONEY, some_tags=("a", "b"))),
    (Part, Part(MONEY, 6)),
    (Piece, Piece((Part(MONEY),))),
    (Base, Base(money=MONEY, link=pydantic.HttpUrl("http://example.org/a?b"), theCount=5, other=(1, 2))),
    (Base, Base(money=MONEY)),
    (Tree, Tree(children=[Tree(), Tree(boxes={"a": Box(5)})])),
    (Items, Items([MONEY])),
    (Color, Color.CRIMSON),
    (Size, Size.SMALL),
    (Right, Right.READ | Right.WRITE),
    (Right, Right(0)),
    (Code, Code(9)),
    (Money | User | int | str | None, ZOE),
    (Money | User | int | str | None, 5),
    (Money | User | int | str | None, None),
    (list[Money] | Money | dict[str, Money], {"a": MONEY}),
    (Color | Any, (1, 2)),
    (Color | Any, Color.RED),
    (Literal[Color.RED, "red", 5], Color.RED),
    (Literal[Color.RED, "red", 5], 5),
    (Annotated[list[Annotated[User, "someone"]], "some"], [ZOE]),
    (NewType("TheUser", User), ZOE),
]


def known(value: Any) -> Any:
    """What an instance consists of, with all types; so that equal means: the same."""
    match value:
        case pydantic.BaseModel():
            parts: Any = [vars(value), value.model_extra, value.model_fields_set, value.__pydantic_private__]
        case Enum():
            parts = [repr(value)]
        case msgspec.Struct() | Money() | Part():
            parts = [getattr(value, name) for name in type(value).__match_args__]
        case tuple() | list():
            parts = list(value)
        case set() | frozenset():
            return (type(value), sorted(repr(known(item)) for item in value))
        case dict():
            parts = list(value.items())
        case _ if hasattr(value, "__dict__"):
            parts = sorted(vars(value).items())
        case _:
            return exactly(value) if not isinstance(value, pydantic.HttpUrl) else repr(value)
    return (type(value), [known(part) for part in parts])


@CODECS
@pytest.mark.parametrize(("value_type", "value"), ROUND_TRIPS, ids=lambda value: repr(value)[:40])
def test_instances_come_back_as_they_were(name: str, value_type: Any, value: Any) -> None:
    """Of the very type, with the very parts, zones, signs and private attributes, without being made anew."""
    codec = codec_for(name, value_type)
    again = codec.decode(codec.encode(value))
    assert known(again) == known(value)
    assert again == value
    assert codec.id > 16


@CODECS
@pytest.mark.parametrize(
    ("value_type", "value"),
    [(int, 5), (list[int], [1]), (dict[str, Any], {}), (object, None), (UserId, 5), (Literal["a", 1], "a"), (T, 1),
     (tuple[int, str] | None, (1, "a")), (Sequence[str], ["a"]), (None, None), (float | Decimal, 5), (bytes, b"x")],
)  # fmt: skip
def test_annotations_of_plain_data_change_nothing(name: str, value_type: Any, value: Any) -> None:
    """What is plain is written as without them, so both read each other's."""
    assert codec_for(name, value_type).encode(value) == codec_for(name).encode(value)
    assert codec_for(name, value_type).id == codec_for(name).id


@CODECS
@given(
    st.builds(
        Money,
        st.decimals(),
        st.datetimes(timezones=st.none() | st.just(UTC)),
        st.binary(),
        st.sampled_from(Color),
        st.none() | st.uuids(),
    )
)
def test_any_instance_comes_back(name: str, money: Money) -> None:
    """Whatever its fields hold."""
    codec = codec_for(name, dict[str, Money])
    assert known(codec.decode(codec.encode({"a": money}))) == known({"a": money})


def test_nothing_is_made_twice() -> None:
    """`__post_init__` and validators have run when a value was made; attributes that are no fields are kept."""
    zoe = User("zoë", date(2000, 2, 29), salt=7)
    zoe.name, zoe.logins = "lower", 3
    assert zoe.slow is zoe.slow
    codec = codec_for("json", User)
    again = codec.decode(codec.encode(zoe))
    assert isinstance(again, User)
    assert (again.name, again.logins, again.shadow) == ("lower", 3, 7)
    assert "slow" not in vars(again)
    model = codec_for("json", Base)
    names = model.decode(model.encode(Base(money=MONEY, names=["a"])))
    assert isinstance(names, Base)
    assert (names.names, names.model_fields_set) == (["a", "validated"], {"money", "names"})


def test_private_attributes_of_models_come_back() -> None:
    """They are part of what makes two models equal."""
    one = Base(money=MONEY)
    one._note = "mine"
    codec = codec_for("msgpack", Base)
    again = codec.decode(codec.encode(one))
    assert isinstance(again, Base)
    assert again._note == "mine"
    assert again == one


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

    hidden: int


@dataclass(slots=True)
class WithHidden(Slotted):
    """A dataclass that has one therefore."""

    part: int


def test_a_slot_that_is_no_field_is_not_lost() -> None:
    """An instance that keeps something there is refused, rather than kept without it."""
    codec = codec_for("json", WithHidden)
    value = WithHidden(5)
    assert codec.decode(codec.encode(value)) == value
    value.hidden = 1
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


def test_numbers_mean_what_annotations_mean() -> None:
    """An int is promised as well where a float is, as PEP 484 says; it comes back as the int that it was."""
    codec = codec_for("json", Point)
    again = codec.decode(codec.encode(Point(1, True)))
    assert repr(again) == "Point(x=1, y=True, owner=None)"
