"""The verifier of the hearing graph: a second, finer listener, asked only where the first half believes in something.

A cascade (Viola and Jones 2001): the hearing graph hears every window; one in which it half believes in a label of the
verifier's is heard again by a network with twice as many bands and multiply-adds. What both say of such a label is
added up, log odds by log odds, and calibrated again by the verifier's card. Both err, but seldom on the same sound.
The embedding, and so fusion and what was taught on this place, stays that of the hearing graph.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.config.schema import Models
from agent.features.finemel import fine_mel
from agent.inference.calibrated import score_of
from agent.inference.card import Card, has_card, load_card
from agent.inference.device import Chosen, Inputs, Machine, this_machine
from agent.inference.graph import Graph
from agent.types import FloatArray, Score

NAME = "hearing-verifier"
ASKED_FROM_LLR = -2.0
"""From which llr of one of its labels on the verifier is asked: in 7 % of the windows of ordinary footage."""

logger = logging.getLogger(__name__)


class Verifier:
    """The verifier beside one hearing card; for one thread at a time."""

    def __init__(self, card: Card, hearing: Card, models: Models, machine: Machine, probe: FloatArray) -> None:
        near = models.model_copy(update={"device": "cpu", "precision": "int8"})
        why = "it is asked seldom, and then at once: no accelerator is as near"
        self._graph = Graph(near, card, {"finemel": _tensor_of(probe)}, machine, reason=why)
        self._card, self._hearing = card, hearing
        self._column_of = {label: column for column, label in enumerate(card.labels)}
        for group, members in hearing.groups.items():
            if group in self._column_of:
                for member in members:
                    self._column_of.setdefault(member, self._column_of[group])

    @classmethod
    def load(cls, models: Models, hearing: Card, probe: FloatArray) -> "Verifier | None":
        """The verifier that belongs to a hearing card; None where there is none, or it was fitted beside another.

        `probe` is float32 [32240], a sound to try the graph on. Errors: ModelError when card or file are not as they
        should be.
        """
        folder = Path(models.folder) if models.folder else None
        if not has_card(NAME, folder):
            return None
        card = load_card(NAME, folder)
        if not {file.sha256 for file in hearing.files} & set(card.needs.get("hearing", ())):
            logger.warning("%s %s was not fitted beside this hearing model: it is not asked", NAME, card.version)
            return None
        return cls(card, hearing, models, this_machine(models, clock_s=time.perf_counter), probe)

    @property
    def card(self) -> Card:
        """The model's card."""
        return self._card

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """Where the graph runs, and why: one entry."""
        return (self._graph.chosen,)

    def is_asked(self, scores: Sequence[Score]) -> bool:
        """Whether the hearing graph half believes in one of the verifier's own labels."""
        return any(score.llr >= ASKED_FROM_LLR and score.label in self._card.labels for score in scores)

    def run(self, samples: FloatArray) -> Inputs:
        """The graph's bare outputs for one window, float32 [32240]: logits [1, labels], embedding [1, 192].

        Errors: ModelError when the graph cannot be run anywhere.
        """
        return self._graph.run({"finemel": _tensor_of(samples)})

    def verified(self, scores: Sequence[Score], logits: FloatArray) -> tuple[Score, ...]:
        """The hearing graph's calibrated scores of a window with the verifier's logits [labels] added to them.

        A label that only a group of the verifier's knows (burglar alarms) is verified as that group.
        """
        return tuple(self._verified(score, logits) for score in scores)

    def _verified(self, score: Score, logits: FloatArray) -> Score:
        column = self._column_of.get(score.label)
        if column is None:
            return score
        own_log_odds = score.llr + self._hearing.calibration_of(score.label).prior_logit
        calibration = self._card.calibration_of(self._card.labels[column])
        both = score_of(score.label, own_log_odds + float(logits[column]), calibration)
        return replace(both, alarm_llr=score.alarm_llr)


def _tensor_of(samples: FloatArray) -> FloatArray:
    """A window as the graph takes it: float32 [1, 1, 128, 200]."""
    return np.ascontiguousarray(fine_mel(samples)[None, None], np.float32)
