"""What is promised about values that outlive their ttl, in the slowest and most obvious way.

The model is told of every event at the moment at which it happens, and says what each caller must be given. It keeps a
log of all invalidations with their moments, and looks through the whole of it whenever it is asked. It knows no tasks,
futures or loops, and nothing of how the package does it.
"""

import itertools
from typing import Any

from tests.freshness.model_words import ERRORS, FOREVER, Answer, Caller, Counts, Load, Outcome, Promises, Stored


class Model:
    """The cache, as seen from outside."""

    def __init__(self, promises: Promises) -> None:
        self.promises = promises
        self.now = 0.0
        self.stored: dict[int, Stored] = {}
        self.open: dict[int, Load] = {}
        """The load of each key that a call would join."""
        self.loads: list[Load] = []
        """All that have not ended."""
        self.log: list[tuple[int, str]] = []
        """Every invalidation of a tag that there ever was."""
        self.counts = Counts()
        self.stubborn = False
        self._moments = itertools.count(1)
        self._order = itertools.count()

    # --- what is there ------------------------------------------------------------------------------------------------

    def _invalidated(self, tags: tuple[str, ...], since: int, before: float = FOREVER) -> bool:
        return any(tag in tags and since < moment < before for moment, tag in self.log)

    def usable(self, key: int) -> Stored | None:
        """What is stored for a key and may be served in some way or other."""
        found = self.stored.get(key)
        if found is None or self._invalidated(found.tags, found.made) or self.now >= found.lasts_until:
            return None
        idle = None if isinstance(found.value, str) else self.promises.idle
        return None if idle is not None and self.now >= found.read_at + idle else found

    def peek(self, key: int) -> Answer | None:
        """The value that is served at once while nothing is being loaded."""
        found = self.usable(key)
        if found is None or isinstance(found.value, str):
            return None
        if self.now < found.retry_at and self._outlasts(found):
            return found.value
        return found.value if self.now < found.fresh_until + self.promises.stale else None

    def contains(self, key: int) -> bool:
        """Whether there is such a value, a remembered error, or a load to join."""
        found = self.usable(key)
        return self.peek(key) is not None or key in self.open or (found is not None and isinstance(found.value, str))

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, caller: Caller, *, refresh: bool = False) -> None:
        """Somebody calls; with `refresh`, for something newer than what is stored."""
        caller.answer = None if refresh else self._at_once(caller.key)
        if caller.answer is None:
            self._join(caller)

    def _call_again(self, caller: Caller) -> None:
        """Somebody was waiting for a value that has become invalid before the call, and was counted already."""
        found = self.usable(caller.key)
        is_error = found is not None and isinstance(found.value, str)
        caller.answer = found.value if found is not None and is_error else self.peek(caller.key)
        if caller.answer is None:
            self._join(caller)

    def _join(self, caller: Caller) -> None:
        caller.came = next(self._moments)
        load = self.open.get(caller.key)
        if load is None:
            self.counts.misses += 1
            load = self._start(caller.key, is_refresh=False)
        else:
            self.counts.coalesced += 1
            load.timers = [timer for timer in load.timers if timer[2] != "grace"]
        load.waiters.append(caller)

    def _at_once(self, key: int) -> Answer | None:
        found = self.usable(key)
        if found is None:
            return None
        if isinstance(found.value, str):
            self.counts.hits += 1
            return found.value
        if self.now < found.fresh_until:
            self.counts.hits += 1
            self._refresh(key, found, is_due=self.now >= found.refresh_at)
        elif self.now < found.fresh_until + self.promises.stale:
            self.counts.stale += 1
            self._refresh(key, found, is_due=True)
        elif self._outlasts(found) and (self.now < found.retry_at or (key in self.open and self.open[key].is_late)):
            self.counts.stale += 1
        else:
            return None
        found.read_at = self.now
        return found.value

    def _outlasts(self, found: Stored) -> bool:
        return self.promises.stale_if_error > 0 and self.now < found.fresh_until + self.promises.stale_if_error

    def _refresh(self, key: int, found: Stored, *, is_due: bool) -> None:
        under_way = sum(load.is_refresh for load in self.loads)
        if is_due and self.now >= found.retry_at and key not in self.open and under_way < self.promises.max_refreshes:
            self.counts.refreshes += 1
            self._start(key, is_refresh=True)

    def _start(self, key: int, *, is_refresh: bool) -> Load:
        load = self.open[key] = Load(key, next(self._moments), is_refresh, self.stubborn, goes_on=is_refresh)
        self.loads.append(load)
        if self.promises.soft_timeout is not None:
            self._set_timer(load, self.promises.soft_timeout, "soft")
        if self.promises.timeout is not None:
            self._set_timer(load, self.promises.timeout, "hard")
        return load

    def leaves(self, caller: Caller) -> None:
        """A caller that waits is cancelled."""
        caller.is_cancelled = True
        load = next(load for load in self.loads if caller in load.waiters)
        load.waiters.remove(caller)
        if load.waiters or load.goes_on or self.promises.on_abandon == "finish":
            return
        if self.promises.on_abandon == "cancel":
            self._abandon(load)
        else:
            self._set_timer(load, self.promises.on_abandon, "grace")

    def _abandon(self, load: Load) -> None:
        self.counts.abandoned += 1
        self._detach(load)
        load.is_cancelled = True

    # --- time ---------------------------------------------------------------------------------------------------------

    def _set_timer(self, load: Load, delay: float, what: str) -> None:
        load.timers.append((self.now + delay, next(self._order), what))

    def advance(self, by: float) -> None:
        """Time passes."""
        end = self.now + by
        while True:
            due = [(timer, load) for load in self.loads for timer in load.timers if timer[0] <= end]
            if not due:
                break
            timer, load = min(due, key=lambda pair: pair[0])
            load.timers.remove(timer)
            self.now = timer[0]
            self._ring(load, timer[2])
        self.now = end

    def _ring(self, load: Load, what: str) -> None:
        if load.is_cancelled:
            return
        if what == "grace":
            if not (load.waiters or load.goes_on):
                self._abandon(load)
        elif what == "hard":
            self.counts.timeouts += 1
            self._answer(load, self._instead(load, ERRORS["too late"]))
            self._detach(load)
            load.is_cancelled = True
        elif not load.is_detached:
            load.is_late = True
            found = self.usable(load.key)
            if found is not None and isinstance(found.value, int) and self._outlasts(found):
                load.goes_on = True
                self.counts.stale += len(load.waiters)
                self._answer(load, found.value)

    # --- how loads end ------------------------------------------------------------------------------------------------

    def ends(self, load: Load, outcome: Outcome) -> None:
        """A load has ended."""
        load.has_ended = True
        self.loads.remove(load)
        if isinstance(outcome, int):
            self._brings(load, outcome)
        else:
            self._fails(load, outcome)
        if self.open.get(load.key) is load:
            del self.open[load.key]
        for caller in [caller for caller in load.waiters if caller.answer is None]:
            self._call_again(caller)

    def _brings(self, load: Load, value: int) -> None:
        self.counts.loads += 1
        tags = self.promises.tags_of(value, load.key)
        if not load.is_detached and not self._invalidated(tags, load.began):
            self._store(load.key, value, load.began)
        self._answer_in_time(load, value, tags)

    def _fails(self, load: Load, outcome: str) -> None:
        self.counts.failures += 1
        self.counts.cancelled += outcome == "cancelled"
        error = ERRORS[outcome]
        if self.promises.remembers is None or outcome not in ("answer", "passing answer"):
            self._answer(load, self._instead(load, error))
            return
        tags = self.promises.tags_of_error if outcome == "answer" else ()
        if not load.is_detached and not self._invalidated(tags, load.began):
            self.stored.pop(load.key, None)
            if outcome == "answer":
                until = self.now + self.promises.remembers
                self.stored[load.key] = Stored(error, load.began, tags, until, until, until, self.now)
        self._answer_in_time(load, error, tags)

    def _instead(self, load: Load, error: str) -> Answer:
        """What is given for a failure: the old value, if there is one that outlasts it."""
        found = self.usable(load.key)
        if load.is_detached or found is None or isinstance(found.value, str):
            return error
        found.retry_at = self.now + self.promises.error_backoff
        if not self._outlasts(found):
            return error
        self.counts.stale += len(load.waiters)
        return found.value

    def _answer(self, load: Load, answer: Answer) -> None:
        for caller in load.waiters:
            caller.answer = answer
        load.waiters.clear()

    def _answer_in_time(self, load: Load, answer: Answer, tags: tuple[str, ...]) -> None:
        """Answer those who came before it was invalidated, if it was; the others call again."""
        for caller in load.waiters:
            if not self._invalidated(tags, load.began, caller.came):
                caller.answer = answer

    def _store(self, key: int, value: int, made: int) -> None:
        self.stored.pop(key, None)
        if not self.promises.is_storable(value):
            return
        ttl = self.promises.ttl_of(value)
        fresh_until = FOREVER if ttl is None else self.now + ttl
        ahead = FOREVER if ttl is None else self.now + ttl * self.promises.refresh_ahead
        lasts_until = fresh_until + max(self.promises.stale, self.promises.stale_if_error)
        tags = self.promises.tags_of(value, key)
        self.stored[key] = Stored(value, made, tags, ahead, fresh_until, lasts_until, self.now)

    # --- what is said from outside ------------------------------------------------------------------------------------

    def _detach(self, load: Load) -> None:
        load.is_detached = True
        if self.open.get(load.key) is load:
            del self.open[load.key]

    def put(self, key: int, value: int) -> None:
        """Somebody stores a value."""
        if key in self.open:
            self._detach(self.open[key])
        self._store(key, value, next(self._moments))

    def invalidate(self, key: int) -> bool:
        """Somebody invalidates a key: was there anything?"""
        found = self.usable(key) is not None or key in self.open
        self.stored.pop(key, None)
        if key in self.open:
            self._detach(self.open[key])
        return found

    def invalidate_tag(self, tag: str) -> None:
        """Somebody invalidates a tag."""
        self.log.append((next(self._moments), tag))

    def clear(self) -> None:
        """Somebody clears the cache."""
        self.stored.clear()
        for load in list(self.open.values()):
            self._detach(load)
        self.counts = Counts()

    def options(self) -> dict[str, Any]:
        """The options as the decorator is given them."""
        p = self.promises
        given = {
            "ttl": (lambda value, _key: p.ttl_of(value)) if p.ttl == "by value" else p.ttl,
            "stale": p.stale or None,
            "stale_if_error": p.stale_if_error or None,
            "error_backoff": p.error_backoff if p.stale or p.stale_if_error or p.refresh_ahead < 1 else None,
            "refresh_ahead": p.refresh_ahead if p.refresh_ahead < 1 else None,
            "idle": p.idle,
            "tags": {"none": None, "fixed": ("fixed",), "by value": p.tags_of}[p.tags],
            "timeout": p.timeout,
            "soft_timeout": p.soft_timeout,
            "store_if": p.is_storable if p.picky else None,
            "on_abandon": p.on_abandon,
            "max_refreshes": p.max_refreshes,
        }
        return {option: value for option, value in given.items() if value is not None}
