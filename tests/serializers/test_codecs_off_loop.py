"""Large values are written and read in a thread, small ones at once; both give the same."""

import threading
from dataclasses import dataclass
from typing import Any, Final

import anyio
import pytest
from hypothesis import given

from asynccache.serializers.codecs import JsonCodec
from asynccache.serializers.envelope import Envelope, Kind, Sealer
from asynccache.serializers.off_loop import (
    LARGE,
    decode_off_loop,
    encode_off_loop,
    is_large,
    open_off_loop,
    seal_off_loop,
)
from asynccache.serializers.typed_json import Undecodable, Unencodable
from tests.serializers.envelopes import KEY, VERSION
from tests.serializers.test_typed_json import values


class Watched(JsonCodec):
    """JSON that knows in which threads it worked."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def encode(self, value: Any) -> bytes:
        """Write, and note where."""
        self.threads.append(threading.current_thread())
        return super().encode(value)

    def decode(self, data: bytes) -> object:
        """Read, and note where."""
        self.threads.append(threading.current_thread())
        return super().decode(data)


@dataclass
class Page:
    """An instance."""

    text: str


LARGE_ONES: Final = [
    "x" * LARGE, b"x" * LARGE, ["x" * 700] * 100, [5] * 10_000, {str(number): "x" * 60 for number in range(1_000)},
    [{"text": "x" * 800}] * 100, Page("x" * LARGE), [Page("x" * 800)] * 100, {"pages": [("x" * 700,)] * 100},
]  # fmt: skip
SMALL_ONES: Final = [
    None, 5, "x" * (LARGE // 2), [], {}, ["x" * 300] * 100, [5] * 1_000, Page("x" * 1_000), {1, 2}, object(),
    ["x"] * 3_000,
]  # fmt: skip


@pytest.mark.parametrize("value", LARGE_ONES, ids=lambda value: repr(type(value)))
def test_what_is_large_is_seen(value: object) -> None:
    """By its length, or that of its items, however deep."""
    assert is_large(value)


@pytest.mark.parametrize("value", SMALL_ONES, ids=lambda value: repr(type(value)))
def test_what_is_small_is_seen(value: object) -> None:
    """Also if it has many items."""
    assert not is_large(value)


@given(values)
def test_any_value_can_be_guessed(value: object) -> None:
    """These are small, all of them."""
    assert not is_large(value)


@pytest.mark.parametrize("value", ["small", "x" * LARGE])
async def test_a_large_value_leaves_the_loop_alone(value: str) -> None:
    """It is written and read in another thread; a small one where the loop runs."""
    codec = Watched()
    data = await encode_off_loop(codec, value)
    assert await decode_off_loop(codec, data) == value
    elsewhere = [thread is not threading.current_thread() for thread in codec.threads]
    assert elsewhere == [len(value) >= LARGE] * 2


async def test_errors_come_out_of_the_thread() -> None:
    """As they would without one."""
    with pytest.raises(Unencodable):
        await encode_off_loop(JsonCodec(), [object()] * LARGE)
    with pytest.raises(Undecodable):
        await decode_off_loop(JsonCodec(), b"[" * LARGE)


@pytest.mark.parametrize("size", [10, LARGE, 4 * LARGE])
async def test_records_are_sealed_and_opened_alike(size: int) -> None:
    """Also one that is small only while it is compressed."""
    sealer = Sealer(compress="zlib")
    sealed = Envelope(Kind.VALUE, VERSION, 1.0, payload=b"x" * size)
    data = await seal_off_loop(sealer, KEY, sealed)
    assert data == sealer.seal(KEY, sealed)
    assert len(data) < LARGE
    assert await open_off_loop(sealer, KEY, data) == sealed


async def test_what_inflates_to_much_is_opened_in_a_thread() -> None:
    """Bytes on the way tell how much it will be."""
    threads: list[threading.Thread] = []

    class Noting(Sealer):
        __slots__ = ()

        def open(self, key: bytes, data: bytes) -> Envelope:
            threads.append(threading.current_thread())
            return super().open(key, data)

    sealer = Noting(compress="zlib")
    for size in (LARGE - 1, LARGE):
        data = sealer.seal(KEY, Envelope(Kind.VALUE, VERSION, 1.0, payload=b"x" * size))
        await open_off_loop(sealer, KEY, data)
    assert [thread is threading.current_thread() for thread in threads] == [True, False]


async def test_a_caller_who_is_cancelled_leaves_at_once() -> None:
    """The thread comes to its end without anybody waiting for it."""
    begun, go_on, ended = anyio.Event(), threading.Event(), threading.Event()

    class Slow(JsonCodec):
        def encode(self, value: Any) -> bytes:
            anyio.from_thread.run_sync(begun.set)
            go_on.wait(10)
            ended.set()
            return b""

    async with anyio.create_task_group() as group:
        group.start_soon(encode_off_loop, Slow(), "x" * LARGE)
        await begun.wait()
        group.cancel_scope.cancel()
    assert not ended.is_set()
    go_on.set()
    assert await anyio.to_thread.run_sync(ended.wait, 10)
