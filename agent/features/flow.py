"""Where and how fast the picture moves, in cells: what learned normality reads speed, direction and size from.

Dense optical flow (DIS at half the resolution of a picture 192 lines high) from a picture about two tenths of a
second back, so that a slow walk moves more than a pixel and legs that swing count less than the body. Each cell
tells how much changes in it, in how many of its pixels, and the mean velocity of what changes, weighted by the change:
the empty ground beside a person says nothing. A still picture has no cells. Cost: 6 ms a moving picture on one
core.
"""

from collections import deque

import cv2
import numpy as np

from agent.types import FloatArray, Flow, Uint8Array

FEATURE_VERSION = "flow/4"
ROWS = 48
"""A cell is a 48th of the picture's height: a cyclist among walkers, some 30 pixels high, has cells of his own."""
MOST_COLUMNS = 4 * ROWS
"""Of a picture more than four times as wide as high the cells are wider than high: more of them would not be kept."""
HEIGHT_PX, LEAST_WIDTH_PX = 192, 16
MOST_ASPECT = 16.0
"""What is wider still is a strip, of which flow would cost seconds and tell nothing."""
REFERENCE_S = 0.15
"""The picture to compare with is the newest one at least this old."""
PATCH_PX, PATCH_STRIDE_PX = 6, 3
"""Of the flow, in its own pixels (two of the picture's): a body of a dozen is more than one patch. The preset's 8 and 4
mix it with the ground, or with who walks beside it."""
LEAST_S, LONGEST_S = 0.03, 0.6
CHANGE_LEVELS, MOST_LEVELS = 12, 60
"""A pixel has changed from this difference in grey on; a white shirt counts no more than five grey ones."""
LEAST_ENERGY = 1.0
"""A cell counts from this mean change on: noise and compression stay below."""
SPEED_SCALE = 1000.0
"""Velocities are told in thousandths of a picture height a second."""
ENERGY_SCALE = 10.0
CHANGED_SCALE = 1000.0

_LEVELS = np.arange(256, dtype=np.float32)
_IS_CHANGED: FloatArray = (_LEVELS >= CHANGE_LEVELS).astype(np.float32)
_WEIGHT_OF_CHANGE: FloatArray = np.minimum(_LEVELS, MOST_LEVELS) * _IS_CHANGED


class FlowCells:
    """The moving cells of one camera; keeps the grey pictures of the last moments."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(1)
        self._dis.setPatchSize(PATCH_PX)
        self._dis.setPatchStride(PATCH_STRIDE_PX)
        self._dis.setVariationalRefinementIterations(0)
        self._kept: deque[tuple[int, Uint8Array]] = deque()

    def see(self, picture: Uint8Array, at_ns: int, *, moving: bool = True) -> Flow | None:
        """The moving cells of an RGB picture, uint8 [height, width, 3]; None of a strip, and where there is nothing to
        compare with.

        `moving` False spares the work where the picture is known to stand still.
        """
        if picture.shape[1] > MOST_ASPECT * picture.shape[0]:
            return None
        grey = _grey(picture)
        before = self._reference(grey, at_ns)
        self._kept.append((at_ns, grey))
        columns = min(MOST_COLUMNS, max(1, round(ROWS * grey.shape[1] / grey.shape[0])))
        if before is None:
            return None
        if not moving:
            return Flow(rows=ROWS, columns=columns)
        elapsed_s = (at_ns - before[0]) / 1e9
        return _cells(grey, before[1], elapsed_s, columns, self._dis)

    def _reference(self, grey: Uint8Array, at_ns: int) -> tuple[int, Uint8Array] | None:
        kept = self._kept
        while kept and (not 0 < at_ns - kept[0][0] <= LONGEST_S * 1e9 or kept[0][1].shape != grey.shape):
            kept.popleft()  # too old, of a time that ran backwards, or of another size
        while len(kept) > 1 and at_ns - kept[1][0] >= REFERENCE_S * 1e9:
            kept.popleft()
        return kept[0] if kept and at_ns - kept[0][0] >= LEAST_S * 1e9 else None


def _grey(picture: Uint8Array) -> Uint8Array:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size_px = max(LEAST_WIDTH_PX, round(HEIGHT_PX * grey.shape[1] / grey.shape[0])), HEIGHT_PX
    if grey.shape[1::-1] != size_px:
        grey = cv2.resize(grey, size_px, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def _cells(grey: Uint8Array, before: Uint8Array, elapsed_s: float, columns: int, dis: cv2.DISOpticalFlow) -> Flow:
    change = cv2.absdiff(grey, before)
    if change.max() < CHANGE_LEVELS:
        return Flow(rows=ROWS, columns=columns)
    weight, changed = cv2.LUT(change, _WEIGHT_OF_CHANGE), cv2.LUT(change, _IS_CHANGED)
    # From the new picture to the old one: a velocity stands where the thing is now.
    back = dis.calc(grey, before, None)  # type: ignore[call-overload] # None: no first guess
    across, down = cv2.split(back)
    stack = cv2.merge([weight, across * -weight, down * -weight, changed])
    mean = cv2.resize(stack, (columns, ROWS), interpolation=cv2.INTER_AREA)
    energy = mean[..., 0].reshape(-1)
    where = np.flatnonzero(energy >= LEAST_ENERGY)
    speed = mean.reshape(-1, 4)[where, 1:3] / energy[where, None] * (SPEED_SCALE / (HEIGHT_PX * elapsed_s))
    told = np.column_stack([where, np.rint(energy[where] * ENERGY_SCALE), np.rint(speed)])
    share = np.rint(mean[..., 3].reshape(-1)[where] * CHANGED_SCALE).astype(int)
    cells, changed_of = told.astype(int).reshape(-1).tolist(), share.tolist()
    return Flow(rows=ROWS, columns=columns, cells=tuple(cells), changed=tuple(changed_of))
