"""Which Pythons the tests can run on here: prints `3.11=/path/to/python3.11 3.12=...`, oldest first.

Looks on PATH and in pyenv's folder of versions. Decides nothing about what is done with them: that is the Makefile's.
Runs on old Pythons too, as `python3` may be one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ((3, 11), (3, 12), (3, 13))
RUNNING = sys.version_info[:2]
PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def candidates(version: str) -> list[str]:
    """Paths that may be Python `version`, the likeliest first."""
    running = [sys.executable] if version == spelled(RUNNING) else []
    # pyenv's shims are left out: a shim exists for versions that are not switched on, and fails.
    folders = [part for part in os.get_exec_path() if Path(part).name != "shims"]
    on_path = shutil.which(f"python{version}", path=os.pathsep.join(folders))
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    kept = sorted((root / "versions").glob(f"{version}.*/bin/python{version}"), key=release, reverse=True)
    return [*running, *(str(path) for path in (on_path, *kept) if path)]


def release(path: Path) -> list[int]:
    """What `3.11.7` in a path of pyenv's sorts by."""
    return [int(number) for number in re.findall(r"\d+", path.parent.parent.name)]


def usable(path: str, version: str) -> bool:
    """Whether `path` starts, is that version, and can make virtual environments."""
    try:
        answer = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version


def spelled(version: tuple[int, int]) -> str:
    """A version as it is written in names."""
    return f"{version[0]}.{version[1]}"


def main() -> None:
    """Print one `version=path` for each version found."""
    found = []
    for version in map(spelled, sorted({*SUPPORTED, max(SUPPORTED[0], RUNNING)})):
        path = next((path for path in candidates(version) if usable(path, version)), None)
        if path:
            found.append(f"{version}={path}")
    print(*found)


main()
