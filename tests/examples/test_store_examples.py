import subprocess
from collections.abc import Callable
from typing import TypeAlias

import pytest

RunExample: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

PROMISES = {
    "two_processes": [
        "process that is to read: Product(sku='A1', price=9.99), loaded",
        "process that is to read: Product(sku='A1', price=9.99), from the store",
        "process that is to change: changed A1",
        "process that is to read: Product(sku='A1', price=9.99), loaded",
    ],
    "one_load_for_a_fleet": [
        "4 processes, 100 callers, reports made: 1",
    ],
    "lock_with_fence": [
        "three workers, one after the other; their numbers are different: True",
        "another process, meanwhile: the lock is held by somebody else",
        "page: somebody new, with a higher number: True",
        "worker 0 comes back and writes: False",
        "page: somebody new",
    ],
    "store_outage": [
        "all is well:            A1 costs 10, queries: 1",
        "in another process:     A1 costs 10, queries: 0",
        "the store is away:      B2 costs 20, queries: 1",
        "A1 has changed here:    A1 costs 12, queries: 1",
        "the other cannot know:  A1 costs 10, queries: 0",
        "the store is back:      A1 costs 12, queries: 1",
    ],
}


@pytest.mark.parametrize("name", PROMISES)
def test_example_prints_what_it_promises(name: str, run_example: RunExample) -> None:
    """An example with a store runs without an error or a warning, and shows what it says it shows."""
    done = run_example(name)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == PROMISES[name]


@pytest.mark.parametrize("name", ["lock_with_fence", "one_load_for_a_fleet", "two_processes"])
def test_another_store_can_be_named(name: str, run_example: RunExample, tmp_path: object) -> None:
    """An example takes the address of a store, and shows the same there."""
    done = run_example(name, f"sqlite:///{tmp_path}/other.db?timeout=5")
    assert done.stderr == ""
    assert done.stdout.splitlines() == PROMISES[name]
