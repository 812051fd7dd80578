"""A still picture looked at as a whole and in four overlapping parts: what is small or far gains pixels.

for part in parts_of(picture):
    found = look(part.picture)                      # boxes as fractions of the part
    found = found[part.holds(found.boxes)]          # what is large or cut is seen better elsewhere
    boxes = part.to_whole(found.boxes)              # as fractions of the picture
kept = joined(boxes, scores, classes)               # of all parts together
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.inference.vision import MOST_BOXES, survivors
from agent.types import FloatArray, Uint8Array

PART_FRAC = 0.6
"""Of each side: neighbours share a fifth of the picture, so that what one cuts the other shows whole."""
CUT_FRAC = 0.02
"""A box that comes so near to an inner edge of its part, in fractions of the part, may go on beyond it."""
SMALL_FRAC = 0.05
"""Of the picture: a part speaks for boxes of less, a larger thing is understood better beside what surrounds it."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A cut-out of a picture, uint8 [h, w, 3], and its corners x1 y1 x2 y2 as fractions of the picture."""

    picture: Uint8Array
    corners_frac: tuple[float, float, float, float]

    def to_whole(self, boxes_frac: FloatArray) -> FloatArray:
        """Boxes [n, 4] in fractions of the part → in fractions of the picture."""
        left, top, right, bottom = self.corners_frac
        scale = np.array([right - left, bottom - top] * 2, np.float32)
        return np.asarray(boxes_frac * scale + np.array([left, top] * 2, np.float32), np.float32)

    def holds(self, boxes_frac: FloatArray) -> NDArray[np.bool_]:
        """Which boxes [n, 4], in fractions of the part, it speaks for.

        The whole picture speaks for all; a part for what is small and keeps away from the edges that cut the picture.
        """
        left, top, right, bottom = self.corners_frac
        size_frac = (right - left) * (bottom - top)
        if size_frac == 1:
            return np.ones(len(boxes_frac), bool)
        low = np.array([CUT_FRAC if left > 0 else -np.inf, CUT_FRAC if top > 0 else -np.inf])
        high = np.array([1 - CUT_FRAC if right < 1 else np.inf, 1 - CUT_FRAC if bottom < 1 else np.inf])
        whole = (boxes_frac[:, :2] >= low).all(1) & (boxes_frac[:, 2:] <= high).all(1)
        areas_frac = (boxes_frac[:, 2:] - boxes_frac[:, :2]).prod(1) * size_frac
        return np.asarray(whole & (areas_frac < SMALL_FRAC))


def parts_of(picture: Uint8Array) -> Iterator[Part]:
    """The whole picture, then its four parts from the upper left to the lower right."""
    yield Part(picture, (0.0, 0.0, 1.0, 1.0))
    height_px, width_px = picture.shape[:2]
    for top_px, bottom_px in _spans_px(height_px):
        for left_px, right_px in _spans_px(width_px):
            corners = (left_px / width_px, top_px / height_px, right_px / width_px, bottom_px / height_px)
            yield Part(picture[top_px:bottom_px, left_px:right_px], corners)


def joined(boxes: FloatArray, scores_prob: FloatArray, classes: NDArray[np.integer]) -> NDArray[np.intp]:
    """Which of the boxes of all parts stay, by falling score: of one thing seen twice the surer box, at most 100."""
    order = np.argsort(-scores_prob, kind="stable")
    return order[survivors(boxes[order], classes[order])][:MOST_BOXES]


def _spans_px(side_px: int) -> tuple[tuple[int, int], tuple[int, int]]:
    length_px = max(1, round(side_px * PART_FRAC))
    return (0, length_px), (side_px - length_px, side_px)
