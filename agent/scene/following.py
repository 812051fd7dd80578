"""From what one camera sees to the people and things in front of it, each with an identity and a behaviour."""

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

import numpy as np

from agent.scene.behaviour import UPRIGHT_RATIO, Body
from agent.scene.clutter import Clutter, Flags
from agent.scene.geometry import gap_between, iou
from agent.scene.lying_looks import LyingLooks
from agent.scene.tracking.association import Floats, Ints
from agent.scene.tracking.tracker import Tracker, TrackerSettings
from agent.types import NS_PER_S, POSTURES, Box, Detection, Seen, Sunken, Track

LIVE_SETTINGS = TrackerSettings(
    # The live detector is surer at lower scores than the one of MOT17: 0.35 is a confident person (NanoDet-Plus).
    confident_prob=0.35,
    birth_prob=0.45,
    weak_prob=0.08,
    sure_prob=0.0,  # these thresholds are this detector's own
    birth_overlap=0.5,
    lost_s=2.0,
    weak_overlap=0.35,  # at ten pictures a second, and with people who fall, boxes change more between pictures
    fresh_s=0.5,
)

_GROUPS: Mapping[str, int] = {
    "person": 0,
    **dict.fromkeys(("car", "bus", "truck", "train", "boat", "airplane"), 1),
    **dict.fromkeys(("bicycle", "motorcycle"), 2),
    **dict.fromkeys(("dog", "cat", "horse", "sheep", "cow", "bird", "bear", "elephant", "zebra", "giraffe"), 3),
    **dict.fromkeys(("backpack", "handbag", "suitcase"), 4),
}
"""A detector may change its mind within a group (car, truck), never between groups."""
_OTHER = 5


def group_of(label: str) -> int:
    """The group of things that a label belongs to, 0 to 5: people, vehicles, cycles, animals, bags, others."""
    return _GROUPS.get(label, _OTHER)


INHERIT_S, INHERIT_GAP_FRAC = 1.5, 0.03
FELL_S, FELL_PROB, FELL_HEIGHTS = 1.5, 0.5, 1.0
"""Detectors also lose people who fall while they still look upright. Who turns up so soon after, within a height to a
side, and lying (the probability) is that person; `agent.scene.falls` asks the rest."""
SAME_PLACE_FRAC = 0.5
"""Two who were last upright in boxes that overlap by this much (intersection over union) are one."""
TEACHING_PROB = 0.2
"""A weaker look may be of half a person, or of a chair: it does not tell how tall somebody stands, and where."""
UPRIGHT_PROB_MEMORY_S = 4.0
"""Who was surely a person a moment ago is one: detectors lose people while they go down, and beside furniture."""
SUNKEN_OVERLAP_IOU, SUNKEN_NEAR_HEIGHTS, SUNKEN_LOST_S = 0.3, 0.7, 2.0
"""A closer look is at whom it overlaps by this much, or who is so near, also if they were lost so long ago."""
SHOWN_S = 1.0
"""A track is shown as present this long after it was last detected."""

PRESENCE_LLR_PER_PROB_S, NO_PRESENCE_PROB, MOST_PRESENCE_LLR = 12.0, 0.2, 6.0
"""Evidence that there is somebody at all: (score − 0.2) · 12 nats per second; a score of 0.5 for 0.5 s gives 1.8."""


