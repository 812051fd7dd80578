"""What is usual of how figures walk: how much legs swing and how much their width does, for who moves so fast and
whose trunk changes so much.

Kept are the sums of products of seven numbers; from them follow two lines, by least squares, and how far figures
usually stand from them. Legs that swing less than the line says are a surprise: half the squared deviation. Legs that
swing more are none, because whoever crosses somebody else changes his silhouette, too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.types import Figure

AXES = 7
"""1, speed, its square, trunk, trunk's width; legs, legs' width."""
_GIVEN = 5
LEAST_CHANGE, LEAST_SWING = 1e-3, 0.05
SLOW_BODIES_PER_S = 0.3
BOTH = 1.5
"""The two deviations added up swing about so much more than one of them: they go together."""
LEAST_FIGURES = 200.0
GAIT_TRAIL_S = 1.0
"""Averaged over about this long a way: longer than speed and size, as a stride takes a second."""
GAIT_SHARE = 0.7
"""How much it counts beside speed and size."""
LEAST_VARIANCE = 0.01
MOST_NATS = 50.0
REFRESH_LOOKS = 16

Map = NDArray[np.float32]


class Walking:
    """How figures walk in front of one camera."""

    def __init__(self) -> None:
        self.products: NDArray[np.float64] = np.zeros((AXES, AXES))
        self._lines: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._new = 0

    def learn(self, figures: Sequence[Figure]) -> None:
        """Take the figures of one picture into account."""
        if figures:
            values = _values(figures)
            self.products += values.T @ values
            self._new += 1

    def fade(self, share: float) -> None:
        """Forget: multiply all that was counted by `share`."""
        self.products *= share

    def surprise(self, figures: Sequence[Figure]) -> Map:
        """How much too little the legs of each figure swing, in nats [n]; 0 until enough figures were seen."""
        if not figures or self.products[0, 0] < LEAST_FIGURES:
            return np.zeros(len(figures), np.float32)
        if self._lines is None or self._new >= REFRESH_LOOKS:
            self._lines, self._new = self._fitted(), 0
        weights, spread = self._lines
        values = _values(figures)
        below = ((values[:, :_GIVEN] @ weights - values[:, _GIVEN:]) / spread).sum(1) / BOTH
        return np.asarray(np.minimum(0.5 * np.maximum(below, 0.0) ** 2, MOST_NATS), np.float32)

    def on_cells(self, figures: Sequence[Figure], shape: tuple[int, int]) -> Map:
        """The surprise of figures laid on the cells [rows, columns] that they cover."""
        cells = np.zeros(shape, np.float32)
        for figure, nats in zip(figures, self.surprise(figures).tolist(), strict=True):
            box = figure.box
            rows = slice(int(box.top_frac * shape[0]), int(box.bottom_frac * shape[0]) + 1)
            columns = slice(int(box.left_frac * shape[1]), int(box.right_frac * shape[1]) + 1)
            cells[rows, columns] = np.maximum(cells[rows, columns], nats)
        return cells

    def _fitted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        count = self.products[0, 0]
        given, both = self.products[:_GIVEN, :_GIVEN] / count, self.products[:_GIVEN, _GIVEN:] / count
        weights = np.linalg.solve(given + 1e-6 * np.eye(_GIVEN), both)
        told = self.products[_GIVEN:, _GIVEN:].diagonal() / count
        left = told - 2.0 * (weights * both).sum(0) + np.einsum("ik,ij,jk->k", weights, given, weights)
        return weights, np.sqrt(np.maximum(left, LEAST_VARIANCE))


def _values(figures: Sequence[Figure]) -> NDArray[np.float64]:
    """[n, AXES]"""
    told = np.array([(f.speed, f.trunk, f.trunk_width, f.legs, f.legs_width) for f in figures], np.float64)
    speed, trunk, trunk_width, legs, legs_width = told.T
    fast = np.arcsinh(speed / SLOW_BODIES_PER_S)
    return np.stack(
        [
            np.ones(len(told)), fast, fast * fast, np.log(trunk + LEAST_CHANGE), np.log(trunk_width + LEAST_SWING),
            np.log(legs + LEAST_CHANGE), np.log(legs_width + LEAST_SWING),
        ],
        axis=1,
    )  # fmt: skip
