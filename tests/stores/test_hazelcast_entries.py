"""Keys, values and times as they are in a Hazelcast map, and what is never decoded."""

import importlib
import pickle
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.stores.hazelcast.entries import FOREIGN, decoder, entry, key_of, seconds, successor, text, value_of
from asynccache.stores.hazelcast.link import load

NOW = 1_800_000_000.0
MINUTE = 60.0


@given(st.binary())
def test_keys_come_back_as_they_were(key: bytes) -> None:
    """Any bytes are a key, and are told by its name."""
    assert key_of(text(key)) == key


@pytest.mark.parametrize("name", [None, 7, bytearray(b"x"), FOREIGN, "я"])
def test_what_others_keep_has_no_key(name: object) -> None:
    """Names that no key of ours has are none."""
    assert key_of(name) is None


@given(st.binary(), st.binary())
def test_a_prefix_is_a_range(prefix: bytes, key: bytes) -> None:
    """Keys that begin with a prefix lie between it and its successor, and no others do."""
    behind = successor(text(prefix))
    assert (text(prefix) <= text(key) and (behind is None or text(key) < behind)) == key.startswith(prefix)


@given(st.binary(), st.none() | st.floats(min_value=0.001, max_value=1e12))
def test_values_come_back_as_they_were(value: bytes, ttl: float | None) -> None:
    """As long as they live, values are read as they were written, and begin as they did."""
    kept = entry(value, ttl, NOW)
    assert value_of(kept, NOW) == value
    assert kept.startswith(value)


def test_what_a_dead_writer_left_is_gone_in_the_end() -> None:
    """An entry whose time to live was never set is gone a minute after it should be: clocks differ by less."""
    kept = entry(b"x", 10.0, NOW)
    assert value_of(kept, NOW + 10.0 + MINUTE) == b"x"
    assert value_of(kept, NOW + 10.1 + MINUTE) is None
    assert value_of(entry(b"x", None, NOW), NOW * 1_000) == b"x"


@pytest.mark.parametrize("kept", [None, FOREIGN, 7, "text", bytearray(), bytearray(b"short")])
def test_what_others_have_put_is_a_miss(kept: object) -> None:
    """What is no entry of ours has no value."""
    assert value_of(kept, NOW) is None


@pytest.mark.parametrize(("ttl", "sent"), [(None, None), (0.001, 2), (1.0, 2), (1.5, 3), (60.0, 61), (1e10, None)])
def test_members_are_told_whole_seconds(ttl: float | None, sent: int | None) -> None:
    """A second more than needed, as they drop fractions; and nothing for what lasts longer than anybody."""
    assert seconds(ttl) == sent


def test_pickles_are_not_decoded() -> None:
    """Of what is in a map, strings and byte arrays are decoded, and nothing else, whoever has put it there."""
    load()
    config: Any = importlib.import_module("hazelcast.config").Config
    service: Any = importlib.import_module("hazelcast.serialization.service").SerializationServiceV1(config())
    decode = decoder(service.to_object)
    assert decode(None) is None
    assert decode(service.to_data("key")) == "key"
    assert decode(service.to_data(bytearray(b"value"))) == bytearray(b"value")
    assert pickle.dumps(time.sleep)  # the kind of thing that is refused: it names what is called when it is read
    for other in (b"bytes", time.sleep, {"a": 1}, 7, [1]):
        assert decode(service.to_data(other)) is FOREIGN
