"""Those whom only closer looks show: followed apart, so that what whole looks show is judged as without them.

Falls, groups, fights and what is normal are read off those whom whole looks show (`Following`): their tracks are the
same whether there are closer looks or not. Who is found by closer looks alone gets tracks here, for zones, lines and
counts. Once a whole look shows them, or when it loses them, they keep their identity (decision 027).

A closer look comes a few times a second, at another place each time. So boxes are compared as wide as high (somebody
who walks is beside their last box by then), and what whole looks show too weakly to believe carries on who is known.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from agent.scene.following import Followed, Following, group_of, stood_still
from agent.scene.geometry import iou
from agent.scene.tracking.tracker import Tracker, TrackerSettings
from agent.types import NS_PER_S, Box, Detection, Seen, Track

SETTINGS = TrackerSettings(
    confident_prob=0.35,
    birth_prob=0.5,
    weak_prob=0.1,
    sure_prob=0.0,
    birth_overlap=0.5,
    first_overlap=0.2,
    lost_s=3.0,
    unproven_lost_s=1.2,
    weak_overlap=0.35,
    fresh_s=1.5,
)
CARRIES_PROB = 0.34
"""What whole looks show carries on somebody known, whatever its score, but begins nobody."""
SAME_OVERLAP = 0.3
"""Intersection over union from which two boxes are of one body."""
SHOWN_S = 1.5


class FarPeople:
    """Everything that only closer looks show before one camera; `ids` gives identities."""

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self._tracker = _tracker(ids)
        self._known: dict[int, Followed] = {}
        self._at_ns: int | None = None

    @property
    def known(self) -> Iterable[Followed]:
        """All people who are followed by closer looks alone."""
        return self._known.values()

    def see(self, seen: Seen, near: Following, found: Iterable[Followed]) -> list[Followed]:
        """Take one analysed picture of which whole looks showed `found`; return those that were found besides.

        `near` follows what whole looks show, up to this picture.
        """
        self._at_ns = seen.at_ns
        found = list(found)
        self._hand_over(found, near)
        closer = seen.closer.detections if seen.closer is not None else ()
        if not closer and not self._known and not len(self._tracker.ids):
            return []
        new = [one for one in closer if not any(_is_same(one, other) for other in found)]
        carried = [replace(one, score_prob=min(one.score_prob, CARRIES_PROB)) for one in near.unclaimed]
        given = [*new, *carried]
        shapes = np.array([_square(one.box, seen.aspect_ratio) for one in given], np.float64).reshape(-1, 4)
        scores = np.array([one.score_prob for one in given], np.float64)
        groups = np.array([group_of(one.label) for one in given], np.int64)
        ids = self._tracker.step(seen.at_ns, shapes, scores, groups)
        velocity_of = dict(zip(self._tracker.ids.tolist(), self._tracker.velocities.tolist(), strict=True))
        shown = []
        for track_id, detection in zip(ids.tolist(), given, strict=True):
            if track_id:
                one = self._known.get(track_id) or self._bear(track_id, detection, seen, near)
                vx, vy = velocity_of[track_id]
                one.see(seen, detection, (vx, vy))
                shown.append(one)
        self._known = {key: one for key, one in self._known.items() if key in velocity_of}
        return shown

    def stand_still(self, at_ns: int) -> None:
        """The picture stood still: whoever was there is still there."""
        self._at_ns = stood_still(self._known.values(), self._tracker, self._at_ns, at_ns)

    def start_over(self) -> None:
        """The picture was cut to another place: nobody was seen here yet."""
        self._tracker = _tracker(self._ids)
        self._known = {}

    def tracks(self, camera: str, at_ns: int) -> tuple[Track, ...]:
        """All that are present, as they stand."""
        return tuple(one.as_track(camera) for one in self.known if at_ns - one.seen_ns <= SHOWN_S * NS_PER_S)

    def _bear(self, track_id: int, detection: Detection, seen: Seen, near: Following) -> Followed:
        """Begin to follow somebody: one whom whole looks have just lost there goes on."""
        followed = Followed(track_id, seen.at_ns, seen.at_ns, detection.box, detection.score_prob)
        followed.mean_prob = detection.score_prob
        here = {one.track_id for one in self._known.values()}
        gone = (one for one in near.known.values() if one.seen_ns < seen.at_ns and one.track_id not in here)
        lost = [one for one in gone if _is_same(detection, one)]
        if lost:
            best = max(lost, key=lambda one: (one.seen_ns, one.track_id))
            followed.track_id, followed.since_ns = best.track_id, best.since_ns
        self._known[track_id] = followed
        return followed

    def _hand_over(self, found: Iterable[Followed], near: Following) -> None:
        """Whom whole looks show now is followed here no longer; who is new there keeps the identity from here."""
        for other in found:
            same = [key for key, one in self._known.items() if _is_body_of(one, other)]
            for key in same:
                one = self._known.pop(key)
                if other.presence_s == 0.0:
                    self._name(other, one.track_id, near)

    def _name(self, newborn: Followed, track_id: int, near: Following) -> None:
        """Give an identity to somebody; who had it and is lost gets another if found again."""
        for other in near.known.values():
            if other.track_id == track_id and other is not newborn:
                other.track_id = next(self._ids)
        newborn.track_id = track_id


def _tracker(ids: Iterator[int]) -> Tracker:
    """A tracker for which no picture is the first: nobody is believed at first sight."""
    tracker = Tracker(SETTINGS, ids)
    tracker.step(0, np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    return tracker


def _is_body_of(one: Followed, other: Followed) -> bool:
    alike = group_of(one.label) == group_of(other.label) and _overlap(one.box, other.box)
    return one.track_id == other.track_id or alike


def _is_same(detection: Detection, followed: Followed) -> bool:
    return group_of(detection.label) == group_of(followed.label) and _overlap(detection.box, followed.box)


def _overlap(one: Box, other: Box) -> bool:
    return iou(one, other) >= SAME_OVERLAP


def _square(box: Box, aspect_ratio: float) -> tuple[float, float, float, float]:
    """Corners in picture heights, of a box that is at least as wide as high."""
    middle = (box.left_frac + box.right_frac) / 2 * aspect_ratio
    half = max(box.width_frac * aspect_ratio, box.height_frac) / 2
    return middle - half, box.top_frac, middle + half, box.bottom_frac
