"""From frames to what was seen: statistics of every picture, the vision graph where something happens."""

from collections.abc import Sequence

from agent.config.schema import Analysis
from agent.features.flicker import GREY_COLOUR_FRAC, Flicker
from agent.features.flow import FlowCells
from agent.features.gait import Gait
from agent.features.motion import Motion
from agent.features.picture import MotionGate, Prepared, picture_stats
from agent.features.standing import StandingChange
from agent.inference.burning import BurningLooks
from agent.inference.closer import CloserLooks
from agent.inference.sunken import SunkenLooks
from agent.inference.vision import VisionModel
from agent.types import Box, Detection, Frame, PictureStats, Seen, Standing

PERSON_PROB = 0.25
"""Whose motion is read: surer than what tracking may still use, less sure than what starts a track."""
ALIVE = frozenset(
    (
        *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
        *("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    )
)
"""What comes and goes by itself, and so is no thing that was left or taken (COCO names)."""


class Seer:
    """The eye of one camera; the model behind it may serve many.

    Keeps the picture before, its motion and the motion gate. `with_flow` adds what learned normality reads;
    `absorb_s`, what rules on left and taken things read, and keeps a small picture of the place for it: a thing
    belongs to the place after this time.
    """

    def __init__(
        self, model: VisionModel, analysis: Analysis, *, with_flow: bool = False, absorb_s: float | None = None
    ) -> None:
        self._model = model
        self._gate = MotionGate(still_look_s=analysis.still_look_s)
        self._closer = CloserLooks(model, analysis.closer_looks_per_s)
        self._sunken = SunkenLooks(model) if analysis.closer_looks_per_s > 0.0 else None
        self._burning = BurningLooks(model, closely=analysis.closer_looks_per_s > 0.0)
        self._motion = Motion()
        self._flicker = Flicker()
        self._flow = FlowCells() if with_flow else None
        self._gait = Gait() if with_flow else None
        self._standing = StandingChange(absorb_s=absorb_s) if absorb_s is not None else None
        self._alive: list[Box] = []
        self._previous: Prepared | None = None

    def see(self, frame: Frame, *, smaller: bool = False, closely: bool = True) -> Seen:
        """What the frame shows; `detections` is None where the scene stands still and was not analysed.

        `smaller`: look at it in the cheapest export, whatever the picture's size. `closely`: look at a part of it a
        second time where there is a reason.

        Errors: ModelError when the graph cannot be run on any device.
        """
        picture = Prepared.of(frame.picture)
        stats = picture_stats(picture, self._previous)
        self._previous = picture
        looked = self._gate.opens(picture, stats, frame.at_ns)
        size_px = self._model.smallest_px if smaller else None
        sight = self._model.look(frame.picture, size_px=size_px) if looked else None
        self._closer.note(picture.grey, frame.at_ns)
        closer = self._closer.see(frame, sight.detections) if sight and closely else None
        sunken = self._sunken.see(frame, sight.detections) if self._sunken and sight and closely else None
        burning = self._burning.see(frame, sight, closely=closely) if sight else None
        people = people_of(sight.detections) if sight else None
        return Seen(
            camera=frame.camera,
            at_ns=frame.at_ns,
            aspect_ratio=frame.width_px / frame.height_px,
            stats=stats,
            detections=sight.detections if sight else None,
            scene=sight.scene if sight else (),
            drill=frame.drill,
            embedding=sight.embedding if sight else (),
            motion=self._motion.see(frame.picture, frame.at_ns, people),
            flow=self._flow.see(frame.picture, frame.at_ns, moving=looked) if self._flow else None,
            standing=self._stands(frame, sight.detections if sight else None),
            flicker=self._flickers(frame, stats, sight.detections) if sight else None,
            closer=closer,
            sunken=sunken,
            burning=burning,
            figures=self._gait.see(frame.picture, frame.at_ns, moving=looked) if self._gait else (),
        )

    def _flickers(self, frame: Frame, stats: PictureStats, detections: Sequence[Detection]) -> float | None:
        if stats.colour_frac >= GREY_COLOUR_FRAC:
            return None
        return self._flicker.see(frame.picture, frame.at_ns, alive_of(detections))

    def _stands(self, frame: Frame, detections: Sequence[Detection] | None) -> tuple[Standing, ...] | None:
        if self._standing is None or frame.drill:
            return None
        if detections is not None:
            self._alive = alive_of(detections)
        return self._standing.see(frame.picture, frame.at_ns, self._alive)


def people_of(detections: Sequence[Detection]) -> list[Box]:
    """Where the people are whose motion is worth reading."""
    return [found.box for found in detections if found.label == "person" and found.score_prob >= PERSON_PROB]


def alive_of(detections: Sequence[Detection]) -> list[Box]:
    """Where things are that move by themselves."""
    return [found.box for found in detections if found.label in ALIVE and found.score_prob >= PERSON_PROB]
