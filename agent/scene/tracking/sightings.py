"""What was detected in one picture, as columns, and which of it still wants a track."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.scene.tracking.association import Floats, Ints

Flags = NDArray[np.bool_]

MOST_BOXES = 1000
"""The surest detections of a picture that are looked at: time and memory stay bounded."""
FARTHEST = 1e9
"""Coordinates beyond this are no boxes."""


@dataclass(slots=True, kw_only=True)
class Sightings:
    """The detections of one picture, in an order that does not depend on how they came."""

    at_ns: int
    boxes: Floats
    measured: Floats  # the same as centre and size
    scores: Floats
    groups: Ints
    looks: Floats  # unit vectors, zero where unknown; [m, 0] without appearance
    sure: Flags
    weak: Flags
    birth: Flags
    owner: Ints  # row of the track that it continues, -1 for none; filled in by the stages


def canonical(boxes: Floats, scores: Floats, groups: Ints) -> Ints:
    """The detections that are looked at, surest first, in an order that does not depend on how they came."""
    real = np.isfinite(scores) & (np.abs(boxes) < FARTHEST).all(axis=1)
    told = zip((-scores).tolist(), boxes.tolist(), groups.tolist(), range(len(scores)), strict=True)
    order = [at for *_, at in sorted(itertools.compress(told, real.tolist()))]
    return np.array(order[:MOST_BOXES], np.int64)


def free_pairs(owner: Ints, allowed: Flags) -> tuple[Ints, Ints]:
    """Rows and columns of `allowed` [n, m] that still want a partner."""
    open_rows, open_columns = np.ones(len(allowed), bool), owner < 0
    open_rows[owner[~open_columns]] = False
    open_pairs = allowed & open_rows[:, None] & open_columns
    return places_of(open_pairs.any(axis=1)), places_of(open_pairs.any(axis=0))


def places_of(flags: Flags | np.bool_) -> Ints:
    """Where `flags` [n] are true; without what `numpy.flatnonzero` does for other shapes."""
    return np.asarray(flags).nonzero()[0]
