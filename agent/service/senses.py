"""The loaded models, shared by all cameras, and the eyes and ears that are made from them per camera."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config.schema import Config
from agent.inference.device import Chosen
from agent.inference.hear import Listener
from agent.inference.hearing import HearingModel
from agent.inference.see import Seer
from agent.inference.vision import VisionModel

SHORT_SHA256 = 12


@dataclass(frozen=True, slots=True)
class Senses:
    """Both models, opened and tried. One thread may use the vision model, one the hearing model."""

    config: Config
    vision: VisionModel
    hearing: HearingModel

    @classmethod
    def load(cls, config: Config, *, cache_folder: Path | None = None) -> "Senses":
        """Open the models that `config` names on the device it names. Raises ModelError."""
        vision = VisionModel.load(config.models, cache_folder=cache_folder)
        vision.open(vision.export_for(config.analysis.width_px, config.analysis.height_px))
        return cls(config, vision, HearingModel.load(config.models, cache_folder=cache_folder))

    def seer(self) -> Seer:
        """Return the eye of one camera."""
        return Seer(self.vision, self.config.analysis)

    def listener(self) -> Listener:
        """Return the ear of one camera."""
        return Listener(self.hearing)

    def model_versions(self) -> dict[str, str]:
        """Return the name of each model with the short sha256 of the file that runs."""
        return {model.card.name: _short_sha256(model) for model in (self.vision, self.hearing)}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return for each model its version, file, place, the reason for the place, and whether it is degraded."""
        return {model.card.name: _described(model) for model in (self.vision, self.hearing)}

    @property
    def degraded(self) -> bool:
        """Whether a model runs on a worse place than it should."""
        return any(chosen.degraded for model in (self.vision, self.hearing) for chosen in model.chosen)


def _running(model: VisionModel | HearingModel) -> Chosen:
    return model.chosen[0]


def _short_sha256(model: VisionModel | HearingModel) -> str:
    running = _running(model)
    return next(file.sha256 for file in model.card.files if file.file == running.file)[:SHORT_SHA256]


def _described(model: VisionModel | HearingModel) -> dict[str, Any]:
    running = _running(model)
    return {
        "version": model.card.version,
        "file": running.file,
        "precision": running.precision,
        "place": str(running.place),
        "reason": running.reason,
        "run_ms": round(running.run_ms, 2),
        "degraded": running.degraded,
        "sha256": _short_sha256(model),
    }
