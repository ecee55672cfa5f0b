"""The contract of every bounded mapping, whatever its policy."""

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from asynccache.core import BoundedCache, Entry, LRUCache, S3FIFOCache
from asynccache.core.policies import AUTOMATIC_FROM, POLICIES, choose_policy

CacheType: TypeAlias = type[BoundedCache[Any, Any]]
Copy: TypeAlias = Callable[[Any], Any]

every_policy = pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
every_copy = pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))],
    ids=["copy", "deepcopy", "pickle"],
)


def value_as_weight(_key: Any, value: Any) -> float:
    """Weigh an entry by its value, in a function that can be pickled."""
    return float(value)


def drain(cache: BoundedCache[Any, Any]) -> list[Any]:
    """Take everything out, and list the keys in the order in which they were given up."""
    return [cache.popitem()[0] for _ in range(len(cache))]


@every_policy
def test_what_was_put_is_found(make: CacheType) -> None:
    """A value that was put is given by `get`, `peek` and `[]`, also when it is None."""
    cache = make(3)
    assert cache.put("a", None)
    assert "a" in cache
    assert cache["a"] is None
    assert cache.get("a", 1) is None
    assert cache.peek("a", 1) is None


@every_policy
def test_what_was_not_put_is_not_found(make: CacheType) -> None:
    """A key that is not stored gives the default, or `KeyError`."""
    cache = make(3)
    assert cache.get("a") is None
    assert cache.get("a", 1) == 1
    assert cache.peek("a", 2) == 2
    with pytest.raises(KeyError, match="a"):
        cache["a"]
    with pytest.raises(KeyError, match="a"):
        del cache["a"]
    with pytest.raises(KeyError, match="a"):
        cache.pop("a")
    assert cache.pop("a", 3) == 3


@every_policy
def test_size_is_never_exceeded(make: CacheType) -> None:
    """A cache holds as many entries as it may and no more, and the newest is always among them."""
    cache = make(10)
    for key in range(100):
        cache[key] = -key
        assert len(cache) == min(key + 1, 10)
        assert cache.peek(key) == -key


@every_policy
def test_put_over_a_key_replaces_the_value(make: CacheType) -> None:
    """A second put for a key changes its value, and takes no second place."""
    cache = make(2)
    cache.update({1: "a", 2: "b"})
    cache.update({1: "c", 2: "d"})
    assert dict(cache) == {1: "c", 2: "d"}
    assert cache.weight == 2


@every_policy
def test_pop_takes_out(make: CacheType) -> None:
    """`pop` and `del` remove one entry, and its place is free again."""
    cache = make(3)
    cache.update({1: "a", 2: "b", 3: "c"})
    assert cache.pop(2) == "b"
    del cache[1]
    assert dict(cache) == {3: "c"}
    cache.update({4: "d", 5: "e"})
    assert sorted(cache) == [3, 4, 5]


@every_policy
def test_popitem_empties_the_cache(make: CacheType) -> None:
    """`popitem` gives up every entry once, and then raises `KeyError` that names the class."""
    cache = make(50)
    cache.update((key, key) for key in range(50))
    assert sorted(drain(cache)) == list(range(50))
    with pytest.raises(KeyError, match=f"{make.__name__} is empty"):
        cache.popitem()


@every_policy
def test_popitem_gives_the_next_victim(make: CacheType) -> None:
    """`popitem` removes what a put would have evicted."""
    cache = make(8)
    cache.update((key, key) for key in range(8))
    for key in (1, 1, 3, 3, 5):
        cache.get(key)
    twin = copy.copy(cache)
    twin["new"] = 0
    (evicted,) = set(range(8)) - set(twin)
    assert cache.popitem() == (evicted, evicted)


@every_policy
def test_mapping_views(make: CacheType) -> None:
    """Keys, values, items, equality and `setdefault` are those of any mapping."""
    cache = make(3)
    cache.update({1: "a", 2: "b"})
    assert cache == {1: "a", 2: "b"}
    assert cache != {1: "a"}
    assert set(cache.keys()) == {1, 2}
    assert set(cache.items()) == {(1, "a"), (2, "b")}
    assert sorted(cache.values()) == ["a", "b"]
    assert (1, "a") in cache.items()
    assert (1, "b") not in cache.items()
    assert "b" in cache.values()
    assert cache.setdefault(1, "z") == "a"
    assert cache.setdefault(3, "c") == "c"
    assert cache[3] == "c"
    assert repr(cache).startswith(make.__name__)


