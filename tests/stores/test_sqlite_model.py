import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from asynccache.stores import SQLiteStore
from tests.stores.store_model import TIMEOUT, StoreMachine


class SQLiteMachine(StoreMachine):
    """Two stores of one file, each with a connection and a thread."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__()

    def open(self) -> SQLiteStore:
        """Open the file once more."""
        return SQLiteStore(Path(self.folder.name, "cache.db"), clock=self.clock, timeout=TIMEOUT)

    def teardown(self) -> None:
        """Remove the file."""
        super().teardown()
        self.folder.cleanup()


def test_stores_of_one_file_are_a_dict_and_a_clock() -> None:
    """Whatever two stores of one file are asked, they say what a dict and a clock say."""
    run_state_machine_as_test(SQLiteMachine, settings=settings(max_examples=50, stateful_step_count=40))
