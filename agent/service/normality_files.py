"""Learned normality on the disk: `normality/<camera>.npz` in the state folder, written whole or not at all.

The judge offers copies of what is known now and then; a worker writes them, so that no disk ever holds up the judge.
"""

import contextlib
import io
import logging
import threading
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.config.files import replace_whole
from agent.errors import StoreError
from agent.scene.normality import Knowledge, Normality

FOLDER = "normality"
MOST_BYTES = 2_000_000
SAVE_EVERY_S = 600.0
ASIDE = ".set-aside"
_TAKE_S = 0.5

_LOG = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[np.generic]]


def packed(arrays: Arrays) -> bytes:
    """The arrays as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type] # numpy's stubs take the names for its own options
    return buffer.getvalue()


def write(path: Path, arrays: Arrays) -> int:
    """Write an .npz so that the old or the new file is there, whole; return its bytes.

    Raises StoreError.
    """
    content = packed(arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, content)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written", why=error.strerror or str(error), cure="Name another file."
        ) from None
    return len(content)


def read(path: Path) -> Knowledge:
    """What a file tells of normality. Raises StoreError where it is missing, broken, or something else."""
    cure = "Make it again: vedette calibrate normality RECORDING… --out FILE.npz"
    try:
        if path.stat().st_size > 4 * MOST_BYTES:
            raise StoreError(f"{path} is no learned normality", why="it is too large", cure=cure)
        with np.load(path, allow_pickle=False) as archive:
            if not hasattr(archive, "files"):
                raise ValueError("it holds a single array")
            return Knowledge.of({name: archive[name] for name in archive.files})
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise StoreError(f"{path} cannot be read", why=error.strerror or str(error), cure=cure) from None
        raise StoreError(f"{path} is no learned normality", why="it is broken or cut off", cure=cure) from None
    except (zipfile.BadZipFile, EOFError):
        raise StoreError(f"{path} is no learned normality", why="it is broken or cut off", cure=cure) from None
    except KeyError as error:
        raise StoreError(f"{path} is no learned normality", why=f"it has no {error}", cure=cure) from None
    except (ValueError, TypeError, NotImplementedError) as error:
        why = str(error).splitlines()[0] if str(error) else "it cannot be understood"
        why = "it is no .npz file" if "pickle" in why else why
        raise StoreError(f"{path} is no learned normality", why=why, cure=cure) from None


class NormalityFiles:
    """The files of a running node's cameras; `offer` from one thread, `run` in another."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / FOLDER
        self._offered: dict[str, Arrays] = {}
        self._changed = threading.Condition()

    def known(self, camera: str) -> Normality:
        """What was learned of a camera before; a file that cannot be used is told, set aside and begun anew."""
        path = self._folder / f"{camera}.npz"
        if not path.exists():
            return Normality()
        try:
            return Normality(read(path))
        except StoreError as error:
            # It may be whole, and of a newer Vedette: whoever goes back to that finds it.
            aside = path.with_name(f"{path.name}{ASIDE}")
            with contextlib.suppress(OSError):
                path.replace(aside)
            _LOG.warning("normality of %s is learned anew: %s; the file is %s now", camera, error.line(), aside.name)
            return Normality()

    def copy_to(self, record_folder: Path, cameras: Iterable[str]) -> None:
        """Keep beside recorded observations what was known when they began, so that they replay alike.

        Raises StoreError.
        """
        folder = record_folder / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be made", why=error.strerror or str(error)) from None
        for camera in cameras:
            if (self._folder / f"{camera}.npz").exists():
                write(folder / f"{camera}.npz", self.known(camera).knowledge.arrays())

    def offer(self, camera: str, arrays: Arrays) -> None:
        """Have `arrays` written soon; newer ones replace those that still wait."""
        with self._changed:
            self._offered[camera] = arrays
            self._changed.notify()

    def run(self, stop: threading.Event) -> None:
        """Write what is offered until `stop`, then what is left."""
        while not stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: bool(self._offered), _TAKE_S)
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Write all that was offered."""
        while True:
            with self._changed:
                if not self._offered:
                    return
                camera, arrays = self._offered.popitem()
            try:
                write(self._folder / f"{camera}.npz", arrays)
            except StoreError as error:
                _LOG.warning("normality of %s is not kept: %s", camera, error.line())
