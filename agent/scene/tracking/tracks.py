"""The tracks of one camera as columns, one row a track."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from agent.scene.tracking import kalman
from agent.scene.tracking.association import Floats, Ints


@dataclass(slots=True, kw_only=True)
class Tracks:
    """What is known of n objects; the oldest identity first."""

    state: Floats  # of the filter [n, kalman.COLUMNS]
    observed: Floats  # last detection, centre and size [n, 4]
    direction: Floats  # recent displacement of the detections [n, 2]
    scores: Floats  # smoothed score of the detections [n]
    looks: Floats  # smoothed appearance [n, d], unit vectors, zero where unknown
    seen_ns: Ints
    ids: Ints
    groups: Ints
    hits: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def none(cls) -> "Tracks":
        """Return an empty table of tracks."""
        no_ints = np.zeros(0, np.int64)
        return cls(
            state=np.zeros((0, kalman.COLUMNS)), observed=np.zeros((0, 4)), direction=np.zeros((0, 2)),
            scores=np.zeros(0), looks=np.zeros((0, 0)), seen_ns=no_ints, ids=no_ints, groups=no_ints, hits=no_ints,
        )  # fmt: skip

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop all rows but those of `kept` [n]."""
        for column in fields(self):
            setattr(self, column.name, getattr(self, column.name)[kept])
        self.state = np.asfortranarray(self.state)

    def add(self, more: "Tracks") -> None:
        """Append the rows of `more`."""
        self.see_looks_of(more.looks.shape[1])
        more.see_looks_of(self.looks.shape[1])
        is_first = not len(self)
        for column in fields(self):
            new = getattr(more, column.name)
            setattr(self, column.name, new if is_first else np.concatenate([getattr(self, column.name), new]))

    def see_looks_of(self, size: int) -> None:
        """Make room for appearance vectors of `size` numbers; all are unknown when their size changes."""
        if size and self.looks.shape[1] != size:
            self.looks = np.zeros((len(self), size))
