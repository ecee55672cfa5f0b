"""The circuit breaker: when an engine is given up, and when it is tried again."""

import itertools

from asynccache.stores.breaker import CircuitBreaker
from asynccache.testing import ManualClock


def opened(clock: ManualClock, chance: float = 0.5) -> CircuitBreaker:
    """Give a breaker that has just seen as many failures as it takes."""
    breaker = CircuitBreaker(clock, lambda: chance)
    for _ in range(3):
        breaker.fail()
    return breaker


def test_failures_in_a_row_open_it() -> None:
    """Two failures are forgiven, the third in a row is not."""
    breaker = CircuitBreaker(ManualClock())
    for outcome in (breaker.fail, breaker.fail, breaker.succeed, breaker.fail, breaker.fail):
        outcome()
        assert breaker.may_ask()
    breaker.fail()
    assert breaker.is_open
    assert not breaker.may_ask()
    assert not breaker.is_worth_asking()


def test_one_may_try_after_each_pause() -> None:
    """When the pause is over, one request may be made; the others wait for what comes of it."""
    clock = ManualClock()
    breaker = opened(clock)
    clock.advance(0.49)
    assert not breaker.may_ask()
    clock.advance(0.02)
    assert breaker.is_worth_asking()
    assert [breaker.may_ask() for _ in range(3)] == [True, False, False]


def test_success_closes_it() -> None:
    """After a success all may ask, and a later outage begins with the shortest pause again."""
    clock = ManualClock()
    breaker = opened(clock)
    for _ in range(5):
        clock.advance(60)
        assert breaker.may_ask()
        breaker.fail()
    clock.advance(60)
    assert breaker.may_ask()
    breaker.succeed()
    assert not breaker.is_open
    for _ in range(3):
        assert breaker.may_ask()
        breaker.fail()
    clock.advance(0.51)
    assert breaker.may_ask()


def test_pauses_grow_up_to_a_limit() -> None:
    """As long as an engine is away it is tried less and less often, but never less often than every 4 seconds."""
    clock = ManualClock()
    breaker = opened(clock)
    tries: list[float] = []
    for _ in range(20_000):
        clock.advance(0.01)
        if breaker.may_ask():
            tries.append(clock())
            breaker.fail()
    gaps = [round(later - earlier, 1) for earlier, later in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 4.0


def test_members_of_a_fleet_do_not_come_back_as_one() -> None:
    """The pause differs from one to the next by a quarter, either way."""
    for chance, pause in ((0.0, 0.375), (1.0, 0.625)):
        clock = ManualClock()
        breaker = opened(clock, chance)
        clock.advance(pause - 0.01)
        assert not breaker.may_ask()
        clock.advance(0.02)
        assert breaker.may_ask()
