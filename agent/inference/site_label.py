"""A sound that was taught on the place itself: one weight per dimension of the frozen hearing embedding.

`vedette calibrate label` writes such files, `models.site_labels` names them.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ModelError
from agent.inference.calibrated import score_at
from agent.inference.card import Calibration, Card
from agent.types import FloatArray, Score

SCHEMA = "vedette.site-label/1"
PRIOR = 0.05
"""How often the taught sound is expected in a window that says anything: as the hearing card has it for its own."""
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_CURE = "Teach it again with `vedette calibrate label`, or take it out of models.site_labels."


class SiteLabelFile(BaseModel):
    """What such a file holds; `llr` of a window = weights · embedding + offset."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_: Literal["vedette.site-label/1"] = Field(alias="schema")
    name: str = Field(pattern=NAME_PATTERN)
    hearing_sha256: str
    weights: tuple[_Finite, ...] = Field(min_length=1)
    offset: _Finite
    threshold_prob: float = Field(gt=0, lt=1)
    not_a: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SiteLabel:
    """A taught sound; `weights` is float32 [dimensions of the embedding].

    Where it is heard, what it is `not_a` is no more probable than always: our doorbell is not an alarm.
    """

    name: str
    weights: FloatArray
    offset: float
    threshold_prob: float
    not_a: frozenset[str] = frozenset()

    def score(self, embedding: FloatArray) -> Score:
        """The score of one window from its embedding, float32 [dimensions]."""
        llr = float(self.weights @ embedding) + self.offset
        log_odds = min(max(llr + CALIBRATION.prior_logit, -700.0), 700.0)
        return score_at(self.name, 1.0 / (1.0 + math.exp(-log_odds)), CALIBRATION)


CALIBRATION = Calibration(prior=PRIOR)


def load_site_labels(paths: Sequence[str], card: Card) -> tuple[SiteLabel, ...]:
    """Read taught sounds that belong to the model of `card`.

    Errors: ModelError for a file that cannot be read, is none, or was taught on another model.
    """
    taught = tuple(_load(Path(path), card) for path in paths)
    names = [label.name for label in taught]
    double = {name for name in names if names.count(name) > 1 or name in card.labels}
    if double:
        raise ModelError(f"The sound {min(double)} is known twice", cure="Give the taught one another name.")
    return taught


def hearing_sha256(card: Card) -> str:
    """The bytes that a taught sound belongs to: those of the int8 graph, from which it was taught."""
    return card.files_of("int8")[0].sha256


def _load(path: Path, card: Card) -> SiteLabel:
    try:
        content = SiteLabelFile.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"The taught sound {path} cannot be read", why=_why(error), cure=_CURE) from None
    if content.hearing_sha256 != hearing_sha256(card):
        raise ModelError(
            f"The taught sound {content.name} does not fit the hearing model {card.version}",
            why=f"{path} was taught on another one",
            cure=_CURE,
        )
    _require_labels(content.not_a, card, path)
    weights = np.array(content.weights, np.float32)
    members = (member for name in content.not_a for member in card.groups.get(name, ()))
    not_a = frozenset((*content.not_a, *members))
    return SiteLabel(content.name, weights, content.offset, content.threshold_prob, not_a)


def _require_labels(names: Sequence[str], card: Card, path: Path) -> None:
    unknown = set(names) - set(card.labels)
    if unknown:
        raise ModelError(
            f"The taught sound {path} is not a {min(unknown)}, which the hearing model does not know", cure=_CURE
        )


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is not JSON"
