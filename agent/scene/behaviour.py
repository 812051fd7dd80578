"""What a followed person does: standing, walking, running or lying, read from the shape and motion of the box.

All measures are in body heights and free of the picture's size: a person far away moves fewer pixels but the
same number of heights. Widths are corrected by the picture's aspect ratio, so that "wider than high" means it.

Where a box touches the border of the picture part of the body is missing. Its extent is then only a lower
bound: one that is cut off at the side may be wider, so "narrow" says nothing; one that is cut off above or below
may be higher, so "wide" says less.
"""

import math
from collections import deque
from dataclasses import dataclass

from agent.types import NS_PER_S, Box

WALKING_HEIGHTS_PER_S = 0.18
"""Standing people sway and detectors jitter by up to this; a slow walk of 0.5 m/s is 0.3."""
RUNNING_HEIGHTS_PER_S = 1.45
"""2.5 m/s for a person of 1.72 m: between the fastest usual walk (2 m/s) and a jog (3 m/s)."""
HYSTERESIS = 0.8
"""A behaviour is left at this share of the speed at which it was entered."""

UPRIGHT_RATIO = 0.72
"""Width over height of standing and walking people stays below, arms and stride included."""
LEVEL_RATIO = 0.95
"""Where a shape says as much for lying as against it: crouching and sitting people reach 0.9."""
SHRUNK_FRAC = 0.6
"""Of the standing height: below, a person seen along the body's axis is down (sitting: 0.65 to 0.75)."""
CUT_LEVEL_RATIO = 1.1
"""The same where legs or head are out of the picture: a torso alone reaches 1."""
_RATIO_SLOPE, _SHRUNK_SLOPE, _MOST_SHRUNK_LLR = 4.0, 2.5, 1.5
_LEAST_LLR, _MOST_LLR = -1.5, 3.0
"""However upright somebody was, a second later they may lie."""

POSTURE_MEMORY_S = 0.25
SPEED_MEMORY_S = 0.4
HEIGHT_MEMORY_S = 4.0
BORDER_FRAC = 0.012
"""A box this near to a border of the picture is taken as cut off by it."""
HISTORY_S = 3.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One look at a body, in picture heights; `down_llr` is what this look alone says for lying."""

    at_ns: int
    ratio: float
    height: float
    top: float
    bottom: float
    down_llr: float
    weight: float  # how much this look says at all


class Body:
    """The posture and pace of one followed person."""

    def __init__(self) -> None:
        self.behaviour = "standing"
        self.speed_heights_per_s = 0.0
        self.standing_height: float | None = None  # in picture heights; known once seen upright
        self.lying_since_ns: int | None = None
        self.upright_ns: int | None = None  # last seen upright, and doing what
        self.upright_behaviour = "standing"
        self.down_llr = 0.0  # smoothed
        self.shapes: deque[Shape] = deque()
        self._at_ns: int | None = None

    @property
    def newest(self) -> Shape:
        """The newest look."""
        return self.shapes[-1]

    def see(self, at_ns: int, box: Box, aspect_ratio: float, speed_heights_per_s: float) -> None:
        """Take one detection of this person into account."""
        elapsed_s = 0.0 if self._at_ns is None else max(0.0, (at_ns - self._at_ns) / NS_PER_S)
        shape = self._shape(at_ns, box, aspect_ratio)
        self.shapes.append(shape)
        while at_ns - self.shapes[0].at_ns > HISTORY_S * NS_PER_S:
            self.shapes.popleft()
        kept = math.exp(-elapsed_s * shape.weight / POSTURE_MEMORY_S) if self._at_ns is not None else 0.0
        self.down_llr = kept * self.down_llr + (1.0 - kept) * shape.down_llr
        self._learn_height(shape, elapsed_s)
        kept = math.exp(-elapsed_s / SPEED_MEMORY_S) if self._at_ns is not None else 0.0
        self.speed_heights_per_s = kept * self.speed_heights_per_s + (1.0 - kept) * speed_heights_per_s
        self._at_ns = at_ns
        self._decide(shape)

    def inherit(self, other: "Body") -> None:
        """Be the same body as `other`, which was lost from sight a moment ago."""
        self.behaviour = other.behaviour
        self.standing_height = other.standing_height
        self.lying_since_ns = other.lying_since_ns
        self.upright_ns, self.upright_behaviour = other.upright_ns, other.upright_behaviour
        self.down_llr = other.down_llr

    def stand_still(self, at_ns: int) -> None:
        """Nothing moves: the posture stays, the speed is nothing."""
        self._at_ns = at_ns
        self.speed_heights_per_s = 0.0
        if self.behaviour != "lying":
            self.behaviour = "standing"

    def _shape(self, at_ns: int, box: Box, aspect_ratio: float) -> Shape:
        height = max(box.height_frac, 1e-6)
        ratio = box.width_frac * aspect_ratio / height
        beside, above = _is_cut(box)
        llr = _RATIO_SLOPE * math.log(max(ratio, 1e-3) / (CUT_LEVEL_RATIO if above else LEVEL_RATIO))
        if self.standing_height is not None:
            shrunk = height / self.standing_height / SHRUNK_FRAC
            llr += min(_MOST_SHRUNK_LLR, -_SHRUNK_SLOPE * math.log(max(shrunk, 1e-3)))
        llr = min(_MOST_LLR, max(_LEAST_LLR, llr))
        return Shape(at_ns, ratio, height, box.top_frac, box.bottom_frac, llr, 0.1 if beside and llr < 0.0 else 1.0)

    def _learn_height(self, shape: Shape, elapsed_s: float) -> None:
        """Upright people teach their height: growing at once, shrinking slowly as they walk away."""
        if shape.ratio >= UPRIGHT_RATIO:
            return
        if self.standing_height is None or shape.height > self.standing_height:
            self.standing_height = shape.height
        else:
            kept = math.exp(-elapsed_s / HEIGHT_MEMORY_S)
            self.standing_height = kept * self.standing_height + (1.0 - kept) * shape.height

    def _decide(self, shape: Shape) -> None:
        lying = self.down_llr > (-0.5 if self.behaviour == "lying" else 0.3)
        if lying:
            if self.behaviour != "lying":
                self.lying_since_ns = shape.at_ns
            self.behaviour = "lying"
            return
        self.lying_since_ns = None
        if shape.ratio < UPRIGHT_RATIO and self._is_tall(shape):
            self.upright_ns = shape.at_ns
        self.behaviour = _pace(self.speed_heights_per_s, self.behaviour)
        if self.upright_ns == shape.at_ns:
            self.upright_behaviour = self.behaviour

    def _is_tall(self, shape: Shape) -> bool:
        return self.standing_height is None or shape.height >= 0.75 * self.standing_height


def _pace(speed: float, before: str) -> str:
    running = RUNNING_HEIGHTS_PER_S * (HYSTERESIS if before == "running" else 1.0)
    walking = WALKING_HEIGHTS_PER_S * (HYSTERESIS if before in ("walking", "running") else 1.0)
    if speed >= running:
        return "running"
    return "walking" if speed >= walking else "standing"


def _is_cut(box: Box) -> tuple[bool, bool]:
    """Whether the picture's border cuts the box off at a side, and above or below."""
    near, far = BORDER_FRAC, 1.0 - BORDER_FRAC
    return box.left_frac < near or box.right_frac > far, box.bottom_frac > far or box.top_frac < near
