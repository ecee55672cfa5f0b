"""Classes of every kind that values can be of, and an instance of some."""

from collections import namedtuple
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field
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

import attrs
import msgspec
import pydantic

from tests.serializers.test_typed_json import exactly

T = TypeVar("T")


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
LINKED: Final = Base.model_validate(
    {"money": MONEY, "link": "http://example.org/a?b", "theCount": 5, "names": ["a"], "other": (1, 2)}
)

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
    (Base, LINKED),
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
