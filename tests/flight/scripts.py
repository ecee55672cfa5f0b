"""Programs of their own: for what ends an interpreter, and for what asyncio has to say at its end."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def run_script(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in development mode, where warnings are errors.

    Args:
        script: its source, indented as it may be.
        options: further options of the interpreter.
    """
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *options, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=40,
    )


def output_of(script: str, *options: str) -> str:
    """Run a program that must end well and have nothing to complain about; give what it prints."""
    done = run_script(script, *options)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout
