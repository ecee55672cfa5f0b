"""Responses as bytes: whatever is kept comes back, and whatever is not believed is told by one exception."""

import json
import struct
from math import inf, nan
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.http.kept.records import FORMAT, UNKNOWN, Kept, KeptBody, decoded, encoded, tags_of, tombstone
from asynccache.http.kept.stored import ChunkedBody, InlineBody, StoredResponse
from asynccache.http.syntax.message import Fields
from asynccache.http.syntax.ranges import Span
from asynccache.serializers.codecs import codec_for
from asynccache.serializers.envelope import STAMP, Envelope, Kind, Sealer, new_version
from asynccache.serializers.proofs import Unopenable

KEY: Final = b"http:r:key"
GENERATION: Final = b"\x00gener\xff\x01"
VERSIONS: Final = {b"http:a:": b"version1", b"http:p:tag": b"\x00\xffrsion2"}
SECRET: Final = b"no secret, as it is written here"
GOLDEN: Final = Path(__file__).parents[1] / "golden" / "http-record-1"

RICH: Final = StoredResponse(
    method="GET",
    status=206,
    reason="Partial Content",
    fields=Fields([("Content-Type", "text/plain"), ("X-Octets", 'é\udc80\x00\x7f\\"\ud83d\ude00'), ("x-octets", "")]),
    request_time=1_700_000_000.25,
    response_time=1_700_000_001.5,
    vary=("accept", "cookie"),
    selecting=b"\x00\xff digest",
    body=InlineBody(b"body \x00\xff\r\n"),
    span=Span(2, 10, None),
    is_decoded=True,
    tags=("product:1", "größe"),
)
LARGE: Final = StoredResponse(
    method="POST",
    status=200,
    reason="",
    fields=Fields([("ETag", '"a"')]),
    request_time=1.0,
    response_time=2.0,
    body=ChunkedBody(b"\x00id\xff", 1_000_000, 262_144, 1_700_086_400.0),
    span=Span(0, 999_999, 1_000_000),
)
EMPTY: Final = StoredResponse("GET", 204, "No Content", Fields(), -1.0, 0.0, body=InlineBody(b""))

WRONG_PARTS: Final[list[dict[str, Any]]] = [
    {"method": None}, {"method": 1}, {"status": "200"}, {"status": True}, {"status": -1}, {"status": 2.0},
    {"reason": None}, {"fields": {}}, {"fields": ["ab"]}, {"fields": [["a"]]}, {"fields": [["a", 1]]},
    {"fields": [[None, "a"]]}, {"asked": None}, {"asked": nan}, {"asked": 10**400}, {"came": inf},
    {"came": "1"}, {"came": True}, {"vary": "ab"}, {"vary": [1]}, {"selecting": "0"}, {"selecting": 0},
    {"body": None}, {"body": -2}, {"body": 1}, {"body": 3}, {"body": 10**30}, {"span": []},
    {"span": [0, 1]}, {"span": [-1, 1, None]}, {"span": [0, 1, "2"]}, {"is_decoded": 0}, {"is_decoded": None},
    {"tags": None}, {"tags": [["t"]]}, {"until": None}, {"until": inf}, {"until": "1"},
]  # fmt: skip
"""Parts that no row of a record has."""

ANY_TEXT: Final = st.text(st.characters(exclude_categories=()))
TIMES: Final = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS: Final = st.integers(0, 2**63)
BODIES: Final = st.one_of(
    st.builds(InlineBody, st.binary()), st.builds(ChunkedBody, st.binary(), NUMBERS, st.integers(1, 2**40), TIMES)
)
RESPONSES: Final = st.builds(
    StoredResponse,
    method=ANY_TEXT,
    status=NUMBERS,
    reason=ANY_TEXT,
    fields=st.builds(Fields, st.lists(st.tuples(ANY_TEXT, ANY_TEXT))),
    request_time=TIMES,
    response_time=TIMES,
    vary=st.lists(ANY_TEXT).map(tuple),
    selecting=st.binary(),
    body=BODIES,
    span=st.none() | st.builds(Span, NUMBERS, NUMBERS, st.none() | NUMBERS),
    is_decoded=st.booleans(),
    tags=st.lists(ANY_TEXT).map(tuple),
)


def parts(response: StoredResponse) -> tuple[Any, ...]:
    """All that there is of a response, to be compared; bodies by what they hold."""
    return tuple(getattr(response, name) for name in StoredResponse.__dataclass_fields__)


def made(*responses: StoredResponse, sealer: Sealer | None = None) -> bytes:
    """The bytes of a record of these, each of use for ten seconds longer than the one before."""
    kept = [Kept(response, 10.0 * number) for number, response in enumerate(responses, 1)]
    return encoded(sealer or Sealer(), KEY, 5.0, GENERATION, kept, VERSIONS)


