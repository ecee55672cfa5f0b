import subprocess
from collections.abc import Callable
from typing import TypeAlias

import pytest

RunExample: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

PROMISES = {
    "hello": [
        "100 callers at once, 1 call: Hello, world!",
        "100 more, one after the other: still 1 call",
        "another name: 2 calls, 2 answers in the cache",
    ],
    "methods": [
        "12 °C in Oslo and 54 °F in Oslo",
        "12 °C in Oslo and 54 °F in Oslo",
        "12 °C in Oslo and 54 °F in Oslo",
        "requests: 1 and 1",
        "after an invalidation in the first: 2 and 1",
        "the second client is gone",
    ],
    "invalidate_after_write": [
        "read:  1000",
        "write: 1100, read: 1100",
        "write: 1200 in the middle of a read, next read: 1200",
    ],
    "tenants": [
        "start page of green grocer",
        "start page of red baker",
        "20 requests, 2 calls, 0 answers mixed up",
    ],
    "size_in_bytes": [
        "10 pictures of 200 kB loaded, 5 fit into 1000 kB",
        "one of 1 kB takes the place of one other: 5 in the cache",
        "a poster of 5000 kB is served but not kept: loaded 2 times, 5 others stayed",
    ],
    "mapping_alone": [
        "used: Paris",
        "kept: France, Kenya, Peru",
        "Norway: not here any more",
        "looked at, which is no use: Nairobi",
        "next to go: Kenya (Nairobi)",
    ],
    "expiry_and_eviction_log": [
        "three pages, room for two:",
        "   2 s: page a left, cause: capacity",
        "page c is invalidated:",
        "   3 s: page c left, cause: explicit",
        "page b is asked for again, after its 10 seconds:",
        "  12 s: page b left, cause: expired",
        "the cache is cleared:",
        "  12 s: page b left, cause: cleared",
    ],
}


@pytest.mark.parametrize("name", PROMISES)
def test_example_prints_what_it_promises(name: str, run_example: RunExample) -> None:
    """A short example runs without an error or a warning, and shows what it says it shows."""
    done = run_example(name)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == PROMISES[name]
