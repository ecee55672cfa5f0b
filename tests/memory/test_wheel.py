"""The expiry wheel, compared with a sorted list."""

import math
from collections import Counter
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.wheel import ExpiryWheel

FINEST: Final = 1 / 128
times: Final = (
    st.floats(0, 1e6) | st.floats(0, 1) | st.integers(0, 100).map(float) | st.sampled_from([0.0, 1e-9, 86_400.0])
)
steps: Final = st.lists(st.tuples(st.sampled_from(["add", "add", "add", "pass"]), times), max_size=40)


def latest(deadline: float, added: float) -> float:
    """The moment by which a key has to come out: an eighth of the time it had left too late, and a little."""
    rounding = 1e-9 * max(1.0, abs(deadline))
    return deadline + max(deadline - added, 0.0) / 8 + FINEST + rounding


@given(start=st.sampled_from([0.0, 12_345.678, 1e9]), steps=steps)
def test_never_early_and_hardly_late(start: float, steps: list[tuple[str, float]]) -> None:
    """A key never comes out before its deadline, and at most an eighth of its time and 1/128 s after it."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    waiting: dict[int, tuple[float, float]] = {}
    now = start
    for key, (what, time) in enumerate(steps):
        if what == "add":
            waiting[key] = now + time, now
            due = wheel.next_due()
            wheel.add(key, now + time, now)
            assert wheel.next_due() <= min(due, latest(now + time, now))
        else:
            now += time
            out = list(wheel.due(now))
            assert all(waiting.pop(key)[0] <= now for key in out)
        assert all(now <= latest(*waiting[key]) for key in waiting) or what == "add"
        assert wheel.size == len(waiting)
        assert (wheel.next_due() < math.inf) == bool(waiting)
    assert set(wheel.due(math.inf)) == set(waiting)
    assert (wheel.size, wheel.next_due()) == (0, math.inf)


@given(delays=st.lists(times, min_size=1, max_size=30))
def test_next_due_is_when_something_comes(delays: list[float]) -> None:
    """Before `next_due` nothing comes out, and at that moment something does: who sleeps until then misses nothing."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    for key, delay in enumerate(delays):
        wheel.add(key, delay, 0.0)
    came: list[int] = []
    while wheel.size:
        due = wheel.next_due()
        assert list(wheel.due(math.nextafter(due, -math.inf))) == []
        out = list(wheel.due(due))
        assert out
        came += out
    assert sorted(came) == list(range(len(delays)))


@given(delays=st.lists(times, max_size=30), stops=st.lists(st.integers(1, 5), min_size=60, max_size=60))
def test_coming_out_in_slices(delays: list[float], stops: list[int]) -> None:
    """Who stops half-way leaves the rest for next time: each key comes out once, and `next_due` tells of more."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    for key, delay in enumerate(delays):
        wheel.add(key, delay, 0.0)
    out: list[int] = []
    for stop in stops:
        for taken, key in enumerate(wheel.due(1e9), start=1):
            out.append(key)
            if taken == stop:
                break
        assert wheel.size == len(delays) - len(out)
        assert (wheel.next_due() <= 1e9) == (wheel.size > 0) or wheel.next_due() in (-math.inf, math.inf)
    assert sorted(out) == list(range(len(delays)))


@given(
    keys=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([1.0, 1.001, 50.0, 3000.0])), max_size=60),
    live=st.sets(st.integers(0, 9)),
    stop=st.integers(0, 60),
)
def test_tidy_keeps_what_is_live(keys: list[tuple[int, float]], live: set[int], stop: int) -> None:
    """Tidying drops the keys that are gone and doubles within a bucket, be it interrupted, and never a live key."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    for key, deadline in keys:
        wheel.add(key, deadline, 0.0)
    for _ in zip(range(stop), wheel.tidy(live.__contains__), strict=False):
        pass
    for _ in wheel.tidy(live.__contains__):
        pass
    buckets = {(key, bucket) for key, bucket in keys if key in live}
    assert wheel.size <= len(buckets)
    left = Counter(wheel.due(math.inf))
    assert set(left) == {key for key, _ in buckets}
    assert wheel.size == 0


@given(
    keys=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([1.0, 50.0, 3000.0])), min_size=1, max_size=40),
    actions=st.lists(st.sampled_from(["tidy", "add", "due", "tidy", "tidy"]), max_size=40),
)
def test_wheel_can_be_used_while_it_is_tidied(keys: list[tuple[int, float]], actions: list[str]) -> None:
    """Between two steps of tidying, keys can be added and can come out; no live key is ever lost."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    live: set[int] = set()
    now = 0.0
    for key, deadline in keys:
        wheel.add(key, deadline, now)
        live.add(key)
    for number, action in enumerate(actions, start=100):
        if action == "add":
            wheel.add(number, now + 60, now)
            live.add(number)
        elif action == "due":
            now += 1.0
            live -= set(wheel.due(now))
        else:
            next(wheel.tidy(live.__contains__), None)
    out = list(wheel.due(math.inf))
    assert live <= set(out)
    assert wheel.size == 0


@given(delays=st.lists(times, min_size=1, max_size=20), taken=st.integers(0, 20))
def test_clear_forgets_everything_even_half_way(delays: list[float], taken: int) -> None:
    """After `clear` nothing comes out any more, not even of an iteration that was under way; the wheel works on."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    for key, delay in enumerate(delays):
        wheel.add(key, delay, 0.0)
    coming = wheel.due(1e9)
    tidying = wheel.tidy(lambda key: True)
    for _ in range(taken):
        next(coming, None)
    next(tidying, None)
    wheel.clear()
    assert list(coming) == list(tidying) == []
    assert (wheel.size, wheel.next_due()) == (0, math.inf)
    wheel.add(99, 5.0, 0.0)
    assert wheel.size == 1
    assert list(wheel.due(1e9)) == [99]


@given(
    keys=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([1.0, 50.0, 3000.0])), min_size=1, max_size=30),
    live=st.sets(st.integers(0, 9)),
    turns=st.lists(st.sampled_from([0, 1]), max_size=80),
    tidy=st.booleans(),
)
def test_two_at_once(keys: list[tuple[int, float]], live: set[int], turns: list[int], tidy: bool) -> None:
    """Two sweepers, on two event loops, may work in turns: nothing is lost, nothing comes twice, nobody falls over."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    for key, deadline in keys:
        wheel.add(key, deadline, 0.0)
    out: list[int] = []
    if tidy:
        tidying = [wheel.tidy(live.__contains__), wheel.tidy(live.__contains__)]
        for turn in [*turns, *[0] * 200, *[1] * 200]:
            next(tidying[turn], None)
        assert set(wheel.due(math.inf)) == {key for key, _ in keys if key in live}
    else:
        coming = [wheel.due(1e9), wheel.due(1e9)]
        for turn in turns:
            out += [key for key in [next(coming[turn], None)] if key is not None]
        for rest in coming:
            out += rest
        out += wheel.due(1e9)
        assert Counter(out) == Counter(key for key, _ in keys)
    assert wheel.size == 0


def test_neighbours_share_a_bucket() -> None:
    """A hundred thousand keys of one hour's ttl, stored over a minute, lie in a few buckets: little is sorted."""
    wheel: ExpiryWheel[int] = ExpiryWheel()
    dues = set()
    for key in range(100_000):
        now = key * 60 / 100_000
        wheel.add(key, now + 3600, now)
    while wheel.size:
        dues.add(wheel.next_due())
        for _ in wheel.due(wheel.next_due()):
            pass
    assert len(dues) <= 4
