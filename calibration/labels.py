"""Teaching a new sound ("our doorbell") on the frozen embedding of the hearing model: a logistic regression.

Positive windows come from the clips, negative ones from recordings that do not hold the sound and from a
background of everyday and alarming sounds that comes with the model (embeddings only, no sound). Each clip is
judged by a head that has not heard it; the threshold is the lowest at which none of the negatives fires more often
than asked for, as those heads hear them.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from agent.errors import ModelError, VedetteError
from agent.features.level import is_digital_silence, level_dbfs
from agent.inference.card import Card, zoo_folder
from agent.inference.hearing import HearingModel
from agent.inference.site_label import PRIOR, SCHEMA, hearing_sha256
from calibration.recordings import sound_windows

BACKGROUND_FILE = "hearing-background.npz"
LEAST_CLIPS = 3
_WEIGHT_DECAY = 3.0
_QUIETER_DB = 15.0
_FALSE_SHARE = 0.002
"""Of the negative windows: at two windows a second about 14 an hour if all were like the hardest of them; a
background is chosen to be hard, a place is not."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A new sound and how well it is told apart: clips by heads that had not heard them."""

    name: str
    weights: Matrix  # [dimensions]
    offset: float
    threshold_prob: float
    clips: int
    found: int
    negatives: int
    false: int

    def content(self, card: Card, not_a: Sequence[str] = ()) -> dict[str, object]:
        """What is written into the file; the sound is not to be taken for `not_a`."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "hearing_sha256": hearing_sha256(card),
            "weights": [float(f"{weight:.6g}") for weight in self.weights],
            "offset": round(self.offset, 6),
            "threshold_prob": round(self.threshold_prob, 6),
            "not_a": list(not_a),
            "figures": {
                "clips": self.clips,
                "found": self.found,
                "negative_windows": self.negatives,
                "false": self.false,
            },
        }


def teach(name: str, clips: Sequence[str], others: Sequence[str], model: HearingModel) -> Taught:
    """Learn the sound of `clips` against `others` and the model's own background.

    Raises SourceError for what cannot be read; VedetteError for too few clips or clips without sound.
    """
    if len(clips) < LEAST_CLIPS:
        raise VedetteError(
            f"The sound {name} cannot be taught",
            why=f"{len(clips)} clips were given, {LEAST_CLIPS} are needed",
            cure="Record it several times, from several places, a few seconds each.",
        )
    positives = [_loud(clip, model) for clip in clips]
    negatives = np.concatenate([background(model.card), *(_all(other, model) for other in others)])
    return fit(name, positives, negatives)


def background(card: Card, folder: Path | None = None) -> Matrix:
    """Embeddings [n, dimensions] of everyday and alarming sounds, as the model of `card` hears them.

    Raises ModelError where the file is missing or of another model.
    """
    path = (folder or zoo_folder()) / BACKGROUND_FILE
    try:
        with np.load(path, allow_pickle=False) as kept:
            sha256, embeddings = str(kept["hearing_sha256"]), kept["embeddings"].astype(np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"The background sounds {path} cannot be read", why=str(error), cure="Install again."
        ) from None
    if sha256 != hearing_sha256(card):
        raise ModelError(
            f"The background sounds {path} belong to another hearing model",
            cure="Run `python -m models.hearing.background` where it was trained.",
        )
    return np.asarray(embeddings)


def fit(name: str, positives: Sequence[Matrix], negatives: Matrix) -> Taught:
    """Learn from the windows [n, dimensions] of each clip and of everything else."""
    best = []
    against = np.full(len(negatives), -np.inf)
    fold_of = np.arange(len(negatives)) % len(positives)
    for left_out, clip in enumerate(positives):
        rest = np.concatenate([other for number, other in enumerate(positives) if number != left_out])
        weights, offset = _head(rest, negatives[fold_of != left_out])
        best.append(float((clip @ weights + offset).max()))
        mine = fold_of == left_out
        against[mine] = negatives[mine] @ weights + offset
    threshold_llr = _threshold(against, best)
    weights, offset = _head(np.concatenate(list(positives)), negatives)
    return Taught(
        name=name,
        weights=weights,
        offset=offset,
        threshold_prob=float(_prob(threshold_llr)),
        clips=len(positives),
        found=sum(score >= threshold_llr for score in best),
        negatives=len(negatives),
        false=int((against >= threshold_llr).sum()),
    )


def _threshold(against: Matrix, best: Sequence[float]) -> float:
    """The lowest evidence at which at most `_FALSE_SHARE` of the negatives fire; no lower than halfway to the clips."""
    allowed = int(len(against) * _FALSE_SHARE)
    strictest = float(np.sort(against)[::-1][allowed]) + 1e-6
    return max(strictest, 0.5 * float(np.median(best)), 0.0)


def _head(positives: Matrix, negatives: Matrix) -> tuple[Matrix, float]:
    """Logistic regression in which both sides weigh the same; its log odds are an llr."""
    x = np.concatenate([positives, negatives])
    y = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    share = np.where(y == 1.0, 0.5 / len(positives), 0.5 / len(negatives))
    middle, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    z = (x - middle) / scale
    decay = _WEIGHT_DECAY / len(positives) / x.shape[1]

    def loss(parameters: Matrix) -> tuple[float, Matrix]:
        weights, offset = parameters[:-1], parameters[-1]
        odds = z @ weights + offset
        value = (share * (np.logaddexp(0.0, odds) - y * odds)).sum() + 0.5 * decay * weights @ weights
        slope = share * (1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))) - y)
        return float(value), np.append(z.T @ slope + decay * weights, slope.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weights = found[:-1] / scale
    return weights, float(found[-1] - weights @ middle)


def _prob(llr: float) -> float:
    return float(1.0 / (1.0 + np.exp(-(llr + np.log(PRIOR / (1.0 - PRIOR))))))


def _loud(clip: str, model: HearingModel) -> Matrix:
    """The embeddings of a clip's windows that are about as loud as its loudest: those with the sound in them."""
    windows = list(sound_windows(clip))
    levels = np.array([level_dbfs(window) for window in windows])
    chosen = [window for window, level in zip(windows, levels, strict=True) if level >= levels.max() - _QUIETER_DB]
    if not chosen or is_digital_silence(np.concatenate(chosen)):
        raise VedetteError(f"{clip} holds no sound", cure="Give clips in which the sound can be heard.")
    return np.array([model.hear(window).embedding for window in chosen], np.float64)


def _all(recording: str, model: HearingModel) -> Matrix:
    return np.array([model.hear(window).embedding for window in sound_windows(recording)], np.float64)
