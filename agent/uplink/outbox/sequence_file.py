"""state.seq: how far `seq` has gone, told apart from the database, so that no number is ever used twice.

Two numbers of fixed width, overwritten in place, which works on a full disk too:
`reserved`: no number beyond it was given out while the database was sound; moved ahead a thousand at a time;
`spent`: the highest number given out while the database took no writes, else 0.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1000
_WIDTH = 20
_LENGTH = 2 * _WIDTH + 2


@dataclass(frozen=True, slots=True)
class Mark:
    """What the file says; zeros where there is none."""

    reserved: int = 0
    spent: int = 0


def read_mark(path: Path) -> Mark:
    """Return the mark; an unreadable one counts as none."""
    with contextlib.suppress(OSError, ValueError):
        reserved, spent = path.read_text("ascii").split()
        return Mark(int(reserved), int(spent))
    return Mark()


def write_mark(path: Path, mark: Mark) -> bool:
    """Overwrite the mark and sync it; return whether the disk took it."""
    line = f"{mark.reserved:0{_WIDTH}d} {mark.spent:0{_WIDTH}d}\n".encode("ascii")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            written = os.pwrite(descriptor, line, 0)
            os.fsync(descriptor)
            return written == _LENGTH
        finally:
            os.close(descriptor)
    except OSError:
        return False
