"""The batches that drivers build on: who goes with which request, and who waits for what."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import Item, lanes
from asynccache.stores.batching import BatchingStore, Change, Op
from asynccache.stores.breaker import CircuitBreaker


class Recorder(BatchingStore):
    """A store that notes what it is asked for, and answers when `gate` is open."""

    def __init__(self, *, timeout: float = 10.0, breaker: CircuitBreaker | None = None) -> None:
        super().__init__("the recorder", timeout=timeout, breaker=breaker)
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads: list[list[bytes]] = []
        self.writes: list[list[Op]] = []
        self.ended = 0
        self.left: list[float] = []
        self.failure: Exception | None = None
        self.disconnected = 0

    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        self.reads.append(keys)
        await self._pass()
        return {key: b"value of " + key for key in keys if key != b"nothing"}

    async def _write(self, ops: list[Op]) -> Sequence[object]:
        self.writes.append(ops)
        await self._pass()
        return [StoreError("refused") if op.key == b"refused" else True for op in ops]

    async def _disconnect(self) -> None:
        self.disconnected += 1

    async def _pass(self) -> None:
        self.left.append(lanes.time_is_over_at() - asyncio.get_running_loop().time())
        try:
            await self.gate.wait()
        finally:
            self.ended += 1
        if self.failure is not None:
            raise self.failure


async def turns(count: int = 5) -> None:
    """Let others run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_turn_is_one_request() -> None:
    """Readers of the same turn go with one request, in which each key is once; each gets its own keys."""
    store = Recorder()
    asked = [(b"a",), (b"b", b"a"), (b"nothing",), (b"c", b"c", b"nothing")]
    found = await asyncio.gather(*(store.get_many(keys) for keys in asked))
    assert store.reads == [[b"a", b"b", b"nothing", b"c"]]
    assert [set(values) for values in found] == [{b"a"}, {b"b", b"a"}, set(), {b"c"}]
    assert await store.get_many(()) == {}
    await store.aclose()


async def test_few_reads_are_under_way_at_once() -> None:
    """While four requests are under way, what is asked is gathered for the next one."""
    store = Recorder()
    store.gate.clear()
    readers: list[asyncio.Task[dict[bytes, bytes]]] = []
    for number in range(10):
        readers.append(asyncio.create_task(store.get_many((b"%d" % number,))))
        await turns()
    assert store.reads == [[b"0"], [b"1"], [b"2"], [b"3"]]
    store.gate.set()
    assert await asyncio.gather(*readers) == [{b"%d" % n: b"value of %d" % n} for n in range(10)]
    assert store.reads[4:] == [[b"4", b"5", b"6", b"7", b"8", b"9"]]
    await store.aclose()


