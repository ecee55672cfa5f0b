import itertools
from collections.abc import Iterable
from typing import Final

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from asynccache.stores import MemoryStore
from tests.stores.store_model import StoreMachine

numbers: Final = itertools.count()


class MemoryMachine(StoreMachine):
    """Two stores of one name, and a listener."""

    def __init__(self) -> None:
        self.name = f"model {next(numbers)}"
        self.heard: set[bytes] = set()
        super().__init__()
        self.listening = MemoryStore(self.name, clock=self.clock)
        self.feed = self.runner.run(self.listening.listen(b"", self.hear))

    def hear(self, keys: Iterable[bytes] | None) -> None:
        """Note what is told."""
        assert keys is not None
        self.heard.update(keys)

    def open(self) -> MemoryStore:
        """Make one more store of the name."""
        return MemoryStore(self.name, clock=self.clock)

    def changed(self, *keys: bytes) -> None:
        """Nothing was left untold."""
        assert self.heard >= set(keys)
        self.heard.clear()


def test_stores_of_one_name_are_a_dict_and_a_clock() -> None:
    """Whatever two stores of one name are asked, they say what a dict and a clock say, and tell all changes."""
    run_state_machine_as_test(MemoryMachine, settings=settings(max_examples=100, stateful_step_count=40))
