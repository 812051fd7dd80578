"""Where in a picture something small moves: which part of it is worth a second, closer look.

A picture is compared with one that follows it, cell by cell. What changed, and lies in no large thing that is
known already, asks for a look; so do small things that were found before, wherever they stand. Each part of the
picture asks the louder the longer ago it was looked at, so that several happenings take turns. Everything follows from
the pictures and their times alone.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.types import NS_PER_S, Box, Corners, FloatArray, Uint8Array

CELLS_WIDE, CELLS_HIGH = 80, 48
"""At 320×180 a cell has 15 pixels: less than a person of a tenth of the picture's height."""
CHANGE_LEVELS = 8.0
"""Of 255: noise of 15 levels a pixel moves the mean of 15 pixels by 4."""
FOLLOW_S = 0.4
"""So fast the picture compared with follows: where somebody was a second ago nothing moves any more."""
SHAKEN_FRAC = 0.4
"""Where more of the picture changed, it is the light or the camera, not a thing."""
MOST_CREDIT = 2.0
"""So many looks may follow each other at once: who appears is seen twice soon, and so believed."""
PATIENCE_S = 1.0
"""A part that was looked at this long ago, or never, asks in full."""
LEAST_CELLS = 1.5
"""So many changed cells in the middle of a part are worth a look; coders and insects make one."""
KNOWN_CELLS = 6.0
"""A small thing that was found before asks as much as so many cells."""
EXPLAINED_MARGIN_FRAC = 0.15
"""Of its sides: so far around a known thing what moves is its own, or its shadow."""


class Regions:
    """The changes of one camera, and when each of its cells was looked at closely."""

    def __init__(self, looks_per_s: float) -> None:
        self._looks_per_s = looks_per_s
        self._usual: FloatArray | None = None
        self._changed: NDArray[np.bool_] = np.zeros((CELLS_HIGH, CELLS_WIDE), bool)
        self._looked_s: NDArray[np.float64] = np.full((CELLS_HIGH, CELLS_WIDE), -np.inf)
        self._at_ns = 0
        self._credit = 1.0

    def note(self, grey: Uint8Array, at_ns: int) -> None:
        """Take the grey values of the next picture, uint8 [height, width], looked at or not."""
        cells = cv2.resize(grey, (CELLS_WIDE, CELLS_HIGH), interpolation=cv2.INTER_AREA).astype(np.float32)
        elapsed_s = max(0.0, (at_ns - self._at_ns) / NS_PER_S)
        if self._usual is None or at_ns < self._at_ns:  # time that ran backwards: another beginning
            self._usual, self._looked_s[:] = cells, -np.inf
        else:
            self._credit = min(MOST_CREDIT, self._credit + elapsed_s * self._looks_per_s)
        self._at_ns = at_ns
        apart = cells - self._usual
        self._changed = np.abs(apart) >= CHANGE_LEVELS
        self._usual += np.float32(-np.expm1(-elapsed_s / FOLLOW_S)) * apart

    def next(self, explained: Sequence[Box], known: Sequence[Box], size_frac: tuple[float, float]) -> Corners | None:
        """Return the part of the newest picture, as wide and high as `size_frac`, to look at now; None for none.

        What moves in `explained` needs no look; `known` are the small things that are to be seen again.
        """
        if self._credit < 1.0 - 1e-6:
            return None
        asks = self._asks(explained, known)
        if not asks.any():
            return None
        now_s = self._at_ns / NS_PER_S
        waited = np.minimum(1.0, (now_s - self._looked_s) / PATIENCE_S)
        wide, high = max(2, round(size_frac[0] * CELLS_WIDE)), max(2, round(size_frac[1] * CELLS_HIGH))
        # Half the part, twice: what lies in its middle counts most, what its edges would cut hardly.
        half = (wide // 2) | 1, (high // 2) | 1
        heard = cv2.boxFilter(asks, -1, half, normalize=False, borderType=cv2.BORDER_CONSTANT)
        if heard.max() < LEAST_CELLS:
            return None
        loud = cv2.blur(
            cv2.blur((asks * waited).astype(np.float32), half, borderType=cv2.BORDER_CONSTANT),
            half, borderType=cv2.BORDER_CONSTANT,
        )  # fmt: skip
        row, column = divmod(int(loud.argmax()), CELLS_WIDE)
        corners = _around((column + 0.5) / CELLS_WIDE, (row + 0.5) / CELLS_HIGH, size_frac)
        rows, columns = _cells(corners)
        self._looked_s[rows, columns] = now_s
        self._credit -= 1.0
        return corners

    def _asks(self, explained: Sequence[Box], known: Sequence[Box]) -> FloatArray:
        asks = self._changed.astype(np.float32)
        if asks.mean() > SHAKEN_FRAC:
            asks[:] = 0.0
        for box in explained:
            across, down = EXPLAINED_MARGIN_FRAC * box.width_frac, EXPLAINED_MARGIN_FRAC * box.height_frac
            around = box.left_frac - across, box.top_frac - down, box.right_frac + across, box.bottom_frac + down
            asks[_cells(around)] = 0.0
        for box in known:
            middle = (box.left_frac + box.right_frac) / 2, (box.top_frac + box.bottom_frac) / 2
            asks[_cells((*middle, *middle))] = KNOWN_CELLS
        return asks


def _around(x_frac: float, y_frac: float, size_frac: tuple[float, float]) -> Corners:
    """The part of this size around a point, moved into the picture."""
    wide, high = size_frac
    left, top = min(max(0.0, x_frac - wide / 2), 1.0 - wide), min(max(0.0, y_frac - high / 2), 1.0 - high)
    return left, top, left + wide, top + high


def _cells(corners: Corners) -> tuple[slice, slice]:
    """The cells that corners touch, at least one."""
    left, top, right, bottom = corners
    return _span(top, bottom, CELLS_HIGH), _span(left, right, CELLS_WIDE)


def _span(low_frac: float, high_frac: float, places: int) -> slice:
    low = min(places - 1, max(0, int(low_frac * places)))
    return slice(low, min(places, max(low + 1, int(np.ceil(high_frac * places)))))
