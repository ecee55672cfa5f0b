"""The file as the system sees it: whether it is still the one that was opened, and what happens to a damaged one.

A damaged file is renamed, never deleted: somebody may want to look at it. There is one place beside for it, so that a
failing disk does not fill up with them.
"""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Final, TypeAlias

Identity: TypeAlias = tuple[int, int] | None
"""Tells a file from another that has its name later on; None if there is no file."""

SUFFIX: Final = ".damaged"
"""What is put behind the name of a damaged file."""

_LOGS: Final = ("-wal", "-shm")


def identity(path: Path) -> Identity:
    """Tell which file has this name now."""
    try:
        status = os.stat(path)  # noqa: PTH116  # asked before every batch: a third of what `Path.stat` costs
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, seen: Identity) -> None:
    """Rename the file that was seen to be damaged, unless another process has done so already.

    Its logs go first: a database that is found without them is an older one, but a log that is found by a new database
    would be the log of something else.

    Raises:
        OSError: it cannot be renamed.
    """
    with _alone_in(path.parent):
        if seen is None or identity(path) != seen:
            return
        aside = path.with_name(path.name + SUFFIX)
        for log in _LOGS:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{log}").replace(f"{aside}{log}")
        path.replace(aside)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """Keep other processes from doing the same at the same time, where the system can."""
    try:
        import fcntl
    except ImportError:  # Windows, which renames nothing that is open anywhere
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
