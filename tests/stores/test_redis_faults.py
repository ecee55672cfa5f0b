"""What a server may answer instead of what was asked for: a scripted server says it, and the store's error tells it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import Item, RedisStore
from asynccache.stores.batching import Change, Op
from asynccache.stores.redis.commands import pack, scan, write_all

pytestmark = pytest.mark.one_loop

SECRET = b"key of somebody"


@contextlib.asynccontextmanager
async def scripted(*replies: bytes) -> AsyncIterator[RedisStore]:
    """Open a store in a server that gives these replies, one to each request on any connection, the last for ever."""
    left = list(replies)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                words = [await read_word(reader) for _ in range(int(line[1:]))]
                if words[0] == b"CLIENT":
                    writer.write(b"+OK\r\n")
                    continue
                reply = left.pop(0) if len(left) > 1 else left[0]
                if reply == b"":
                    break
                writer.write(reply)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}?timeout=0.5")
        try:
            yield store
        finally:
            await store.aclose()


async def read_word(reader: asyncio.StreamReader) -> bytes:
    """Read one word of a command."""
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


READ: Callable[[RedisStore], Awaitable[object]] = lambda store: store.get_many((SECRET,))  # noqa: E731
WRITE: Callable[[RedisStore], Awaitable[object]] = lambda store: store.set_many({SECRET: Item(SECRET)})  # noqa: E731


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", StoreUnavailable, "loading"),
        (b"-READONLY You can't write against a read only replica.\r\n", StoreUnavailable, "replica"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", StoreUnavailable, "lost its primary"),
        (b"-CLUSTERDOWN The cluster is down\r\n", StoreUnavailable, "not whole"),
        (b"-MOVED 3999 127.0.0.1:6381\r\n", StoreUnavailable, "slot"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", StoreError, "full"),
        (b"-MISCONF Errors writing to the AOF file\r\n", StoreError, "disk"),
        (b"-NOAUTH Authentication required.\r\n", StoreUnavailable, "password"),
        (b"-NOPERM this user has no permissions to access the 'key of somebody' key\r\n", StoreError, "permit"),
        (b"-ERR unknown command 'X', with args beginning with: 'key of somebody'\r\n", StoreError, "refused"),
        (b"-ERR max number of clients reached\r\n", StoreUnavailable, "reached"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", StoreError, "Redis"),
        (b"", StoreUnavailable, "reached"),
        (b"*1\r\n$5\r\nab", StoreTimeout, "did not answer"),
    ],
)
async def test_what_a_server_says_becomes_the_stores_error(
    request_: Callable[[RedisStore], Awaitable[object]], reply: bytes, error: type[StoreError], words: str
) -> None:
    """Whatever a server replies is an error of the store's own, without the key or the value in it."""
    async with scripted(reply) as store:
        with pytest.raises(StoreError, match=words) as caught:
            await request_(store)
        assert type(caught.value) is error
        assert "somebody" not in str(caught.value)


async def test_what_is_full_still_gives() -> None:
    """A server that refuses changes is not given up for it: what it has is read as before."""
    refusal = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
    async with scripted(*([refusal] * 10), b"*1\r\n$1\r\nv\r\n") as store:
        for _ in range(10):
            with pytest.raises(StoreError, match="full"):
                await store.set_many({b"a": Item(b"v")})
        assert await store.get_many((b"a",)) == {b"a": b"v"}


async def test_one_refused_change_of_several_does_not_hide_the_others() -> None:
    """In a batch, who asked for what was refused is told so, and the others that theirs is done."""
    async with scripted(b"+OK\r\n", b"-NOPERM no\r\n", b"+OK\r\n") as store:
        outcomes = await asyncio.gather(
            *(store.set_many({key: Item(b"1")}) for key in (b"a", b"b", b"c")), return_exceptions=True
        )
        assert outcomes[0] is None
        assert isinstance(outcomes[1], StoreError)
        assert outcomes[2] is None


async def test_what_is_no_value_is_nothing() -> None:
    """A key under which a server keeps something else than a string counts as not there."""
    async with scripted(b"*2\r\n$-1\r\n$0\r\n\r\n") as store:
        assert await store.get_many((b"a", b"b")) == {b"b": b""}


@given(st.lists(st.binary(max_size=40), min_size=1))
@settings(max_examples=50)
def test_what_is_packed_is_read_as_it_was(words: list[bytes]) -> None:
    """A command that is made of any bytes at all is read as those by a parser of the protocol."""
    import hiredis

    reader = hiredis.Reader()
    reader.feed(pack(*words))
    assert reader.gets() == words
    assert not reader.has_data()


def test_patterns_mean_themselves() -> None:
    """Characters that mean something in a pattern are looked for as they are."""
    assert b"\\*\\?\\[a\\-b\\]\\^\\\\*" in scan(b"0", b"*?[a-b]^\\")


def test_a_script_is_sent_once_in_a_batch() -> None:
    """Of several changes on one condition, the first brings the script, and the others its name."""
    ops = [Op(Change.COMPARE_AND_DELETE, b"%d" % number, expected=b"x") for number in range(3)]
    first, *others = write_all(ops)
    assert b"EVAL\r\n" in first
    assert all(b"EVALSHA\r\n" in packed and len(packed) < len(first) for packed in others)
