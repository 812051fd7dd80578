"""What people in front of one camera do to each other, as numbers: speeds, heights, distances, and their changes.

A row per person (`COLUMNS`), in picture heights and body heights, so that neither the size of the picture nor the
distance to the camera matters; out come the `KINEMATIC_NAMES` of one moment.
"""

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
    found = np.zeros(len(KINEMATIC_NAMES), np.float32)
    found[-1] = np.log1p(lost)
    if not len(people):
        return found
    body = np.maximum(people[:, HEIGHT], 0.03)
    shape = people[:, WIDTH] / body
    found[0] = np.log1p(len(people))
    found[2], found[3] = people[:, SPEED].max(), people[:, SPEED].mean()
    found[1], found[4:9] = _pairs(people, body)
    found[9], found[10], found[11] = shape.max(), people[:, DOWN].max(), people[:, DOWN].mean()
    found[12], found[13] = body.mean(), body.max()
    found[14] = np.log1p(people[:, AGE_S].max())
    found[15] = np.log1p(np.count_nonzero(people[:, AGE_S] < NEWBORN_S))
    found[16] = people[:, SCORE].mean()
    found[17] = (np.abs(people[:, VY]) / body).max()
    found[18] = np.log1p(np.count_nonzero(people[:, DOWN] > LYING_LLR))
    found[19], found[20] = np.abs(people[:, WIDENS]).max(), np.abs(people[:, SHRINKS]).max()
    return np.clip(found, -_MOST, _MOST)


def _pairs(people: FloatArray, body: FloatArray) -> tuple[float, FloatArray]:
    """How many pairs are close, and of them: overlap, closeness, speed and approach of the closest, speed of all."""
    if len(people) == 1:
        return 0.0, np.zeros(5, np.float32)
    first, second = np.triu_indices(len(people), 1)
    mean_body = (body[first] + body[second]) / 2
    across = people[second, X] - people[first, X]
    along = (people[second, FOOT] - body[second] / 2) - (people[first, FOOT] - body[first] / 2)
    distance = np.hypot(across, along) / mean_body
    relative = (people[second, VX : VY + 1] - people[first, VX : VY + 1]) / mean_body[:, None]
    speed = np.hypot(relative[:, 0], relative[:, 1])
    closeness = np.exp(-distance)
    nearest = int(np.argmin(distance))
    towards = np.array([across[nearest], along[nearest]]) / max(1e-6, float(distance[nearest] * mean_body[nearest]))
    approach = -float(relative[nearest] @ towards)
    of_closest = [closeness[nearest], speed[nearest], approach, float((closeness * speed).max())]
    overlap = float(_overlaps(people, body, first, second).max())
    close = float(np.log1p(np.count_nonzero(distance < PAIR_HEIGHTS)))
    return close, np.array([overlap, *of_closest], np.float32)


def _overlaps(people: FloatArray, body: FloatArray, first: Places, second: Places) -> FloatArray:
    """Intersection over union of each pair of boxes: [pairs]."""
    left, right = people[:, X] - people[:, WIDTH] / 2, people[:, X] + people[:, WIDTH] / 2
    top, bottom = people[:, FOOT] - body, people[:, FOOT]
    wide = np.minimum(right[first], right[second]) - np.maximum(left[first], left[second])
    high = np.minimum(bottom[first], bottom[second]) - np.maximum(top[first], top[second])
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    area = (right - left) * (bottom - top)
    return np.asarray(shared / np.maximum(area[first] + area[second] - shared, 1e-9), np.float32)
