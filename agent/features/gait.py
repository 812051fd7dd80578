"""How the legs of what moves swing: what tells a walker from whoever glides, on wheels or on skates, at the same pace.

Figures are where the picture, 192 lines high, differs from its background, the median of the last seconds: peaks of
that difference, read with a body's width and height. How high a body is in each row is learned from what stands alone
and is as slender as a person. A figure is followed from picture to picture; over three quarters of a second its
silhouette, laid upon itself, is compared: how much the pixels of its lower half change, how much its width does, and
the same of its trunk. A walker's legs open and close, a wheelchair's do not.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.types import NS_PER_S, Box, Figure, FloatArray, Uint8Array

HEIGHT_PX, LEAST_WIDTH_PX = 192, 32
MOST_ASPECT = 4.0
"""Of a picture that is wider still nothing is read."""
SAMPLE_S, SAMPLES, REFRESH_SAMPLES = 0.3, 25, 3
"""The background is the median of so many pictures, this far apart; after every third of them it is found anew."""
DIFFERS_LEVELS, SURE_LEVELS = 8.0, 25.0
"""Of 255: what differs less from the background belongs to it; so much more is surely in front of it."""
SOLID_LEVELS = 16.0
REFERENCE_S, LONGEST_S = 0.15, 0.6
"""What moves is found by comparison with the newest picture at least so old, and no older than this."""
MOVING_LEVELS = 2.0
"""Mean change in a body: less stands still."""
BODY_FRAC, BODY_SLOPE = 0.17, 0.0
"""Of the picture's height, until bodies were seen; a body is no lower and no higher than `LIMITS_FRAC`."""
LIMITS_FRAC = 0.06, 0.6
SLENDER = 1.7, 4.5
"""Height to width of somebody who stands alone."""
BANDS, LEAST_BODIES, MOST_BODIES = 8, 5, 200
"""Bodies are counted by the row of their middle, in so many bands of the picture."""
WIDE, HIGH = 24, 30
"""Pixels of a silhouette: 1.2 bodies wide and 1.5 high, so that a body is 20 high."""
UPPER, LOWER, INNER = slice(5, 14), slice(17, 26), slice(4, 20)
PEAK, MOST_FIGURES = 0.25, 32
ACROSS_BODIES, DOWN_BODIES = 0.3, 0.5
"""Two peaks nearer than this are one figure."""
STEP_BODIES = 0.3
"""A figure moves no farther between two pictures."""
WAY_S, LEAST_WAY_S = 0.75, 0.45
"""What is compared, and the least of it that tells anything."""

_Place: TypeAlias = tuple[float, float, float]
_Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Look:
    """A figure in one picture: when, where (pixels), its silhouette's lower and upper part, each with its width."""

    at_ns: int
    x: float
    y: float
    lower: FloatArray
    upper: FloatArray
    lower_width: float
    upper_width: float


