"""A second look at a part of a live picture in its own size, where something small moves (decision 027).

The whole picture is looked at in 320×192 pixels, in which a person of a tenth of its height is lost. So, a few times
a second and only where something moves that the whole look does not explain, one part goes through the same graph.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.features.regions import Regions
from agent.inference.parts import Part, joined
from agent.inference.vision import VisionModel, box_of, corners_of
from agent.types import NS_PER_S, Box, Closer, Corners, Detection, Frame, Uint8Array

WIDTH_FRAC = 0.4
"""Of the picture's width: what is cut out appears two and a half times as large, if the picture has the pixels."""
LEAST_WIDTH_PX = 400
"""A narrower picture has too few pixels more than what was looked at."""
LARGE_FRAC = 0.2
"""Of the picture's height: people who are higher are seen as well by the whole look."""
SURE_PROB, DOUBTFUL_PROB = 0.45, 0.15
"""From where a box is one of something, so that the whole look's explains what moves in it; from where a small one is
worth a closer look."""
KEEP_S = 3.0
"""A small thing that was found is looked for again for so long after it was last seen."""
MOST_KNOWN = 20
TRAIL_S = 1.5
"""For so long what a sure thing uncovered is explained by it, too."""
MOVING = frozenset(
    ("person", "bicycle", "car", "motorcycle", "bus", "truck", "bird", "cat", "dog", "horse", "sheep", "cow", "bear")
)
"""What closer looks are for (COCO names): what comes and goes on the ground. Small still things are often furniture."""


class CloserLooks:
    """The closer looks of one camera."""

    def __init__(self, model: VisionModel, looks_per_s: float) -> None:
        self._model = model
        self._regions = Regions(looks_per_s) if looks_per_s > 0.0 else None
        self._known: list[tuple[Box, int]] = []
        self._explained: list[tuple[Box, int]] = []

    def note(self, grey: Uint8Array, at_ns: int) -> None:
        """Take the grey values of the next picture, uint8 [height, width]."""
        if self._regions is not None:
            self._regions.note(grey, at_ns)

    def see(self, frame: Frame, detections: Sequence[Detection]) -> Closer | None:
        """Look closely at a part of the frame noted last, if there is a reason; `detections` are the whole look's.

        Errors: ModelError.
        """
        chosen = self.choose(frame, detections)
        return None if chosen is None else self.look(frame, chosen, detections)

    def choose(self, frame: Frame, detections: Sequence[Detection]) -> Corners | None:
        """Return the part that is to be looked at now."""
        if self._regions is None or frame.native is None or frame.width_px < LEAST_WIDTH_PX:
            return None
        sure = [(one.box, frame.at_ns) for one in detections if one.score_prob >= SURE_PROB]
        self._known = _newer(self._known, frame.at_ns, KEEP_S)
        self._explained = [*sure, *_newer(self._explained, frame.at_ns, TRAIL_S)]
        explained, known = ([box for box, _ in boxes] for boxes in (self._explained, self._known))
        hinted = [one.box for one in detections if _is_doubtful(one)]
        return self._regions.next(explained, [*known, *hinted], self._size_frac(frame))

    def look(self, frame: Frame, corners: Corners, detections: Sequence[Detection]) -> Closer:
        """Look at the part between `corners`; tells what the whole look's `detections` do not show as surely.

        Errors: ModelError.
        """
        assert frame.native is not None
        size_px = self._model.smallest_px
        picture, exact = frame.native.cut(corners, *size_px)
        part = Part(picture, exact)
        sight = self._model.look(picture, size_px=size_px)
        boxes = corners_of(sight.detections)
        seen = zip(sight.detections, part.to_whole(boxes).tolist(), part.holds(boxes), strict=True)
        found = [replace(one, box=box_of(*sides)) for one, sides, held in seen if held and one.label in MOVING]
        both = [*detections, *found]
        scores = np.array([one.score_prob for one in both], np.float32)
        labels = np.array([self._model.card.labels.index(one.label) for one in both], np.intp)
        kept = joined(corners_of(both), scores, labels)
        new = tuple(both[index] for index in kept.tolist() if index >= len(detections))
        self._remember(new, frame.at_ns)
        return Closer(region=box_of(*exact), detections=new)

    def _size_frac(self, frame: Frame) -> tuple[float, float]:
        wide_px, high_px = self._model.smallest_px
        high_frac = WIDTH_FRAC * frame.width_px / frame.height_px * high_px / wide_px
        return WIDTH_FRAC, min(1.0, high_frac)

    def _remember(self, found: Sequence[Detection], at_ns: int) -> None:
        """What was found is known from now on, in place of what was known there."""
        sure = [one.box for one in found if one.score_prob >= SURE_PROB]
        others = [(box, seen_ns) for box, seen_ns in self._known if not any(_is_near(box, new) for new in sure)]
        self._known = [*((box, at_ns) for box in sure), *others][:MOST_KNOWN]


def _newer(boxes: Sequence[tuple[Box, int]], at_ns: int, keep_s: float) -> list[tuple[Box, int]]:
    """Those of the last `keep_s`."""
    return [(box, seen_ns) for box, seen_ns in boxes if 0 <= at_ns - seen_ns <= keep_s * NS_PER_S]


def _is_near(one: Box, other: Box) -> bool:
    """Whether the middles of two boxes are nearer than the other is high or wide."""
    across = abs(one.left_frac + one.right_frac - other.left_frac - other.right_frac) / 2
    down = abs(one.top_frac + one.bottom_frac - other.top_frac - other.bottom_frac) / 2
    return across <= 1.5 * other.width_frac and down <= other.height_frac


def _is_doubtful(one: Detection) -> bool:
    small = one.box.height_frac < LARGE_FRAC
    return one.label == "person" and small and DOUBTFUL_PROB <= one.score_prob < SURE_PROB
