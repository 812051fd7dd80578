"""What is usual in each part of the picture: how fast and how large what moves there is, and which way it goes.

Every cell keeps a Gaussian of speed and of size and a histogram of eight directions, pooled with the cells around
it; where little was seen, the whole picture stands in. Speeds are taken as asinh(speed / SLOW): a tenth faster is
about the same step for a walker and for a car. Size is two numbers: how much is pushed along, and how much of the
ground it covers, whatever it contrasts with: a wheelchair that keeps a walker's pace, a grey cart on grey ground. The
surprise of a cell is half the squared deviation, of what is faster or larger than usual: things that stand still, or
are small because they are half hidden, are no news.

Evidence follows what moves: `Trail` carries the surprise of a cell along its own velocity, so that a cyclist
gathers it across the picture while the swing of a walker's leg is averaged out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from agent.types import Flow

ATTRIBUTES = ("speed", "size", "direction")
SLOW = 0.02
"""Picture heights a second; a slow walk across a yard."""
NEAR_CELLS = 0.8
"""Cells are read together with those around them (one standard deviation): more would mix a cyclist with the walkers
around."""
BODY_CELLS = 1.5
"""The same for size."""
COVER_CELLS = 1.0
"""The same for how much of the ground is covered."""
LEAST_COVER_FRAC = 0.02
"""Of the ground around a cell: less than this is all the same."""
USUAL_CHANGE_LEVELS = 30.0
"""What a changed pixel changes by, about, where a recording did not keep how many did."""
EDGE_CELLS = 4
"""So near to the edge of the picture surprise counts less, a quarter in the outermost cell: what comes in was nowhere
a moment ago, so that its velocity is guessed."""
POOL_CELLS = 2.5
"""What is usual is learned together with cells this near: people walk on either side of a line."""
ACTIVE_ENERGY = 6.0
"""Mean change in grey levels from which on a cell, read with those around it, is looked at."""
GLOBAL_LOOKS = 20.0
"""The whole picture's statistics count as much as this many looks at a cell."""
LEAST_VARIANCE_FRAC = 0.1
"""Of the whole picture's variance: no cell is surer of itself than this."""
DIRECTIONS = 8
MOVING_SPEED = 0.025
"""What moves more slowly has no direction."""
TRAIL_S = 0.4
"""Surprise is averaged over about this long a way."""
NEWCOMER_LOOKS = 3.0
"""A new thing counts as if it had been seen three times before without surprise."""
LOST_SHARE = 0.3
"""What of a trail remains where nothing moves any more, a tenth of a second later."""
REFRESH_LOOKS = 8
"""What was learned is pooled anew after so many pictures: one more or less changes nothing."""

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """One picture's cells [rows, columns]: which count, velocity across and down, speed, size (pushed, covered)."""

    active: NDArray[np.bool_]
    across: Map
    down: Map
    speed: Map
    size: Map
    cover: Map


def look_at(flow: Flow) -> Look:
    """Read the moving cells of a picture, each together with those around it."""
    grids = np.zeros((4, flow.rows * flow.columns), np.float32)
    cells = np.array(flow.cells, np.float32).reshape(-1, 4)
    where = cells[:, 0].astype(np.intp)
    energy = cells[:, 1] / 10.0
    grids[:, where] = energy, energy * cells[:, 2] / 1000.0, energy * cells[:, 3] / 1000.0, _changed(flow, energy)
    maps = grids.reshape(4, flow.rows, flow.columns)
    energy_near, across, down = gaussian_filter(maps[:3], (0, NEAR_CELLS, NEAR_CELLS))
    across, down = across / np.maximum(energy_near, 1e-3), down / np.maximum(energy_near, 1e-3)
    pushed = gaussian_filter(maps[1:3], (0, BODY_CELLS, BODY_CELLS))
    size = np.log(np.hypot(pushed[0], pushed[1]) + 0.02)
    cover = np.log(gaussian_filter(maps[3], COVER_CELLS) + LEAST_COVER_FRAC)
    speed = np.arcsinh(np.hypot(across, down) / SLOW)
    return Look(energy_near > ACTIVE_ENERGY, across, down, speed, size, cover)


def edge_weights(rows: int, columns: int) -> Map:
    """How much the surprise of each cell counts [rows, columns], by its distance from the edge of the picture."""
    row, column = np.mgrid[0:rows, 0:columns]
    inward = np.minimum(np.minimum(row, rows - 1 - row), np.minimum(column, columns - 1 - column))
    return np.asarray(np.minimum(1.0, (inward + 1) / EDGE_CELLS), np.float32)


def _changed(flow: Flow, energy: Map) -> Map:
    """The share of changed pixels of every moving cell."""
    if len(flow.changed) == len(energy):
        return np.array(flow.changed, np.float32) / 1000.0
    return np.asarray(np.minimum(1.0, energy / USUAL_CHANGE_LEVELS), np.float32)


