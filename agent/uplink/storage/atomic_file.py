"""A file that is its owner's alone, and whole or not there, whatever happens while it is written."""

import os
from pathlib import Path

PART = ".part"
"""What a loss of power may leave behind, beside the place of the file."""


def write_own(path: Path, content: bytes) -> None:
    """Write `content` to `path`, mode 0600, by way of a synced file beside it.

    Raises OSError where the disk refuses.
    """
    part = path.with_suffix(PART)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # on a full disk half a file is in the way of what matters
        raise


def clear_parts(folder: Path) -> None:
    """Delete what a loss of power left half written. Raises OSError where the disk refuses."""
    for part in folder.glob(f"*{PART}"):
        part.unlink(missing_ok=True)
