"""The loaded models, shared by all cameras, and the eyes and ears that are made from them per camera."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import cv2

from agent.config.schema import Camera, Config, Models, Zone
from agent.errors import ModelError
from agent.inference import installed
from agent.inference.card import has_card, load_card, zoo_folder
from agent.inference.device import Chosen
from agent.inference.fusion import FusionModel
from agent.inference.hear import AFTER_END_S, AGAIN_S, Listener
from agent.inference.hearing import HearingModel, probe_sound
from agent.inference.see import Seer
from agent.inference.site_label import load_site_labels
from agent.inference.verifier import NAME as VERIFIER
from agent.inference.verifier import Verifier
from agent.inference.vision import VisionModel
from agent.service.allocator import keep_freed_memory, use_large_pages
from agent.service.compiled_graphs import CompiledGraphs
from agent.service.stepping import Fuse

SHORT_SHA256 = 12
ABSORB_S = 600.0
"""So long after its dwell is over, a thing that was left belongs to the place."""

_LOG = logging.getLogger(__name__)

Model = TypeVar("Model")
AnyModel: TypeAlias = VisionModel | HearingModel | Verifier | FusionModel


@dataclass(frozen=True, slots=True)
class Senses:
    """The models, opened and tried. Each may be used by one thread."""

    config: Config
    vision: VisionModel
    hearing: HearingModel
    fusion: FusionModel | None = None  # a folder of models may lack it, and the verifier
    verifier: Verifier | None = None  # the hearing model asks it
    refused: Mapping[str, str] = field(default_factory=dict)  # model → why not the one that should run

    @classmethod
    def load(
        cls, config: Config, *, compiled: CompiledGraphs | None = None, state_folder: Path | None = None
    ) -> "Senses":
        """Open the models that `config` names on the device it names. Raises ModelError.

        With a `state_folder`, what was installed there goes before what was shipped; and a model that is refused
        (wrong bytes, wrong features) gives way to the one before it, in the end to the shipped one. A taught sound that
        fits none of them is done without. `compiled` keeps what a device's compiler makes of them; without it nothing
        is written.
        """

        def kept(name: str, models: Models) -> Path | None:
            folder = Path(models.folder) if models.folder else None
            return compiled.folder_for(load_card(name, folder)) if compiled and has_card(name, folder) else None

        def vision_of(models: Models) -> VisionModel:
            vision = VisionModel.load(models, cache_folder=kept("vision", models))
            vision.open(vision.export_for(config.analysis.width_px, config.analysis.height_px))
            return vision

        def hearing_of(models: Models) -> HearingModel:
            return HearingModel.load(models, cache_folder=kept("hearing", models), verified=False)

        def verifier_of(models: Models) -> Verifier | None:
            return Verifier.load(models, hearing.card, probe_sound())

        def fusion_of(models: Models) -> FusionModel | None:
            senses = {"vision": vision.card, "hearing": hearing.card}
            return FusionModel.load(models, senses=senses, cache_folder=kept("fusion", models))

        keep_freed_memory()
        # OpenCV would wake a thread a core for arrays that one is done with sooner: a third more processor time.
        cv2.setNumThreads(config.models.threads)
        refused: dict[str, str] = {}
        vision = _first(vision_of, "vision", config.models, state_folder, refused)
        hearing = _hearing(hearing_of, config.models, state_folder, refused)
        verifier = _first(verifier_of, VERIFIER, config.models, state_folder, refused)
        hearing.verify_by(verifier)
        fusion = _first(fusion_of, "fusion", config.models, state_folder, refused)
        if compiled:
            compiled.seal()
        use_large_pages()
        return cls(config, vision, hearing, fusion, verifier, refused)

    @property
    def can_shrink(self) -> bool:
        """Whether there is a smaller export than the one that pictures of the analysis' size go to."""
        analysis = self.config.analysis
        return self.vision.smallest_px != self.vision.export_for(analysis.width_px, analysis.height_px)

    def unknown_labels(self) -> list[str]:
        """Return in words what zones and lines ask for, but the vision model does not know: it would never come."""
        known = self.vision.card.labels
        return [
            f"{place} of camera {name}: the vision model knows no {label!r}"
            + (f", but {near[0]}" if (near := get_close_matches(label.lower(), known, 1)) else "")
            for name, camera in self.config.cameras.items()
            for place, labels in _asked_for(camera)
            for label in dict.fromkeys(labels)
            if label not in self.vision.card.labels
        ]

    def seer(self, camera: str = "", *, with_flow: bool = False) -> Seer:
        """Return the eye of one camera, by its name for what its zones ask for; `with_flow` for learned normality."""
        zones = self.config.cameras[camera].zones.values() if camera in self.config.cameras else ()
        return Seer(self.vision, self.config.analysis, with_flow=with_flow, absorb_s=absorb_s(zones))

    def listener(self) -> Listener:
        """Return the ear of one camera."""
        return Listener(self.hearing, again_s=AGAIN_S, after_end_s=AFTER_END_S)

    @property
    def fuse(self) -> Fuse | None:
        """What judges the scene's windows; None without a fusion model."""
        return None if self.fusion is None else self.fusion.fuse

    @property
    def models(self) -> "tuple[AnyModel, ...]":
        """All models that are loaded."""
        found = (self.vision, self.hearing, self.verifier, self.fusion)
        return tuple(model for model in found if model is not None)

    def model_versions(self) -> dict[str, str]:
        """Return the name of each model with the short sha256 of the file that runs."""
        return {model.card.name: _short_sha256(model) for model in self.models}

    def speakers(self) -> dict[str, str]:
        """Return for vision and hearing what their scores depend on: files that run, and the sounds taught here."""
        taught = (f"{label.name} {label.threshold_prob}" for label in self.hearing.taught)
        hears = (_short_sha256(model) for model in (self.hearing, self.verifier) if model is not None)
        return {"vision": _short_sha256(self.vision), "hearing": " ".join((*hears, *taught))}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return for each model its version, file, place, the reason for the place, and whether it is degraded."""
        described = {model.card.name: _described(model) for model in self.models}
        for name, why in self.refused.items():
            # A verifier that was refused may leave none: then hearing goes without.
            described[name if name in described else "hearing"] |= {"degraded": True, "reason": why}
        return described

    def behind_the_shipped(self) -> Iterator[tuple[str, str]]:
        """Yield (model, version that came with this Vedette) where an older one, installed once, still runs."""
        for model in self.models:
            card = model.card
            if card.folder != zoo_folder() and _numbers(card.version) < _numbers(load_card(card.name).version):
                yield card.name, load_card(card.name).version

    @property
    def degraded(self) -> bool:
        """Whether a model runs on a worse place than it should."""
        chosen_degraded = any(chosen.degraded for model in self.models for chosen in model.chosen)
        return chosen_degraded or bool(self.refused)


def _asked_for(camera: Camera) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, zone in camera.zones.items():
        watches_things = not {"abandoned_object", "removed_object"}.isdisjoint(zone.rules)
        yield f"zone {name}", (*zone.labels, *(zone.object_labels if watches_things else ()))
    for name, line in camera.lines.items():
        yield f"line {name}", line.labels


def absorb_s(zones: Iterable[Zone]) -> float | None:
    """After what time a thing of no known kind belongs to the place; None where no zone asks for such things."""
    asking = [zone for zone in zones if zone.watches_any_object]
    return max((max(zone.abandoned_dwell_s, zone.removed_dwell_s) + ABSORB_S for zone in asking), default=None)


def _first(
    load: Callable[[Models], Model], name: str, models: Models, state_folder: Path | None, refused: dict[str, str]
) -> Model:
    """Return the first of the models that may be used which is sound; note in `refused` why not the first."""
    if state_folder is None:
        return load(models)
    places = [Path(models.folder), None] if models.folder else list(installed.candidates(name, state_folder))
    for place in places[:-1]:
        try:
            return load(models.model_copy(update={"folder": str(place or "")}))
        except ModelError as error:
            _LOG.error("%s; the %s model of before is used", error.line(), name)
            refused.setdefault(name, f"{error.what}: another one is used instead")
    return load(models.model_copy(update={"folder": str(places[-1] or "")}))


def _hearing(
    load: Callable[[Models], HearingModel], models: Models, state_folder: Path | None, refused: dict[str, str]
) -> HearingModel:
    """As `_first`; an upgrade may bring a model that a sound taught here does not fit, and no box goes deaf for it."""
    attempt: dict[str, str] = {}
    try:
        hearing = _first(load, "hearing", models, state_folder, attempt)
        refused.update(attempt)
        return hearing
    except ModelError:
        lost = {} if state_folder is None else _unfit_sounds(models)
        if not lost:
            raise
    for error in lost.values():
        _LOG.error("%s; it is not listened for", error.line())
    fitting = tuple(path for path in models.site_labels if path not in lost)
    hearing = _first(load, "hearing", models.model_copy(update={"site_labels": fitting}), state_folder, refused)
    refused.setdefault("hearing", "; ".join(f"{error.what}: it is not listened for" for error in lost.values()))
    return hearing


def _unfit_sounds(models: Models) -> dict[str, ModelError]:
    """Return which taught sounds cannot be used with the shipped hearing model, and why."""
    card, unfit = load_card("hearing"), {}
    for path in models.site_labels:
        try:
            load_site_labels((path,), card)
        except ModelError as error:
            unfit[path] = error
    return unfit


def _running(model: AnyModel) -> Chosen:
    return model.chosen[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _short_sha256(model: AnyModel) -> str:
    running = _running(model)
    return next(file.sha256 for file in model.card.files if file.file == running.file)[:SHORT_SHA256]


def _described(model: AnyModel) -> dict[str, Any]:
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
