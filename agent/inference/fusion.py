"""The `fusion` graph: eight seconds of what was seen and heard in, one judgement out.

    model = FusionModel.load(config.models, senses={"vision": vision.card, "hearing": hearing.card})
    for window in scene.windows():
        scene.step(model.fuse(window))

The graph learned the embeddings of the vision and hearing graphs that its card names (`needs`). Beside others it
judges without the stream that it does not understand: kinematics mean the same to every detector.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agent.config.schema import Models
from agent.inference.calibrated import scores_of
from agent.inference.card import Card, has_card, load_card
from agent.inference.device import Chosen, Inputs, Machine, this_machine
from agent.inference.graph import Graph
from agent.types import FUSION_STEPS, Attention, FloatArray, Fused, FusionWindow

STREAMS: Mapping[str, str | None] = {"scene": "vision", "people": None, "sound": "hearing"}
"""The streams in the order of the graph's attention, and the graph that each one's embedding comes from."""
ANOMALY = "anomaly"

logger = logging.getLogger(__name__)


class FusionModel:
    """The fusion graph, shared by all cameras; for one thread at a time."""

    def __init__(self, card: Card, models: Models, machine: Machine, *, foreign: frozenset[str] = frozenset()) -> None:
        self._card = card
        self._foreign = foreign
        shapes = card.files_of("fp32")[0].inputs
        self._widths = {name: int(shapes[name][2]) for name in STREAMS}
        near = models.model_copy(update={"device": "cpu", "precision": "fp32"})  # no int8 file would be as exact
        why = "a few thousand numbers: no accelerator is as near"
        self._graph = Graph(near, card, self._inputs(probe_window(self._widths)), machine, reason=why)

    @classmethod
    def load(
        cls, models: Models, *, senses: Mapping[str, Card] | None = None, cache_folder: Path | None = None
    ) -> "FusionModel | None":
        """The model that `models` names, None where there is none: the other senses work without it.

        `senses` are the cards of the graphs that it hears from. Errors: ModelError when card or file are not as
        they should be.
        """
        folder = Path(models.folder) if models.folder else None
        if not has_card("fusion", folder):
            return None
        card = load_card("fusion", folder)
        foreign = frozenset(name for name, sense in (senses or {}).items() if _is_foreign(card, sense))
        for name in sorted(foreign):
            logger.warning("fusion %s was not trained beside this %s model: it judges without it", card.version, name)
        return cls(
            card, models, this_machine(models, clock_s=time.perf_counter, cache_folder=cache_folder), foreign=foreign
        )

    @property
    def card(self) -> Card:
        """The model's card."""
        return self._card

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """Where the graph runs, and why: one entry."""
        return (self._graph.chosen,)

    def fuse(self, window: FusionWindow) -> Fused:
        """Judge one window; one of which nothing is known that the graph understands has no scores.

        Errors: ModelError when the graph cannot be run anywhere.
        """
        inputs = self._inputs(window)
        if not any(inputs[f"{name}_known"].any() for name in STREAMS):
            return Fused(camera=window.camera, at_ns=window.at_ns, scores=(), drill=window.drill)
        outputs = self._graph.run(inputs)
        anomaly = scores_of(self._card, (ANOMALY,), outputs["anomaly"][0])[0]
        return Fused(
            camera=window.camera,
            at_ns=window.at_ns,
            scores=scores_of(self._card, self._card.labels, outputs["logits"][0]),
            anomaly_prob=anomaly.prob,
            attention=_attention(outputs["attention"][0]),
            drill=window.drill,
        )

    def _inputs(self, window: FusionWindow) -> Inputs:
        inputs: dict[str, FloatArray] = {}
        for name, source in STREAMS.items():
            rows: FloatArray = getattr(window, name)
            known: FloatArray = getattr(window, f"{name}_known")
            if rows.shape[1] != self._widths[name] or source in self._foreign:
                rows = np.zeros((FUSION_STEPS, self._widths[name]), np.float32)
                known = np.zeros(FUSION_STEPS, np.float32)
            inputs[name], inputs[f"{name}_known"] = rows[None], known[None]
        return inputs


def probe_window(widths: Mapping[str, int]) -> FusionWindow:
    """A window to try the graph on: waves of every feature, the older half of the sound unknown."""
    waves = {
        name: np.sin(np.arange(FUSION_STEPS)[:, None] * 0.7 + np.arange(width)[None] * 0.3).astype(np.float32)
        for name, width in widths.items()
    }
    known = np.ones(FUSION_STEPS, np.float32)
    newer = (np.arange(FUSION_STEPS) >= FUSION_STEPS // 2).astype(np.float32)
    return FusionWindow(
        camera="probe",
        at_ns=0,
        scene=waves["scene"],
        people=waves["people"],
        sound=waves["sound"] * newer[:, None],
        scene_known=known,
        people_known=known,
        sound_known=newer,
    )


def _is_foreign(card: Card, sense: Card) -> bool:
    """Whether the graph was trained beside other files than any of this card's."""
    needed = card.needs.get(sense.name, ())
    return bool(needed) and not {file.sha256 for file in sense.files} & set(needed)


def _attention(weights: FloatArray) -> tuple[Attention, ...]:
    """Shares of streams and half seconds, [3, 16], rounded: they explain, they decide nothing."""
    rounded = np.round(weights.astype(np.float64), 4)
    return tuple(Attention(stream=name, shares=tuple(row.tolist())) for name, row in zip(STREAMS, rounded, strict=True))