@dataclass(slots=True)
class Followed:
    """One object with its history."""

    track_id: int
    since_ns: int
    seen_ns: int
    box: Box
    score_prob: float
    velocity: tuple[float, float] = (0.0, 0.0)  # picture heights per second
    label: str = ""
    votes: dict[str, float] = field(default_factory=dict)
    body: Body = field(default_factory=Body)
    presence_s: float = 0.0  # time it was really detected
    mean_prob: float = 0.0
    upright_prob: float = 0.0  # the highest mean while upright, fading
    zones: tuple[str, ...] = ()
    upright_box: Box | None = None  # the box then
    doubles: set[int] = field(default_factory=set)  # other tracks that stood in it then
    is_replaced: bool = False  # whether one of these, or another that stood there since, still stands
    lying_looks: LyingLooks = field(default_factory=LyingLooks)  # what closer looks at a low one show
    fell: bool = False  # whether anything spoke for a fall since it was last seen up
    goes_down: bool = False  # whether the head was on the way down when last asked

    def vote(self, label: str, weight: float) -> None:
        """Count one detection's word on what this is: `label` is the one with the most votes."""
        self.votes[label] = self.votes.get(label, 0.0) + weight
        alone = len(self.votes) == 1
        self.label = label if alone else min(self.votes, key=lambda name: (-self.votes[name], name))

    def see(self, seen: Seen, detection: Detection, velocity: tuple[float, float] = (0.0, 0.0)) -> None:
        """Take one detection into account; `velocity` is in picture heights per second."""
        elapsed_s = min(0.5, (seen.at_ns - self.seen_ns) / NS_PER_S)
        self.presence_s += elapsed_s
        self.mean_prob += min(1.0, elapsed_s / 0.5) * (detection.score_prob - self.mean_prob)
        self.box, self.score_prob, self.seen_ns = detection.box, detection.score_prob, seen.at_ns
        self.vote(detection.label, detection.score_prob)
        self.velocity = velocity
        reference = max(self.body.standing_height or 0.0, detection.box.height_frac, 1e-3)
        speed = math.hypot(*velocity) / reference
        before_ns = self.body.upright_ns
        teaches = detection.score_prob >= TEACHING_PROB
        self.body.see(seen.at_ns, detection.box, seen.aspect_ratio, speed, detection.posture_probs, teaches=teaches)
        if self.body.upright_ns == seen.at_ns:
            gone_s = 0.0 if before_ns is None else (seen.at_ns - before_ns) / NS_PER_S
            faded_prob = self.upright_prob * math.exp(-gone_s / UPRIGHT_PROB_MEMORY_S)
            self.upright_prob, self.upright_box = max(self.mean_prob, faded_prob), self.box

    def take_over(self, lost: "Followed") -> None:
        """Be the same person as `lost`."""
        self.body.inherit(lost.body)
        self.upright_prob, self.upright_box = lost.upright_prob, lost.upright_box
        self.lying_looks = replace(lost.lying_looks)
        self.doubles, self.is_replaced = lost.doubles, lost.is_replaced

    def start_over(self) -> None:
        """Forget what this did: what is seen from now on is another place."""
        self.body, self.upright_prob, self.upright_box, self.lying_looks = Body(), 0.0, None, LyingLooks()
        self.doubles, self.is_replaced = set(), False

    def as_track(self, camera: str) -> Track:
        """What is told of it."""
        return Track(
            track_id=self.track_id,
            camera=camera,
            label=self.label,
            box=self.box,
            at_ns=self.seen_ns,
            since_ns=self.since_ns,
            score_prob=self.score_prob,
            speed_heights_per_s=self.body.speed_heights_per_s,
            behaviour=self.behaviour,
            zones=self.zones,
        )

    @property
    def presence_llr(self) -> float:
        """What all its detections so far say for there being anything at all."""
        return min(MOST_PRESENCE_LLR, PRESENCE_LLR_PER_PROB_S * (self.mean_prob - NO_PRESENCE_PROB) * self.presence_s)

    @property
    def behaviour(self) -> str:
        """What it does; things only move or stay."""
        if self.label == "person":
            return self.body.behaviour
        return "moving" if self.body.speed_heights_per_s > 0.2 else "still"


def stood_still(known: Iterable[Followed], tracker: Tracker, before_ns: int | None, at_ns: int) -> int | None:
    """Take all of `known` and their tracker on to a picture like the one at `before_ns`; returns the newer time."""
    if before_ns is None or at_ns <= before_ns:
        return before_ns
    for one in known:
        one.seen_ns += at_ns - before_ns
        one.body.stand_still(at_ns)
    tracker.stand_still(at_ns)
    return at_ns


