"""Graphs that a device's compiler has compiled, kept in the state folder: without them every start compiles anew.

    <state>/compiled/<model>/<key>/          what OpenVINO and TensorRT keep of one model
    <state>/compiled/<model>/<key>.json      the sha256 of each of its files, written last

Compilers read back what they kept without a look at whether it is whole: with one byte turned OpenVINO computes other
numbers (decision 043). So what is not what was written down is deleted before it is read. The key changes with the
model's bytes and place, with Vedette and with both runtimes; what has another key is deleted.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from agent import __version__
from agent.config.files import write_atomically
from agent.errors import ConfigError
from agent.inference.card import Card

FOLDER = "compiled"

_LOG = logging.getLogger(__name__)
_KEY_CHARACTERS = 16
_RUNTIMES = ("openvino", "onnxruntime", "onnxruntime-gpu")


class CompiledGraphs:
    """The compiled graphs of one agent; for one thread. A disk that refuses costs time at the start, nothing else."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / FOLDER
        self._used: dict[str, Path] = {}

    def folder_for(self, card: Card) -> Path | None:
        """Return where what is compiled of a card's graphs is kept; None where nothing can be kept."""
        folder = self._folder / card.name / _key(card)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                return None
            _drop_unsound(folder)
        except OSError as error:
            _LOG.info("compiled graphs are not kept: %s", error.strerror or error)
            return None
        self._used[card.name] = folder
        return folder

    def seal(self) -> None:
        """Write down what there is now, and delete what belongs to other models, runtimes or versions."""
        for folder in self._used.values():
            try:
                if (found := _found(folder)) != _sealed(folder):
                    write_atomically(_seal_of(folder), json.dumps(found, indent=1) + "\n")
                for other in folder.parent.iterdir():
                    if other.name not in (folder.name, _seal_of(folder).name):
                        _delete(other)
            except (OSError, ConfigError) as error:
                _LOG.info("compiled graphs are not kept: %s", error)


def _key(card: Card) -> str:
    parts = [__version__, str(card.folder), *sorted(file.sha256 for file in card.files)]
    parts += [f"{name} {_version(name)}" for name in _RUNTIMES]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_KEY_CHARACTERS]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _drop_unsound(folder: Path) -> None:
    """Delete each file that is not the one that was written down."""
    sealed = _sealed(folder)
    for name, sha256 in _found(folder).items():
        if sealed.get(name) != sha256:
            _delete(folder / name)


def _found(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below `folder`, by its path in there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _sealed(folder: Path) -> Mapping[str, str]:
    try:
        document = json.loads(_seal_of(folder).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _seal_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
