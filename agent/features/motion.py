"""How pictures move: dense optical flow between successive pictures, told in a few numbers.

Violence is fast, incoherent and near other people; walking is coherent. The flow (DIS) is freed from the camera's own
motion (its median), then read in the whole picture, in the boxes of people (in body heights a second, so that far and
near count alike) and around the closest two of them. What of a body's motion is not the body's own translation is its
`rest`: the arms and legs, told apart by the upper and the lower half. Pictures more than `LONGEST_GAP_S` apart say
nothing of motion.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from agent.features.vectors import lengths, mean_of, median_of, summed, thinned
from agent.types import Box, FloatArray, Uint8Array

FEATURE_VERSION = "motion/2"
_WHOLE = ("mean", "p95", "share", "camera", "change", "strain", "spread", "chaos", "moving_strain")
_BODY = (
    "mean", "p90", "together", "chaos", "rest", "rest_p90", "rest_upper", "rest_lower", "change", "change_p90",
    "strain", "strain_p90", "curl", "directions",
)  # fmt: skip
MOTION_NAMES: tuple[str, ...] = (
    *(f"all_{name}" for name in _WHOLE), "people",
    *(f"person_mean_{name}" for name in _BODY), *(f"person_most_{name}" for name in _BODY),
    "people_share", "people_change_share", "pair", "pair_gap", *(f"pair_{name}" for name in _BODY),
)  # fmt: skip
"""Speeds in picture heights a second (all) or body heights a second (person: mean and most of all people; pair).
`together` is the length of the mean flow, `chaos` what that lacks of the mean length: 0 where all moves one way;
`change` is the difference to the flow of the picture before, `strain` and `curl` are gradients, `directions` is the
entropy of eight directions; a share is the part of all motion that is people's."""
WIDTH_PX = 320
LEAST_PX = 32
"""DIS refuses sides below 12 pixels; others below 32 it may halve until its patches of 8 reach beyond them."""
LONGEST_GAP_S = 0.35
MOVING_HEIGHTS_PER_S = 0.1
MOST_PEOPLE = 8
NEAR_HEIGHTS = 0.6
"""Two people whose boxes are nearer than this many mean heights are a pair."""
LEAST_BODY_FRAC = 0.03
_STRIDE = 2
"""DIS gives flow at a quarter of the resolution, enlarged: every second place loses nothing."""
_DIRECTIONS = 8
_MOST = 50.0