@every_policy
def test_reading_views_is_no_use(make: CacheType) -> None:
    """Looking at all entries, or peeking, changes nothing about what goes next."""
    cache = make(6)
    cache.update((key, key) for key in range(6))
    twin = copy.copy(cache)
    for key in range(3):
        cache.peek(key)
        assert key in cache
    assert len(list(cache.items())) == len(list(cache.values())) == 6
    assert drain(cache) == drain(twin)


@every_policy
def test_clear_forgets_everything(make: CacheType) -> None:
    """After `clear` the cache is empty, weighs nothing, keeps its table, and behaves like a new one."""
    cache, fresh = make(4), make(4)
    table = cache.entries
    for key in range(20):
        cache[key] = key
        cache.get(key // 2)
    cache.clear()
    assert not cache
    assert cache.weight == 0
    assert cache.entries is table
    for each in (cache, fresh):
        each.update((key, key) for key in range(4))
        each.get(1)
    if make is not POLICIES["random"]:
        assert drain(cache) == drain(fresh)


@every_policy
def test_no_room_at_all(make: CacheType) -> None:
    """With `maxsize=0` nothing is stored: `put` says so, and `[]` refuses."""
    cache = make(0)
    assert not cache.put(1, 1)
    with pytest.raises(ValueError, match="too large"):
        cache[1] = 1
    assert len(cache) == 0
    assert cache.maxsize == 0


@every_policy
def test_one_place(make: CacheType) -> None:
    """With `maxsize=1` the last put wins."""
    cache = make(1)
    for key in range(5):
        cache[key] = key
        cache.get(key)
        cache.get(key)
        assert dict(cache) == {key: key}


@every_policy
def test_no_bound(make: CacheType) -> None:
    """With `maxsize=None` nothing is ever evicted."""
    cache = make(None)
    cache.update((key, key) for key in range(3_000))
    assert len(cache) == 3_000
    assert cache.maxsize is None
    assert sorted(drain(cache)) == list(range(3_000))


@every_policy
def test_weights_are_kept(make: CacheType) -> None:
    """All entries together never weigh more than they may, whatever is put over whatever."""
    cache = make(None, max_weight=10, weigher=value_as_weight)
    for step in range(300):
        assert cache.put(step * 7 % 13, step * 5 % 11)
        assert cache.weight == sum(cache.values()) <= 10
        cache.get(step % 13)


@every_policy
def test_too_heavy_a_value(make: CacheType) -> None:
    """A value heavier than the cache is not stored: `put` drops the old value as well, `[]` raises and keeps it."""
    cache = make(None, max_weight=10, weigher=value_as_weight)
    cache[1] = 5
    with pytest.raises(ValueError, match="too large"):
        cache[1] = 11
    assert cache[1] == 5
    assert not cache.put(1, 11)
    assert 1 not in cache
    assert cache.weight == 0


@every_policy
def test_an_entry_that_grows_stays(make: CacheType) -> None:
    """A heavier value for a key makes others go, never the key itself, and only as many as it takes."""
    cache = make(None, max_weight=10, weigher=value_as_weight)
    cache.update({"a": 3, "b": 4})
    cache["b"] = 7
    assert dict(cache) == {"a": 3, "b": 7}
    cache["b"] = 9
    assert dict(cache) == {"b": 9}
    cache["b"] = 1
    assert cache.weight == 1


@every_policy
def test_weightless_entries(make: CacheType) -> None:
    """Entries of weight 0 are stored, and leave room for others."""
    cache = make(3, max_weight=1, weigher=value_as_weight)
    cache.update({"a": 0, "b": 0, "c": 0, "d": 0, "e": 1})
    assert len(cache) == 3
    assert cache["e"] == 1


@every_policy
def test_a_weigher_that_fails_changes_nothing(make: CacheType) -> None:
    """What the weigher raises, or a weight that makes no sense, leaves the cache as it was."""

    def weigh(_key: str, value: float) -> float:
        return 1 / value

    cache = make(None, max_weight=10, weigher=weigh)
    cache["a"] = 1
    with pytest.raises(ZeroDivisionError):
        cache.put("a", 0)
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="weigher must give a number of 0 or more"):
            cache.put("a", bad)
    assert dict(cache) == {"a": 1}
    assert cache.weight == 1


