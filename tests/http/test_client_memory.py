"""A body that is large takes no more memory than one that is not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST = 10 * 1024
"""KiB."""


def growths(store: str, megabytes: int, *more: str) -> list[int]:
    """Fetch a body of that size twice in a process of its own; give the growth after each, in KiB, and the hits."""
    command = [sys.executable, "-m", "tests.http.memory_probe", store, str(megabytes), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=True)
    return [int(line) for line in done.stdout.split()]


def test_a_body_too_large_for_memory_passes_through() -> None:
    """A body that is handed on without being kept takes little memory, however large it is."""
    first, second, hits = growths("memory", 60)
    assert max(first, second) < MOST
    assert hits == 1  # the small one


def test_a_large_body_goes_to_disk_and_back(tmp_path: Path) -> None:
    """A body that is kept in a file takes little memory, neither when it comes nor when it is read again."""
    first, second, hits = growths(f"sqlite:///{tmp_path}/cache.db", 60)
    assert max(first, second) < MOST
    assert hits == 2


def test_the_measure_sees_a_body_that_is_held() -> None:
    """What these tests measure by would notice a body that lies in memory as a whole."""
    first, _, _ = growths("memory", 60, "held")
    assert first > 55 * 1024
