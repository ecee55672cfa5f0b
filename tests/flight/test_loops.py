"""Values outlive an event loop; loads belong to theirs. Any loop will do, and any way that it has to make tasks."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from asynccache import async_cached
from asynccache.testing import live_flights
from tests.flight.gates import callers, gated, outcome
from tests.flight.scripts import output_of


def test_values_outlive_the_loop() -> None:
    """Three loops in a row: what the first has loaded the second finds, and the third can load on."""
    calls: list[int] = []

    @async_cached(ttl=1_000)
    async def load(key: int) -> int:
        calls.append(key)
        await asyncio.sleep(0)
        return key

    async def ask(*keys: int) -> list[int]:
        return await asyncio.gather(*(load(key) for key in keys))

    assert asyncio.run(ask(1, 1)) == [1, 1]
    assert asyncio.run(ask(1)) == [1]
    assert asyncio.run(ask(1, 2)) == [1, 2]
    assert calls == [1, 2]
    assert load.cache_info().currsize == 2


def test_a_load_left_over_by_one_loop_is_nothing_to_the_next() -> None:
    """It ends with its loop; nobody waits for it on another one."""
    gate, load = gated(on_abandon="finish")

    async def leave_it() -> None:
        (task,) = await callers(load, 1)
        task.cancel()
        await outcome(task)

    async def ask() -> str:
        (task,) = await callers(load, 1)
        gate.give("value")
        return await task

    asyncio.run(leave_it())
    assert gate.cancelled == 1
    assert live_flights() == []
    assert asyncio.run(ask()) == "value"


def test_a_loop_that_ends_with_everything_in_the_air_ends_quietly() -> None:
    """Loads and callers, timers and sweepers: Python in development mode has nothing to say about them."""
    assert (
        output_of("""
            import asyncio
            from asynccache import async_cached

            async def forever(key):
                await asyncio.sleep(3600)

            kinds = [
                async_cached(**options)(forever)
                for options in ({}, {"on_abandon": "finish"}, {"on_abandon": 100}, {"ttl": 100}, {"idle": 100})
            ]

            async def main():
                for load in kinds:
                    load.cache_put("value", 0)
                    tasks = [asyncio.create_task(load(key)) for key in (1, 1, 2, 3)]
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                    tasks[2].cancel()
                    load.cache_invalidate(3)
                    await asyncio.sleep(0)
                globals()["kept"] = tasks

            asyncio.run(main())
            asyncio.run(main())
            from asynccache.testing import live_flights
            print(live_flights(), [load.cache_info().currsize for load in kinds])
        """)
        == "[] [1, 1, 1, 1, 1]\n"
    )


def test_a_loop_closed_under_a_load_that_nobody_waits_for() -> None:
    """Whoever closes a loop by hand, with a load still running by itself, hears nothing of it."""
    assert (
        output_of("""
            import asyncio, gc
            from asynccache import async_cached

            @async_cached(on_abandon="finish")
            async def load(key):
                await asyncio.get_running_loop().create_future()

            async def main():
                try:
                    async with asyncio.timeout(0.001):
                        await load(1)
                except TimeoutError:
                    print("too late")

            loop = asyncio.new_event_loop()
            loop.run_until_complete(main())
            loop.close()
            del loop
            gc.collect()
        """)
        == "too late\n"
    )


def test_a_loop_closed_under_a_caller() -> None:
    """Its coroutine is thrown away with the loop: that raises nothing, and the next loop can load the same key."""
    assert (
        output_of("""
            import asyncio, gc
            from asynccache import async_cached

            @async_cached
            async def load(key):
                await asyncio.sleep(waits)
                return "value"

            waits = 3600
            loop = asyncio.new_event_loop()
            coroutine = load(1)
            asyncio.events._set_running_loop(loop)
            coroutine.send(None)                # a caller that is no task
            asyncio.events._set_running_loop(None)
            loop.call_soon(loop.stop)
            loop.run_forever()
            coroutine.close()                   # leaves: the load is cancelled
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.close()
            waits = 0
            print(asyncio.run(load(1)))
        """)
        == "value\n"
    )


@pytest.mark.one_loop
async def test_tasks_are_made_by_the_loop_s_own_factory() -> None:
    """An application that watches its tasks by a factory of its own sees the loads too, by a name that tells."""
    seen: list[str] = []

    def factory(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(coroutine, loop=loop, **options)
        tasks.append(task)
        return task

    tasks: list[asyncio.Task[Any]] = []

    @async_cached
    async def load(key: int) -> str:
        current = asyncio.current_task()
        assert current is not None
        seen.append(current.get_name())
        assert current in tasks
        await asyncio.sleep(0)
        return "value"

    asyncio.get_running_loop().set_task_factory(factory)  # type: ignore[arg-type]  # the stub wants a Future's name
    try:
        assert await load(1) == "value"
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert ["load" in name for name in seen] == [True]


@pytest.mark.one_loop
async def test_a_factory_that_refuses_leaves_no_load_behind() -> None:
    """The caller gets its error; the next call does not wait for a load that was never begun."""
    _gate, load = gated()

    def factory(*_args: Any, **_options: Any) -> Any:
        raise PermissionError("no more tasks")

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        with pytest.raises(PermissionError):
            await load(1)
    finally:
        loop.set_task_factory(None)
    left = live_flights()
    load.cache_clear()
    assert left == []


if sys.version_info >= (3, 12):

    class CountingLoop(asyncio.SelectorEventLoop):
        """Counts the callbacks that it is given."""

        scheduled = 0

        def call_soon(self, *args: Any, **kwargs: Any) -> asyncio.Handle:
            """Count, and do as ever."""
            self.scheduled += 1
            return super().call_soon(*args, **kwargs)

    def test_a_load_that_does_not_wait_costs_no_turn() -> None:
        """It runs to its end inside of its caller's step: nothing is scheduled, and no task is ever listed."""

        @async_cached
        async def load(key: int) -> int:
            return key

        async def main() -> int:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, CountingLoop)
            before, tasks = loop.scheduled, asyncio.all_tasks()
            await load(1)
            assert asyncio.all_tasks() == tasks
            return loop.scheduled - before

        with asyncio.Runner(loop_factory=CountingLoop) as runner:
            assert runner.run(main()) == 0


async def test_a_caller_needs_no_task() -> None:
    """A coroutine that is run by hand, in a callback of the loop, gets its value as well."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        return "value"

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[str] = loop.create_future()

    def step(coroutine: Coroutine[Any, Any, str]) -> None:
        try:
            waits_for = coroutine.send(None)
        except StopIteration as end:
            ended.set_result(end.value)
        else:
            waits_for._asyncio_future_blocking = False
            waits_for.add_done_callback(lambda _: step(coroutine))

    loop.call_soon(step, load(1))
    assert await ended == "value"
