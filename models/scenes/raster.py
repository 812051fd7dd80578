"""Which triangle each pixel shows, in numpy: triangles become points about half a pixel apart, the nearest one wins.

Fit for bodies of small triangles in small pictures, at a tenth of a second each; large faces have to be cut up first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scenes.skeleton import Array

LEVELS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 26, 34, 44)
DENSITY = 1.4
"""Points for each pixel along an edge: fewer leave holes."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The pixels that show something: rows, columns, depth, triangle and its barycentric weights, all [N]."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    depth: Array
    face: NDArray[np.intp]
    weights: Array  # [N, 3]

    def between(self, values: Array, faces: NDArray[np.int32]) -> Array:
        """Return `values` of the vertices at each pixel, [N, C]."""
        return np.asarray(np.einsum("nk,nkc->nc", self.weights, values[faces[self.face]]))


def show(points: Array, faces: NDArray[np.int32], shape: tuple[int, int]) -> Shown:
    """Draw triangles whose vertices stand at `points` (x, y in pixels, depth), into `shape` (height, width).

    Triangles run counter-clockwise seen from outside; those seen from behind are left out.
    """
    corners = points[faces]
    spans = corners[:, :, :2].max(axis=1) - corners[:, :, :2].min(axis=1)
    inside = (corners[:, :, 2].min(axis=1) > 0.05) & (corners[:, :, :2].max(axis=1) > 0).all(axis=1)
    inside &= (corners[:, :, :2].min(axis=1) < (shape[1], shape[0])).all(axis=1)
    a, b = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    inside &= a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0.0
    wanted = np.searchsorted(LEVELS, np.ceil(spans.max(axis=1) * DENSITY)).clip(0, len(LEVELS) - 1)
    parts = []
    for level in np.unique(wanted[inside]):
        chosen = np.flatnonzero(inside & (wanted == level))
        lattice = _lattice(LEVELS[level])
        at = np.einsum("kc,fcx->fkx", lattice, corners[chosen])
        face = np.repeat(chosen, len(lattice))
        weights = np.tile(lattice, (len(chosen), 1))
        parts.append((at.reshape(-1, 3), face, weights))
    if not parts:
        none = np.zeros(0, np.intp)
        return Shown(none, none, np.zeros(0), none, np.zeros((0, 3)))
    at, face, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    x, y = np.floor(at[:, 0]).astype(np.intp), np.floor(at[:, 1]).astype(np.intp)
    kept = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    order = np.flatnonzero(kept)[np.argsort(-at[kept, 2], kind="stable")]
    winner = np.full(shape[0] * shape[1], -1, np.intp)
    winner[y[order] * shape[1] + x[order]] = order  # of equal places the last one stays: the nearest
    shown = np.flatnonzero(winner >= 0)
    won = winner[shown]
    return Shown(shown // shape[1], shown % shape[1], at[won, 2], face[won], weights[won])


def _lattice(level: int) -> Array:
    """Return barycentric weights spread evenly over a triangle, [K, 3]."""
    a, b = np.mgrid[:level, :level]
    fits = a + b < level
    first = (a[fits] + 1 / 3) / level
    second = (b[fits] + 1 / 3) / level
    return np.stack([first, second, 1 - first - second], axis=1)
