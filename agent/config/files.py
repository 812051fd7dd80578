"""Writing files so that after a loss of power either the old or the new content is there, whole."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agent.errors import ConfigError


def write_atomically(path: Path, text: str, *, mode: int = 0o644, folder_mode: int = 0o755) -> None:
    """Write `text` to `path` by way of a synced file beside it; an existing file keeps its mode and owner.

    `mode` and `folder_mode` are for what does not exist yet. A link stays a link. Raises ConfigError.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=folder_mode)
        replace_whole(target, text.encode("utf-8"), mode=mode)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written",
            why=error.strerror or str(error),
            cure="Use sudo, or --config with a file of yours.",
        ) from error


def replace_whole(target: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` by way of a synced file beside `target`; an existing file keeps its mode and owner.

    Raises OSError; then the old content is still there.
    """
    old = target.stat() if target.exists() else None
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), old.st_mode & 0o7777 if old else mode)
            if old and os.geteuid() == 0:
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fsync(file.fileno())
        os.replace(name, target)
    finally:
        with contextlib.suppress(FileNotFoundError):  # gone once it has taken the target's place
            os.unlink(name)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the lock on the folder of `path`, so that two commands at once do not undo each other's change."""
    try:
        folder = Path(os.path.realpath(path)).parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(
            f"the folder of {path} cannot be used",
            why=error.strerror or "",
            cure="Use sudo, or --config with a file of yours.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