def sealed(head: Any, *, bodies: bytes = b"", codec: int = FORMAT, kind: Kind = Kind.VALUE) -> bytes:
    """The bytes of a record that says something else, and whose checksum is right."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    payload = struct.pack(">8sI", GENERATION, len(text)) + text + bodies
    return Sealer().seal(KEY, Envelope(kind, new_version(), 5.0, codec=codec, payload=payload))


def row(**other: Any) -> list[Any]:
    """What a record says of a response, but for some parts."""
    said: dict[str, Any] = {
        "method": "GET", "status": 200, "reason": "OK", "fields": [["A", "b"]], "asked": 1.0, "came": 2, "vary": ["a"],
        "selecting": "00ff", "body": 2, "span": [0, 1, None], "is_decoded": False, "tags": ["t"], "until": 10.0,
    }  # fmt: skip
    assert other.keys() <= said.keys()
    return list((said | other).values())


@given(st.lists(RESPONSES, max_size=3))
def test_whatever_is_kept_comes_back(responses: list[StoredResponse]) -> None:
    """Every part of every response is the same after a round, in the same order, whatever octets it holds."""
    record = decoded(Sealer(), KEY, made(*responses))
    assert [parts(kept.response) for kept in record.kept] == [parts(response) for response in responses]
    assert [kept.until for kept in record.kept] == [10.0 * number for number in range(1, len(responses) + 1)]
    assert (record.generation, record.versions) == (GENERATION, VERSIONS)


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unsigned", "signed"])
def test_every_damaged_byte_is_noticed(secret: bytes | None) -> None:
    """A record in which any one byte is another is not believed, and nothing but `Unopenable` is raised."""
    sealer = Sealer(secret=secret)
    data = made(RICH, LARGE, sealer=sealer)
    for at in range(len(data)):
        with pytest.raises(Unopenable):
            decoded(sealer, KEY, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unsigned", "signed"])
def test_every_other_length_is_noticed(secret: bytes | None) -> None:
    """A record that was cut anywhere, or that goes on, is not believed."""
    sealer = Sealer(secret=secret)
    data = made(RICH, LARGE, sealer=sealer)
    for at in range(len(data)):
        with pytest.raises(Unopenable):
            decoded(sealer, KEY, data[:at])
    with pytest.raises(Unopenable):
        decoded(sealer, KEY, data + b"\x00")


@pytest.mark.parametrize("other", [None, b"another secret, of other people"], ids=["none", "another"])
def test_a_record_of_another_secret_is_not_believed(other: bytes | None) -> None:
    """What was signed is read by those only who have the secret."""
    data = made(RICH, sealer=Sealer(secret=SECRET))
    assert len(decoded(Sealer(secret=SECRET), KEY, data).kept) == 1
    with pytest.raises(Unopenable):
        decoded(Sealer(secret=other), KEY, data)


def test_a_record_of_another_key_is_not_believed() -> None:
    """A record that was moved to another key is none."""
    with pytest.raises(Unopenable):
        decoded(Sealer(), b"http:r:other", made(RICH))


def test_what_a_cache_of_values_keeps_is_not_read_as_responses() -> None:
    """A value, or a record of another kind, is none of ours, whatever it says."""
    decoded(Sealer(), KEY, sealed([]))
    others = [sealed([], kind=kind) for kind in (Kind.ERROR, Kind.GENERATION, Kind.TOMBSTONE)]
    for data in (sealed([], codec=codec_for("json", Any, signed=False).id), *others):
        with pytest.raises(Unopenable, match="parts"):
            decoded(Sealer(), KEY, data)


def test_the_made_up_row_is_read() -> None:
    """The row that the next test changes is one that is read as it stands."""
    (kept,) = decoded(Sealer(), KEY, sealed([row()], bodies=b"ab")).kept
    assert kept.response.body == InlineBody(b"ab")
    assert kept.response.span == Span(0, 1, None)


@pytest.mark.parametrize(
    "head",
    [
        b"\xff", b"{", b"[" * 100_000, {}, 5, [5], [[]], [row()[:-1]], [[*row(), 1]],
        *([row(**other)] for other in WRONG_PARTS),
    ],
    ids=lambda head: repr(head)[:60],
)  # fmt: skip
def test_what_no_record_says_is_not_believed(head: Any) -> None:
    """Bytes with a right checksum, which anybody can write, raise nothing but `Unopenable`."""
    with pytest.raises(Unopenable, match="parts"):
        decoded(Sealer(), KEY, sealed(head, bodies=b"ab"))


@pytest.mark.parametrize(
    "body",
    [
        [], ["00", 2, 2], ["00", 2, 0, 1.0], ["0", 2, 2, 1.0], [0, 2, 2, 1.0], ["00", -1, 2, 1.0], ["00", 2, 2, nan],
        ["00", 2, 2, None], ["00", 2, 2.5, 1.0], ["00", "2", 2, 1.0],
    ],
    ids=repr,
)  # fmt: skip
def test_what_no_body_looks_like_is_not_believed(body: Any) -> None:
    """Neither are bodies beside the record that there cannot be."""
    decoded(Sealer(), KEY, sealed([row(body=["00", 2, 2, 1.0])]))
    with pytest.raises(Unopenable, match="parts"):
        decoded(Sealer(), KEY, sealed([row(body=body)]))


@pytest.mark.parametrize("payload", [b"", b"short", struct.pack(">8sI", GENERATION, 2**32 - 1) + b"[]"])
def test_a_payload_too_short_is_not_believed(payload: bytes) -> None:
    """Neither is one that has no head, or less of it than it says."""
    data = Sealer().seal(KEY, Envelope(Kind.VALUE, new_version(), 5.0, codec=FORMAT, payload=payload))
    with pytest.raises(Unopenable, match="parts"):
        decoded(Sealer(), KEY, data)


def test_times_without_end_are_not_written() -> None:
    """What could not be read again is refused when it is written."""
    with pytest.raises(ValueError, match="JSON"):
        encoded(Sealer(), KEY, 5.0, GENERATION, [Kept(EMPTY, inf)], VERSIONS)


def test_a_body_without_a_time_of_its_own_is_kept_as_long_as_its_response() -> None:
    """Where nobody says until when the pieces are kept, the response's own time counts."""
    response = StoredResponse("GET", 200, "OK", Fields(), 1.0, 2.0, body=ChunkedBody(b"id", 10, 5))
    (kept,) = decoded(Sealer(), KEY, made(response)).kept
    assert kept.response.body == ChunkedBody(b"id", 10, 5, kept.until)


