"""What a detector keeps taking for a person though nobody is there: a coat on a chair, a bed, a screen.

Such boxes are too weak to begin a track, but weak enough boxes continue one: somebody walks past, is half hidden, and
the track stays behind on the chair, which then looks like a person who went down. What lay at a place for a while
before, while whoever is followed was elsewhere, is not the one who is followed now.
"""

import math

import numpy as np
from numpy.typing import NDArray

from agent.scene.tracking.association import Floats, overlap
from agent.types import NS_PER_S

Flags = NDArray[np.bool_]

SAME_FRAC = 0.5
"""Boxes that overlap by this much (intersection over union) are of the same thing, or of the same person."""
PART_FRAC = 0.3
"""Detectors draw boxes around parts of a thing, too: what overlaps by this much with something usual may be one."""
MEMORY_S = 2.0
USUAL_SHARE, FORGOTTEN_SHARE = 0.5, 0.05
"""Of the last moments: from where a box is usual at its place (1.4 s without a gap), and where it is forgotten."""
SURER = 1.5
"""Whoever comes to lie over what is usual there is seen better than it: the score grows by more than this factor."""
NEW_SHARE = 0.06  # of what was seen once, for a picture or two
LONGEST_GAP_S = 1.0


class Clutter:
    """Places where weak boxes have been of late that belong to nobody who is followed; boxes are corners [m, 4]."""

    def __init__(self) -> None:
        self._boxes: Floats = np.zeros((0, 4))
        self._scores: Floats = np.zeros(0)
        self._shares: Floats = np.zeros(0)  # of the last MEMORY_S, smoothed, in which there was a box
        self._at_ns: int | None = None

    @property
    def places(self) -> int:
        """How many places are remembered."""
        return len(self._shares)

    def usual(self, boxes: Floats, scores: Floats) -> Flags:
        """Which of the weak `boxes` [m, 4] show nothing but what was there before: [m]."""
        known = self._shares >= USUAL_SHARE
        if not len(boxes) or not known.any():
            return np.zeros(len(boxes), bool)
        same = overlap(boxes, self._boxes[known]) >= PART_FRAC
        return np.asarray((same & (scores[:, None] <= SURER * self._scores[known])).any(axis=1), np.bool_)

    def learn(self, at_ns: int, boxes: Floats, scores: Floats, people: Floats) -> None:
        """Take the weak boxes of one picture; those on `people` [n, 4], who are followed, are theirs.

        What people stand before is hidden, not gone.
        """
        elapsed_s = 0.0 if self._at_ns is None else max(0.0, (at_ns - self._at_ns) / NS_PER_S)
        self._at_ns = at_ns
        if elapsed_s > LONGEST_GAP_S:
            self.forget()
        if not len(boxes) and not self.places:
            return  # as in most pictures
        new = 1.0 - math.exp(-elapsed_s / MEMORY_S)
        hidden = np.zeros(len(self._shares), bool)
        if len(people):
            free = overlap(boxes, people).max(axis=1) < PART_FRAC
            boxes, scores = boxes[free], scores[free]
            hidden = overlap(self._boxes, people).max(axis=1) >= PART_FRAC
        self._shares[~hidden] *= 1.0 - new
        fresh = np.ones(len(boxes), bool)
        if len(boxes) and len(self._boxes):
            shared = overlap(boxes, self._boxes)
            best = shared.argmax(axis=0)
            there = (shared[best, np.arange(len(best))] >= SAME_FRAC) & ~hidden
            self._shares[there] += new
            step = np.maximum(new, 0.1)
            self._scores[there] += step * (scores[best[there]] - self._scores[there])
            self._boxes[there] += step * (boxes[best[there]] - self._boxes[there])
            fresh = shared.max(axis=1) < SAME_FRAC
        self._keep(self._shares >= FORGOTTEN_SHARE)
        self._boxes = np.concatenate([self._boxes, boxes[fresh]])
        self._scores = np.concatenate([self._scores, scores[fresh]])
        self._shares = np.concatenate([self._shares, np.full(int(fresh.sum()), max(new, NEW_SHARE))])

    def forget(self) -> None:
        """Nothing of before holds: another place, or too long ago."""
        self._keep(np.zeros(len(self._shares), bool))

    def _keep(self, kept: Flags) -> None:
        self._boxes, self._scores, self._shares = self._boxes[kept], self._scores[kept], self._shares[kept]
