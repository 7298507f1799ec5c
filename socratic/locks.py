"""What one process at a time may write.

In: a file that is open, or the path of a folder or file that is there. Out: it is held, or a RunError says that another process
holds it. The system takes it back from a process that dies, so nothing is left to be cleared away. Knows nothing of contents.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from socratic.errors import RunError


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Hold a folder or a file. Raises RunError where another process does; where nothing locks nobody is refused."""
    if os.name != "posix":  # Windows opens no folders
        yield
        return
    held = os.open(place, os.O_RDONLY)
    try:
        hold(held, place)
        yield
    finally:
        os.close(held)


def hold(file: int, place: Path) -> bool:
    """Hold an open file as long as it is open; false where this system, or its disk, locks nothing. Raises RunError."""
    try:
        import fcntl  # not on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunError(f"another process writes {place}", hint="wait for it, or give another --out") from error
    except (ModuleNotFoundError, OSError):
        return False
    return True
