"""Model cards: what a graph is, what it was trained on, and which bytes are the right ones.

`load_card("hearing")` reads the card that came with Vedette; with a folder, the one that lies there.
A file is handed out (`Card.path_of`) only when its bytes have the sha256 that the card names.
"""

import hashlib
import json
import math
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import ModelError
from agent.features.finemel import FEATURE_VERSION as FINE_SOUND_VERSION
from agent.features.kinematics import FEATURE_VERSION as KINEMATICS_VERSION
from agent.features.letterbox import FEATURE_VERSION as PICTURE_VERSION
from agent.features.logmel import FEATURE_VERSION as SOUND_VERSION
from agent.features.motion import FEATURE_VERSION as MOTION_VERSION

CARD_NAMES = ("vision", "hearing", "hearing-verifier", "fusion")
"""The graphs that come with Vedette, each with its card <name>.json."""
OPTIONAL_NAMES = ("hearing-verifier", "fusion")
"""Those of them that a folder of models may lack."""

Precision = Literal["int8", "fp16", "fp32"]

_FEATURE_VERSIONS = {
    "vision": PICTURE_VERSION,
    "hearing": SOUND_VERSION,
    "hearing-verifier": FINE_SOUND_VERSION,
    "fusion": f"{KINEMATICS_VERSION} {MOTION_VERSION}",
}
_INSTALL_AGAIN = "Install Vedette again, or set models.folder to a folder with intact models."


