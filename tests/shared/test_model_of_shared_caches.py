"""Random programs of several processes over one store, against a dict: nothing that was replaced is ever given again.

Each value tells its key, and how many there were before. The model knows the newest of each key, and which older ones a
process may still be given: none when all is quiet and news has been told.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.shared.world import Process, World, turns

KEYS: Final = ("a", "b", "c")
TAGS_OF: Final = {"a": ["one"], "b": ["one", "two"], "c": ["two"]}
TTL: Final = 20.0

keys: Final = st.sampled_from(KEYS)
which: Final = st.integers(0, 2)
tags: Final = st.sampled_from(["one", "two"])
options: Final = st.sampled_from(
    [
        ({}, {}, {}),
        ({}, {"maxsize": 0}, {"maxsize": 1}),
        ({"coalesce": "fleet"}, {"coalesce": "fleet", "maxsize": 0}, {"coalesce": "fleet"}),
        ({"stale": 5.0}, {"stale_if_error": 5.0}, {"refresh_ahead": 0.5}),
        ({"local_ttl": 3}, {"local_ttl": 0}, {}),
    ]
)


class SharedCaches(RuleBasedStateMachine):
    """Three processes, a store that comes and goes for each, and the truth.

    Attributes:
        truth: the newest version of each key, as the source has it.
        held: loads that are under way, each with what lets it end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World(ttl=TTL)
        self.processes: list[Process] = []
        self.truth = dict.fromkeys(KEYS, 0)
        self.held: list[tuple[asyncio.Task[Any], asyncio.Event]] = []

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Run something to its end, and let news travel."""

        async def main() -> Any:
            async with asyncio.timeout(10):
                result = await awaitable
                await turns()
                return result

        return self.loop.run_until_complete(main())

    async def _load(self, key: str, go_on: asyncio.Event | None = None) -> list[Any]:
        value = [key, self.truth[key]]
        if go_on is not None:
            await go_on.wait()
        return value

    async def _ended(self) -> None:
        await asyncio.gather(*[task for task, _ in self.held], return_exceptions=True)

    def up(self, process: Process) -> bool:
        """Whether a process reaches the store."""
        return not process.wire.down

    # --- what processes do ------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.processes)
    @rule(chosen=options)
    def begin(self, chosen: tuple[dict[str, Any], ...]) -> None:
        """Start the processes."""
        for some in chosen:
            self.processes.append(self.run(self.world.process(**some)))

    @precondition(lambda self: self.processes)
    @rule(number=which, key=keys)
    def change_and_set(self, number: int, key: str) -> None:
        """The source changes, and a process that reaches the store says what it is now."""
        process = self.processes[number]
        if self.up(process):
            self.truth[key] += 1
            self.run(process.cache.set(key, [key, self.truth[key]], tags=TAGS_OF[key]))

    @precondition(lambda self: self.processes)
    @rule(number=which, key=keys)
    def change_and_delete(self, number: int, key: str) -> None:
        """The source changes, and a process that reaches the store says that the old value is old."""
        process = self.processes[number]
        if self.up(process):
            self.truth[key] += 1
            self.run(process.cache.delete(key))

    @precondition(lambda self: self.processes)
    @rule(number=which, tag=tags)
    def change_and_invalidate(self, number: int, tag: str) -> None:
        """Several keys of the source change, and a process that reaches the store says so by their tag."""
        process = self.processes[number]
        if self.up(process):
            for key in KEYS:
                self.truth[key] += tag in TAGS_OF[key]
            self.run(process.cache.invalidate_tags(tag))

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def change_and_clear(self, number: int) -> None:
        """The whole source changes, and a process that reaches the store clears the cache."""
        process = self.processes[number]
        if self.up(process):
            for key in KEYS:
                self.truth[key] += 1
            self.run(process.cache.clear())

    @precondition(lambda self: self.processes)
    @rule(number=which, key=keys)
    def say_it_while_cut_off(self, number: int, key: str) -> None:
        """A process that does not reach the store deletes; it is made known when it is back."""
        process = self.processes[number]
        if not self.up(process):
            self.run(process.cache.delete(key))

    @precondition(lambda self: self.processes)
    @rule(number=which, key=keys)
    def get(self, number: int, key: str) -> None:
        """A process reads."""
        self.look(number, key, self.run(self.processes[number].cache.get(key)))

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def get_many(self, number: int) -> None:
        """A process reads all keys."""
        found = self.run(self.processes[number].cache.get_many(KEYS))
        for key, value in found.items():
            self.look(number, key, value)

    @precondition(lambda self: self.processes)
    @rule(number=which, key=keys)
    def get_or_load(self, number: int, key: str) -> None:
        """A process reads or loads; if somebody loads already it may be given what that load has seen."""
        if self.held:
            return

        async def load() -> list[Any]:
            return await self._load(key)

        value = self.run(self.processes[number].cache.get_or_load(key, load, tags=TAGS_OF[key]))
        self.look(number, key, value)

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def get_or_load_many(self, number: int) -> None:
        """A process reads or loads all keys."""
        if self.held:
            return

        async def load_many(wanted: list[str]) -> dict[str, list[Any]]:
            return {key: await self._load(key) for key in wanted}

        found = self.run(
            self.processes[number].cache.get_or_load_many(KEYS, load_many, tags=lambda value: TAGS_OF[value[0]])
        )
        for key, value in found.items():
            self.look(number, key, value)

    @precondition(lambda self: self.processes and len(self.held) < 4)
    @rule(number=which, key=keys)
    def begin_to_load(self, number: int, key: str) -> None:
        """A load begins, sees the truth of this moment, and takes its time."""
        go_on = asyncio.Event()

        async def load() -> list[Any]:
            return await self._load(key, go_on)

        async def begin() -> "asyncio.Task[Any]":
            return asyncio.create_task(self.processes[number].cache.get_or_load(key, load, tags=TAGS_OF[key]))

        self.held.append((self.run(begin()), go_on))

    @precondition(lambda self: self.held)
    @rule(turn=st.integers(0, 3))
    def end_a_load(self, turn: int) -> None:
        """A load ends; what it has seen may be old by now, which is for its callers alone."""
        task, go_on = self.held.pop(turn % len(self.held))
        go_on.set()
        self.run(turns())
        self.held = [(other, event) for other, event in self.held if not other.done()]
        if not task.done():  # it waits for another process's load
            self.held.append((task, go_on))

    # --- what happens to them ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.processes)
    @rule(number=which, seconds=st.sampled_from([0.5, 1.0, 4.0]))
    def pass_time(self, number: int, seconds: float) -> None:
        """Time passes."""
        self.run(self.world.pass_time(seconds, step=seconds))

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def lose_the_feed(self, number: int) -> None:
        """A process hears no news any more, for a while in which others may write."""
        self.processes[number].wire.lose_feed()
        self.run(turns())

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def cut_off(self, number: int) -> None:
        """A process reaches the store no more."""
        self.processes[number].wire.down = True
        self.processes[number].wire.lose_feed()
        self.run(turns())

    @precondition(lambda self: self.processes)
    @rule(number=which)
    def come_back(self, number: int) -> None:
        """A process reaches the store, and hears news, again."""
        self.processes[number].wire.down = False
        self.processes[number].wire.restore_feed()
        self.run(turns())

    @precondition(lambda self: self.processes)
    @rule()
    def be_quiet(self) -> None:
        """All loads end, all processes are back, and what was owed is sent: now everybody gives the truth."""
        for _, go_on in self.held:
            go_on.set()
        for number in range(len(self.processes)):
            self.come_back(number)
        self.run(self.world.pass_time(12, step=1.0))
        assert [task.result()[0] in KEYS for task, _ in self.held] == [True] * len(self.held)
        self.held.clear()
        for process in self.processes:
            assert process.owed() == 0
            for key in KEYS:
                self.run(self._ask_for_the_truth(process, key))
                assert self.run(self.world.stored(key)) in (None, [key, self.truth[key]])

    async def _ask_for_the_truth(self, process: Process, key: str) -> None:
        newest = [key, self.truth[key]]

        async def load() -> list[Any]:
            return await self._load(key)

        assert await process.cache.get(key) in (None, newest)
        for _ in range(2):
            assert await process.cache.get_or_load(key, load, tags=TAGS_OF[key]) == newest
            await turns()

    # --- what must be so --------------------------------------------------------------------------------------------

    def look(self, number: int, key: str, value: Any) -> None:
        """Look at what a process was given: it is the newest value, if the process hears of changes."""
        if value is None:
            return
        shared = self.processes[number].cache.stats().shared
        assert shared is not None
        assert value[0] == key
        assert value[1] <= self.truth[key]
        if shared.is_coherent and self.up(self.processes[number]):
            assert value[1] == self.truth[key], "what was replaced was given again"

    @invariant()
    def no_more_is_kept_than_may_be(self) -> None:
        """What a process that hears of changes holds is the newest."""
        for number, process in enumerate(self.processes):
            for key, value in process.kept().items():
                self.look(number, key, value)

    def teardown(self) -> None:
        """End it all."""
        for _, go_on in self.held:
            go_on.set()
        self.run(self.world.__aexit__(None, None, None))
        self.run(self._ended())
        self.loop.close()


@pytest.mark.timeout(300)
def test_random_programs_are_given_nothing_that_was_replaced() -> None:
    """Whatever three processes do, lose and regain: when the news was told, nobody gives or holds an older value."""
    run_state_machine_as_test(SharedCaches, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
