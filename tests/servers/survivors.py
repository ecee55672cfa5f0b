"""Ends the servers of a test run that ended before it could do so itself: killed, or crashed.

A process of its own reads which servers there are, and ends those that are left when its standard input ends.
"""

import atexit
import subprocess
import sys
from typing import Final

WATCH: Final = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
alive = set()
for line in sys.stdin:
    (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
for pid in alive:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
"""

_watchers: Final[list["subprocess.Popen[str]"]] = []


def note_started(pid: int) -> None:
    """Have this process ended with the test run, whatever ends that."""
    if not _watchers:
        _watchers.append(
            subprocess.Popen([sys.executable, "-c", WATCH], stdin=subprocess.PIPE, text=True, start_new_session=True)
        )
        atexit.register(_finish)
    _say(f"+{pid}")


def note_ended(pid: int) -> None:
    """Forget about this process."""
    _say(f"-{pid}")


def _say(line: str) -> None:
    stdin = _watchers[0].stdin
    assert stdin is not None
    print(line, file=stdin, flush=True)


def _finish() -> None:
    _watchers.pop().communicate()
