"""Values of classes: they come back as instances of the very class, or are refused; never as anything else."""

from collections.abc import Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import (
    Any,
    Final,
    Literal,
)

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.serializers.codecs import codec_for
from tests.serializers.models import (
    MONEY,
    ROUND_TRIPS,
    Base,
    Color,
    Money,
    Point,
    T,
    User,
    UserId,
    known,
)

CODECS: Final = pytest.mark.parametrize("name", ["json", "msgpack"])


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


def test_numbers_mean_what_annotations_mean() -> None:
    """An int is promised as well where a float is, as PEP 484 says; it comes back as the int that it was."""
    codec = codec_for("json", Point)
    again = codec.decode(codec.encode(Point(1, True)))
    assert repr(again) == "Point(x=1, y=True, owner=None)"


class Early(pydantic.BaseModel):
    """A model whose field is of a class that comes later."""

    late: "Late"


class Late(pydantic.BaseModel):
    """That class."""

    part: Money


def test_a_model_may_wait_for_its_names() -> None:
    """Pydantic completes it when it is first used, here too."""
    codec = codec_for("json", Early)
    early = Early.model_construct(late=Late(part=MONEY))
    assert codec.decode(codec.encode(early)) == early
