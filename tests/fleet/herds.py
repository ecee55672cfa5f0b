"""Processes whose callers all ask for one cold key at the same time."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers.process import attempts

ROOT = Path(__file__).parents[2]
PROCESSES = 4
LIMIT = 50.0
"""Seconds after which a process hangs."""


class Herd:
    """Processes that are ready.

    Args:
        processes: these.
        folder: where they leave a mark for each load.
    """

    def __init__(self, processes: "list[subprocess.Popen[str]]", folder: Path) -> None:
        self.processes = processes
        self._marks = folder / "loads"

    def go(self) -> None:
        """Let all callers ask."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

    @property
    def loads(self) -> list[int]:
        """The processes that have begun to load, by number."""
        return [int(line) for line in self._marks.read_text().split()] if self._marks.exists() else []

    def wait_for_load(self) -> "subprocess.Popen[str]":
        """Wait until somebody loads, and give that process."""
        for _ in attempts(LIMIT):
            if self.loads:
                return next(process for process in self.processes if process.pid == self.loads[0])
        raise RuntimeError("nobody loads")

    def waits(self) -> list[float]:
        """Wait until all that still run are done, well; give how long the slowest caller of each had to wait."""
        return [float(said(process)) for process in self.processes if process.poll() is None or not process.returncode]


@contextlib.contextmanager
def herd(url: str, folder: Path, *, seconds: float, lease_ttl: float = 10) -> Iterator[Herd]:
    """Start processes, and kill what is left of them in the end.

    Args:
        url: of their store.
        folder: theirs.
        seconds: that a load takes.
        lease_ttl: of their caches.
    """
    command = [sys.executable, "-m", "tests.fleet.worker", url, str(folder), str(seconds), str(lease_ttl)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(PROCESSES)]
    try:
        assert [said(process) for process in processes] == ["ready"] * PROCESSES
        yield Herd(processes, folder)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def said(process: "subprocess.Popen[str]") -> str:
    """The next line that a process prints; if it has nothing to say, it has failed."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"a process has ended: {process.wait(LIMIT)}"
    return line