class Following:
    """Everything that moves in front of one camera, as whole looks show it; `ids` gives identities.

    `unclaimed` is what the newest picture showed too weakly to be followed, without what is usual there.
    """

    def __init__(self, settings: TrackerSettings = LIVE_SETTINGS, ids: Iterator[int] | None = None) -> None:
        self._tracker = Tracker(settings, ids)
        self._confident_prob = settings.confident_prob
        self._clutter = Clutter()
        self.known: dict[int, Followed] = {}
        self.unclaimed: tuple[Detection, ...] = ()
        self._at_ns: int | None = None

    def see(self, seen: Seen) -> list[Followed]:
        """Take one analysed picture; return those that were detected in it."""
        detections = seen.detections or ()
        aspect = seen.aspect_ratio
        boxes = np.array([_corners(d.box, aspect) for d in detections], np.float64).reshape(-1, 4)
        scores = np.array([d.score_prob for d in detections], np.float64)
        groups = np.array([group_of(d.label) for d in detections], np.int64)
        weak = (groups == _GROUPS["person"]) & (scores < self._confident_prob)
        usual = np.zeros(len(boxes), bool)
        if self._clutter.places:
            usual[weak] = self._clutter.usual(boxes[weak], scores[weak])
        ids = self._identify(seen.at_ns, boxes, scores, groups, usual)
        velocity_of = dict(zip(self._tracker.ids.tolist(), self._tracker.velocities.tolist(), strict=True))
        found = []
        for track_id, detection in zip(ids.tolist(), detections, strict=True):
            if track_id:
                found.append(self._update(track_id, detection, velocity_of[track_id], seen))
        free = (~usual & (ids == 0)).tolist()
        self.unclaimed = tuple(detection for detection, is_free in zip(detections, free, strict=True) if is_free)
        self._forget(velocity_of.keys())
        if seen.sunken is not None:
            self._see_closely(seen.at_ns, seen.sunken, seen.aspect_ratio)
        nobody = weak & (ids == 0)
        self._learn_clutter(seen, boxes[nobody], scores[nobody])
        self._at_ns = seen.at_ns
        return found

    def _identify(self, at_ns: int, boxes: Floats, scores: Floats, groups: Ints, usual: Flags) -> Ints:
        """The identity of each detection, 0 for none; those that show what is `usual` there take no part."""
        if not np.count_nonzero(usual):
            return self._tracker.step(at_ns, boxes, scores, groups)
        ids = np.zeros(len(boxes), np.int64)
        ids[~usual] = self._tracker.step(at_ns, boxes[~usual], scores[~usual], groups[~usual])
        return ids

    def stand_still(self, at_ns: int) -> None:
        """The picture stood still: whoever was there is still there, in the same place and posture."""
        self._at_ns = stood_still(self.known.values(), self._tracker, self._at_ns, at_ns)

    def start_over(self) -> None:
        """The picture was cut to another place: nobody stood, walked or lay here yet."""
        self._clutter.forget()
        for followed in self.known.values():
            followed.start_over()

    def tracks(self, camera: str, at_ns: int) -> tuple[Track, ...]:
        """All that are present, as they stand."""
        present = (one for one in self.known.values() if at_ns - one.seen_ns <= SHOWN_S * NS_PER_S)
        return tuple(one.as_track(camera) for one in present)

    def _learn_clutter(self, seen: Seen, boxes: Floats, scores: Floats) -> None:
        """Note where weak boxes are that nobody is followed in, seen or lost."""
        people = []
        if len(boxes) or self._clutter.places:
            people = [_corners(one.box, seen.aspect_ratio) for one in self.known.values() if one.label == "person"]
        self._clutter.learn(seen.at_ns, boxes, scores, np.array(people, np.float64).reshape(-1, 4))

    def _update(self, track_id: int, detection: Detection, velocity: list[float], seen: Seen) -> Followed:
        followed = self.known.get(track_id)
        if followed is None:
            followed = Followed(track_id, seen.at_ns, seen.at_ns, detection.box, detection.score_prob)
            followed.mean_prob = detection.score_prob
            self._inherit(followed, detection, seen)
            self.known[track_id] = followed
        followed.see(seen, detection, (velocity[0], velocity[1]))
        return followed

    def _inherit(self, newborn: Followed, detection: Detection, seen: Seen) -> None:
        """Who turns up low where somebody was lost a moment ago is that person, if
        already going down when lost, or lying now: detectors lose people who fall."""
        box = newborn.box
        if box.width_frac * seen.aspect_ratio < UPRIGHT_RATIO * box.height_frac:
            return
        near = [lost for lost in self.known.values() if _went_down_at(lost, box, seen.at_ns)]
        if near:
            newborn.take_over(max(near, key=lambda one: (one.upright_prob, one.track_id)))  # people have two tracks
        elif _lies(detection):
            stood = [lost for lost in self.known.values() if _stood_at(lost, box, seen)]
            whose = [one for one in stood if not one.is_replaced]
            if whose:
                newborn.take_over(max(whose, key=lambda one: (one.upright_prob, one.track_id)))
                # Of two tracks of one person the surer one may be the one that the other replaced.
                newborn.upright_prob = max(one.upright_prob for one in stood if _is_one(one, newborn))

    def _see_closely(self, at_ns: int, sunken: Sunken, aspect_ratio: float) -> None:
        """Tell whoever is, or was a moment ago, where a closer look was asked for what it shows.

        One who was lost while going down is not where the box was: near is enough, of those who stand no longer.
        """
        boxes = [sunken.box] if sunken.person is None else [sunken.box, sunken.person.box]
        known = [
            one
            for one in self.known.values()
            if one.label == "person" and at_ns - one.seen_ns <= SUNKEN_LOST_S * NS_PER_S
        ]
        whose = max(known, key=lambda one: (_most_shared(one.box, boxes), -one.track_id), default=None)
        if whose is None or _most_shared(whose.box, boxes) < SUNKEN_OVERLAP_IOU:
            low = [one for one in known if one.body.upright_ns not in (None, one.seen_ns)]
            whose = min(low, key=lambda one: (_apart(one, boxes[-1], aspect_ratio), one.track_id), default=None)
            if whose is None or _apart(whose, boxes[-1], aspect_ratio) > SUNKEN_NEAR_HEIGHTS:
                return
        whose.lying_looks.see(at_ns, sunken, aspect_ratio)

    def _forget(self, alive: Set[int]) -> None:
        if not self.known.keys() <= alive:
            self.known = {track_id: followed for track_id, followed in self.known.items() if track_id in alive}


