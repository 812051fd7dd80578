"""How restless the edges of what glows are: a flame without colour differs from a lamp in little else.

An infrared picture shows a flame as a white patch, as it shows a lamp. But a flame's edge grows and shrinks again and
again (puffing, about 1.5 Hz for a fire a metre wide; B. M. Cetegen and T. A. Ahmed, Combustion and Flame 93, 1993), and
always around the same place; a lamp's stays where it is, and who carries something bright takes it away. That a
flickering boundary tells fire in video is from B. U. Töreyin et al., Pattern Recognition Letters 27, 2006.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from agent.types import Box, FloatArray, Uint8Array

GREY_COLOUR_FRAC = 0.01
"""`PictureStats.colour_frac` of a picture without colour, but for a clock or a logo in it."""
WIDTH_PX = 320
GLOW_LEVEL, GLOW_CONTRAST = 170.0, 50.0
"""What glows is so bright for most of a second, and so much brighter than its surroundings: no sky, no white wall."""
GLOW_S = 0.7
SURROUNDINGS_PX, EDGE_PX = 31, 5
"""Of a picture 160 wide, in which that is accurate enough; a pixel within half of the second of what glows belongs to
its edge."""
CHANGE_LEVELS = 18
CELL_PX = 8
HOLD_S = 2.0
"""A passer-by changes a cell once and is gone; over two seconds that is little."""
LONGEST_GAP_S, FORGOTTEN_S = 0.5, 10.0
"""Pictures further apart show no flicker; and after so long without one, as by day, nothing of before holds."""
MARGIN_FRAC = 0.03


class Flicker:
    """The restless edges of one camera's picture; keeps the small picture before and what glowed."""

    def __init__(self) -> None:
        self._before: Uint8Array | None = None
        self._glow = np.zeros((0, 0), np.float32)
        self._brighter = np.zeros((0, 0), np.float32)
        self._darker = np.zeros((0, 0), np.float32)
        self._at_ns = 0

    def see(self, picture: Uint8Array, at_ns: int, bodies: Sequence[Box]) -> float:
        """How many pixels (of a picture 320 wide) at the edge of one glowing thing turn brighter and as many darker,
        a picture, in the mean of the last two seconds; 0 where nothing flickers or nothing can be compared.

        `picture` is RGB, uint8 [height, width, 3], without colour; what moves in the boxes of `bodies` is theirs.
        """
        light = _small(picture)
        elapsed_s, self._at_ns = (at_ns - self._at_ns) / 1e9, at_ns
        before, self._before = self._before, light
        if before is None or before.shape != light.shape or not 0.0 < elapsed_s <= FORGOTTEN_S:
            self._start(light)
            return 0.0
        cv2.accumulateWeighted(_halved(light), self._glow, _share(elapsed_s, GLOW_S))
        if elapsed_s > LONGEST_GAP_S:
            before = light
        edges = _edges(self._glow, light.shape)
        for box in bodies:
            edges[_part(box, edges.shape)] = 0
        share = _share(min(elapsed_s, LONGEST_GAP_S), HOLD_S)
        cv2.accumulateWeighted(_cells(light, before, edges), self._brighter, share)
        cv2.accumulateWeighted(_cells(before, light, edges), self._darker, share)
        both = np.minimum(self._brighter, self._darker)
        around = cv2.boxFilter(both, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return round(float(around.max()), 2)

    def _start(self, light: Uint8Array) -> None:
        self._glow = _halved(light).astype(np.float32)
        self._brighter = np.zeros_like(_cells(light, light, light))
        self._darker = np.zeros_like(self._brighter)


def _small(picture: Uint8Array) -> Uint8Array:
    height, width = picture.shape[:2]
    scale = min(1.0, WIDTH_PX / max(height, width))
    size = max(CELL_PX, round(width * scale)), max(CELL_PX, round(height * scale))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _halved(light: Uint8Array) -> Uint8Array:
    size = light.shape[1] // 2, light.shape[0] // 2
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.uint8)


def _edges(glow: FloatArray, shape: tuple[int, ...]) -> Uint8Array:
    """1 where a pixel belongs to the edge of what glows, uint8 [height, width] of `shape`."""
    surroundings = cv2.blur(glow, (SURROUNDINGS_PX, SURROUNDINGS_PX))
    glowing = ((glow > GLOW_LEVEL) & (glow - surroundings > GLOW_CONTRAST)).astype(np.uint8)
    near = cv2.dilate(glowing, np.ones((EDGE_PX, EDGE_PX), np.uint8))
    return np.asarray(cv2.resize(near, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8)


def _part(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a box and a little around it."""
    high, wide = shape
    return (
        slice(max(0, int((box.top_frac - MARGIN_FRAC) * high)), int((box.bottom_frac + MARGIN_FRAC) * high) + 1),
        slice(max(0, int((box.left_frac - MARGIN_FRAC) * wide)), int((box.right_frac + MARGIN_FRAC) * wide) + 1),
    )


def _cells(lighter: Uint8Array, darker: Uint8Array, edges: Uint8Array) -> FloatArray:
    """How many pixels of each cell of 8 × 8 lie on `edges` (1) and are so much lighter in the first picture than in the
    second; a cell at the border may be smaller."""
    _, changed = cv2.threshold(cv2.subtract(lighter, darker), CHANGE_LEVELS, 1, cv2.THRESH_BINARY)
    below, beside = (-side % CELL_PX for side in edges.shape)
    whole = cv2.copyMakeBorder(cv2.bitwise_and(changed, edges), 0, below, 0, beside, cv2.BORDER_CONSTANT, value=0)
    rows, columns = whole.shape[0] // CELL_PX, whole.shape[1] // CELL_PX
    # cv2's means of whole numbers are rounded: in float they are not.
    means = cv2.resize(whole.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means * CELL_PX**2, np.float32)


def _share(elapsed_s: float, hold_s: float) -> float:
    """How much the newest picture counts in a mean that forgets over `hold_s`."""
    return float(1.0 - np.exp(-elapsed_s / hold_s))