class _CardPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ModelFile(_CardPart):
    """One file of a graph; pictures' graphs have one per canvas size."""

    file: str = Field(pattern=r"^[A-Za-z0-9._-]+\.onnx$")
    precision: Precision
    width_px: int | None = Field(None, ge=1)
    height_px: int | None = Field(None, ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)
    inputs: Any = None
    outputs: Any = None

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the canvas; (0, 0) for graphs without one."""
        return self.width_px or 0, self.height_px or 0


class Calibration(_CardPart):
    """How a logit becomes a probability, and how often the label is true anyway.

    probability = sigmoid(scale · logit + offset); llr = scale · logit + offset − ln(prior / (1 − prior)).
    `alarm_llr`: from which llr on the card's `thresholds` would raise an alarm, if they name the label.
    """

    scale: float = Field(1.0, gt=0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    prior: float = Field(0.5, gt=0, lt=1)
    alarm_llr: float | None = Field(None, allow_inf_nan=False)

    @property
    def prior_logit(self) -> float:
        """The log odds of the prior."""
        return _logit(self.prior)


class Card(_CardPart):
    """A model card, schema vedette.card/1; `folder` is where it was read."""

    card_schema: Literal["vedette.card/1"] = Field(alias="schema")
    name: str
    version: str
    feature_version: str
    files: tuple[ModelFile, ...] = Field(min_length=1)
    labels: tuple[str, ...] = Field(min_length=1)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    coco_ids: tuple[int, ...] = ()
    scene_labels: tuple[str, ...] = ()
    calibration: dict[str, Calibration] = Field(default_factory=dict)
    thresholds: dict[str, Any] = Field(default_factory=dict)
    needs: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # graph → sha256 of the files it was trained beside
    training: Any = None
    figures: Any = None
    intended_use: Any = None
    not_for: Any = None
    limits: Any = None
    folder: Path

    @model_validator(mode="after")
    def _hangs_together(self) -> "Card":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label is named twice")
        if self.coco_ids and len(self.coco_ids) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels but {len(self.coco_ids)} coco_ids")
        return self

    def calibration_of(self, label: str) -> Calibration:
        """The calibration of a label; one that changes nothing where the card has none."""
        return self._complete.get(label, Calibration())

    @cached_property
    def _complete(self) -> dict[str, Calibration]:
        """The calibrations with their alarm thresholds: fitted through the scene, or else on single windows."""
        complete = dict(self.calibration)
        for label, threshold in self.thresholds.items():
            calibration = self.calibration.get(label, Calibration())
            said = threshold if isinstance(threshold, dict) else {}
            alarm_llr, prob = _number(said.get("incident_llr")), _number(said.get("probability"))
            if alarm_llr is None and prob is not None and 0.0 < prob < 1.0:
                alarm_llr = _logit(prob) - calibration.prior_logit
            complete[label] = calibration.model_copy(update={"alarm_llr": alarm_llr})
        return complete

    def files_of(self, precision: Precision) -> tuple[ModelFile, ...]:
        """The files of one precision, the smallest canvas first.

        Errors: ModelError when there is none.
        """
        found = sorted((f for f in self.files if f.precision == precision), key=lambda f: math.prod(f.size_px))
        if not found:
            raise ModelError(
                f"The {self.name} model has no {precision} file",
                why=f"its card lists {', '.join(sorted({f.precision for f in self.files}))}",
                cure="Set models.precision to one of those.",
            )
        return tuple(found)

    def path_of(self, model_file: ModelFile) -> Path:
        """Where the file lies, after its bytes were found to be the right ones.

        Errors: ModelError when it is missing or its sha256 is another.
        """
        path = self.folder / model_file.file
        found = sha256_of(path)
        if found != model_file.sha256:
            raise ModelError(
                f"The model file {path.name} is not the one its card describes",
                why=f"expected sha256 {model_file.sha256}, found {found}",
                cure=_INSTALL_AGAIN,
            )
        return path


def zoo_folder() -> Path:
    """The folder of the models that came with Vedette."""
    return Path(str(files("models") / "zoo"))


def has_card(name: str, folder: Path | None = None) -> bool:
    """Whether there is a card `name`.json in `folder` (None: among the models that came with Vedette)."""
    return ((folder or zoo_folder()) / f"{name}.json").is_file()


def card_names(folder: Path | None = None) -> tuple[str, ...]:
    """The models to be found in `folder`: all of CARD_NAMES but those that may be lacking and are."""
    return tuple(name for name in CARD_NAMES if name not in OPTIONAL_NAMES or has_card(name, folder))


def load_card(name: str, folder: Path | None = None) -> Card:
    """Read and check the card `name`.json in `folder` (None: the models that came with Vedette).

    Errors: ModelError when it is missing, not a card, or made for other features than ours.
    """
    path = (folder or zoo_folder()) / f"{name}.json"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise ModelError(f"The model card {path} cannot be read", why=why, cure=_INSTALL_AGAIN) from error
    card = _parsed(text, path)
    _require_features(card, name)
    return card


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in lower-case hexadecimal.

    Errors: ModelError when it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelError(f"The model file {path} cannot be read", why=why, cure=_INSTALL_AGAIN) from error


def _logit(prob: float) -> float:
    return math.log(prob / (1.0 - prob))


def _number(value: object) -> float | None:
    """Return a finite number as it is, None for everything else that may stand in a card."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _parsed(text: str, path: Path) -> Card:
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
        return Card.model_validate(content | {"folder": path.parent})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the card"
        raise ModelError(
            f"The model card {path} is wrong", why=f"{where}: {first['msg']}", cure=_INSTALL_AGAIN
        ) from None
    except ValueError as error:
        raise ModelError(f"The model card {path} is not JSON", why=str(error), cure=_INSTALL_AGAIN) from error


def _require_features(card: Card, name: str) -> None:
    if card.name != name:
        raise ModelError(f"The card {name}.json is of the model {card.name!r}", cure=_INSTALL_AGAIN)
    ours = _FEATURE_VERSIONS.get(name, card.feature_version)
    if card.feature_version != ours:
        raise ModelError(
            f"The {name} model {card.version} does not fit this version of Vedette",
            why=f"it was trained on features {card.feature_version!r}, this Vedette computes {ours!r}",
            cure="Install the models that belong to this version of Vedette.",
        )
