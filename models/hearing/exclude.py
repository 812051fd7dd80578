"""Keeps validation items, and what is kept for outside tests, out of training.

Five fences, each enough alone: the path, the file name, the recording's group, the decoded content, and a
fingerprint of the sound's first second that survives another codec or gain.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.features.logmel import SAMPLES, mel_db

LIKENESS = 0.98
"""Cosine of two fingerprints from which they count as the same recording."""


def read_never_train(path: Path) -> frozenset[str]:
    """The sha256 lines of never_train.txt."""
    return frozenset(line.strip() for line in path.read_text().splitlines() if line.strip())


def hits(never_train: frozenset[str], repo: str, path: str) -> bool:
    """True when `repo:path` or the bare file name is listed. An offset `@…s` does not belong to the path."""
    bare = path.partition("@")[0]
    keys = (f"{repo}:{bare}", f"name:{bare.rsplit('/', 1)[-1]}")
    return any(hashlib.sha256(key.encode()).hexdigest() in never_train for key in keys)


def content_key(samples: NDArray[np.int16]) -> str:
    """Hash of the decoded content, coarse enough to survive rounding: levels of 100 ms steps in 3 dB."""
    trimmed = samples[: samples.size // 1600 * 1600].reshape(-1, 1600).astype(np.float64)
    levels = np.round(10 * np.log10((trimmed**2).mean(axis=1) + 1.0) / 3.0).astype(np.int8)
    return hashlib.sha256(levels.tobytes() + str(samples.size // 400).encode()).hexdigest()


def fingerprint(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vector of the second after the first loud frame, float32 [25 · 64].

    Blind to gain and lead-in; averaged over 80 ms, so that frames need not lie alike.
    """
    padded = np.pad(samples, (0, max(0, SAMPLES - samples.size)))[: 10 * 16_000]
    picture = mel_db(padded)
    loudness = picture.max(axis=1)
    onset = int(np.argmax(loudness > loudness.max() - 12.0))
    second = np.maximum(picture[onset : onset + 108], loudness.max() - 50.0)
    second = np.pad(second, ((0, 108 - len(second)), (0, 0)), constant_values=loudness.max() - 50.0)
    smooth = np.lib.stride_tricks.sliding_window_view(second, 8, axis=0).mean(axis=-1)[:100:4]
    centred = (smooth - smooth.mean()).ravel()
    return np.asarray(centred / (np.linalg.norm(centred) + 1e-9), np.float32)


@dataclass
class Fences:
    """Everything that training must not touch."""

    never_train: frozenset[str]
    groups: set[str] = field(default_factory=set)
    paths: set[tuple[str, str]] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    fingerprints: list[NDArray[np.float32]] = field(default_factory=list)

    def fence_off(self, repo: str, path: str, group: str, samples: NDArray[np.int16]) -> None:
        """Declare one validation item untouchable."""
        self.groups.add(group)
        self.paths.add((repo, path.partition("@")[0]))
        self.contents.add(content_key(samples))
        self.fingerprints.append(fingerprint(samples.astype(np.float32) / 32768.0))

    def forbids(self, repo: str, path: str, group: str) -> str | None:
        """Why the named item may not be trained on, without hearing it; None when it may."""
        if hits(self.never_train, repo, path):
            return "never_train"
        if group in self.groups:
            return "group"
        return "path" if (repo, path.partition("@")[0]) in self.paths else None

    def recognises(self, samples: NDArray[np.int16]) -> str | None:
        """Why the sound itself may not be trained on; None when it may."""
        if content_key(samples) in self.contents:
            return "content"
        if not self.fingerprints:
            return None
        likeness = np.stack(self.fingerprints) @ fingerprint(samples.astype(np.float32) / 32768.0)
        return "fingerprint" if float(likeness.max()) > LIKENESS else None
