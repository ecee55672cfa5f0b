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
    "old_rather_than_error": [
        "   0 s, it is up:    'sunny in Oslo'; requests: 1",
        "  61 s, it is down:  'sunny in Oslo'; requests: 1",
        "  66 s, still down:  'sunny in Oslo'; requests: 0",
        "  71 s, tried again: 'sunny in Oslo'; requests: 1",
        "3671 s, too long:    ConnectionError('the weather service does not answer'); requests: 1",
        "3671 s, it is back:  'sunny in Oslo'; requests: 1",
        "300 answers were old, 3 loads failed",
    ],
    "conditional_refresh": [
        "  server: 200",
        "first: a long list of rates, 20 characters sent",
        "30 s later, from the cache: a long list of rates",
        "  server: 304",
        "61 s later: a long list of rates, 20 characters sent",
        "  server: 200",
        "after a change: a longer list of rates, 42 characters sent",
    ],
    "warm_start": [
        "first start:",
        "  from the file: 0",
        "  because: there is no such file",
        "  queries before the first request: 3",
        "  4 requests, 2 queries",
        "  saved: 5",
        "second start:",
        "  from the file: 5",
        "  queries before the first request: 0",
        "  4 requests, 0 queries",
        "  saved: 5",
        "third start, after somebody cut the file in half:",
        "  from the file: 0",
        "  because: the file ends too early: it was cut, or is still being copied",
        "  queries before the first request: 3",
        "  4 requests, 2 queries",
        "  saved: 5",
    ],
    "shared_cache": [
        "A1: 10 euros, B2: 20 euros; queries: label of A1, price of A1, label of B2, price of B2",
        "A1: 10 euros, B2: 20 euros; queries: none",
        "A1: 12 euros, B2: 20 euros; queries: label of A1, price of A1",
        "sessions: s-1 of Ada, s-2 of Bob",
        "sessions, cleared: 0",
        "A1: 12 euros, B2: 20 euros; queries: none",
    ],
    "batched_loader": [
        "Solaris, by Stanisław Lem",
        "Kindred, by Octavia E. Butler",
        "Lavinia, by Ursula K. Le Guin",
        "Fiasco, by Stanisław Lem",
        "Dawn, by Octavia E. Butler",
        "SELECT * FROM books ORDER BY added DESC LIMIT $1 [5]",
        "SELECT * FROM authors WHERE id = ANY($1) [[1, 2, 3]]",
        "again: 1 statement",
    ],
}


@pytest.mark.parametrize("name", PROMISES)
def test_example_prints_what_it_promises(name: str, run_example: RunExample) -> None:
    """A short example runs without an error or a warning, and shows what it says it shows."""
    done = run_example(name)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == PROMISES[name]