class Gait:
    """The figures of one camera; keeps its background, the heights of bodies and the way of each figure."""

    def __init__(self) -> None:
        self._background = _Background()
        self._bodies = _Bodies()
        self._kept: deque[tuple[int, Uint8Array]] = deque()
        self._ways: list[list[_Look]] = []

    def see(self, picture: Uint8Array, at_ns: int, *, moving: bool = True) -> tuple[Figure, ...]:
        """Who moves in an RGB picture, uint8 [height, width, 3], and was followed long enough to tell how.

        `moving` False spares the work where the picture is known to stand still.
        """
        if picture.shape[1] > MOST_ASPECT * picture.shape[0]:
            return ()
        grey = _grey(picture)
        if self._kept and (not at_ns > self._kept[-1][0] or self._kept[-1][1].shape != grey.shape):
            self.__init__()  # type: ignore[misc] # another beginning, or another picture
        background = self._background.see(grey, at_ns)
        before = self._reference(grey, at_ns)
        if before is None or not moving:
            self._ways = []
            return ()
        differs = np.asarray(cv2.GaussianBlur(cv2.absdiff(grey, background), (0, 0), 0.65), np.uint8)
        self._bodies.see(differs)
        change = np.asarray(cv2.absdiff(grey, before), np.uint8)
        front = np.clip((differs.astype(np.float32) - DIFFERS_LEVELS) / SURE_LEVELS, 0.0, 1.0)
        ways, figures = [], []
        for x, y, body in _figures(front, self._bodies.heights(len(grey))):
            look = _look(front, at_ns, x, y, body)
            way = [*self._way_of(look, body), look]
            ways.append(way)
            if _mean_change(change, x, y, body) > MOVING_LEVELS and look.at_ns - way[0].at_ns >= LEAST_WAY_S * NS_PER_S:
                figures.append(_figure(way, body, grey.shape))
        self._ways = ways
        return tuple(figures)

    def _reference(self, grey: Uint8Array, at_ns: int) -> Uint8Array | None:
        kept = self._kept
        while kept and at_ns - kept[0][0] > LONGEST_S * NS_PER_S:
            kept.popleft()
        while len(kept) > 1 and at_ns - kept[1][0] >= REFERENCE_S * NS_PER_S:
            kept.popleft()
        before = kept[0][1] if kept else None
        kept.append((at_ns, grey))
        return before

    def _way_of(self, look: _Look, body: float) -> list[_Look]:
        """The way so far of the figure that was nearest a picture ago; none where nobody was near."""
        best, way = STEP_BODIES * body, None
        for other in self._ways:
            away = max(abs(other[-1].x - look.x), abs(other[-1].y - look.y))
            if away < best:
                best, way = away, other
        return [old for old in way or () if look.at_ns - old.at_ns <= WAY_S * NS_PER_S]


class _Background:
    """The median of what was seen in the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[Uint8Array] = deque(maxlen=SAMPLES)
        self._median: Uint8Array | None = None
        self._sampled_ns = 0
        self._new = 0

    def see(self, grey: Uint8Array, at_ns: int) -> Uint8Array:
        """Take a picture; the background as it is known then."""
        if self._median is None or at_ns - self._sampled_ns >= SAMPLE_S * NS_PER_S - 1:
            self._samples.append(grey)
            self._sampled_ns, self._new = at_ns, self._new + 1
            if self._median is None or self._new >= REFRESH_SAMPLES or len(self._samples) <= REFRESH_SAMPLES:
                self._median, self._new = _median(self._samples), 0
        return self._median


class _Bodies:
    """How high bodies are, by the row of their middle: all in parts of the picture's height."""

    def __init__(self) -> None:
        self._seen: list[deque[float]] = [deque(maxlen=MOST_BODIES) for _ in range(BANDS)]
        self._line = BODY_SLOPE, BODY_FRAC
        self._looks = 0

    def see(self, differs: Uint8Array) -> None:
        """Note who stands alone; `differs` is the difference from the background, [height, width]."""
        self._looks += 1
        if self._looks % 3:
            return
        high, wide = differs.shape
        solid = (differs > SOLID_LEVELS).astype(np.uint8)
        _, _, found, _ = cv2.connectedComponentsWithStats(solid)
        for left, top, width, height, area in found[1:].tolist():
            inside = left > 1 and top > 1 and left + width < wide - 2 and top + height < high - 2
            solid_enough = height >= LIMITS_FRAC[0] * high and area > 0.4 * width * height
            if inside and solid_enough and SLENDER[0] <= height / width <= SLENDER[1]:
                row_frac = (top + height / 2) / high
                self._seen[min(BANDS - 1, int(row_frac * BANDS))].append(height / high)
        self._line = self._fitted()

    def heights(self, rows: int) -> FloatArray:
        """Pixels by row [rows]."""
        slope, level = self._line
        heights = slope * (np.arange(rows, dtype=np.float32) + 0.5) / rows + level
        return np.asarray(np.clip(heights, *LIMITS_FRAC) * rows, np.float32)

    def _fitted(self) -> tuple[float, float]:
        known = [(i, seen) for i, seen in enumerate(self._seen) if len(seen) >= LEAST_BODIES]
        if not known:
            return BODY_SLOPE, BODY_FRAC
        rows = np.array([(i + 0.5) / BANDS for i, _ in known])
        heights = np.array([float(np.median(seen)) for _, seen in known])
        weights = np.sqrt([len(seen) for _, seen in known])
        if len(known) == 1:
            return 0.0, float(heights[0])
        slope, level = np.polyfit(rows, heights, 1, w=weights)
        return float(slope), float(level)