def _most_shared(box: Box, boxes: Iterable[Box]) -> float:
    """The most that `box` shares with one of `boxes`."""
    return max(iou(box, other) for other in boxes)


def _apart(followed: Followed, box: Box, aspect_ratio: float) -> float:
    """How far the middle of `box` is from somebody's, in their heights."""
    across = followed.box.left_frac + followed.box.right_frac - box.left_frac - box.right_frac
    down = followed.box.top_frac + followed.box.bottom_frac - box.top_frac - box.bottom_frac
    return math.hypot(across * aspect_ratio, down) / 2 / max(followed.body.standing_height or 0.0, 1e-3)


def _went_down_at(lost: Followed, box: Box, at_ns: int) -> bool:
    """Whether somebody was lost a moment ago beside `box`, on the way down."""
    gone = 0 < at_ns - lost.seen_ns <= INHERIT_S * NS_PER_S and lost.label == "person"
    gone = gone and bool(lost.body.shapes) and lost.body.newest.ratio > UPRIGHT_RATIO
    return gone and gap_between(lost.box, box) <= INHERIT_GAP_FRAC


def _lies(detection: Detection) -> bool:
    probs = detection.posture_probs
    return detection.label == "person" and probs is not None and probs[POSTURES.index("lying")] >= FELL_PROB


def _is_one(one: Followed, other: Followed) -> bool:
    """Whether two stood in one place."""
    first, second = one.upright_box, other.upright_box
    return first is not None and second is not None and iou(first, second) >= SAME_PLACE_FRAC


def _stood_at(lost: Followed, box: Box, seen: Seen) -> bool:
    """Whether somebody stood beside `box`, and higher, until they were lost a moment ago."""
    body = lost.body
    if lost.label != "person" or body.upright_ns is None or body.standing_height is None:
        return False
    gone_ns, stood_ns = seen.at_ns - lost.seen_ns, seen.at_ns - body.upright_ns
    if not 0 < gone_ns <= stood_ns <= FELL_S * NS_PER_S or body.lying_since_ns is not None:
        return False
    across = abs((box.left_frac + box.right_frac) / 2 * seen.aspect_ratio - body.upright_across)
    return across <= FELL_HEIGHTS * body.standing_height and box.top_frac > body.upright_top


def _corners(box: Box, aspect_ratio: float) -> tuple[float, float, float, float]:
    """In picture heights, so that a step is as long across as down."""
    return box.left_frac * aspect_ratio, box.top_frac, box.right_frac * aspect_ratio, box.bottom_frac
