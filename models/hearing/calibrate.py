"""Fits what the card says about scores: probabilities, and thresholds at a stated rate of false alarms.

Both on `dev` only, from windows as serving cuts them. A positive is the best window of a clip that has the
label; negatives are all windows of clips that have not; each side's recordings count alike, and positives
weigh `PRIOR` in all, so that probability 0.5 asks for odds of 19 to 1 against the background of everyday
and hard sounds. llr = scale · logit + offset − ln(prior / (1 − prior)) takes the prior out again.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from agent.features.logmel import RATE_HZ
from models.hearing import data
from models.hearing.labels import GROUPS, INDEX, LABELS, SECURITY

PRIOR = 0.05
FALSE_ALARMS_PER_HOUR = 1.0
HARD = {"Alejandro-131004/AC-II", "karolpiczak/ESC-10", "maxschuman/nmf_auditory_scenes"}
"""Everyday and urban sound without security events besides sirens and UrbanSound8K's gunshots."""


def fit_scores(
    logits: NDArray[np.float32], clip: NDArray[np.int64], truth: NDArray[np.bool_], group: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """`calibration` of the card: scale, offset, prior per label. Labels with too few dev clips are held down."""
    best = np.full(truth.shape, -np.inf, np.float32)
    np.maximum.at(best, clip, logits)
    fitted = {}
    for label, i in INDEX.items():
        if truth[:, i].sum() >= 3:
            fitted[label] = fit_one(logits[:, i], clip, truth[:, i], group, np.ones(len(truth), bool))
    usual = {
        key: round(float(np.median([fit[key] for fit in fitted.values()])), 4) for key in ("scale", "offset", "prior")
    }
    return {
        label: fitted.get(label) or {**usual, "offset": _wary(best[~truth[:, i], i], usual)}
        for label, i in INDEX.items()
    }


def fit_one(
    logits: NDArray[np.floating],
    clip: NDArray[np.integer],
    truth: NDArray[np.bool_],
    group: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> dict[str, float]:
    """Scale, offset and prior of one label: windows' logits [n] with their clip, over the chosen clips [clips]."""
    best = np.full(len(truth), -np.inf)
    np.maximum.at(best, clip, logits)
    positive, negative = truth & chosen, (~truth & chosen)[clip]
    x = np.concatenate([best[positive], logits[negative]])
    y = np.concatenate([np.ones(positive.sum()), np.zeros(negative.sum())])
    weight = np.concatenate([_alike(group[positive]) * PRIOR, _alike(group[clip][negative]) * (1 - PRIOR)])
    scale, offset = _platt(x, y, weight)
    return {"scale": round(scale, 4), "offset": round(offset, 4), "prior": PRIOR}


def _wary(others: NDArray[np.float32], usual: dict[str, float]) -> float:
    """The offset of a label that `dev` lacks: only one clip of other sounds in 200 may reach `PRIOR`.

    Else a sub-label that nobody could calibrate speaks for its whole group (clock alarms for falling glass).
    """
    high = float(np.quantile(others, 0.995))
    return round(min(usual["offset"], float(np.log(PRIOR / (1 - PRIOR))) - usual["scale"] * high), 4)


def _alike(group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights that sum to 1; a recording's weight grows with the square root of its windows only."""
    weight = 1.0 / np.sqrt(np.bincount(group)[group])
    return np.asarray(weight / weight.sum())


def _platt(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Weighted logistic fit with a mild pull towards scale 1; the scale stays positive."""

    def loss(p: NDArray[np.float64]) -> float:
        z = np.exp(p[0]) * x + p[1]
        return float((weight * (np.logaddexp(0, z) - y * z)).sum() + 0.002 * p[0] ** 2)

    found = minimize(loss, np.array([0.0, -2.0]), method="Nelder-Mead", options={"maxiter": 2000})
    return float(np.exp(found.x[0])), float(found.x[1])


def probabilities(logits: NDArray[np.float32], calibration: dict[str, dict[str, float]]) -> NDArray[np.float64]:
    """Probabilities [n, L] as the agent tells them: a group is at least as probable as its likeliest member."""
    scale = np.array([calibration[label]["scale"] for label in LABELS])
    offset = np.array([calibration[label]["offset"] for label in LABELS])
    probability = 1.0 / (1.0 + np.exp(-(logits * scale + offset)))
    for label, members in GROUPS.items():
        columns = [INDEX[name] for name in (label, *members)]
        probability[:, INDEX[label]] = probability[:, columns].max(axis=1)
    return np.asarray(probability)


def false_alarms(
    probability: NDArray[np.float64], clip: NDArray[np.int64], negative: NDArray[np.bool_], threshold: float
) -> int:
    """How many clips among the negative ones reach the threshold: windows of one clip are one alarm."""
    return len(np.unique(clip[(probability >= threshold) & negative[clip]]))


def hours(pieces: list[data.Piece]) -> float:
    return sum(piece.samples for piece in pieces) / RATE_HZ / 3600


def fit_thresholds(
    probability: NDArray[np.float64],
    clip: NDArray[np.int64],
    truth: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    pieces: list[data.Piece],
) -> dict[str, dict[str, object]]:
    """`thresholds` of the card: the lowest probability with at most one false alarm an hour on dev.

    `doubtful` [clips, L] are clips without the label in which the teachers' head hears the sound all the
    same (a siren behind street music): they count neither as alarms nor as hours.
    """
    thresholds: dict[str, dict[str, object]] = {}
    for label in SECURITY:
        i = INDEX[label]
        negative = ~truth[:, i] & ~doubtful[:, i]
        best = np.zeros(len(pieces))
        np.maximum.at(best, clip, probability[:, i])
        heard_h = hours([p for p, n in zip(pieces, negative, strict=True) if n])
        allowed = int(FALSE_ALARMS_PER_HOUR * heard_h)
        ranked = np.sort(best[negative])[::-1]
        threshold = float(np.clip(ranked[allowed] + 1e-4, 0.05, 0.9999))
        count = false_alarms(probability[:, i], clip, negative, threshold)
        left_out = int((doubtful[:, i] & ~truth[:, i]).sum())
        thresholds[label] = {
            "probability": round(threshold, 4),
            "false_alarms_per_hour": round(count / heard_h, 2),
            "fitted_on": f"dev: {count} false clips in {heard_h:.2f} h of other sounds, {left_out} doubtful left out",
        }
    return thresholds