def _grey(picture: Uint8Array) -> Uint8Array:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size_px = max(LEAST_WIDTH_PX, round(HEIGHT_PX * grey.shape[1] / grey.shape[0])), HEIGHT_PX
    if grey.shape[1::-1] != size_px:
        grey = cv2.resize(grey, size_px, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def _median(samples: Sequence[Uint8Array]) -> Uint8Array:
    middle = len(samples) // 2
    return np.ascontiguousarray(np.partition(np.stack(samples), middle, axis=0)[middle])


def _figures(front: FloatArray, heights: FloatArray) -> list[_Place]:
    """Where bodies are: x, y, height in pixels, the clearest first."""
    scales = np.geomspace(float(heights.min()), float(heights.max()) + 1e-3, 4)
    maps = np.stack([cv2.GaussianBlur(front, (0, 0), sigmaX=0.14 * s, sigmaY=0.28 * s) for s in scales])
    at = np.interp(heights, scales, np.arange(4))
    low = np.minimum(at.astype(np.intp), 2)
    share = (at - low).astype(np.float32)[:, None]
    rows = np.arange(len(front))
    near = np.ascontiguousarray(maps[low, rows] * (1.0 - share) + maps[low + 1, rows] * share)
    ys, xs = np.nonzero((near >= cv2.dilate(near, np.ones((7, 5), np.uint8))) & (near > PEAK))
    kept: list[_Place] = []
    for index in np.argsort(-near[ys, xs], kind="stable").tolist():
        x, y, body = float(xs[index]), float(ys[index]), float(heights[ys[index]])
        if not any(abs(x - a) < ACROSS_BODIES * body and abs(y - b) < DOWN_BODIES * body for a, b, _ in kept):
            kept.append((x, y, body))
            if len(kept) == MOST_FIGURES:
                break
    return kept


def _look(front: FloatArray, at_ns: int, x: float, y: float, body: float) -> _Look:
    across, down = 1.2 * body / WIDE, 1.5 * body / HIGH
    place = np.array([[across, 0, x + (0.5 - WIDE / 2) * across], [0, down, y + (0.5 - HIGH / 2) * down]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(front, place, (WIDE, HIGH), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    lower, upper = np.asarray(cut[LOWER, INNER], np.float32), np.asarray(cut[UPPER, INNER], np.float32)
    return _Look(at_ns, x, y, lower, upper, _width(lower), _width(upper))


def _width(part: FloatArray) -> float:
    """Standard deviation of the columns, in pixels."""
    counts = part.sum(0) + 1e-3
    columns = np.arange(len(counts), dtype=np.float32)
    middle = float(counts @ columns) / float(counts.sum())
    return float(np.sqrt(counts @ (columns - middle) ** 2 / counts.sum()))


def _mean_change(change: Uint8Array, x: float, y: float, body: float) -> float:
    rows = slice(max(0, int(y - 0.5 * body)), int(y + 0.55 * body) + 1)
    columns = slice(max(0, int(x - 0.3 * body)), int(x + 0.3 * body) + 1)
    return float(change[rows, columns].mean())


def _figure(way: Sequence[_Look], body: float, shape: tuple[int, ...]) -> Figure:
    high, wide = shape
    first, last = way[0], way[-1]
    elapsed_s = (last.at_ns - first.at_ns) / NS_PER_S
    speed = float(np.hypot(last.x - first.x, last.y - first.y)) / body / elapsed_s
    return Figure(
        box=Box(
            left_frac=min(1.0, max(0.0, (last.x - 0.2 * body) / wide)),
            top_frac=min(1.0, max(0.0, (last.y - 0.4 * body) / high)),
            right_frac=min(1.0, max(0.0, (last.x + 0.2 * body) / wide)),
            bottom_frac=min(1.0, max(0.0, (last.y + 0.45 * body) / high)),
        ),
        legs=float(np.stack([look.lower for look in way]).var(0).mean()),
        trunk=float(np.stack([look.upper for look in way]).var(0).mean()),
        legs_width=float(np.std([look.lower_width for look in way])),
        trunk_width=float(np.std([look.upper_width for look in way])),
        speed=speed,
    )
