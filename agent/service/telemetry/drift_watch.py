"""The drift of every camera's models in a running node, kept over restarts in `drift.json` of the state folder.

What is known is a few hundred bytes a camera. A file that cannot be read is begun anew, one that cannot be written is
written later; neither holds up who looks and listens.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.config.files import write_atomically
from agent.config.schema import Camera
from agent.errors import ConfigError, StoreError
from agent.service.telemetry.drift import BANDS, Drift
from agent.types import Heard, Seen

FILE = "drift.json"
SCHEMA = "vedette.drift/1"
SENSES = ("vision", "hearing")
SAVE_EVERY_S = 600.0
MOST_BYTES = 1_000_000
MOST_COUNTED = 1e6  # no band ever holds as many

_LOG = logging.getLogger(__name__)

Known = dict[str, dict[str, Drift]]
"""Camera → sense → what is known."""


def bases(cameras: Mapping[str, Camera], models: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return for each camera and sense what scores are of; `models` names what runs as each sense.

    Addresses may hold secrets, so only a part of their sha256 is kept.
    """
    return {
        name: {
            "vision": _hashed(models["vision"], camera.url),
            "hearing": _hashed(models["hearing"], camera.url, camera.sound),
        }
        for name, camera in cameras.items()
    }


class DriftWatch:
    """Takes note of what is seen and heard, from any thread; `run` writes it down in another."""

    def __init__(self, state_folder: Path, basis_of: Mapping[str, Mapping[str, str]]) -> None:
        """`basis_of`: as `bases` returns it. What the file tells of other cameras, models and addresses is left out."""
        self._path = state_folder / FILE
        self._lock = threading.Lock()
        self._is_told = False  # that it cannot be written
        try:
            before = read(self._path)
        except StoreError as error:
            _LOG.warning("the models' drift is learned anew: %s", error.line())
            before = {}
        self._known: Known = {
            camera: {sense: _continued(before.get(camera, {}).get(sense), basis) for sense, basis in of_senses.items()}
            for camera, of_senses in basis_of.items()
        }

    def seen(self, seen: Seen) -> None:
        """Note the highest score of a look, 0 where it found nothing. No look, no score; and drills are not real."""
        if seen.drill or seen.detections is None:
            return
        self._note(seen.camera, "vision", max((found.score_prob for found in seen.detections), default=0.0), seen.at_ns)

    def heard(self, heard: Heard) -> None:
        """Note the highest probability in a window of the regular half seconds, if it was not digital silence."""
        if heard.drill or heard.between or not heard.embedding:
            return
        self._note(heard.camera, "hearing", max((score.prob for score in heard.scores), default=0.0), heard.at_ns)

    def figures(self, camera: str) -> dict[str, float | None]:
        """Return the drift of each sense of a camera; None where it is not known yet."""
        with self._lock:
            return figures(self._known[camera])

    def run(self, stop: threading.Event) -> None:
        """Write what is known now and then, and at the end."""
        while not stop.wait(SAVE_EVERY_S):
            self.save()
        self.save()

    def save(self) -> None:
        """Write what is known; a disk that takes nothing is told once."""
        with self._lock:
            content = {
                camera: {sense: _content(drift) for sense, drift in of_senses.items()}
                for camera, of_senses in self._known.items()
            }
        try:
            write_atomically(self._path, json.dumps({"schema": SCHEMA, "cameras": content}), folder_mode=0o750)
        except ConfigError as error:
            if not self._is_told:
                _LOG.warning("the models' drift is not kept: %s", error.line())
            self._is_told = True
        else:
            self._is_told = False

    def _note(self, camera: str, sense: str, score_prob: float, at_ns: int) -> None:
        with self._lock:
            self._known[camera][sense].note(score_prob, at_ns)


def figures(known: Mapping[str, Drift]) -> dict[str, float | None]:
    """Return the drift of each sense, None where it is not known."""
    return {sense: known[sense].figure() if sense in known else None for sense in SENSES}


def read(path: Path) -> Known:
    """Return what a file tells, nothing where there is none.

    Raises StoreError where it cannot be read, or is broken.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError("it is of another version")
        return {
            str(camera): {sense: _drift(of_senses[sense]) for sense in SENSES if sense in of_senses}
            for camera, of_senses in document["cameras"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise StoreError(f"{path} cannot be used", why=str(error)) from None


def _drift(content: Mapping[str, Any]) -> Drift:
    return Drift(str(content["basis"]), _counts(content["reference"]), _counts(content["recent"]))


def _counts(content: list[Any]) -> list[float]:
    counts = [float(count) for count in content]
    if len(counts) != BANDS or not all(0 <= count <= MOST_COUNTED for count in counts):
        raise ValueError("it holds no counts")
    return counts


def _content(drift: Drift) -> dict[str, Any]:
    recent = [round(count, 3) for count in drift.recent]
    return {"basis": drift.basis, "reference": [round(count) for count in drift.reference], "recent": recent}


def _continued(before: Drift | None, basis: str) -> Drift:
    return before if before is not None and before.basis == basis else Drift(basis)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
