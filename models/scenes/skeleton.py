"""The skeleton that moves all bodies: joints, angles with anatomical limits, and where the parts are for given angles.

At rest the body stands in an A-pose, looks along -y, its left is +x, the pelvis is the origin; metres for a body
1.63 m tall. Every angle turns about an axis given at rest; those of one joint are applied in the order of `ANGLES`,
each in the frame that the earlier ones left; that order is a walk through the tree, depth first. Positive is what
its name says: `hip_flex` lifts the thigh forward.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """A rigid part that hangs at `joint` of its parent; `hulls` are capsules (end, end, radius) at rest."""

    name: str
    parent: str
    joint: tuple[float, float, float]
    mass_frac: float
    hulls: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...]


def _mirror(point: tuple[float, float, float]) -> tuple[float, float, float]:
    return (-point[0], point[1], point[2])


def _limbs(side: str) -> list[Part]:
    at = (lambda p: p) if side == "l" else _mirror
    shoulder, elbow, wrist, tip = (
        at(p) for p in ((0.165, -0.013, 0.427), (0.334, -0.019, 0.239), (0.450, -0.174, 0.121), (0.520, -0.265, 0.050))
    )
    hip, knee, ankle = (at(p) for p in ((0.102, 0.004, -0.007), (0.133, -0.028, -0.396), (0.170, 0.0, -0.796)))
    heel, toe, ball = (at(p) for p in ((0.168, 0.045, -0.831), (0.190, -0.155, -0.842), (0.225, -0.135, -0.842)))
    return [
        Part(f"upperarm_{side}", "thorax", shoulder, 0.030, ((shoulder, elbow, 0.056),)),
        Part(f"forearm_{side}", f"upperarm_{side}", elbow, 0.018, ((elbow, wrist, 0.048),)),
        Part(f"hand_{side}", f"forearm_{side}", wrist, 0.007, ((wrist, tip, 0.030),)),
        Part(f"thigh_{side}", "pelvis", hip, 0.105, ((hip, knee, 0.075),)),
        Part(f"shin_{side}", f"thigh_{side}", knee, 0.045, ((knee, ankle, 0.052),)),
        Part(f"foot_{side}", f"shin_{side}", ankle, 0.015, ((heel, toe, 0.026), (heel, ball, 0.026))),
    ]


PARTS: tuple[Part, ...] = (
    Part("pelvis", "", (0.0, 0.0, 0.0), 0.15, (((0.08, 0.02, 0.0), (-0.08, 0.02, 0.0), 0.110),)),
    Part("lumbar", "pelvis", (0.0, 0.032, 0.068), 0.14, (((0.06, 0.0, 0.16), (-0.06, 0.0, 0.16), 0.100),)),
    Part(
        "thorax", "lumbar", (0.0, 0.018, 0.211), 0.20,
        (((0.09, 0.0, 0.34), (-0.09, 0.0, 0.34), 0.108), ((0.11, 0.01, 0.43), (-0.11, 0.01, 0.43), 0.06)),
    ),
    Part("head", "thorax", (0.0, 0.006, 0.513), 0.08, (((0.0, -0.035, 0.640), (0.0, -0.025, 0.670), 0.092),)),
    *_limbs("l"),
    *_limbs("r"),
)  # fmt: skip
INDEX = {part.name: index for index, part in enumerate(PARTS)}


@dataclass(frozen=True, slots=True)
class Angle:
    """One way in which a joint turns: degrees from `low` to `high` about `axis`."""

    name: str
    part: str
    axis: tuple[float, float, float]
    low: float
    high: float


def _trunk(part: str, prefix: str, bend: float, side: float, twist: float, back: float) -> list[Angle]:
    return [
        Angle(f"{prefix}_bend", part, (1, 0, 0), -back, bend),
        Angle(f"{prefix}_side", part, (0, 1, 0), -side, side),
        Angle(f"{prefix}_twist", part, (0, 0, 1), -twist, twist),
    ]


def _arm_angles(side: str) -> list[Angle]:
    sign = 1.0 if side == "l" else -1.0
    fold = (-0.743, -0.050 * sign, -0.667 * sign)  # square to upper arm and forearm
    return [
        Angle(f"shoulder_flex_{side}", f"upperarm_{side}", (-1, 0, 0), -55, 170),
        Angle(f"shoulder_abduct_{side}", f"upperarm_{side}", (0, -sign, 0), -62, 110),
        Angle(f"shoulder_twist_{side}", f"upperarm_{side}", (0.668, -0.024 * sign, -0.743 * sign), -80, 80),
        Angle(f"elbow_flex_{side}", f"forearm_{side}", fold, -40, 105),
        Angle(f"wrist_bend_{side}", f"hand_{side}", fold, -60, 60),
    ]


def _leg_angles(side: str) -> list[Angle]:
    sign = 1.0 if side == "l" else -1.0
    return [
        Angle(f"hip_flex_{side}", f"thigh_{side}", (-1, 0, 0), -25, 128),
        Angle(f"hip_abduct_{side}", f"thigh_{side}", (0, -sign, 0), -25, 50),
        Angle(f"hip_twist_{side}", f"thigh_{side}", (0, 0, sign), -40, 50),
        Angle(f"knee_flex_{side}", f"shin_{side}", (1, 0, 0), 0, 148),
        Angle(f"ankle_lift_{side}", f"foot_{side}", (-1, 0, 0), -55, 35),
    ]


ANGLES: tuple[Angle, ...] = (
    *_trunk("lumbar", "lumbar", 45, 25, 25, 18),
    *_trunk("thorax", "thorax", 40, 20, 30, 15),
    *_trunk("head", "neck", 50, 35, 70, 45),
    *_arm_angles("l"),
    *_arm_angles("r"),
    *_leg_angles("l"),
    *_leg_angles("r"),
)
AT = {angle.name: index for index, angle in enumerate(ANGLES)}
LOW = np.array([angle.low for angle in ANGLES])
HIGH = np.array([angle.high for angle in ANGLES])

Pose = dict[str, float]
"""Degrees by name. A name without its side stands for both sides."""


def vector(pose: Pose) -> Array:
    """Return the angles of a pose in degrees, [A], within their limits; what is not named is 0. KeyError if unknown."""
    made = np.zeros(len(ANGLES))
    for name, degrees in pose.items():
        for full in [name] if name in AT else [f"{name}_l", f"{name}_r"]:
            made[AT[full]] = degrees
    return np.clip(made, LOW, HIGH)


@dataclass(frozen=True, slots=True)
class Posed:
    """Parts over time: rotations from rest [T, P, 3, 3] and joints in metres [T, P, 3]."""

    turns: Array
    joints: Array

    def at_rest(self, part: str, point: tuple[float, float, float]) -> Array:
        """Return where a point given at rest is, [T, 3]."""
        index = INDEX[part]
        return np.asarray(self.joints[:, index] + self.turns[:, index] @ (np.array(point) - PARTS[index].joint))

    def lowest(self) -> Array:
        """Return the height of the lowest point of all hulls, [T]."""
        low = [self.at_rest(p.name, end)[:, 2] - r for p in PARTS for a, b, r in p.hulls for end in (a, b)]
        return np.asarray(np.min(low, axis=0))


def local_turns(angles: Array) -> Array:
    """Return each part's rotation relative to its parent, [T, P, 3, 3], for angles in degrees [T, A]."""
    turns = np.broadcast_to(np.eye(3), (len(angles), len(PARTS), 3, 3)).copy()
    for index, angle in enumerate(ANGLES):
        spin = Rotation.from_rotvec(np.radians(angles[:, index, None]) * np.array(angle.axis)).as_matrix()
        part = INDEX[angle.part]
        turns[:, part] = turns[:, part] @ spin
    return turns


def pose_parts(root: Array, turn: Array, angles: Array) -> Posed:
    """Pose the skeleton: pelvis at `root` [T, 3] turned by `turn` [T, 3, 3], joints at `angles` [T, A] in degrees."""
    turns = local_turns(angles)
    joints = np.zeros((len(root), len(PARTS), 3))
    for index, part in enumerate(PARTS):
        if not part.parent:
            joints[:, index], turns[:, index] = root, turn @ turns[:, index]
            continue
        parent = INDEX[part.parent]
        reach = np.subtract(part.joint, PARTS[parent].joint)
        joints[:, index] = joints[:, parent] + turns[:, parent] @ reach
        turns[:, index] = turns[:, parent] @ turns[:, index]
    return Posed(turns, joints)