@every_policy
@pytest.mark.parametrize("maxsize", [True, 1.5, float("inf"), "10"])
def test_a_size_that_is_no_number(make: CacheType, maxsize: Any) -> None:
    """A `maxsize` that is no whole number is refused, in words that say what is."""
    with pytest.raises(TypeError, match="maxsize must be a whole number of entries, or None"):
        make(maxsize)


@every_policy
def test_weights_without_a_weigher(make: CacheType) -> None:
    """With `max_weight` alone, an entry weighs its bytes."""
    cache = make(None, max_weight=10_000)
    cache.update({number: bytes(1_000) for number in range(20)})
    assert 5 < len(cache) < 10
    assert 1_000 * len(cache) < cache.weight <= 10_000


@every_policy
def test_bounds_that_cannot_be(make: CacheType) -> None:
    """Bounds below 0 or infinite, and a weigher that has no bound, are refused."""
    with pytest.raises(ValueError, match="maxsize must be 0 or more"):
        make(-1)
    with pytest.raises(TypeError, match="weigher needs max_weight"):
        make(1, weigher=value_as_weight)
    with pytest.raises(ValueError, match="max_weight must be a finite number"):
        make(1, max_weight=float("inf"), weigher=value_as_weight)
    with pytest.raises(TypeError, match="weigher must be a function"):
        make(1, max_weight=1, weigher="len")  # type: ignore[arg-type]  # the mistake that is tried


@every_policy
def test_missing_is_called_by_brackets_only(make: CacheType) -> None:
    """A subclass may load in `__missing__`: `[]` calls it, and no other method does."""

    class Loading(make):  # type: ignore[misc,valid-type]  # a class of any policy
        def __missing__(self, key: Any) -> Any:
            self[key] = key * 2
            return key * 2

    cache = Loading(2)
    assert cache[1] == 2
    assert cache.peek(1) == 2
    assert cache.get(5) is None
    assert cache.pop(5, None) is None
    assert 5 not in cache
    with pytest.raises(KeyError):
        cache.pop(5)
    assert cache.setdefault(7, 1) == 1
    assert cache[2] == 4
    assert len(cache) == 2


@every_policy
@every_copy
def test_copies_go_on_alike(make: CacheType, duplicate: Copy) -> None:
    """A copy is equal, gives its entries up in the same order, and shares nothing with the original."""
    cache = make(20)
    for step in range(200):
        cache[step * 7 % 31] = step
        cache.get(step % 17)
        if step % 9 == 0:
            cache.pop(step % 31, None)
    twin = duplicate(cache)
    assert type(twin) is make
    assert twin == cache
    assert twin.maxsize == 20
    assert twin.weight == cache.weight
    size = len(cache)
    for each in (cache, twin):
        each.get(3)
        each["new"] = -1
    order = drain(twin)
    assert len(cache) >= min(size, 19)
    assert drain(cache) == order


@every_policy
def test_a_copy_shares_keys_and_values(make: CacheType) -> None:
    """`copy.copy` makes new entries around the same keys and values; `copy.deepcopy` copies values too."""
    value = ["mutable"]
    cache = make(2, max_weight=5, weigher=lambda key, value: len(value))
    cache["a"] = value
    assert copy.copy(cache)["a"] is value
    assert copy.copy(cache).entries["a"] is not cache.entries["a"]
    assert copy.deepcopy(cache)["a"] == value
    assert copy.deepcopy(cache)["a"] is not value


@every_policy
def test_a_copy_shares_what_a_subclass_adds(make: CacheType) -> None:
    """A subclass may hold what cannot be copied, and keys and weighers may be such: `copy.copy` shares them."""

    class Locked(make):  # type: ignore[misc,valid-type]  # a class of any policy
        def __init__(self) -> None:
            lock = threading.Lock()
            super().__init__(4, max_weight=10, weigher=lambda key, value: lock is not None)
            self.lock = lock

    cache = Locked()
    keys = [(number, threading.Lock()) for number in range(8)]
    for key in keys:
        cache[key] = key
        cache.get(key)
    cache.pop(list(cache)[1])
    twin = copy.copy(cache)
    assert twin.lock is cache.lock
    assert drain(twin) == drain(cache)