class Field:
    """The statistics of every cell of one camera's picture."""

    def __init__(self, rows: int, columns: int) -> None:
        self.looks: Map = np.zeros((rows, columns), np.float32)
        self.sums: Map = np.zeros((3, rows, columns), np.float32)
        self.squares: Map = np.zeros((3, rows, columns), np.float32)
        self.directions: Map = np.zeros((DIRECTIONS, rows, columns), np.float32)
        self._usual: tuple[Map, Map, Map] | None = None
        self._unpooled = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.looks.shape[0], self.looks.shape[1]

    def learn(self, look: Look) -> None:
        """Take one picture into account."""
        active = look.active.astype(np.float32)
        values = np.stack([look.speed, look.size, look.cover]) * active
        self.looks += active
        self.sums += values
        self.squares += values * values
        rows, columns = np.nonzero(look.active & _has_direction(look))
        self.directions[_direction(look)[rows, columns], rows, columns] += 1.0  # each cell once
        self._unpooled += 1

    def fade(self, share: float) -> None:
        """Forget: multiply all that was counted by `share`."""
        self.looks *= np.float32(share)
        self.sums *= np.float32(share)
        self.squares *= np.float32(share)
        self.directions *= np.float32(share)
        self._usual = None

    def surprise(self, look: Look) -> Mapping[str, Map]:
        """By attribute how unusual every cell is, in nats [rows, columns]; 0 where nothing moves."""
        mean, spread, directions = self._known()
        values = np.stack([look.speed, look.size, look.cover])
        above = np.maximum((values - mean) / spread, 0.0)
        speed, pushed, covered = 0.5 * above**2 * look.active
        likely = np.take_along_axis(directions, _direction(look)[None], 0)[0]
        # An even share of the directions is no surprise.
        way = np.maximum(-np.log(likely * DIRECTIONS), 0.0) * (look.active & _has_direction(look))
        return {"speed": speed, "size": pushed + covered, "direction": way.astype(np.float32)}

    def usual_speed(self, row: int, column: int) -> float:
        """What is usual in a cell, in picture heights a second."""
        return float(SLOW * np.sinh(self._known()[0][0, row, column]))

    def _known(self) -> tuple[Map, Map, Map]:
        if self._usual is None or self._unpooled >= REFRESH_LOOKS:
            self._usual, self._unpooled = self._pooled(), 0
        return self._usual

    def _pooled(self) -> tuple[Map, Map, Map]:
        whole = max(float(self.looks.sum()), 1e-6)
        mean_all = self.sums.sum((1, 2), keepdims=True) / whole
        variance_all = np.maximum(self.squares.sum((1, 2), keepdims=True) / whole - mean_all**2, 1e-4)
        sigma = (0, POOL_CELLS, POOL_CELLS)
        looks = gaussian_filter(self.looks, POOL_CELLS) + GLOBAL_LOOKS
        mean = (gaussian_filter(self.sums, sigma) + GLOBAL_LOOKS * mean_all) / looks
        squares = (gaussian_filter(self.squares, sigma) + GLOBAL_LOOKS * (variance_all + mean_all**2)) / looks
        spread = np.sqrt(np.maximum(squares - mean**2, LEAST_VARIANCE_FRAC * variance_all))
        directions = gaussian_filter(self.directions, sigma)
        directions = (directions + GLOBAL_LOOKS / DIRECTIONS) / (directions.sum(0) + GLOBAL_LOOKS)
        return mean.astype(np.float32), spread.astype(np.float32), directions.astype(np.float32)


class Trail:
    """Surprise carried along by what moves; one map an attribute, and one of how long it was looked at."""

    def __init__(self, rows: int, columns: int, names: Sequence[str] = ATTRIBUTES, *, trail_s: float = TRAIL_S) -> None:
        self._names, self._trail_s = names, trail_s
        self._maps: Map = np.zeros((len(names) + 1, rows, columns), np.float32)
        self._edges = edge_weights(rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._maps.shape[1], self._maps.shape[2]

    def follow(self, look: Look, surprise: Mapping[str, Map], elapsed_s: float) -> Map:
        """The mean surprise of what moves along its way [attributes, rows, columns], less near the picture's edge."""
        cells_s = self.shape[0] * elapsed_s  # a picture height a second is so many cells in this time
        rows, columns = np.nonzero(look.active)
        back = rows - look.down[rows, columns] * cells_s, columns - look.across[rows, columns] * cells_s
        carried = self._maps.copy()
        carried[:, rows, columns] = _between(self._maps, *back)
        kept = np.float32(np.exp(-elapsed_s / self._trail_s))
        lost = np.float32(LOST_SHARE ** (elapsed_s / 0.1))
        now = np.stack([*(surprise[name] for name in self._names), look.active.astype(np.float32)])
        self._maps = (carried * np.where(look.active, kept, kept * lost) + now * (1 - kept)).astype(np.float32)
        newcomer = max(NEWCOMER_LOOKS * (1 - kept), np.finfo(np.float32).tiny)  # of pictures at nearly the same time, 0
        mean = self._maps[:-1] / (self._maps[-1] + np.float32(newcomer))
        return np.asarray(mean * self._edges, np.float32)


def _between(maps: Map, rows: Map, columns: Map) -> Map:
    """Values [maps, n] at n places between the cells of [maps, rows, columns]; nothing beyond the edge."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    row = np.clip(rows + 1, 0, padded.shape[1] - 1.001).astype(np.float32)
    column = np.clip(columns + 1, 0, padded.shape[2] - 1.001).astype(np.float32)
    top, left = row.astype(np.intp), column.astype(np.intp)
    down, right = row - top, column - left
    above = padded[:, top, left] * (1 - right) + padded[:, top, left + 1] * right
    below = padded[:, top + 1, left] * (1 - right) + padded[:, top + 1, left + 1] * right
    return np.asarray(above * (1 - down) + below * down, np.float32)


def _direction(look: Look) -> NDArray[np.intp]:
    turn = np.arctan2(look.down, look.across) / (2 * np.pi) * DIRECTIONS
    return np.asarray(np.rint(turn), np.intp) % DIRECTIONS


def _has_direction(look: Look) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(look.across, look.down) >= MOVING_SPEED, np.bool_)