def test_a_tombstone_is_a_new_generation_without_responses() -> None:
    """Each tombstone has a generation that nothing had before."""
    first, second = (decoded(Sealer(), KEY, tombstone(Sealer(), KEY, 5.0)) for _ in range(2))
    assert first.kept == second.kept == ()
    assert len({first.generation, second.generation, UNKNOWN}) == 3


def test_no_two_records_begin_alike() -> None:
    """The stamp, by which stores compare, is new each time, whatever is in the record."""
    records = [made(RICH), made(RICH), made(), made(), tombstone(Sealer(), KEY, 5.0)]
    stamps = {decoded(Sealer(), KEY, data).stamp for data in records}
    assert stamps == {data[:STAMP] for data in records}
    assert len(stamps) == len(records)


def test_bodies_are_not_there_twice() -> None:
    """A body that was read is a window on the record's own bytes, and equal to any other of the same octets."""
    data = made(RICH, EMPTY)
    first, empty = (kept.response.body for kept in decoded(Sealer(), KEY, data).kept)
    assert isinstance(first, KeptBody)
    assert first._record is data
    assert (first.size, empty.size) == (9, 0)
    assert first == InlineBody(first.content)
    assert InlineBody(first.content) == first
    assert hash(first) == hash(decoded(Sealer(), KEY, made(RICH)).kept[0].response.body)
    assert first not in (empty, "body")
    assert b"body" not in repr(first).encode()


def test_tags_are_told_once() -> None:
    """Of several responses, each tag is told once, in the order in which they come."""
    assert tags_of([RICH, LARGE, RICH]) == ["product:1", "größe"]


# --- golden -----------------------------------------------------------------------------------------------------------


def write_golden() -> None:
    """Write the file, as the code of the day encodes it. No test calls this."""
    GOLDEN.write_bytes(made(RICH, LARGE, EMPTY))


def test_what_was_kept_by_an_earlier_release_is_read() -> None:
    """The file was written once; as long as this is its format, all of it is read."""
    record = decoded(Sealer(), KEY, GOLDEN.read_bytes())
    assert [parts(kept.response) for kept in record.kept] == [parts(response) for response in (RICH, LARGE, EMPTY)]
    assert (record.generation, record.versions) == (GENERATION, VERSIONS)


def test_the_format_is_written_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier release reads what is written today, as that is the same bytes but for the stamp."""
    golden = GOLDEN.read_bytes()
    monkeypatch.setattr("asynccache.http.kept.records.new_version", lambda: golden[STAMP - 8 : STAMP])
    assert made(RICH, LARGE, EMPTY) == golden
