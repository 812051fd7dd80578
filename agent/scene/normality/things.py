"""What is usual of the people and things that are followed: kind, place, size, speed and direction, posture.

One point a track and look; the density is that of `Exemplars`, the surprise of a track its mean over about a second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.scene.following import Followed, group_of
from agent.scene.normality.exemplars import Exemplars, Points
from agent.types import NS_PER_S, Box

KINDS = 6
AXES = 6 + KINDS + 1
MOST = 512
PLACE_FRAC, LOG_SIZE, LOG_RATIO, SPEED = 0.12, 0.3, 0.35, 0.35
"""Bandwidths: an eighth of the picture; a third in size and in shape; a third in speed."""
SLOW_HEIGHTS_PER_S = 0.05
KIND_STEP, LYING_STEP = 2.5, 2.5
"""Another kind of thing, or another posture, is this many bandwidths away."""
SEEN_S = 0.5
"""A track is looked at once it was really seen this long."""
MEAN_S = 1.0
_ATTRIBUTE_OF: tuple[str, ...] = ("place", "place", "size", *("motion",) * 2, "posture", *("kind",) * KINDS, "posture")


@dataclass(frozen=True, slots=True)
class Strange:
    """The most unusual track of a picture."""

    nats: float
    attribute: str
    track: int
    box: Box
    label: str


class Things:
    """The density of what is followed by one camera."""

    def __init__(self) -> None:
        self.exemplars = Exemplars(groups=1, most=MOST, axes=AXES)
        self._means: dict[int, tuple[float, Points, int]] = {}

    def points(self, present: Sequence[Followed], aspect_ratio: float) -> tuple[list[Followed], Points]:
        """Those that were seen long enough, and their points."""
        known = [followed for followed in present if followed.presence_s >= SEEN_S]
        return known, np.array([_point(f, aspect_ratio) for f in known], np.float32).reshape(-1, AXES)

    def surprise(self, known: Sequence[Followed], points: Points, at_ns: int) -> Strange | None:
        """The most unusual of the tracks, None without any."""
        if not len(points):
            return None
        found = self.exemplars.surprise(points, np.zeros((len(points), 1), np.intp))
        best: Strange | None = None
        means: dict[int, tuple[float, Points, int]] = {}
        for followed, newest_nats, newest_parts in zip(known, found.nats.tolist(), found.parts, strict=True):
            nats, parts, _ = means[followed.track_id] = self._mean(followed.track_id, newest_nats, newest_parts, at_ns)
            if best is None or nats > best.nats:
                attribute = _ATTRIBUTE_OF[int(parts.argmax())]
                best = Strange(nats, attribute, followed.track_id, followed.box, followed.label)
        self._means = means
        return best

    def _mean(self, track: int, nats: float, parts: Points, at_ns: int) -> tuple[float, Points, int]:
        before = self._means.get(track)
        if before is None:
            return nats, parts, at_ns
        share = np.float32(1.0 - math.exp(-(at_ns - before[2]) / (MEAN_S * NS_PER_S)))
        return before[0] + float(share) * (nats - before[0]), before[1] + share * (parts - before[1]), at_ns


def _point(followed: Followed, aspect_ratio: float) -> list[float]:
    box = followed.box
    x, y = box.foot
    high = max(box.height_frac, 1e-3)
    ratio = max(box.width_frac * aspect_ratio / high, 1e-3)
    across, down = followed.velocity
    speed = math.hypot(across, down)
    scale = math.asinh(speed / SLOW_HEIGHTS_PER_S) / SPEED / max(speed, 1e-6)
    kinds = [0.0] * KINDS
    kinds[group_of(followed.label)] = KIND_STEP / math.sqrt(2.0)
    lying = LYING_STEP if followed.behaviour in ("lying", "crouching") else 0.0
    place = [x / PLACE_FRAC, y / PLACE_FRAC, math.log(high) / LOG_SIZE]
    return [*place, across * scale, down * scale, math.log(ratio) / LOG_RATIO, *kinds, lying]
