"""A server in a process of its own: started, asked until it answers, killed, paused, and started again where it was.

What it writes goes to a log in its folder, and the folder goes with it.
"""

import abc
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from tests.servers.survivors import note_ended, note_started

HOST = "127.0.0.1"


class Server(abc.ABC):
    """One process that serves. A context manager; `start` and `restart` return when it answers.

    Those who do harm to a server leave a mark in `is_touched`: it is not used for another test.
    """

    patience = 20.0
    """Seconds in which it has to answer."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="asynccache-test-")
        self.folder = Path(self._folder.name)
        self.is_touched = False
        self._process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def command(self) -> Sequence[str]:
        """Give the words that start it."""

    @abc.abstractmethod
    def answers(self) -> bool:
        """Ask it whether it is ready. May raise `OSError` as long as it is not."""

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The end of what it has written."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-2_000:] if path.exists() else ""

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        self.spawn()
        self.wait_until(self.answers)
        return self

    def spawn(self) -> None:
        """Start its process, without waiting."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        note_started(self._process.pid)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Ask again and again, until it holds, the process ends, or patience does."""
        for _ in attempts(self.patience):
            with contextlib.suppress(OSError):
                if holds():
                    return
            if not self.is_running:
                break
        ended = "takes too long" if self.is_running else "has ended"
        text = self.log
        self.kill()
        raise RuntimeError(f"{type(self).__name__} {ended}. Its log:\n{text}")

    def kill(self) -> None:
        """End its process at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let its process end as it likes to (SIGTERM)."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Let it answer nothing more, while connections stay (SIGSTOP)."""
        self.is_touched = True
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """End it, if it still runs, and start it on the same port, empty."""
        self.kill()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        self.is_touched = True
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)  # what is paused hears nothing
        try:
            self._process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        note_ended(self._process.pid)

    def close(self) -> None:
        """End it for good, and take its folder away."""
        self.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc: object) -> None:
        self.close()


def attempts(seconds: float) -> Iterator[None]:
    """Give a turn again and again, with short pauses, as long as there is time; at least one."""
    deadline = time.monotonic() + seconds
    pause = 0.002
    yield
    while time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
        yield
