"""What a followed person does: standing, walking, running, crouching or lying, from the shape and motion of the box.

All measures are in body heights and free of the picture's size: a person far away moves fewer pixels but the
same number of heights. Widths are corrected by the picture's aspect ratio, so that "wider than high" means it.

Where a box touches the border of the picture part of the body is missing. One that is cut off at the side may be
wider than it looks, so "narrow" says nothing. One that is cut off below may be higher: people who walk out of the
picture look ever flatter, but they grow no wider, so there the width is compared with the standing height. One that
is cut off above says nothing for lying.
"""

import math
from collections import deque
from dataclasses import dataclass

from agent.types import NS_PER_S, POSTURES, Box

WALKING_HEIGHTS_PER_S = 0.18
"""Standing people sway and detectors jitter by up to this; a slow walk of 0.5 m/s is 0.3."""
RUNNING_HEIGHTS_PER_S = 1.45
"""2.5 m/s for a person of 1.72 m: between the fastest usual walk (2 m/s) and a jog (3 m/s)."""
HYSTERESIS = 0.8
"""A behaviour is left at this share of the speed at which it was entered."""

UPRIGHT_RATIO = 0.72
"""Width over height of standing and walking people stays below, arms and stride included."""
NARROW_RATIO = 0.5
"""Narrower than this is nobody who crouches or sits."""
LEVEL_RATIO = 0.95
"""Where a shape says as much for lying as against it: crouching and sitting people reach 0.9."""
SHRUNK_FRAC = 0.6
"""Of the standing height: below, a person seen along the body's axis is down (sitting: 0.65 to 0.75)."""
CUT_LEVEL_RATIO = 1.1
"""The same where the legs are out of the picture and the standing height is unknown: a torso alone reaches 1."""
WIDE_FRAC = 0.5
"""Where the legs are out of the picture: width over standing height; 0.3 to 0.45 upright, 0.6 and more lying."""
_RATIO_SLOPE, _SHRUNK_SLOPE, _MOST_SHRUNK_LLR = 4.0, 2.5, 1.5
_LEAST_LLR, _MOST_LLR = -1.5, 3.0
"""However upright somebody was, a second later they may lie."""

CROUCHED_HEIGHTS, RISEN_HEIGHTS = 0.27, 0.18
"""Crouching: the head sinks by this much of the height within CROUCH_S while the feet stay; over once it is back
above the second. Sitting down sinks it by 0.25 to 0.35: boxes cannot tell the two apart."""
CROUCH_S, FEET_STAY_HEIGHTS = 2.0, 0.15
"""Who walks away shrinks too, but then the feet rise in the picture."""
HIGH_HEIGHTS = 0.1
"""A head this near to where it was highest has not begun to go down: nodding, striding and jitter."""
POSTURE_MEMORY_S = 0.25
POSTURE_AGAINST_LLR = 2.0
"""How much the graph's own word on the posture may take from what the box says for lying. It may not add: on 23 clips
beside validation, adding up to 1 found no further fall and took a squat for one (vision 0.2.0)."""
LEAST_POSTURE_PROB = 0.01
"""One look is never surer than this that it is not some posture."""
SPEED_MEMORY_S = 0.4
HEIGHT_MEMORY_S = 4.0
UPRIGHT_MEMORY_S = 1.0
LEAVING_HEIGHTS_PER_S, LEAVING_S, LEAVING_WIDE = 0.4, 0.25, 0.6
"""Who walks out of the picture below looks ever flatter, but the head sinks on until nothing is left, and people
are narrow: who lies is wider than the third of this many heights (whose feet were out of the picture before may be as
wide and leave all the same, with a bag and a long stride). The speed is that of the top over this time."""
MOVING_HEIGHTS_PER_S, MOVING_S = 0.15, 0.4
MOVED_HEIGHTS, MOVED_CUT_HEIGHTS = 0.6, 0.4
"""Who walks down the picture takes head and feet along: a whole body whose feet are this much lower than where it
stood (where the lower border cuts it off: less), and whose ends both still sink at this speed over this time, has not
come to rest. It is seen from above, or is two people in one box, which is as wide as high. Of 62 falls of the training
clips, of UP-Fall and rendered ones five go as far down, and half a second later all of them are at rest."""
BORDER_FRAC = 0.012
"""A box this near to a border of the picture is taken as cut off by it."""
HISTORY_S = 3.0


