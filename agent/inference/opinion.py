"""A second opinion on a sound: what the embedding of a window says for or against its being an incident.

The labels' own scores rank well but are sure of themselves: a crying baby is given a scream's probability and no
baby's. The embedding was taught what both teachers perceive and still tells the two apart. The card names one weight
per dimension and kind (`thresholds.<kind>.incident_weights`, fitted by `python -m models.hearing.incidents`); what
they come to moves the llr from which that window opens an incident. Probabilities and llr stay what they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ModelError
from agent.inference.card import Card
from agent.types import FloatArray, Score

_Finite = Annotated[float, Field(allow_inf_nan=False)]

MOST_AGAINST_LLR, MOST_FOR_LLR = 4.0, 2.0
"""How far the embedding may move the alarm up and down: it may silence a label, but not speak in its place. A card may
hold what speaks against a kind closer (`incident_against_llr`): sounds of sources that nobody fitted on are doubted."""


class Weights(BaseModel):
    """What the card says: llr of the second opinion = weights · embedding + offset."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    incident_weights: tuple[_Finite, ...] = Field(min_length=1)
    incident_offset: _Finite = 0.0
    incident_against_llr: float = Field(MOST_AGAINST_LLR, ge=0.0, le=MOST_AGAINST_LLR)


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """The kinds with a second opinion; `weights` is float32 [kinds, dimensions of the embedding], the rest [kinds]."""

    labels: tuple[str, ...]
    weights: FloatArray
    offsets: FloatArray
    most_against_llr: FloatArray

    def of(self, scores: Sequence[Score], embedding: FloatArray) -> tuple[Score, ...]:
        """The scores of one window with their alarms moved; `embedding` is float32 [dimensions]."""
        if not self.labels:
            return tuple(scores)
        for_llr = moved_llr(self.weights @ embedding + self.offsets, self.most_against_llr)
        by_label = dict(zip(self.labels, for_llr.tolist(), strict=True))
        return tuple(
            score
            if score.alarm_llr is None or score.label not in by_label
            else replace(score, alarm_llr=score.alarm_llr - by_label[score.label])
            for score in scores
        )


def moved_llr(opinion_llr: FloatArray, most_against_llr: FloatArray | float) -> FloatArray:
    """By how much opinions count, each in llr."""
    return np.asarray(np.clip(opinion_llr, -np.asarray(most_against_llr, np.float32), MOST_FOR_LLR), np.float32)


def has_opinions(card: Card) -> bool:
    """Whether the card names second opinions."""
    return any(isinstance(said, dict) and "incident_weights" in said for said in card.thresholds.values())


def load_opinions(card: Card, dimensions: int) -> Opinions:
    """Read the second opinions of a hearing card for embeddings of so many dimensions.

    Errors: ModelError where they are no weights, or of another length.
    """
    found: dict[str, Weights] = {}
    for label, said in card.thresholds.items():
        if not isinstance(said, dict) or "incident_weights" not in said:
            continue
        try:
            found[label] = Weights.model_validate(said)
        except ValidationError as error:
            raise _wrong(card, label, error.errors()[0]["msg"]) from None
        if len(found[label].incident_weights) != dimensions:
            why = f"{len(found[label].incident_weights)} weights, but the embedding has {dimensions} dimensions"
            raise _wrong(card, label, why)
    weights = np.array([one.incident_weights for one in found.values()], np.float32).reshape(len(found), dimensions)
    offsets = np.array([one.incident_offset for one in found.values()], np.float32)
    most_against_llr = np.array([one.incident_against_llr for one in found.values()], np.float32)
    return Opinions(tuple(found), weights, offsets, most_against_llr)


def _wrong(card: Card, label: str, why: str) -> ModelError:
    return ModelError(
        f"The second opinion on {label} in the {card.name} card is wrong",
        why=why,
        cure="Install Vedette again, or set models.folder to a folder with intact models.",
    )
