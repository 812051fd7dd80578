"""The `hearing` graph: two seconds of sound in, a calibrated score per label out.

model = HearingModel.load(config.models)
heard = model.hear(samples)                 # float32 [32240] at 16 kHz
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from agent.config.schema import Models
from agent.features.logmel import RATE_HZ, SAMPLES, Spectra, log_mel
from agent.inference.calibrated import score_at, scores_of
from agent.inference.card import Card, load_card
from agent.inference.device import Chosen, Inputs, Machine, this_machine
from agent.inference.graph import Graph
from agent.inference.opinion import has_opinions, load_opinions
from agent.inference.site_label import CALIBRATION, PRIOR, SiteLabel, load_site_labels
from agent.inference.verifier import Verifier
from agent.types import FloatArray, Score


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """What one window sounds like; `log_mel` is what the graph was shown, float32 [200, 64]."""

    scores: tuple[Score, ...]
    log_mel: FloatArray
    embedding: FloatArray


class HearingModel:
    """The hearing graph, shared by all sources; for one thread at a time."""

    def __init__(self, card: Card, models: Models, machine: Machine, *, verifier: Verifier | None = None) -> None:
        self._card = card
        self._verifier = verifier
        self._taught = load_site_labels(models.site_labels, card)
        probe = {"logmel": tensor_of(log_mel(probe_sound()))}
        self._graph = Graph(models, card, probe, machine)
        dimensions = self._graph.run(probe)["embedding"].shape[-1] if has_opinions(card) else 0
        self._opinions = load_opinions(card, dimensions)
        self._silent: tuple[Score, ...] | None = None

    @classmethod
    def load(cls, models: Models, *, cache_folder: Path | None = None, verified: bool = True) -> Self:
        """The model that `models` names, if `verified` with the verifier that lies beside it.

        `cache_folder` keeps compiled graphs (None: nothing is written).

        Errors: ModelError when card, file or device are not as they should be.
        """
        card = load_card("hearing", Path(models.folder) if models.folder else None)
        machine = this_machine(models, clock_s=time.perf_counter, cache_folder=cache_folder)
        return cls(card, models, machine, verifier=Verifier.load(models, card, probe_sound()) if verified else None)

    @property
    def card(self) -> Card:
        """The model's card."""
        return self._card

    def verify_by(self, verifier: Verifier | None) -> None:
        """Ask another verifier from now on, or none."""
        self._verifier, self._silent = verifier, None

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """Where the graph runs, and why; after it the verifier, where there is one."""
        return (self._graph.chosen, *(self._verifier.chosen if self._verifier else ()))

    def hear(self, samples: FloatArray, spectra: Spectra | None = None) -> Hearing:
        """Score one window, float32 [32240] mono at 16 kHz; `spectra` keeps what the source's next one shares with it.

        Errors: ModelError when the graph cannot be run anywhere.
        """
        picture = log_mel(samples, spectra)
        outputs = self.run(samples, picture)
        return Hearing(self.scores(outputs), picture, outputs["embedding"][0])

    def run(self, samples: FloatArray, picture: FloatArray) -> Inputs:
        """The bare outputs for a window and its log-mel picture [200, 64].

        Where the verifier was asked, its own are there as well: `verifier_logits`, `verifier_embedding`.
        """
        outputs = self._graph.run({"logmel": tensor_of(picture)})
        if self._verifier and self._verifier.is_asked(scores_of(self._card, self._card.labels, outputs["logits"][0])):
            outputs = {**outputs, **{f"verifier_{name}": said for name, said in self._verifier.run(samples).items()}}
        return outputs

    def scores(self, outputs: Inputs) -> tuple[Score, ...]:
        """Bare outputs as calibrated scores, a group at least as probable as its likeliest member, taught ones last.

        From which llr on each would raise an alarm is the card's word, moved by the second opinion of the embedding.
        """
        own = self._opinions.of(self.verified(outputs), outputs["embedding"][0])
        taught = tuple(label.score(outputs["embedding"][0]) for label in self._taught)
        heard = (label for label, score in zip(self._taught, taught, strict=True) if score.prob >= label.threshold_prob)
        explained = frozenset[str]().union(*(label.not_a for label in heard))
        return _with_groups(self._card, tuple(self._unlikely(s) if s.label in explained else s for s in own)) + taught

    def verified(self, outputs: Inputs) -> tuple[Score, ...]:
        """Bare outputs as calibrated scores of the card's labels, verified where the verifier was asked."""
        own = scores_of(self._card, self._card.labels, outputs["logits"][0])
        if self._verifier is None or "verifier_logits" not in outputs:
            return own
        return self._verifier.verified(own, outputs["verifier_logits"][0])

    def _unlikely(self, score: Score) -> Score:
        """A score that is at most as probable as its label always is."""
        calibration = self._card.calibration_of(score.label)
        return score_at(score.label, min(score.prob, calibration.prior), calibration)

    @property
    def taught(self) -> tuple[SiteLabel, ...]:
        """The sounds that were taught on this place."""
        return self._taught

    def silence(self) -> tuple[Score, ...]:
        """The scores of digital silence: what the graph makes of it, but never evidence for anything.

        The graph is asked once; each label is then at most as probable as it always is.
        """
        if self._silent is None:
            heard = self.hear(np.zeros(SAMPLES, np.float32)).scores
            known = len(self._card.labels)
            own = _with_groups(self._card, tuple(self._unlikely(score) for score in heard[:known]))
            self._silent = own + tuple(score_at(s.label, min(s.prob, PRIOR), CALIBRATION) for s in heard[known:])
        return self._silent


def tensor_of(picture: FloatArray) -> FloatArray:
    """Log-mel [200, 64] as the graph takes it: [1, 1, 200, 64]."""
    return np.ascontiguousarray(picture[None, None], np.float32)


def probe_sound() -> FloatArray:
    """Two seconds to try a graph on: a rising tone over a hum, and three clicks; the same every time."""
    t = np.arange(SAMPLES) / RATE_HZ
    sound = 0.1 * np.sin(2 * np.pi * (300.0 + 700.0 * t) * t) + 0.02 * np.sin(2 * np.pi * 100.0 * t)
    for click_s in (0.4, 1.0, 1.6):
        sound += 0.5 * np.exp(-80.0 * np.maximum(t - click_s, 0.0)) * (t >= click_s) * np.sin(9e3 * t * t)
    return sound.astype(np.float32)


def _with_groups(card: Card, scores: tuple[Score, ...]) -> tuple[Score, ...]:
    """Raise each label that is also a group to its likeliest member: a siren is an alarm."""
    prob_of = {score.label: score.prob for score in scores}

    def raised(score: Score) -> Score:
        highest = max(
            (prob_of[member] for member in card.groups.get(score.label, ()) if member in prob_of), default=0.0
        )
        if highest <= score.prob:
            return score
        return replace(score_at(score.label, highest, card.calibration_of(score.label)), alarm_llr=score.alarm_llr)

    return tuple(raised(score) for score in scores)