class Motion:
    """The flow of one camera; keeps the small grey picture before and its flow."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._grey: Uint8Array | None = None
        self._flow: FloatArray | None = None
        self._at_ns = 0

    def see(self, picture: Uint8Array, at_ns: int, people: Sequence[Box] | None) -> tuple[float, ...]:
        """Numbers by `MOTION_NAMES` of an RGB picture, uint8 [height, width, 3], in which `people` were found.

        `people` is None where the picture was not looked at; then, and where there is no fitting picture before,
        the answer is empty.
        """
        grey = _small(picture)
        before, self._grey = self._grey, grey
        elapsed_s, self._at_ns = (at_ns - self._at_ns) / 1e9, at_ns
        if people is None or before is None or before.shape != grey.shape or not 0.0 < elapsed_s <= LONGEST_GAP_S:
            self._flow = None
            return ()
        dense = self._dis.calc(before, grey, None)  # type: ignore[call-overload] # None: no first guess
        flow = thinned(dense, _STRIDE) / (grey.shape[0] * elapsed_s)
        camera = median_of(flow[::2, ::2])
        flow -= camera
        field = _Field(flow, self._flow)
        self._flow = flow
        seen = people[:MOST_PEOPLE]
        values = [*_whole(field, float(np.hypot(*camera))), *_people(field, seen), *_pair(field, seen)]
        return tuple(np.round(np.minimum(values, _MOST), 4).tolist())


class _Field:
    """Flow [h, w, 2] in picture heights a second, and what is read off it [h, w]."""

    __slots__ = ("change", "curl", "flow", "speed", "strain")

    def __init__(self, flow: FloatArray, before: FloatArray | None) -> None:
        self.flow = flow
        self.speed = lengths(flow)
        self.change = np.zeros_like(self.speed) if before is None else lengths(flow - before)
        across, down = np.zeros_like(flow), np.zeros_like(flow)
        np.subtract(flow[:, 1:], flow[:, :-1], out=across[:, :-1])
        np.subtract(flow[1:], flow[:-1], out=down[:-1])
        places = flow.shape[0]
        self.strain = (summed(np.abs(across)) + summed(np.abs(down))) * (places / 4.0)
        self.curl = np.abs(across[..., 1] - down[..., 0]) * (places / 2.0)

    def patch(self, box: Box) -> tuple[slice, slice]:
        """The part of the field that a box covers; never empty."""
        high, wide = self.speed.shape
        return _span(box.top_frac, box.bottom_frac, high), _span(box.left_frac, box.right_frac, wide)

    def read(self, box: Box, body: float) -> tuple[float, ...]:
        """Numbers by `_BODY` of what moves in a box, for a body of so many picture heights."""
        where = self.patch(box)
        flow, speed, change, strain = self.flow[where], self.speed[where], self.change[where], self.strain[where]
        rest = lengths(flow - median_of(flow))
        waist = max(1, len(rest) // 2)
        mean = mean_of(speed)
        together = float(np.hypot(*flow.reshape(-1, 2).mean(axis=0)))
        # Where hardly anything moves the directions are those of noise.
        sure = min(1.0, mean / body / MOVING_HEIGHTS_PER_S)
        lower = rest[waist:] if len(rest) > waist else rest
        return (
            mean / body, _percentile(speed, 0.9) / body, together / body, sure * (1.0 - together / max(mean, 1e-6)),
            mean_of(rest) / body, _percentile(rest, 0.9) / body, mean_of(rest[:waist]) / body,
            mean_of(lower) / body, mean_of(change) / body, _percentile(change, 0.9) / body,
            mean_of(strain), _percentile(strain, 0.9), mean_of(self.curl[where]),
            sure * _entropy(flow, speed),
        )  # fmt: skip


def _whole(field: _Field, camera: float) -> tuple[float, ...]:
    speed = field.speed
    moving = speed > MOVING_HEIGHTS_PER_S
    share = float(moving.mean())
    level = mean_of(speed), _percentile(speed, 0.95), share, camera
    head = (*level, mean_of(field.change), mean_of(field.strain))
    if share < 0.002:
        return *head, 0.0, 0.0, 0.0
    rows, columns = np.nonzero(moving)
    spread = float(np.hypot(rows.std(), columns.std())) / speed.shape[0]
    chaos = 1.0 - float(np.hypot(*field.flow[moving].mean(axis=0))) / max(mean_of(speed[moving]), 1e-6)
    return *head, spread, chaos, mean_of(field.strain[moving])


def _people(field: _Field, people: Sequence[Box]) -> tuple[float, ...]:
    if not people:
        return (0.0,) * (3 + 2 * len(_BODY))
    read = np.array([field.read(box, max(box.height_frac, LEAST_BODY_FRAC)) for box in people])
    inside = np.zeros(field.speed.shape, bool)
    for box in people:
        inside[field.patch(box)] = True
    shares = [float(of[inside].sum()) / max(float(of.sum()), 1e-6) for of in (field.speed, field.change)]
    return 1.0, *read.mean(axis=0).tolist(), *read.max(axis=0).tolist(), *shares


def _pair(field: _Field, people: Sequence[Box]) -> tuple[float, ...]:
    """The two nearest people: how near, and what moves in the box around both."""
    best: tuple[float, Box, float] | None = None
    for index, first in enumerate(people):
        for second in people[index + 1 :]:
            body = max((first.height_frac + second.height_frac) / 2, LEAST_BODY_FRAC)
            gap = _gap(first, second, field.speed.shape[1] / field.speed.shape[0]) / body
            if gap <= NEAR_HEIGHTS and (best is None or gap < best[0]):
                best = gap, _around(first, second), body
    if best is None:
        return (0.0,) * (2 + len(_BODY))
    return 1.0, best[0], *field.read(best[1], best[2])


def _gap(first: Box, second: Box, aspect_ratio: float) -> float:
    """Distance of the feet, less half the widths across, in picture heights."""
    across = abs(first.left_frac + first.right_frac - second.left_frac - second.right_frac) / 2
    across -= (first.width_frac + second.width_frac) / 2
    return float(np.hypot(max(0.0, across) * aspect_ratio, abs(first.bottom_frac - second.bottom_frac)))


def _around(first: Box, second: Box) -> Box:
    return Box(
        left_frac=min(first.left_frac, second.left_frac),
        top_frac=min(first.top_frac, second.top_frac),
        right_frac=max(first.right_frac, second.right_frac),
        bottom_frac=max(first.bottom_frac, second.bottom_frac),
    )


def _small(picture: Uint8Array) -> Uint8Array:
    """Grey, at most `WIDTH_PX` wide and at least `LEAST_PX` wide and high."""
    high, wide = picture.shape[:2]
    if wide > WIDTH_PX:
        high, wide = round(WIDTH_PX * high / wide), WIDTH_PX
    size = max(LEAST_PX, wide), max(LEAST_PX, high)
    if size != picture.shape[1::-1]:
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _percentile(values: FloatArray, share: float) -> float:
    place = int(share * (values.size - 1))
    return float(np.partition(values.ravel(), place)[place])


def _entropy(flow: FloatArray, speed: FloatArray) -> float:
    """Of the directions in which it moves, weighted by speed: 0 for one, ln 8 for all alike."""
    turned = (np.arctan2(flow[..., 1], flow[..., 0]) + np.pi) / (2 * np.pi) * (_DIRECTIONS - 1e-3)
    counts = np.bincount(turned.astype(np.intp).ravel(), weights=speed.ravel(), minlength=_DIRECTIONS)
    shares = counts / max(float(counts.sum()), 1e-6)
    return float(-(shares * np.log(shares + 1e-6)).sum())


def _span(low_frac: float, high_frac: float, places: int) -> slice:
    """The places that a part of a line covers; never none."""
    low = min(places - 1, max(0, int(low_frac * places)))
    return slice(low, min(places, max(low + 1, round(high_frac * places))))
