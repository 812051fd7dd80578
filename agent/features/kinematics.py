"""What people in front of one camera do to each other, as numbers: speeds, heights, distances, and their changes.

A row per person (`COLUMNS`), in picture heights and body heights, so that neither the size of the picture nor the
distance to the camera matters; out come the `KINEMATIC_NAMES` of one moment.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agent.types import FloatArray

Places = NDArray[np.intp]
FEATURE_VERSION = "kinematics/1"
COLUMNS: tuple[str, ...] = (
    "x", "foot", "width", "height", "vx", "vy", "speed", "down", "score", "age_s", "widens", "shrinks",
)  # fmt: skip
"""x, foot, width, height in picture heights; vx, vy in picture heights a second; speed in body heights a second; down
is the llr of lying; widens and shrinks are the rates at which shape (width over height, log height) changes."""
X, FOOT, WIDTH, HEIGHT, VX, VY, SPEED, DOWN, SCORE, AGE_S, WIDENS, SHRINKS = range(len(COLUMNS))

KINEMATIC_NAMES: tuple[str, ...] = (
    "people", "close_pairs", "speed_most", "speed_mean", "overlap", "closeness", "closest_speed", "closest_approach",
    "close_speed", "shape_most", "down_most", "down_mean", "height_mean", "height_most", "age_most", "newborn",
    "score_mean", "vertical_most", "lying", "widens_most", "shrinks_most", "lost",
)  # fmt: skip
PAIR_HEIGHTS = 1.0
"""Two people whose feet or middles are nearer than this many mean body heights are close."""
NEWBORN_S = 0.5
LYING_LLR = 0.3
_MOST = 8.0


def kinematics(people: FloatArray, lost: int) -> FloatArray:
    """Numbers by `KINEMATIC_NAMES` of people [n, len(COLUMNS)] and of how many were lost from sight: float32 [22]."""
    return np.asarray(kinematics_of(people[None], [lost])[0])


def kinematics_of(people: FloatArray, lost: Sequence[int]) -> FloatArray:
    """The same of several moments with as many people each: [moments, n, len(COLUMNS)] and [moments] give float32
    [moments, 22], for little more than one moment costs."""
    moments, count, _ = people.shape
    found = np.zeros((moments, len(KINEMATIC_NAMES)), np.float32)
    found[:, -1] = np.log1p(lost)
    if not count:
        return found
    columns = np.ascontiguousarray(people.transpose(0, 2, 1))
    most, mean = columns.max(axis=2), np.add.reduce(columns, axis=2) / count
    body = np.maximum(columns[:, HEIGHT], 0.03)
    found[:, 0] = np.log1p(count)
    found[:, 2], found[:, 3] = most[:, SPEED], mean[:, SPEED]
    if count > 1:
        found[:, 1], found[:, 4:9] = _pairs(columns, body)
    found[:, 9], found[:, 10], found[:, 11] = (columns[:, WIDTH] / body).max(axis=1), most[:, DOWN], mean[:, DOWN]
    found[:, 12], found[:, 13] = np.add.reduce(body, axis=1) / count, body.max(axis=1)
    found[:, 14] = np.log1p(most[:, AGE_S])
    found[:, 15] = np.log1p(np.count_nonzero(columns[:, AGE_S] < NEWBORN_S, axis=1))
    found[:, 16] = mean[:, SCORE]
    found[:, 17] = (np.abs(columns[:, VY]) / body).max(axis=1)
    found[:, 18] = np.log1p(np.count_nonzero(columns[:, DOWN] > LYING_LLR, axis=1))
    found[:, 19] = np.abs(columns[:, WIDENS]).max(axis=1)
    found[:, 20] = np.abs(columns[:, SHRINKS]).max(axis=1)
    return np.minimum(np.maximum(found, -_MOST), _MOST)


@lru_cache(maxsize=64)
def _pairs_of(count: int) -> tuple[Places, Places]:
    """Both ends of every pair of `count` people: [pairs] each."""
    first, second = np.triu_indices(count, 1)
    return first, second


def _pairs(columns: FloatArray, body: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How many pairs are close [moments], and of them: overlap, closeness, speed and approach of the closest, speed of
    all [moments, 5]."""
    first, second = _pairs_of(body.shape[1])
    mean_body = (body[:, first] + body[:, second]) / 2
    x, middle = columns[:, X], columns[:, FOOT] - body / 2
    across, along = x[:, second] - x[:, first], middle[:, second] - middle[:, first]
    distance = np.hypot(across, along) / mean_body
    moving = columns[:, VX : VY + 1]
    relative = (moving[:, :, second] - moving[:, :, first]) / mean_body[:, None]
    speed = np.hypot(relative[:, 0], relative[:, 1])
    closeness = np.exp(-distance)
    told = np.empty((len(body), 5), np.float32)
    told[:, 0] = _overlaps(columns, body, first, second).max(axis=1)
    told[:, 4] = (closeness * speed).max(axis=1)
    for moment, nearest in enumerate(distance.argmin(axis=1).tolist()):
        reach = max(1e-6, float(distance[moment, nearest] * mean_body[moment, nearest]))
        towards = np.array([across[moment, nearest], along[moment, nearest]]) / reach
        approach = -float(relative[moment, :, nearest] @ towards)
        told[moment, 1:4] = closeness[moment, nearest], speed[moment, nearest], approach
    return np.log1p(np.count_nonzero(distance < PAIR_HEIGHTS, axis=1)), told


def _overlaps(columns: FloatArray, body: FloatArray, first: Places, second: Places) -> FloatArray:
    """Intersection over union of each pair of boxes: [moments, pairs]."""
    half = columns[:, WIDTH] / 2
    left, right = columns[:, X] - half, columns[:, X] + half
    bottom = columns[:, FOOT]
    top = bottom - body
    wide = np.minimum(right[:, first], right[:, second]) - np.maximum(left[:, first], left[:, second])
    high = np.minimum(bottom[:, first], bottom[:, second]) - np.maximum(top[:, first], top[:, second])
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    area = (right - left) * (bottom - top)
    return np.asarray(shared / np.maximum(area[:, first] + area[:, second] - shared, 1e-9), np.float32)
