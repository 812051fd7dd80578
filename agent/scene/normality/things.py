"""What is usual of the people and things that are followed: kind, place, size, speed and direction, posture.

One point a track and look; the density is that of `Exemplars`, the surprise of a track its mean over about a second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

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
_PLACE, _KIND = slice(0, 3), slice(6, 6 + KINDS)
_ATTRIBUTE_OF: tuple[str, ...] = ("place", "place", "size", *("motion",) * 2, "posture", *("kind",) * KINDS, "posture")


_Mean: TypeAlias = tuple[float, Points, int]
"""Nats, the share of every axis in them, and when that was."""
_Means: TypeAlias = dict[int, _Mean]


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
        self._means: _Means = {}
        self._kind_means: _Means = {}

    def begin_again(self) -> None:
        """Another recording follows: its tracks and its time have nothing to do with those before."""
        self._means, self._kind_means = {}, {}

    def points(self, present: Sequence[Followed], aspect_ratio: float) -> tuple[list[Followed], Points]:
        """Those that were seen long enough, and their points."""
        known = [followed for followed in present if followed.presence_s >= SEEN_S]
        return known, np.array([_point(f, aspect_ratio) for f in known], np.float32).reshape(-1, AXES)

    def surprise(self, known: Sequence[Followed], points: Points, at_ns: int) -> Strange | None:
        """The most unusual of the tracks, None without any."""
        if not len(points):
            return None
        found = self.exemplars.surprise(points, np.zeros((len(points), 1), np.intp))
        strange, self._means = self._strangest(known, found.nats, found.parts, self._means, at_ns)
        return strange

    def kind_surprise(self, known: Sequence[Followed], points: Points, at_ns: int) -> Strange | None:
        """The track whose kind is the rarest in its place, whatever it does there; None without any."""
        if not len(points):
            return None
        means, weights = self.exemplars.means[0], self.exemplars.weights[0]
        away = points[:, None, _PLACE] - means[:, _PLACE]
        near = weights * np.exp(-0.5 * (away * away).sum(2))
        same = points[:, _KIND].argmax(1)[:, None] == means[:, _KIND].argmax(1)
        nats = np.log((near.sum(1) + 1.0) / ((near * same).sum(1) + 1.0)).astype(np.float32)
        parts = np.zeros((len(points), AXES), np.float32)
        parts[:, _KIND.start] = nats
        strange, self._kind_means = self._strangest(known, nats, parts, self._kind_means, at_ns)
        return strange

    def _strangest(
        self, known: Sequence[Followed], nats: Points, parts: Points, before: _Means, at_ns: int
    ) -> tuple[Strange | None, _Means]:
        best: Strange | None = None
        means: _Means = {}
        for followed, newest_nats, newest_parts in zip(known, nats.tolist(), parts, strict=True):
            mean = means[followed.track_id] = _mean(before.get(followed.track_id), newest_nats, newest_parts, at_ns)
            if best is None or mean[0] > best.nats:
                attribute = _ATTRIBUTE_OF[int(mean[1].argmax())]
                best = Strange(mean[0], attribute, followed.track_id, followed.box, followed.label)
        return best, means


def _mean(before: _Mean | None, nats: float, parts: Points, at_ns: int) -> _Mean:
    if before is None:
        return nats, parts, at_ns
    share = np.float32(1.0 - math.exp(-max(0, at_ns - before[2]) / (MEAN_S * NS_PER_S)))
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