@every_policy
def test_a_hit_on_what_has_gone_does_no_harm(make: CacheType) -> None:
    """A use noted for an entry that was just removed or evicted changes nothing, or raises `KeyError`."""
    cache = make(4)
    cache.update((key, key) for key in range(4))
    gone = [cache.entries[key] for key in range(4)]
    cache.pop(1)
    cache.update((key, key) for key in range(10, 20))
    cache.clear()
    cache.update((key, key) for key in range(4))
    for entry in gone:
        try:
            cache.touch(entry)
        except KeyError:
            assert make is LRUCache
    cache["new"] = 0
    assert len(cache) == 4
    assert len(set(drain(cache))) == 4


@every_policy
def test_hit_source_is_touch(make: CacheType) -> None:
    """The statement that a hit is compiled from does to the cache what `touch` does."""
    touched, compiled = make(5), make(5)
    statement = compile(make.hit_source or "pass", "hit", "exec")
    for step in range(300):
        key = step * step % 7
        for cache in (touched, compiled):
            entry = cache.entries.get(key)
            if entry is None:
                cache.put(key, step)
            elif cache is touched:
                cache.touch(entry)
            else:
                exec(statement, {"entry": entry, "key": key, "touch": cache.touch, **cache.hit_names()})
        if make is not POLICIES["random"]:
            assert list(touched) == list(compiled)


@every_policy
def test_a_dropped_cache_is_freed_at_once(make: CacheType) -> None:
    """Neither a cache nor what it held waits for the cycle collector."""

    class Value:
        pass

    cache = make(10)
    values = [Value() for _ in range(30)]
    alive = [weakref.ref(value) for value in values]
    for key, value in enumerate(values):
        cache[key] = value
        cache.get(key // 2)
    cache.pop(max(cache))
    del value, values
    gc.disable()
    try:
        assert sum(ref() is not None for ref in alive) == 9
        whole = weakref.ref(cache)
        del cache
        assert whole() is None
        assert not any(ref() for ref in alive)
    finally:
        gc.enable()


@every_policy
def test_the_faces_of_entries(make: CacheType) -> None:
    """What builds on the cache sees who was evicted, and gets values of what it removes."""
    cache = make(2)
    first = cache.entry_type("a", 1)
    assert cache.admit(first) == ()
    assert cache.entries["a"] is first
    cache.put("b", 2)
    evicted = cache.admit(cache.entry_type("c", 3))
    assert len(evicted) == 1
    assert evicted[0].key in {"a", "b"}
    assert evicted[0].value in {1, 2}
    assert cache.remove(cache.entries["c"]) == 3
    assert len(cache) == 1
    assert isinstance(cache.evict(), Entry)
    assert not cache


@every_policy
def test_a_memoised_recursion_computes_each_value_once(make: CacheType) -> None:
    """Fibonacci's numbers, each the sum of the two before, are computed once each in a cache large enough."""
    cache, computed = make(50), []

    def fibonacci(number: int) -> int:
        if number in cache:
            return int(cache[number])
        computed.append(number)
        cache[number] = number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)
        return int(cache[number])

    assert fibonacci(30) == 832_040
    assert sorted(computed) == list(range(31))


def test_policies_by_name() -> None:
    """Each name stands for its class, and a class for itself."""
    for name, make in POLICIES.items():
        assert choose_policy(name, 10) is make

    class Own(LRUCache[Any, Any]):
        pass

    assert choose_policy(Own, None) is Own


def test_the_automatic_policy() -> None:
    """`"auto"` is exact LRU for small caches, and S3-FIFO from 128 entries up or without a bound."""
    assert AUTOMATIC_FROM == 128
    assert choose_policy("auto", 0) is LRUCache
    assert choose_policy("auto", 127) is LRUCache
    assert choose_policy("auto", 128) is S3FIFOCache
    assert choose_policy("auto", None) is S3FIFOCache


def test_a_policy_that_does_not_exist() -> None:
    """An unknown name is answered with those that are known, and anything else with what is expected."""
    with pytest.raises(ValueError, match="auto, lru, lfu, fifo, random, sieve, s3fifo, tinylfu, gdsf"):
        choose_policy("mru", 10)
    mistakes: list[Any] = [dict, None, 7, LRUCache[int, int](1)]
    for bad in mistakes:
        with pytest.raises(TypeError, match="policy must be a name or a subclass of BoundedCache"):
            choose_policy(bad, 10)
