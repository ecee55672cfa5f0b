"""A proxy between a test and its server that does what bad networks do, in a process of its own.

In a process of its own, as the loop of a test may be busy or blocked, and the network goes on meanwhile.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Literal, Self

from tests.servers.ports import free_port
from tests.servers.process import HOST

ROOT = Path(__file__).parents[2]
BOTH: tuple[Literal["up"], Literal["down"]] = ("up", "down")


class FaultProxy:
    """Listens at `address` and passes on to a server. A context manager; each method returns when it is in effect.

    Faults add up until `heal`. Up is from the test to the server, down the way back.

    Args:
        port: of the server, on this machine.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._target = port
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.faulty_wire", HOST, str(self._target), str(self.port)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._answer()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):  # of what is still to be written
                self._process.__exit__(None, None, None)

    @property
    def address(self) -> str:
        """The host and the port that it listens on."""
        return f"{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._say("counts")["open"]

    @property
    def accepted(self) -> int:
        """How many connections there were since it was started."""
        return self._say("counts")["accepted"]

    def latency(self, low: float = 0.0, high: float = 0.003, *, seed: int = 0) -> None:
        """Let every piece take from `low` to `high` seconds longer, each way."""
        self._say("latency", low, high, seed)

    def chop(self, longest: int = 7, *, seed: int = 0) -> None:
        """Pass bytes on in pieces of 1 to `longest`."""
        self._say("chop", longest, seed)

    def stall(self, *ways: Literal["up", "down"]) -> None:
        """Hold bytes back, both ways if none is named; connections stay, and `heal` passes on what was held back."""
        self._say("stall", *(ways or BOTH))

    def drop(self, *ways: Literal["up", "down"]) -> None:
        """Lose bytes, both ways if none is named; `heal` then cuts the connections that have lost some."""
        self._say("drop", *(ways or BOTH))

    def lose_replies(self, count: int = 1) -> None:
        """Lose the next pieces that come from the server, and cut the connection of each."""
        self._say("lose-replies", count)

    def reset(self) -> None:
        """Cut all connections; new ones are taken."""
        self._say("reset")

    def refuse(self) -> None:
        """Take no new connections; those that are open stay."""
        self._say("refuse")

    def cut_off(self) -> None:
        """Take no new connections, and cut those that are open: the server is gone."""
        self.refuse()
        self.reset()

    def heal(self) -> None:
        """Be a good network again."""
        self._say("heal")

    def _say(self, *words: object) -> dict[str, int]:
        assert self._process is not None
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the fault proxy has ended")
        answer: dict[str, int] = json.loads(line)
        return answer
