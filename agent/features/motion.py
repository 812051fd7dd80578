"""How pictures move: dense optical flow between successive pictures, told in a few numbers.

Violence is fast, incoherent and near other people; walking is coherent. The flow (DIS, 0.5 ms at 160 pixels of
width) is freed from the camera's own motion (its median), then read in the whole picture, in the boxes of people
(in body heights a second, so that far and near count alike) and around the closest two of them. Pictures more than
`LONGEST_GAP_S` apart say nothing of motion.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from agent.types import Box, FloatArray, Uint8Array

FEATURE_VERSION = "motion/1"
MOTION_NAMES: tuple[str, ...] = (
    "all_mean", "all_p95", "all_share", "camera", "all_change", "moving_spread", "moving_chaos", "moving_strain",
    "people", "people_mean", "people_most", "people_p90", "people_chaos", "people_strain", "people_change",
    "people_share", "pair", "pair_mean", "pair_p90", "pair_chaos", "pair_strain", "pair_change",
)  # fmt: skip
"""Speeds in picture heights a second (all, moving) or body heights a second (people, pair); chaos is 1 minus the
length of the mean flow over the mean length: 0 where all moves one way; strain is the flow's mean gradient a second;
change is the mean change of speed since the picture before; share is the part of all motion."""
WIDTH_PX = 160
LONGEST_GAP_S = 0.35
MOVING_HEIGHTS_PER_S = 0.1
MOST_PEOPLE = 8
NEAR_HEIGHTS = 0.6
"""Two people whose boxes are nearer than this many mean heights are a pair."""


class Motion:
    """The flow of one camera; keeps the small grey picture before and its speeds."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._grey: Uint8Array | None = None
        self._speed: FloatArray | None = None
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
            self._speed = None
            return ()
        flow = self._flow.calc(before, grey, None)  # type: ignore[call-overload] # None: no first guess
        flow = flow / (grey.shape[0] * elapsed_s)
        camera = np.median(flow, axis=(0, 1))
        flow -= camera
        speed = np.hypot(flow[..., 0], flow[..., 1])
        change = np.abs(speed - self._speed) if self._speed is not None else np.zeros_like(speed)
        self._speed = speed
        field = _Field(flow, speed, change, _strain(flow))
        values = [*_whole(field, float(np.hypot(*camera))), *_people(field, people[:MOST_PEOPLE])]
        return tuple(np.round(np.minimum(values, 99.0), 4).tolist())


class _Field:
    """Flow [h, w, 2] and what is read off it [h, w], in picture heights a second."""

    __slots__ = ("change", "flow", "speed", "strain")

    def __init__(self, flow: FloatArray, speed: FloatArray, change: FloatArray, strain: FloatArray) -> None:
        self.flow, self.speed, self.change, self.strain = flow, speed, change, strain

    def patch(self, box: Box) -> tuple[slice, slice]:
        high, wide = self.speed.shape
        top, bottom = _span(box.top_frac, box.bottom_frac, high)
        left, right = _span(box.left_frac, box.right_frac, wide)
        return slice(top, bottom), slice(left, right)

    def read(self, where: tuple[slice, slice], body: float) -> tuple[float, float, float, float, float]:
        """Mean speed, p90, chaos, strain, change of a patch, in units of `body` picture heights."""
        speed = self.speed[where]
        mean = float(speed.mean())
        coherent = float(np.hypot(*self.flow[where].mean(axis=(0, 1))))
        p90 = float(np.partition(speed.ravel(), int(0.9 * (speed.size - 1)))[int(0.9 * (speed.size - 1))])
        chaos = 1.0 - coherent / max(mean, 1e-6)
        # Where hardly anything moves the directions are those of noise.
        chaos *= min(1.0, mean / body / MOVING_HEIGHTS_PER_S)
        return mean / body, p90 / body, chaos, float(self.strain[where].mean()), float(self.change[where].mean()) / body


