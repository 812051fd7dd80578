"""From logits to scores: a probability that means what it says, and the evidence ratio behind it."""

import math
from collections.abc import Sequence

from agent.inference.card import Calibration, Card
from agent.types import FloatArray, Score

_SUREST_PROB = 1.0 - 1e-7
"""Probabilities keep this far from certainty: no graph of ours knows anything better."""


def scores_of(card: Card, labels: Sequence[str], logits: FloatArray) -> tuple[Score, ...]:
    """One score per label from its logit, calibrated as the card says."""
    pairs = zip(labels, logits.tolist(), strict=True)
    return tuple(score_of(label, logit, card.calibration_of(label)) for label, logit in pairs)


def score_at(label: str, prob: float, calibration: Calibration) -> Score:
    """The score that a probability stands for, with the llr against the label's own prior."""
    prob = min(max(prob, 1.0 - _SUREST_PROB), _SUREST_PROB)
    llr = math.log(prob / (1.0 - prob)) - calibration.prior_logit
    return Score(label=label, prob=prob, llr=llr, alarm_llr=calibration.alarm_llr)


def score_of(label: str, logit: float, calibration: Calibration) -> Score:
    """The score that a logit stands for."""
    log_odds = calibration.scale * logit + calibration.offset
    # Written so that neither end overflows.
    prob = 1.0 / (1.0 + math.exp(-log_odds)) if log_odds >= 0 else math.exp(log_odds) / (1.0 + math.exp(log_odds))
    return Score(label=label, prob=prob, llr=log_odds - calibration.prior_logit, alarm_llr=calibration.alarm_llr)