@dataclass(slots=True)
class Shape:
    """One look at a body, in picture heights; `down_llr` is what this look alone says for lying.

    Not frozen only because one is made for each person in each picture.
    """

    at_ns: int
    ratio: float
    height: float
    middle: float  # from the left
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
        self.descent_s = 0.0  # how long the head had been on the way down then
        self.rest_looks, self.rest_s = 0, 0.0  # of these, looks that showed no leaving, and for how long
        self.moved_ns = 0  # when last the whole body went down the picture
        self.upright_ns: int | None = None  # last seen upright, and doing what
        self.upright_behaviour = "standing"
        self.upright_middle, self.upright_across = 0.0, 0.0  # where the middle of the body was then: down, across
        self.upright_top, self.upright_bottom = 0.0, 0.0  # and its ends, where they were highest of late
        self.tallest: Shape | None = None  # of the newest looks, or before crouching began
        self.sunk = 0.0  # smoothed: how far the head is below where it was then, in heights
        self.upright_s = 0.0  # for how long in all
        self.upright_cut_below = False  # whether the feet were out of the picture then
        self.down_llr = 0.0  # smoothed
        self.posture_logs: tuple[float, ...] | None = None  # smoothed log probabilities, by POSTURES
        self.shapes: deque[Shape] = deque()
        self._at_ns: int | None = None

    @property
    def sunk_heights(self) -> float:
        """How far the middle of the body went down since it was last upright, in standing heights."""
        if self.standing_height is None or self.upright_ns is None or not self.shapes:
            return 0.0
        return ((self.newest.top + self.newest.bottom) / 2 - self.upright_middle) / self.standing_height

    @property
    def head_drop_heights(self) -> float:
        """How far the head went down since it was last upright, in standing heights."""
        if self.standing_height is None or self.upright_ns is None or not self.shapes:
            return 0.0
        return (self.newest.top - self.upright_top) / self.standing_height

    @property
    def shifted_heights(self) -> float:
        """How far to a side the middle of the body went since it was last upright, in standing heights."""
        if self.standing_height is None or self.upright_ns is None or not self.shapes:
            return 0.0
        return abs(self.newest.middle - self.upright_across) / self.standing_height

    @property
    def foot_drop_heights(self) -> float:
        """The same of the lower end: below nothing where something hides the legs."""
        if self.standing_height is None or self.upright_ns is None or not self.shapes:
            return 0.0
        return (self.newest.bottom - self.upright_bottom) / self.standing_height

    @property
    def size(self) -> float:
        """The length of the body in picture heights, as far as it is known."""
        if self.standing_height is not None:
            return self.standing_height
        return self.newest.height * max(1.0, self.newest.ratio) if self.shapes else 0.0

    @property
    def newest(self) -> Shape:
        """The newest look."""
        return self.shapes[-1]

    @property
    def posture_probs(self) -> tuple[float, ...] | None:
        """What the looks of the last moment say together, by POSTURES; None where the graph tells no posture."""
        if self.posture_logs is None:
            return None
        odds = [math.exp(log) for log in self.posture_logs]
        return tuple(odd / sum(odds) for odd in odds)

    @property
    def posture(self) -> str | None:
        """The likeliest of POSTURES."""
        probs = self.posture_probs
        return None if probs is None else POSTURES[max(range(len(probs)), key=probs.__getitem__)]

    @property
    def posture_llr(self) -> float:
        """What the graph's postures say against lying: 0 where they say nothing, or say that it is."""
        probs = self.posture_probs
        if probs is None:
            return 0.0
        lying = min(1.0 - LEAST_POSTURE_PROB, max(LEAST_POSTURE_PROB, probs[POSTURES.index("lying")]))
        return min(0.0, max(-POSTURE_AGAINST_LLR, math.log(2.0 * lying / (1.0 - lying))))

    def see(
        self,
        at_ns: int,
        box: Box,
        aspect_ratio: float,
        speed_heights_per_s: float,
        posture_probs: tuple[float, ...] | None = None,
        *,
        teaches: bool = True,
    ) -> None:
        """Take one detection of this person into account; one that does not teach tells no height and no place."""
        self._see_posture(at_ns, posture_probs)
        elapsed_s = 0.0 if self._at_ns is None else max(0.0, (at_ns - self._at_ns) / NS_PER_S)
        shape = self._shape(at_ns, box, aspect_ratio)
        self.shapes.append(shape)
        while at_ns - self.shapes[0].at_ns > HISTORY_S * NS_PER_S:
            self.shapes.popleft()
        kept = math.exp(-elapsed_s * shape.weight / POSTURE_MEMORY_S) if self._at_ns is not None else 0.0
        self.down_llr = kept * self.down_llr + (1.0 - kept) * shape.down_llr
        if teaches:
            self._learn_height(shape, elapsed_s, may_shrink=not is_cut_below(box) and self.behaviour != "crouching")
        kept = math.exp(-elapsed_s / SPEED_MEMORY_S) if self._at_ns is not None else 0.0
        self.speed_heights_per_s = kept * self.speed_heights_per_s + (1.0 - kept) * speed_heights_per_s
        self._at_ns = at_ns
        self._decide(shape, elapsed_s, teaches=teaches)

    def _see_posture(self, at_ns: int, probs: tuple[float, ...] | None) -> None:
        """Postures are smoothed as log probabilities: one look that is sure counts more than two that waver."""
        if probs is None:
            return
        logs = tuple(math.log(max(prob, LEAST_POSTURE_PROB)) for prob in probs)
        if self.posture_logs is None or self._at_ns is None:
            self.posture_logs = logs
            return
        kept = math.exp(-max(0.0, (at_ns - self._at_ns) / NS_PER_S) / POSTURE_MEMORY_S)
        self.posture_logs = tuple(
            kept * old + (1.0 - kept) * new for old, new in zip(self.posture_logs, logs, strict=True)
        )

    def inherit(self, other: "Body") -> None:
        """Be the same body as `other`, which was lost from sight a moment ago."""
        self.behaviour = other.behaviour
        self.standing_height = other.standing_height
        self.lying_since_ns, self.rest_looks, self.rest_s = other.lying_since_ns, other.rest_looks, other.rest_s
        self.moved_ns = other.moved_ns
        self.descent_s = other.descent_s
        self.upright_ns, self.upright_behaviour = other.upright_ns, other.upright_behaviour
        self.upright_middle, self.upright_across = other.upright_middle, other.upright_across
        self.upright_s = other.upright_s
        self.upright_top, self.upright_bottom = other.upright_top, other.upright_bottom
        self.upright_cut_below = other.upright_cut_below
        self.tallest, self.sunk = other.tallest, other.sunk
        self.down_llr = other.down_llr
        self.posture_logs = other.posture_logs
        self._at_ns = other._at_ns

    def stand_still(self, at_ns: int) -> None:
        """Nothing moves: the posture stays, the speed is nothing."""
        self._at_ns = at_ns
        self.speed_heights_per_s = 0.0
        if self.behaviour not in ("lying", "crouching"):
            self.behaviour = "standing"

    def _shape(self, at_ns: int, box: Box, aspect_ratio: float) -> Shape:
        height = max(box.height_frac, 1e-6)
        ratio = box.width_frac * aspect_ratio / height
        llr = self._down_llr(ratio, height, box)
        beside = box.left_frac < BORDER_FRAC or box.right_frac > 1.0 - BORDER_FRAC
        weight = 0.1 if beside and llr < 0.0 else 1.0
        middle = (box.left_frac + box.right_frac) / 2 * aspect_ratio
        return Shape(at_ns, ratio, height, middle, box.top_frac, box.bottom_frac, llr, weight)

    def _down_llr(self, ratio: float, height: float, box: Box) -> float:
        """What one look says for lying."""
        known = self.standing_height
        shrunk = 0.0 if known is None else -_SHRUNK_SLOPE * math.log(height / known / SHRUNK_FRAC)
        llr = _RATIO_SLOPE * math.log(max(ratio, 1e-3) / LEVEL_RATIO) + min(_MOST_SHRUNK_LLR, shrunk)
        if is_cut_below(box):
            wide = ratio / CUT_LEVEL_RATIO if known is None else ratio * height / known / WIDE_FRAC
            llr = min(llr, _RATIO_SLOPE * math.log(max(wide, 1e-3)))
        if box.top_frac < BORDER_FRAC:
            llr = min(llr, 0.0)
        return min(_MOST_LLR, max(_LEAST_LLR, llr))

    def _learn_height(self, shape: Shape, elapsed_s: float, *, may_shrink: bool) -> None:
        """Upright people teach their height: growing at once, shrinking slowly as they walk away."""
        if shape.ratio >= UPRIGHT_RATIO:
            return
        if self.standing_height is None or shape.height > self.standing_height:
            self.standing_height = shape.height
        elif may_shrink:
            kept = math.exp(-elapsed_s / HEIGHT_MEMORY_S)
            self.standing_height = kept * self.standing_height + (1.0 - kept) * shape.height

    def _decide(self, shape: Shape, elapsed_s: float, *, teaches: bool) -> None:
        lying = self.down_llr + self.posture_llr > (-0.5 if self.behaviour == "lying" else 0.3)
        if lying:
            if self.behaviour != "lying" or self.lying_since_ns is None:
                self.lying_since_ns, self.rest_looks, self.rest_s = shape.at_ns, 0, 0.0
                self.descent_s = self._descent_s(shape.at_ns)
            if self._moves_on(shape):
                self.moved_ns, self.rest_looks, self.rest_s = shape.at_ns, 0, 0.0
            elif not self._is_leaving(shape) and (teaches or not self.upright_cut_below):
                # Who came to rest was not leaving: then all of it counts, but for what went on. Where the feet were out
                # of the picture already, a look too weak to teach is of the floor that somebody has left.
                self.rest_s = (shape.at_ns - max(self.lying_since_ns, self.moved_ns)) / NS_PER_S
                self.rest_looks += 1
            self.behaviour = "lying"
            return
        self.lying_since_ns = None
        # What is cut off at the side is narrower than the body: it may sit.
        if teaches and shape.ratio < UPRIGHT_RATIO and shape.weight == 1.0 and self._is_tall(shape):
            self._learn_upright(shape)
            self.upright_ns = shape.at_ns
            self.upright_middle, self.upright_across = (shape.top + shape.bottom) / 2, shape.middle
            self.upright_cut_below = shape.bottom > 1.0 - BORDER_FRAC
            self.upright_s += elapsed_s
        crouching = self._is_crouching(shape, elapsed_s)
        self.behaviour = "crouching" if crouching else _pace(self.speed_heights_per_s, self.behaviour)
        if self.upright_ns == shape.at_ns:
            self.upright_behaviour = self.behaviour

    def _learn_upright(self, shape: Shape) -> None:
        """Where head and feet were: the highest head of the last moments, which are part of a fall already."""
        gone_s = UPRIGHT_MEMORY_S * 9 if self.upright_ns is None else (shape.at_ns - self.upright_ns) / NS_PER_S
        kept = math.exp(-gone_s / UPRIGHT_MEMORY_S)
        if shape.top <= self.upright_top:
            kept = 0.0
        self.upright_top = kept * self.upright_top + (1.0 - kept) * shape.top
        self.upright_bottom = kept * self.upright_bottom + (1.0 - kept) * shape.bottom

    def _descent_s(self, at_ns: int) -> float:
        """For how long the head has been lower than where it was upright; the history is as long as it can tell."""
        if self.standing_height is None:
            return 0.0
        high = self.upright_top + HIGH_HEIGHTS * self.standing_height
        last = next((look for look in reversed(self.shapes) if look.top <= high), self.shapes[0])
        return (at_ns - last.at_ns) / NS_PER_S

    def _is_leaving(self, shape: Shape) -> bool:
        """Whether the lower border cuts somebody off whose head still sinks towards it."""
        if shape.bottom <= 1.0 - BORDER_FRAC:
            return False
        before = next((s for s in reversed(self.shapes) if shape.at_ns - s.at_ns >= LEAVING_S * NS_PER_S), None)
        if before is None:
            return True
        length = self.standing_height if self.standing_height is not None else max(before.height, shape.height)
        elapsed_s = (shape.at_ns - before.at_ns) / NS_PER_S
        narrow = self.upright_cut_below or shape.ratio * shape.height / length < LEAVING_WIDE
        return narrow and (shape.top - before.top) / length / elapsed_s > LEAVING_HEIGHTS_PER_S

    def _moves_on(self, shape: Shape) -> bool:
        """Whether the whole body goes on down the picture, far from where it stood."""
        feet_hidden = shape.bottom > 1.0 - BORDER_FRAC
        far = MOVED_CUT_HEIGHTS if feet_hidden else MOVED_HEIGHTS
        if self.standing_height is None or self.foot_drop_heights < far:
            return False
        before = next((s for s in reversed(self.shapes) if shape.at_ns - s.at_ns >= MOVING_S * NS_PER_S), None)
        if before is None:
            return False
        step = MOVING_HEIGHTS_PER_S * self.standing_height * (shape.at_ns - before.at_ns) / NS_PER_S
        return shape.top - before.top > step and (feet_hidden or shape.bottom - before.bottom > step)

    def _is_crouching(self, shape: Shape, elapsed_s: float) -> bool:
        upright = self.standing_height is not None and shape.height > 0.85 * self.standing_height
        if upright and self.behaviour != "crouching":
            self.sunk = 0.0
            return False
        if self.behaviour != "crouching" or self.tallest is None:
            self.tallest = shape
            for look in reversed(self.shapes):
                if shape.at_ns - look.at_ns > CROUCH_S * NS_PER_S:
                    break
                if look.height >= self.tallest.height:
                    self.tallest = look
        was = self.tallest
        feet = abs(shape.bottom - was.bottom) / was.height
        # Feet that are out of the picture, or a head that is, say nothing.
        whole = shape.top >= BORDER_FRAC and max(shape.bottom, was.bottom) <= 1.0 - BORDER_FRAC
        sunk = (shape.top - was.top) / was.height if whole and feet <= FEET_STAY_HEIGHTS else 0.0
        kept = math.exp(-elapsed_s / POSTURE_MEMORY_S)
        self.sunk = kept * self.sunk + (1.0 - kept) * sunk
        return self.sunk > (RISEN_HEIGHTS if self.behaviour == "crouching" else CROUCHED_HEIGHTS)

    def _is_tall(self, shape: Shape) -> bool:
        if self.standing_height is None:
            return True
        # Who walks away shrinks faster than the height is forgotten, but then the feet rise in the picture.
        away = shape.ratio < NARROW_RATIO and shape.bottom <= self.upright_bottom
        return shape.height >= (0.65 if away else 0.75) * self.standing_height


def _pace(speed: float, before: str) -> str:
    running = RUNNING_HEIGHTS_PER_S * (HYSTERESIS if before == "running" else 1.0)
    walking = WALKING_HEIGHTS_PER_S * (HYSTERESIS if before in ("walking", "running") else 1.0)
    if speed >= running:
        return "running"
    return "walking" if speed >= walking else "standing"


def is_cut_aside(box: Box) -> bool:
    """Whether the left or the right border of the picture cuts a box off."""
    return box.left_frac < BORDER_FRAC or box.right_frac > 1.0 - BORDER_FRAC


def is_cut_below(box: Box) -> bool:
    """Whether the lower border of the picture cuts a box off."""
    return box.bottom_frac > 1.0 - BORDER_FRAC