async def test_a_request_is_not_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than one request should be is made as several, and those who ask are not divided."""
    monkeypatch.setattr(lanes, "MOST_ASKED", 3)
    store = Recorder()
    found = await asyncio.gather(*(store.get_many((b"%d" % number, b"x")) for number in range(4)))
    assert [len(values) for values in found] == [2, 2, 2, 2]
    assert store.reads == [[b"0", b"x", b"1"], [b"2", b"x", b"3"]]
    await store.aclose()


async def test_changes_keep_their_order() -> None:
    """One request of changes is made at a time, and those that come meanwhile follow in the order they came."""
    store = Recorder()
    store.gate.clear()
    first = asyncio.create_task(store.set_many({b"a": Item(b"1")}))
    await turns()
    others = [
        asyncio.create_task(change)
        for change in (store.delete_many((b"a", b"a")), store.add(b"a", Item(b"2")), store.increment(b"n", ttl=3))
    ]
    await turns()
    assert len(store.writes) == 1
    store.gate.set()
    await asyncio.gather(first, *others)
    assert [op.change for op in store.writes[1]] == [Change.DELETE, Change.ADD, Change.INCREMENT]
    await store.aclose()


async def test_an_item_without_time_to_live_is_a_deletion() -> None:
    """Setting with a ttl of 0 or less deletes."""
    store = Recorder()
    await store.set_many({b"a": Item(b"1", 0), b"b": Item(b"1", -1), b"c": Item(b"1", None)})
    assert [op.change for op in store.writes[0]] == [Change.DELETE, Change.DELETE, Change.SET]
    await store.aclose()


async def test_who_leaves_takes_nothing_from_others() -> None:
    """A caller that is cancelled does not cancel the request, and the others get their values."""
    store = Recorder()
    store.gate.clear()
    leaver = asyncio.create_task(store.get_many((b"a",)))
    stayer = asyncio.create_task(store.get_many((b"b",)))
    await turns()
    leaver.cancel()
    await turns()
    assert store.ended == 0
    store.gate.set()
    assert await stayer == {b"b": b"value of b"}
    assert leaver.cancelled()
    await store.aclose()


async def test_what_nobody_waits_for_is_not_read() -> None:
    """A request for readers who have all left is not made, however many there were; a change is made nevertheless."""
    store = Recorder()
    store.gate.clear()
    busy = [asyncio.create_task(store.set_many({b"busy": Item(b"1")}))]
    for _ in range(4):
        busy.append(asyncio.create_task(store.get_many((b"busy",))))  # type: ignore[arg-type]
        await turns()
    gone = [asyncio.create_task(store.get_many((b"%d" % number,))) for number in range(10)]
    writer = asyncio.create_task(store.set_many({b"a": Item(b"1")}))
    await turns()
    for task in (*gone, writer):
        task.cancel()
    await asyncio.wait([*gone, writer])
    store.gate.set()
    await asyncio.gather(*busy)
    assert await store.get_many((b"a",)) == {b"a": b"value of a"}
    assert store.reads == [[b"busy"]] * 4 + [[b"a"]]
    assert [ops[0].key for ops in store.writes] == [b"busy", b"a"]
    await store.aclose()


async def test_thousands_who_left_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of requests that nobody waits for are passed over in one turn."""
    monkeypatch.setattr(lanes, "MOST_ASKED", 1)
    store = Recorder()
    store.gate.clear()
    busy = [asyncio.create_task(store.get_many((b"busy",)))]
    await turns()
    readers = [asyncio.create_task(store.get_many((b"%d" % number,))) for number in range(5_000)]
    await turns()
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    last = asyncio.create_task(store.get_many((b"last",)))
    store.gate.set()
    assert await last == {b"last": b"value of last"}
    assert len(store.reads) <= 5
    await asyncio.gather(*busy)
    await store.aclose()


