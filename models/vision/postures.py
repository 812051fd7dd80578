"""Whether a person stands, crouches or lies, from joints: the labels that `posture` learns and is measured by.

upright     trunk within 30° of vertical, both knees and a foot well below the hips: standing, walking
crouched    low but not lying: sitting, squatting, kneeling, bending over by 55° and more
lying       trunk within 30° of level, legs stretched out beside it, not below

What is in between (lunges, skiers, batters), folded, foreshortened or not labelled is left out. All of that is
geometry of the picture, so it is right for cameras that look more along the ground than down.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

UPRIGHT, CROUCHED, LYING = range(3)
SHOULDERS, HIPS, KNEES, ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)
"""Numbers of COCO's joints."""
PAIRS = ("shoulder", "hip", "knee", "ankle")
"""Names of the same in rendered pictures."""
SHORTEST_TRUNK_FRAC = 0.12
"""Of the longer side of the box: a shorter trunk points at the camera."""


def posture_of(joints: NDArray[np.floating], box: NDArray[np.floating]) -> int | None:
    """Index into POSTURES, or None where it cannot be said.

    `joints` [17, 3]: x, y in pixels (y down) and whether known (> 0), as COCO counts them; `box` x1 y1 x2 y2.
    """
    shoulder, hip = _middle(joints, SHOULDERS), _middle(joints, HIPS)
    if shoulder is None or hip is None:
        return None
    trunk = shoulder - hip
    length = float(np.hypot(*trunk))
    if length < SHORTEST_TRUNK_FRAC * max(box[2] - box[0], box[3] - box[1], 1e-6):
        return None
    tilt_deg = float(np.degrees(np.arctan2(abs(trunk[0]), -trunk[1])))  # 0 upright, 90 level, 180 head down
    knees, ankles = _drops(joints, KNEES, hip, length), _drops(joints, ANKLES, hip, length)
    if not len(knees):
        return None
    return _posture(tilt_deg, knees, ankles, _fold_deg(joints, trunk, hip))


def posture_in_room(joints_m: Mapping[str, Sequence[float]]) -> int | None:
    """The same of joints whose places in the room are known: `joints_m` x, y, z in metres (z up) by name and side.

    Exact for every camera, also for one that looks down and for a body along its axis.
    """
    place = {name: np.array([joints_m[f"{name}_{side}"] for side in "lr"], np.float64) for name in PAIRS}
    hip = place["hip"].mean(0)
    trunk = place["shoulder"].mean(0) - hip
    length = float(np.linalg.norm(trunk))
    tilt_deg = float(np.degrees(np.arccos(np.clip(trunk[2] / max(length, 1e-9), -1.0, 1.0))))
    knees, ankles = ((hip[2] - place[name][:, 2]) / max(length, 1e-9) for name in ("knee", "ankle"))
    return _posture(tilt_deg, knees, ankles, _angle_deg(place["knee"].mean(0) - hip, trunk))


def _posture(tilt_deg: float, knees: NDArray[np.float64], ankles: NDArray[np.float64], fold_deg: float) -> int | None:
    """`knees`, `ankles`: how far each known one is below the hips, in trunk lengths; `fold_deg`: 180 stretched."""
    deepest, foot = knees.max(), ankles.max() if len(ankles) else np.nan
    stands = deepest >= 0.6 and foot >= 1.25
    if tilt_deg <= 30.0 and stands and knees.min() >= 0.3:
        return UPRIGHT
    if tilt_deg <= 60.0 and (deepest <= 0.35 or foot <= 0.75):
        return CROUCHED
    if tilt_deg >= 55.0 and stands:
        return CROUCHED  # bends over, on stretched legs
    flat = 60.0 <= tilt_deg <= 120.0 and deepest <= 0.5 and not foot > 0.7
    return LYING if flat and fold_deg >= 100.0 else None


def turned(posture: int | None, angle_deg: float) -> int | None:
    """The posture of a person whose picture is turned: whoever stood or sat lies from 60° to 120° on."""
    if posture is None or abs(angle_deg) <= 15.0:
        return posture
    return LYING if posture != LYING and 60.0 <= abs(angle_deg) <= 120.0 else None


def _middle(joints: NDArray[np.floating], pair: tuple[int, int]) -> NDArray[np.float64] | None:
    known = joints[list(pair)]
    known = known[known[:, 2] > 0]
    return None if not len(known) else np.asarray(known[:, :2].mean(0), np.float64)


def _drops(
    joints: NDArray[np.floating], pair: tuple[int, int], hip: NDArray[np.float64], length: float
) -> NDArray[np.float64]:
    known = joints[list(pair)]
    return np.asarray((known[known[:, 2] > 0][:, 1] - hip[1]) / length, np.float64)


def _fold_deg(joints: NDArray[np.floating], trunk: NDArray[np.float64], hip: NDArray[np.float64]) -> float:
    """The angle between trunk and thighs, 180 where the body is stretched."""
    knee = _middle(joints, KNEES)
    if knee is None:
        return 180.0
    return _angle_deg(knee - hip, trunk)


def _angle_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    cosine = float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
