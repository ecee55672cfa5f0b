"""Names, values and times as they are sent to Memcached, and where keys are placed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.stores.memcached.placement import Placement
from asynccache.stores.memcached.wire import expiry, unwrap, wire_key, wrap

NOW = 1_800_000_000.0
DAY = 86_400.0

keys = st.binary(max_size=400) | st.from_regex(rb"[!-~]{0,300}", fullmatch=True)
pieces = st.lists(st.sampled_from([b"END", b"\r", b"\n", b"\0", b"END\r\n", b"E", b"N", b"D", b"VALUE k 0 1"]))
values = st.binary() | pieces.map(b"".join)


@given(keys)
def test_names_follow_the_rules_of_the_protocol(key: bytes) -> None:
    """A name has 1 to 250 bytes, and no space or control character among them."""
    name = wire_key(key)
    assert 1 <= len(name) <= 250
    assert all(0x20 < byte < 0x7F for byte in name)


@given(keys, keys)
def test_two_keys_have_two_names(one: bytes, other: bytes) -> None:
    """No key is sent under the name of another, nor can it be spelled like a hash."""
    assert (wire_key(one) == wire_key(other)) == (one == other)
    assert wire_key(one) == one or wire_key(wire_key(one)) != wire_key(one)


@pytest.mark.parametrize("key", [b"", b"a b", b"a\r\nset x 0 0 1", b"\x7f", b"\xff", b"a" * 251, b"#a", b"\0"])
def test_what_the_protocol_refuses_is_hashed(key: bytes) -> None:
    """Empty, long and unprintable keys, and those that look like hashes, are sent as hashes."""
    assert wire_key(key).startswith(b"#")
    assert len(wire_key(key)) == 65


@pytest.mark.parametrize("key", [b"a", b"a" * 250, b"shop:user:7", b"~!"])
def test_ordinary_keys_go_as_they_are(key: bytes) -> None:
    """Whoever looks at a node finds ordinary keys there."""
    assert wire_key(key) == key


@given(keys, values)
def test_values_come_back_as_they_were(key: bytes, value: bytes) -> None:
    """Whatever a value holds, it is read as it was written."""
    assert unwrap(key, *wrap(key, value)) == value


@given(keys, values)
def test_no_value_holds_the_end_of_a_reply(key: bytes, value: bytes) -> None:
    """With the line end that follows it, a value holds no END of a reply, at which a client might stop reading."""
    assert b"END\r\n" not in wrap(key, value)[0] + b"\r\n"


@given(keys, values)
def test_values_of_ordinary_keys_are_kept_as_they_are(key: bytes, value: bytes) -> None:
    """Only what cannot be kept as it is costs anything."""
    if wire_key(key) == key and b"END" not in value:
        assert wrap(key, value) == (value, 0)


@given(st.binary(min_size=251, max_size=300), st.binary(min_size=251, max_size=300), values)
def test_a_hash_alone_is_not_trusted(one: bytes, other: bytes, value: bytes) -> None:
    """What is found under another key's name is not taken for one's own, even if the names were the same."""
    kept, flags = wrap(one, value)
    assert unwrap(other, kept, flags) == (value if one == other else None)
    assert unwrap(b"short", kept, flags) is None
    assert unwrap(one, value, 0) is None


@given(st.binary(max_size=300), st.binary(), st.integers(0, 2**16 - 1))
def test_rubbish_is_a_miss(key: bytes, kept: bytes, flags: int) -> None:
    """Whatever others have written under a name, reading it raises nothing."""
    value = unwrap(key, kept, flags)
    assert value is None or isinstance(value, bytes)


@pytest.mark.parametrize(
    ("ttl", "sent"),
    [
        (None, 0),
        (0, -1),
        (-5.0, -1),
        (0.001, 2),
        (1.0, 2),
        (1.5, 3),
        (29 * DAY, 29 * 86_400 + 1),
        (31 * DAY, NOW + 31 * DAY + 1),
        (30 * DAY, NOW + 30 * DAY + 1),
        (100 * 365 * DAY, 0),
        (math.inf, 0),
    ],
)
def test_times_to_live_are_whole_seconds_or_dates(ttl: float | None, sent: float) -> None:
    """More than 30 days are a date, as a number would be taken for one long past; what fits no date is for ever."""
    assert expiry(ttl, NOW) == sent


@given(st.floats(min_value=1e-9, max_value=40 * DAY), st.floats(min_value=0, max_value=0.999))
def test_nothing_is_gone_too_early(ttl: float, since_tick: float) -> None:
    """On a clock with a tick a second that counts from the last one, an item lives as long as it was told to."""
    sent = expiry(ttl, NOW + since_tick)
    gone_at = sent if sent > 30 * DAY else NOW + sent
    assert NOW + since_tick + ttl <= gone_at <= NOW + since_tick + ttl + 2


PLACES = "1112201120002110100010011120121010000000"
NAMES = ["a:11211", "b:11211", "c:11211"]
MANY = [b"key:%d" % number for number in range(6_000)]


def counts(placement: Placement, nodes: int) -> list[int]:
    """How many of the keys each node has."""
    places = [placement.place(key) for key in MANY]
    return [places.count(node) for node in range(nodes)]


def test_nodes_share_keys_evenly() -> None:
    """Each of three nodes has a third of the keys, give or take a tenth of that."""
    assert all(1_800 < count < 2_200 for count in counts(Placement(NAMES), 3))


def test_a_node_that_goes_moves_only_its_own_keys() -> None:
    """Of three nodes one is taken away: at most a third of the keys move, and none between the two that stay."""
    before, after = Placement(NAMES), Placement(NAMES[:2])
    moved = [key for key in MANY if before.place(key) != after.place(key)]
    assert {before.place(key) for key in moved} == {2}
    assert len(moved) < len(MANY) * 0.37


def test_the_order_of_nodes_does_not_matter() -> None:
    """Two programs that write the same nodes in another order look for a key on the same one."""
    one, other = Placement(NAMES), Placement(NAMES[::-1])
    assert all(NAMES[one.place(key)] == NAMES[::-1][other.place(key)] for key in MANY)


def test_places_are_for_ever() -> None:
    """Keys stay where they are when the package is updated: these places were written down once."""
    assert "".join(str(Placement(NAMES).place(b"key:%d" % number)) for number in range(40)) == PLACES


def test_weights_decide_on_shares() -> None:
    """A node with three times the weight gets three times the keys."""
    heavy, light, other = counts(Placement(NAMES, [3, 1, 1]), 3)
    assert 3_400 < heavy < 3_800
    assert 1_050 < light < 1_350
    assert 1_050 < other < 1_350