async def test_nobody_waits_longer_than_the_time_limit() -> None:
    """When time is over, all who wait are told, the request is ended, and the next one is made as ever."""
    store = Recorder(timeout=0.02)
    store.gate.clear()
    outcomes = await asyncio.gather(*(store.get_many((b"%d" % n,)) for n in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreTimeout] * 3
    assert outcomes[0] is not outcomes[1]
    await turns()
    assert store.ended == 1
    store.gate.set()
    assert await store.get_many((b"a",)) == {b"a": b"value of a"}
    await store.aclose()


async def test_who_waits_for_a_place_waits_no_longer_either() -> None:
    """Time runs also while all places are taken: who had none is told so."""
    store = Recorder(timeout=0.02)
    store.gate.clear()
    first = asyncio.create_task(store.set_many({b"a": Item(b"1")}))
    await turns()
    with pytest.raises(StoreTimeout):
        await store.set_many({b"b": Item(b"1")})
    with pytest.raises(StoreTimeout):
        await first
    await store.aclose()


async def test_a_request_knows_when_its_time_is_over() -> None:
    """A driver can tell how long anybody waits for what it does: from when the first caller asked."""
    store = Recorder(timeout=10)
    await store.get_many((b"a",))
    assert 9 < store.left[0] < 10.1
    assert lanes.time_is_over_at() > 1e9
    await store.aclose()


@pytest.mark.one_loop
async def test_a_request_that_is_ended_before_it_began_leaves_its_place() -> None:
    """A task that is cancelled before its first step, as on loops that run timers first, gives its place back."""
    store = Recorder()
    lane = lanes.Lane(store, store._read, most=1, must_serve=False)
    for _ in range(3):
        batch = lane.join((b"a",))
        lane._dispatch()
        lane._expire(batch)
    batch = lane.join((b"b",))
    assert await batch.waiters[0] == {b"b": b"value of b"}
    assert store.reads == [[b"b"]]
    await store.aclose()


@pytest.mark.one_loop
async def test_a_loop_that_was_blocked_is_not_the_engines_fault() -> None:
    """A reply that came while the loop was blocked is taken, though the time limit has passed meanwhile."""
    store = Recorder(timeout=0.05)
    store.gate.clear()
    reader = asyncio.create_task(store.get_many((b"a",)))
    await turns()
    thread = threading.Thread(target=asyncio.get_running_loop().call_soon_threadsafe, args=(store.gate.set,))
    thread.start()
    thread.join()
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.1:
        pass
    assert await reader == {b"a": b"value of a"}
    await store.aclose()


async def test_an_engine_that_was_given_up_is_not_asked() -> None:
    """After three failures nobody waits any more, and no request is made; who was gathered already is told as well."""
    store = Recorder(breaker=CircuitBreaker(lambda: 0.0))
    store.failure = StoreUnavailable("gone")
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="gone"):
            await store.get_many((b"a",))
    store.failure = None
    with pytest.raises(StoreUnavailable, match="was not asked"):
        await store.get_many((b"a",))
    with pytest.raises(StoreUnavailable, match="was not asked"):
        await store.set_many({b"a": Item(b"1")})
    assert (len(store.reads), len(store.writes)) == (3, 0)
    await store.aclose()


@pytest.mark.parametrize("operation", ["get_many", "delete_many"])
async def test_a_mistake_of_a_driver_is_an_error_of_the_store(operation: str) -> None:
    """What a driver raises by mistake is told as a store's error, without what it says: it may hold a value."""
    store = Recorder()
    store.failure = KeyError("secret")
    call: Callable[[Sequence[bytes]], Awaitable[object]] = getattr(store, operation)
    with pytest.raises(StoreError, match="KeyError") as caught:
        await call((b"a",))
    assert "secret" not in str(caught.value)
    await store.aclose()


async def test_a_refused_change_is_told_to_who_asked_for_it() -> None:
    """Of those who go with one request, only who asked for a refused change gets its error."""
    store = Recorder()
    outcomes = await asyncio.gather(
        store.add(b"a", Item(b"1")),
        store.set_many({b"b": Item(b"1"), b"refused": Item(b"1")}),
        store.compare_and_delete(b"c", b""),
        return_exceptions=True,
    )
    assert (outcomes[0], outcomes[2]) == (True, True)
    assert isinstance(outcomes[1], StoreError)
    assert len(store.writes) == 1
    await store.aclose()


async def test_closing_answers_what_was_asked() -> None:
    """What was asked before a store is closed is answered; what is asked later is refused; closing twice is once."""
    async with Recorder() as store:
        readers = [asyncio.create_task(store.get_many((b"%d" % number,))) for number in range(3)]
        writer = asyncio.create_task(store.set_many({b"a": Item(b"1")}))
        await asyncio.sleep(0)
    assert await asyncio.gather(*readers) == [{b"%d" % n: b"value of %d" % n} for n in range(3)]
    await writer
    await store.aclose()
    assert store.disconnected == 1
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.get_many((b"a",))


def test_loops_in_threads_do_not_meet() -> None:
    """Several loops ask one store at once, each by requests of its own."""

    async def read(store: Recorder, name: int) -> bool:
        keys = [b"%d:%d" % (name, number) for number in range(100)]
        found = await asyncio.gather(*(store.get_many((key,)) for key in keys))
        return found == [{key: b"value of " + key} for key in keys]

    store = Recorder()
    right: list[bool] = []
    threads = [
        threading.Thread(target=lambda name=name: right.append(asyncio.run(read(store, name)))) for name in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 4
    assert sorted(len(keys) for keys in store.reads) == [100] * 4
