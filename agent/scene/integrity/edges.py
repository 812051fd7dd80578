"""What a place looks like by the edges of its cells, whether they are still there, and whether they have shifted.

Directions are compared less their mean over the picture: that most edges in a place are upright says nothing about
which place it is. A camera that was pushed shows the same edges some cells further: that they fit better there than
where they were is the surest sign of all, for no light and no weather moves them.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROWS, COLUMNS = 9, 16
"""As `agent.features.picture` measures them, two numbers to a cell."""
DOWN, ACROSS = 2, 3
"""Shifts are looked for this many cells far: a fifth of the picture."""
_INSIDE = sliding_window_view(
    np.pad(np.ones((ROWS, COLUMNS)), ((DOWN, DOWN), (ACROSS, ACROSS))), (ROWS, COLUMNS)
)  # [shifts down, shifts across, ROWS, COLUMNS]


def cells_of(edges: tuple[int, ...]) -> Floats | None:
    """Return directions as [ROWS, COLUMNS, 2], or None where they were not measured."""
    if len(edges) != ROWS * COLUMNS * 2:
        return None
    return np.array(edges, np.float64).reshape(ROWS, COLUMNS, 2)


def length(cells: Floats) -> float:
    """How much there is in all cells together."""
    return math.sqrt(float(np.add.reduce(np.square(cells), axis=None)))


def agreement(cells: Floats, known: Floats) -> float:
    """Correlation of two looks, in [-1, 1]; 1 where both are empty."""
    first, second = _centred(cells), _centred(known)
    product = length(first) * length(second)
    if product < 1e-9:
        return float(length(first) < 1e-9 and length(second) < 1e-9)
    return float(np.add.reduce(first * second, axis=None)) / product


def shift_gain(cells: Floats, known: Floats) -> float:
    """By how much the known look fits better somewhere else than in its place; negative where it does not."""
    first, second = _centred(cells), _centred(known)
    padded = np.pad(first, ((DOWN, DOWN), (ACROSS, ACROSS), (0, 0)))
    windows = sliding_window_view(padded, (ROWS, COLUMNS), axis=(0, 1))  # [down, across, 2, ROWS, COLUMNS]
    products = np.einsum("ijcrk,rkc->ij", windows, second)
    own = np.einsum("ijcrk,ijcrk->ij", windows, windows)
    theirs = np.einsum("ijrk,rk->ij", _INSIDE, np.square(second).sum(axis=2))
    fits = products / np.sqrt(np.maximum(own * theirs, 1e-9))
    in_place = float(fits[DOWN, ACROSS])
    fits[DOWN, ACROSS] = -1.0
    return float(fits.max()) - in_place


def _centred(cells: Floats) -> Floats:
    return np.asarray(cells - np.add.reduce(cells, axis=(0, 1)) / (ROWS * COLUMNS), np.float64)
