"""Which detection continues which track: overlap, direction of motion, and the best assignment overall."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TINY = 1e-12


def corners(boxes: Floats) -> Floats:
    """Boxes [n, 4] of centre, width, height as left, top, right, bottom."""
    half = boxes[:, 2:] / 2.0
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def centred(boxes: Floats) -> Floats:
    """Boxes [n, 4] of left, top, right, bottom as centre, width, height."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2.0, boxes[:, 2:] - boxes[:, :2]], axis=1)


def overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union [n, m] of corner boxes [n, 4] and [m, 4]."""
    left, top, right, bottom = first.T[:, :, None]
    other_left, other_top, other_right, other_bottom = second.T
    wide = np.minimum(right, other_right) - np.maximum(left, other_left)
    high = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    areas = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top)
    return np.asarray(shared / (areas - shared + _TINY), np.float64)


def alike(first: Floats, second: Floats) -> Floats:
    """Intersection over union of the vertical extents alone [n, m] (Hybrid-SORT's height cue): of people who
    overlap, the one as high and as far away as before is the same."""
    low = np.maximum(first[:, None, 1], second[None, :, 1])
    high = np.minimum(first[:, None, 3], second[None, :, 3])
    shared = np.maximum(high - low, 0.0)
    heights = (first[:, 3] - first[:, 1])[:, None] + (second[:, 3] - second[:, 1])[None, :]
    return np.asarray(shared / (heights - shared + _TINY), np.float64)


def directed(vectors: Floats) -> Floats:
    """Unit vectors [n, d] of the same direction; zero for those that are zero or not finite."""
    known = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0.0)
    length = np.sqrt(np.square(known).sum(axis=1, keepdims=True))
    return np.asarray(known / np.maximum(length, _TINY), np.float64)


def agreement(direction: Floats, origin: Floats, target: Floats) -> Floats:
    """How well going from `origin` [n, 2] to `target` [m, 2] fits each `direction` (unit vectors [n, 2] or 0).

    1 where it is straight on, -1 where it is straight back, 0 where the direction is unknown: [n, m]. The
    angle itself is compared, as OC-SORT does, not its cosine.
    """
    across, down = target[:, 0] - origin[:, :1], target[:, 1] - origin[:, 1:]
    length = np.sqrt(across * across + down * down) + _TINY
    cosine = (across * direction[:, :1] + down * direction[:, 1:]) / length
    known = (direction != 0.0).any(axis=1)
    angle = np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0))
    return np.asarray(np.where(known[:, None], 1.0 - angle * (2.0 / np.pi), 0.0), np.float64)


def undisputed(possible: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints, Ints]:
    """Rows and columns of the pairs in which neither has another partner among the `possible` [n, m], and the rows and
    columns of all others: what is worth most there is to be found out. In most pictures nobody competes."""
    rows, columns = possible.nonzero()
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1) if len(rows) else rows == 0
    if np.count_nonzero(alone) == len(rows):
        return rows, columns, rows[:0], columns[:0]
    rivals = ~alone
    open_rows, open_columns = np.zeros(possible.shape[0], bool), np.zeros(possible.shape[1], bool)
    open_rows[rows[rivals]], open_columns[columns[rivals]] = True, True
    return rows[alone], columns[alone], open_rows.nonzero()[0], open_columns.nonzero()[0]


def assign(gain: Floats, allowed: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Pairs (rows, columns) of the assignment with the largest total `gain` [n, m] among the `allowed` pairs."""
    if not allowed.any():
        empty = np.zeros(0, np.int64)
        return empty, empty
    rows, columns = linear_sum_assignment(np.where(allowed, gain, -1e3), maximize=True)
    kept = allowed[rows, columns]
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
