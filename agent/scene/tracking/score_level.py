"""How sure a detector is when it is sure: what its scores mean differs between detectors and scenes.

The thresholds of a tracker are tuned with one detector. Another one gives 0.6 to people whom that one gave 0.9;
with the same thresholds nobody would be followed. So the level of the sure detections is learned from the stream.
"""

import math

import numpy as np

from agent.scene.tracking.association import Floats

BINS = 50
MEMORY_S = 15.0
PRIOR_PROB, PRIOR_WEIGHT = 0.91, 2.0  # what is believed before anything was seen, and as much as how many detections
NOISE_PROB = 0.1  # scores below say nothing about the sure ones
QUANTILE = 0.75  # of the scores, each with the weight of its square
POWER = 2.0  # a detector that is half as sure has its thresholds at a quarter: scores crowd towards the bottom
LEAST_SCALE = 0.4


class ScoreLevel:
    """Scale of score thresholds for one stream of detections."""

    def __init__(self, reference_prob: float) -> None:
        self._reference_prob = reference_prob  # detectors as sure as this need no scaling
        self._prior = np.zeros(BINS + 1)
        self._prior[int(PRIOR_PROB * BINS)] = PRIOR_WEIGHT
        self._seen = self._prior.copy()

    def learn(self, scores: Floats, elapsed_s: float) -> float:
        """Take one picture's scores [n] in 0 to 1; return by what to multiply thresholds, at most 1."""
        fade = math.exp(-elapsed_s / MEMORY_S)
        telling = np.minimum(scores[scores >= NOISE_PROB], 1.0)
        self._seen *= fade
        self._seen += (1.0 - fade) * self._prior
        self._seen += np.bincount((telling * BINS).astype(np.int64), weights=telling**2, minlength=BINS + 1)
        total = np.cumsum(self._seen)
        level = (int(np.searchsorted(total, QUANTILE * total[-1])) + 0.5) / BINS
        scale: float = min(1.0, level / self._reference_prob) ** POWER
        return max(LEAST_SCALE, scale)
