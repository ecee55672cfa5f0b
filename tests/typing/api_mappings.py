# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of the bounded mappings. See `api.py` for how to read this."""

from typing import assert_type

from asynccache import (
    FIFOCache,
    GDSFCache,
    LFUCache,
    LRUCache,
    RandomCache,
    S3FIFOCache,
    SieveCache,
    TinyLFUCache,
    sizeof,
)


def mappings() -> None:
    cache = LRUCache[str, int](8)
    cache["a"] = 1
    assert_type(cache["a"], int)
    assert_type(cache.get("a"), int | None)
    assert_type(cache.get("a", "none"), int | str)
    assert_type(cache.peek("a"), int | None)
    assert_type(cache.put("a", 1), bool)
    assert_type(cache.popitem(), tuple[str, int])
    assert_type(cache.maxsize, int | None)
    assert_type(list(cache), list[str])
    cache["a"] = "1"  # type: ignore[assignment]
    cache.put(1, 1)  # type: ignore[arg-type]
    assert_type(FIFOCache[str, int](8).get("a"), int | None)
    assert_type(GDSFCache[str, int](8).get("a"), int | None)
    assert_type(LFUCache[str, int](8).get("a"), int | None)
    assert_type(RandomCache[str, int](8).get("a"), int | None)
    assert_type(S3FIFOCache[str, int](8).get("a"), int | None)
    assert_type(SieveCache[str, int](8).get("a"), int | None)
    assert_type(TinyLFUCache[str, int](8).get("a"), int | None)
    assert_type(sizeof("key", b"value"), int)
