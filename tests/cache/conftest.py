"""What several files of this folder begin with."""

from pathlib import Path

import pytest

from tests.cache.machine import Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose time passes when the test says so, and a file on it."""
    return Machine(tmp_path / "snapshot", monkeypatch)