def _whole(field: _Field, camera: float) -> tuple[float, ...]:
    speed = field.speed
    moving = speed > MOVING_HEIGHTS_PER_S
    share = float(moving.mean())
    p95 = float(np.partition(speed.ravel(), int(0.95 * speed.size))[int(0.95 * speed.size)])
    head = float(speed.mean()), p95, share, camera, float(field.change.mean())
    if share < 0.002:
        return *head, 0.0, 0.0, 0.0
    rows, columns = np.nonzero(moving)
    spread = float(np.hypot(rows.std(), columns.std())) / speed.shape[0]
    chaos = 1.0 - float(np.hypot(*field.flow[moving].mean(axis=0))) / max(float(speed[moving].mean()), 1e-6)
    return *head, spread, chaos, float(field.strain[moving].mean())


def _people(field: _Field, people: Sequence[Box]) -> tuple[float, ...]:
    if not people:
        return (0.0,) * 14
    bodies = [max(box.height_frac, 0.03) for box in people]
    read = np.array([field.read(field.patch(box), body) for box, body in zip(people, bodies, strict=True)])
    inside = np.zeros(field.speed.shape, bool)
    for box in people:
        inside[field.patch(box)] = True
    share = float(field.speed[inside].sum()) / max(float(field.speed.sum()), 1e-6)
    mean, _, chaos, strain, change = read.mean(axis=0).tolist()
    most, p90 = read[:, 0].max(), read[:, 1].max()
    return 1.0, mean, most, p90, chaos, strain, change, share, *_pair(field, people)


def _pair(field: _Field, people: Sequence[Box]) -> tuple[float, ...]:
    """The two nearest people: what moves in the box around both."""
    best: tuple[float, Box, float] | None = None
    for index, first in enumerate(people):
        for second in people[index + 1 :]:
            body = max((first.height_frac + second.height_frac) / 2, 0.03)
            gap = _gap(first, second, field.speed.shape[1] / field.speed.shape[0]) / body
            if gap <= NEAR_HEIGHTS and (best is None or gap < best[0]):
                best = gap, _around(first, second), body
    if best is None:
        return (0.0,) * 6
    return 1.0, *field.read(field.patch(best[1]), best[2])


def _gap(first: Box, second: Box, aspect_ratio: float) -> float:
    """Distance of the middles less half the widths, in picture heights; at least 0."""
    across = abs(first.left_frac + first.right_frac - second.left_frac - second.right_frac) / 2
    across -= (first.width_frac + second.width_frac) / 2
    down = abs(first.bottom_frac - second.bottom_frac)
    return float(np.hypot(max(0.0, across) * aspect_ratio, down))


def _around(first: Box, second: Box) -> Box:
    return Box(
        left_frac=min(first.left_frac, second.left_frac),
        top_frac=min(first.top_frac, second.top_frac),
        right_frac=max(first.right_frac, second.right_frac),
        bottom_frac=max(first.bottom_frac, second.bottom_frac),
    )


def _small(picture: Uint8Array) -> Uint8Array:
    high = max(16, round(WIDTH_PX * picture.shape[0] / picture.shape[1]))
    small = cv2.resize(picture, (WIDTH_PX, high), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _strain(flow: FloatArray) -> FloatArray:
    """Mean absolute gradient of the flow, a second: [h, w]."""
    high = flow.shape[0]
    across = np.abs(np.diff(flow, axis=1, append=flow[:, -1:])).sum(axis=2)
    down = np.abs(np.diff(flow, axis=0, append=flow[-1:])).sum(axis=2)
    return np.asarray((across + down) * high / 4.0, np.float32)


def _span(low_frac: float, high_frac: float, cells: int) -> tuple[int, int]:
    """First and last-plus-one cell of a part of a line; never empty."""
    low = min(cells - 1, max(0, int(low_frac * cells)))
    return low, min(cells, max(low + 1, round(high_frac * cells)))
