"""A closer look at somebody who stood a moment ago and is low now (decision 038).

In the whole look a person who went down fills a cell or two, scores low and is often lost. The square around them,
scaled to the same graph's canvas, shows a person of more than half its height, and tells posture far better. So whoever
stood surely and is low now, found or lost from there on, is looked at so a few times a second for some seconds.

Nobody is followed here: who stood is a box and its time, and who is low is near it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.inference.parts import Part
from agent.inference.vision import PERSON, VisionModel, box_of, corners_of
from agent.types import NS_PER_S, Box, Corners, Detection, FloatArray, Frame, Sunken, Uint8Array

LOOKS_PER_S = 4.0
STOOD_PROB, UPRIGHT_RATIO = 0.45, 0.72
"""Who stands: a person this sure, no wider than this share of the height."""
LEAST_HEIGHT_FRAC = 0.12
"""Of the picture's height: below, nobody's posture is read (agent.scene.falls)."""
LOW_PROB = 0.1
SUNK_HEIGHTS, STANDING_FRAC, HEIGHT_MEMORY_S = 0.25, 0.88, 4.0
"""Who is low: the upper end is this much lower than it stood, in heights of the one that stood. Who is narrow and as
high as this share of the height that is remembered stands; who walks away shrinks."""
SAME_IOU = 0.25
"""A box that overlaps where somebody was in the picture before is them; the surer and the nearer one, of several."""
KEEP_S, LOST_S = 5.0, 2.0
"""So long after somebody stood they are looked for; so long where they were lost."""
MOST_STOOD = 12
SQUARE = 1.6
"""The side of what is cut out, in longer sides of the box."""
LEAST_OVERLAP_IOU = 0.3
"""What is found in the square is who was looked for where it overlaps the box by this much."""


@dataclass(slots=True)
class _Stood:
    """Somebody who stood in `box` at `at_ns`, with their height as it is remembered, and was in `now` at `now_ns`."""

    box: Box
    at_ns: int
    height: float
    now: Box
    now_ns: int
    looked_ns: int | None = None

    @property
    def is_low(self) -> bool:
        """Whether they are clearly lower now."""
        return self.now.top_frac - self.box.top_frac >= SUNK_HEIGHTS * self.height


class SunkenLooks:
    """The closer looks of one camera at people who went down."""

    def __init__(self, model: VisionModel) -> None:
        self._model = model
        self._stood: list[_Stood] = []
        self._looked_ns: int | None = None

    def see(self, frame: Frame, detections: Sequence[Detection]) -> Sunken | None:
        """Look closely at somebody who is low, if there is one and it is time; `detections` are the whole look's.

        Errors: ModelError.
        """
        asked = self.choose(frame, detections)
        return None if asked is None else self.look(frame, asked)

    def choose(self, frame: Frame, detections: Sequence[Detection]) -> Box | None:
        """Return where somebody is low who is to be looked at now."""
        aspect = frame.width_px / frame.height_px
        people = [one for one in detections if one.label == PERSON and one.score_prob >= LOW_PROB]
        self._note(people, frame.at_ns, aspect)
        if self._looked_ns is not None and 0 <= frame.at_ns - self._looked_ns < NS_PER_S / LOOKS_PER_S:
            return None
        low = [one for one in self._stood if one.is_low]
        if not low:
            return None
        chosen = min(low, key=lambda one: -1 if one.looked_ns is None else one.looked_ns)
        chosen.looked_ns = self._looked_ns = frame.at_ns
        return chosen.now

    def look(self, frame: Frame, box: Box) -> Sunken:
        """Look at the square around `box`; tells the surest person there who overlaps it.

        Errors: ModelError.
        """
        corners = _square(box, frame.width_px / frame.height_px)
        size_px = self._model.smallest_px
        picture, exact = frame.native.cut(corners, *size_px) if frame.native else cut(frame.picture, corners)
        sight = self._model.look(picture, size_px=size_px)
        people = [one for one in sight.detections if one.label == PERSON]
        sides = Part(picture, exact).to_whole(corners_of(people)).tolist()
        found = [replace(one, box=box_of(*where)) for one, where in zip(people, sides, strict=True)]
        shared = _ious(box, corners_of(found)).tolist()
        there = [one for one, frac in zip(found, shared, strict=True) if frac >= LEAST_OVERLAP_IOU]
        return Sunken(box=box, person=max(there, key=lambda one: one.score_prob, default=None))

    def _note(self, people: Sequence[Detection], at_ns: int, aspect: float) -> None:
        """Find those who stood again, wherever they are by now, and those who stand anew."""
        since_ns, lost_ns = at_ns - KEEP_S * NS_PER_S, at_ns - LOST_S * NS_PER_S
        self._stood = [s for s in self._stood if since_ns <= s.at_ns < at_ns and lost_ns <= s.now_ns]
        corners, scores = corners_of(people), np.array([one.score_prob for one in people], np.float32)
        free = np.ones(len(people), bool)
        for one in sorted(self._stood, key=lambda s: s.at_ns, reverse=True):
            shared = _ious(one.now, corners) * free
            if not len(people) or shared.max() < SAME_IOU:
                continue
            index = int(np.argmax(np.where(shared >= SAME_IOU, shared * (scores + LOW_PROB), 0.0)))
            free[index], found = False, people[index]
            one.height *= math.exp(-(at_ns - one.now_ns) / NS_PER_S / HEIGHT_MEMORY_S)
            one.now, one.now_ns = found.box, at_ns
            if _stands(found, aspect) and found.box.height_frac >= STANDING_FRAC * one.height:
                one.box, one.at_ns, one.height = found.box, at_ns, max(one.height, found.box.height_frac)
        left = [people[index] for index in np.flatnonzero(free).tolist()]
        new = [one.box for one in left if _stands(one, aspect) and one.box.height_frac >= LEAST_HEIGHT_FRAC]
        self._stood += [_Stood(box, at_ns, box.height_frac, box, at_ns) for box in new]
        self._stood = self._stood[-MOST_STOOD:]


def _stands(found: Detection, aspect: float) -> bool:
    """Whether this is surely somebody upright."""
    narrow = found.box.width_frac * aspect < UPRIGHT_RATIO * found.box.height_frac
    return narrow and found.score_prob >= STOOD_PROB


def _square(box: Box, aspect: float) -> Corners:
    """The square around a box, moved into the picture."""
    side = min(SQUARE * max(box.width_frac * aspect, box.height_frac), 1.0, aspect)
    wide = side / aspect
    left = min(max((box.left_frac + box.right_frac - wide) / 2, 0.0), 1.0 - wide)
    top = min(max((box.top_frac + box.bottom_frac - side) / 2, 0.0), 1.0 - side)
    return left, top, left + wide, top + side


def cut(picture: Uint8Array, corners: Corners) -> tuple[Uint8Array, Corners]:
    """`Native.cut` out of the analysis picture, where that is the picture in its own size."""
    height, width = picture.shape[:2]
    x1, y1 = int(corners[0] * width), int(corners[1] * height)
    x2, y2 = max(x1 + 2, round(corners[2] * width)), max(y1 + 2, round(corners[3] * height))
    part = np.ascontiguousarray(picture[y1:y2, x1:x2])
    return part, (x1 / width, y1 / height, min(1.0, x2 / width), min(1.0, y2 / height))


def _ious(box: Box, corners: FloatArray) -> FloatArray:
    """Intersection over union of a box with each of some corners [n, 4] → [n]."""
    low, high = corners[:, :2], corners[:, 2:]
    one_low, one_high = np.array([box.left_frac, box.top_frac]), np.array([box.right_frac, box.bottom_frac])
    shared = np.maximum(np.minimum(high, one_high) - np.maximum(low, one_low), 0.0).prod(axis=1)
    areas = (high - low).prod(axis=1) + box.width_frac * box.height_frac
    return np.asarray(shared / np.maximum(areas - shared, 1e-9), np.float32)
