"""The numbers of holders, under interleavings that are written down: each greater than all before."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.errors import StoreTimeout
from asynccache.locks.lease import Lease
from tests.locks.world import FENCE, KEY, Process, World, turns

CONTENDERS = 3
TTL = 10.0

contenders = st.integers(0, CONTENDERS - 1)
steps = st.one_of(
    st.tuples(st.just("go on"), contenders),
    st.tuples(st.just("lose the reply"), contenders),
    st.tuples(st.just("lose the request"), contenders),
    st.tuples(st.just("give back"), contenders),
    st.tuples(st.just("time passes"), st.sampled_from([1, 4, 11])),
)


class Stepped(Process):
    """A process whose requests arrive one at a time, when the test says so."""

    def __init__(self, world: World) -> None:
        super().__init__(world.store, world.clock)
        world.processes.append(self)
        self.attempt: asyncio.Task[Lease | None] | None = None
        self.lease: Lease | None = None
        for method in ("add", "increment", "compare_and_set"):
            self.wire.held[method] = asyncio.Event()

    def go_on(self) -> None:
        """Begin to acquire the lock, or let the next request arrive; renewals as well."""
        if self.attempt is None and self.lease is None:
            self.attempt = asyncio.ensure_future(self.keeper.acquire(KEY, ttl=TTL, fence_key=FENCE))
        for gate in self.wire.held.values():
            gate.set()
            gate.clear()

    def look(self) -> Lease | None:
        """Give the lease that has been acquired just now."""
        if self.attempt is None or not self.attempt.done():
            return None
        attempt, self.attempt = self.attempt, None
        try:
            self.lease = attempt.result()
        except StoreTimeout:
            return None
        return self.lease

    def give_back(self) -> None:
        """Give the lease back, if there is one."""
        if self.lease is not None:
            self.lease.drop()
            self.lease = None


async def play(script: list[tuple[str, int]]) -> list[int]:
    """Play it, and give the fences in the order in which they were given out."""
    world = World()
    processes = [Stepped(world) for _ in range(CONTENDERS)]
    fences: list[int] = []
    for word, number in script:
        if word == "time passes":
            world.clock.advance(number)
        elif word == "give back":
            processes[number].give_back()
        else:
            if word != "go on":
                for method in ("add", "increment", "compare_and_set"):
                    processes[number].wire.faults[method] = ["reply lost" if "reply" in word else "request lost"]
            processes[number].go_on()
        await turns()
        leases = [lease for process in processes if (lease := process.look()) is not None]
        fences += [lease.fence for lease in leases]
        held = [process.lease for process in processes if process.lease is not None]
        assert sum(not lease.lost.is_set() for lease in held) <= 1
    for process in processes:
        if process.attempt is not None:
            process.attempt.cancel()
            await asyncio.wait([process.attempt])
    await world.aclose()
    return fences


@settings(max_examples=300)
@given(st.lists(steps, min_size=10, max_size=60))
def test_fences_of_successive_holders_grow(script: list[tuple[str, int]]) -> None:
    """Whoever is stopped where, whatever is lost and however late: numbers grow, and at most one believes to hold."""
    fences = asyncio.run(play(script))
    assert fences == sorted(set(fences))


def test_the_scripts_say_something() -> None:
    """Scripts of that kind have several holders one after the other, and contenders that were overtaken."""
    go, back, wait = "go on", "give back", "time passes"
    one = [(go, 0)] * 4
    overtaken = [(go, 0), (go, 0), (wait, 11), *[(go, 1)] * 4, *[(go, 0)] * 2, (back, 1), *[(go, 2)] * 4]
    assert len(asyncio.run(play([*one, (back, 0), *[(go, 1)] * 4]))) == 2
    assert asyncio.run(play(overtaken)) == [1, 3]
