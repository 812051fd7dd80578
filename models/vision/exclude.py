"""What must never be learned from: validation items, what looks like them, and the outside tests.

`never_train.txt` holds sha256 sums of `owner/name:path` and of `name:` + file name. Validation pictures
return elsewhere under other names and sizes, so pictures are also compared by what they show.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

SAME_SCENE = 0.95
"""Correlation of 24×24 grey thumbnails from which two pictures count as one scene."""
_SIDE_PX = 24


def load_never_train(path: Path) -> frozenset[str]:
    return frozenset(line.strip() for line in path.read_text().splitlines() if line.strip())


def is_forbidden(never: frozenset[str], repository: str, path: str) -> bool:
    """Whether an item hits the list by its repository and path, or by its file name alone."""
    path = path.split(" [from ", maxsplit=1)[0].split("@", maxsplit=1)[0]
    names = (f"{repository}:{path}", f"name:{PurePosixPath(path).name}")
    return any(hashlib.sha256(name.encode()).hexdigest() in never for name in names)


def content_hash(picture: NDArray[np.uint8]) -> str:
    """sha256 of the decoded pixels and their shape: equal however the file was packed."""
    return hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).hexdigest()


def fingerprint(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the picture shows, roughly: float32 [576], zero mean, unit length."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return (small / max(float(np.linalg.norm(small)), 1e-3)).ravel()


class SeenScenes:
    """Scenes that must not return, plain or mirrored."""

    def __init__(self, prints: Iterable[NDArray[np.float32]]) -> None:
        rows = list(prints)
        mirrored = [row.reshape(_SIDE_PX, _SIDE_PX)[:, ::-1].ravel() for row in rows]
        self._rows = np.array(rows + mirrored, np.float32).reshape(-1, _SIDE_PX**2)

    def likeness(self, prints: NDArray[np.float32]) -> NDArray[np.float32]:
        """Highest correlation of each print [n, 576] with anything seen; 0 where nothing was."""
        if not len(self._rows):
            return np.zeros(len(prints), np.float32)
        return np.asarray((prints @ self._rows.T).max(1), np.float32)


def drop_lookalikes(
    prints: NDArray[np.float32], forbidden: Iterable[NDArray[np.float32]], threshold: float = SAME_SCENE
) -> NDArray[np.bool_]:
    """Which prints to keep: none like a forbidden scene, nor like one dropped for that (one cluster)."""
    dropped = SeenScenes(forbidden).likeness(prints) >= threshold
    grown = dropped | (SeenScenes(prints[dropped]).likeness(prints) >= threshold)
    return ~grown
