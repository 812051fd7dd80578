"""Things without a class that are left behind or taken away: what the picture itself says came or went, and by whom.

A patch of standing change (`agent.features.standing`) is a thing that came or one that went. Whose doing it was is
read off `Whereabouts`: whoever was nearest when it came to look so, and had come from elsewhere. What came is
abandoned once that person was seen to go and the dwell is over, what went was taken away. Without such a person
nothing is told (decision 022): doors, light and a camera that was nudged bring nobody, and who sits down undetected
was lost from sight right there. Where an animal or a vehicle was found, it explains the patch.

A thing that the detector names goes by `left_objects` as well; both speak with one signal, so it is one incident.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from agent.config.schema import Zone
from agent.scene.evidence import Clue
from agent.scene.following import MOST_PRESENCE_LLR, NO_PRESENCE_PROB, PRESENCE_LLR_PER_PROB_S, Followed
from agent.scene.geometry import ground_point, iou, is_inside
from agent.scene.rules.hours import Timetable
from agent.scene.rules.left_objects import missed_s, thing_clue
from agent.scene.rules.whereabouts import ELSEWHERE_HEIGHTS, Whereabouts
from agent.scene.rules.zones import DONE_LLR, WAITING_LLR
from agent.types import NS_PER_S, Box, Seen, Standing

CAME, WENT = 0.2, -0.3
"""What a patch says of itself, from which on something is there that was not, or gone."""
SURE_PROB = 0.8
"""A patch that light cannot have made is as sure as a detection of this score."""
LOOK_S = 0.5
SAME_OVERLAP = 0.3
BEFORE_S, AFTER_S = 5.0, 1.0
"""Who was near so long before or after a patch came to look as it does may have done it."""
REACH_HEIGHTS, AWAY_HEIGHTS = 0.5, 1.2
UNSEEN_S, FORGET_S = 3.0, 60.0
KNOWN_S = 6.0
"""What stood for this long is missed when it is gone."""


@dataclass(slots=True)
class _Change:
    """A patch of the picture in which something came or went, and who had to do with it."""

    box: Box
    since_ns: int
    seen_ns: int
    known_s: float
    new_frac: float
    unlike_frac: float
    who: int | None
    is_away: bool = False  # whoever did it was seen to go
    seen_s: float = 0.0
    attended_ns: int = 0
    explained: bool = False
    stranger: int | None = None  # took what had come
    ended: bool = False  # belongs to the place by now

    @property
    def prob(self) -> float:
        return SURE_PROB * self.unlike_frac

    @property
    def llr(self) -> float:
        """What the patch says for there being a change at all."""
        return min(MOST_PRESENCE_LLR, max(0.0, PRESENCE_LLR_PER_PROB_S * (self.prob - NO_PRESENCE_PROB) * self.seen_s))


class UnnamedObjectWatch:
    """What came and went before one camera, whatever it is."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._changes: list[_Change] = []
        self._where = Whereabouts()
        self.adopt(zones)

    def adopt(self, zones: Mapping[str, Zone]) -> None:
        """Watch other zones; what is known stays."""
        self._zones = {name: zone for name, zone in zones.items() if zone.watches_any_object}
        self._hours = Timetable(self._zones)
        self._missed_s = missed_s(self._zones.values())

    def watch(
        self, seen: Seen, wall_ns: int, present: Sequence[Followed], alive: Iterable[int], *, well: bool
    ) -> Iterator[Clue]:
        """Take one picture; yield what is abandoned and what was taken. `well`: the camera shows its place."""
        if not self._zones:
            return
        at_ns = seen.at_ns
        self._where.note(at_ns, present, seen.aspect_ratio)
        if seen.standing is not None and well:
            self._find(seen.standing, at_ns)
        people = [one for one in present if one.label == "person"]
        known = set(alive)
        for change in self._changes:
            self._attend(change, people, known, at_ns)
        best: dict[tuple[str, int | None, str | None], Clue] = {}
        for name, zone in self._zones.items():
            if self._hours.holds(name, wall_ns):
                for clue in self._clues(name, zone, at_ns):
                    key = (clue.kind, clue.track, clue.zone)
                    if key not in best or clue.llr > best[key].llr:
                        best[key] = clue
        yield from best.values()
        self._changes = [one for one in self._changes if not self._is_forgotten(one, at_ns)]

    def _is_forgotten(self, change: _Change, at_ns: int) -> bool:
        taken = change.stranger is not None and change.seen_s >= KNOWN_S
        kept_s = max(FORGET_S, self._missed_s) if taken else FORGET_S
        return change.ended or at_ns - change.seen_ns > kept_s * NS_PER_S

    def _find(self, standing: Sequence[Standing], at_ns: int) -> None:
        free = list(self._changes)
        for patch in standing:
            change = max(free, key=lambda one: iou(one.box, patch.box), default=None)
            if change is None or iou(change.box, patch.box) < SAME_OVERLAP:
                change = self._new(patch, at_ns)
            else:
                free.remove(change)
            share = LOOK_S / (change.seen_s + LOOK_S)
            change.new_frac += share * (patch.new_frac - change.new_frac)
            change.unlike_frac += share * (patch.unlike_frac - change.unlike_frac)
            change.box, change.seen_ns, change.ended = patch.box, at_ns, patch.ends
            change.seen_s += LOOK_S
            change.explained = change.explained or self._where.under_others(patch.box)

    def _new(self, patch: Standing, at_ns: int) -> _Change:
        since_ns = at_ns - round(patch.stood_s * NS_PER_S)
        from_ns, to_ns = since_ns - round(BEFORE_S * NS_PER_S), since_ns + round(AFTER_S * NS_PER_S)
        near = self._where.near(patch.box, from_ns, to_ns, REACH_HEIGHTS)
        who = next((track for track in near if self._where.came_to(track, patch.box, since_ns)), None)
        attended_ns = self._where.newest_near_ns(patch.box, near, REACH_HEIGHTS)
        change = _Change(
            box=patch.box,
            since_ns=since_ns,
            seen_ns=at_ns,
            known_s=patch.known_s,
            new_frac=patch.new_frac,
            unlike_frac=patch.unlike_frac,
            who=who,
            attended_ns=max(since_ns, attended_ns or since_ns),
        )
        self._changes.append(change)
        return change

    def _attend(self, change: _Change, people: Sequence[Followed], known: Set[int], at_ns: int) -> None:
        """Note who is with it, and whether whoever did it has gone."""
        here = {one.track_id for one in people}
        reaches = sorted((self._where.reach(one, change.box), one.track_id) for one in people)
        within = [track for reach, track in reaches if reach <= REACH_HEIGHTS]
        lost = change.who is not None and change.who not in known and not change.is_away
        if within and lost:
            change.who = within[0]  # lost from sight beside it, and found again under another number
        reach = None if change.who is None else self._where.last_reach(change.who, change.box)
        if reach is not None:
            # Who is lost from sight beside the thing went out of the picture; who is lost upon it may be the thing.
            change.is_away = reach > (AWAY_HEIGHTS if change.who in known else ELSEWHERE_HEIGHTS)
        with_it = change.who in here and not change.is_away if change.who is not None else bool(within)
        if with_it:
            change.attended_ns = at_ns
        gone = at_ns - change.seen_ns
        if 0 < gone <= UNSEEN_S * NS_PER_S and change.stranger is None:
            near = self._where.near(change.box, change.seen_ns - round(UNSEEN_S * NS_PER_S), at_ns, REACH_HEIGHTS)
            others = (
                track
                for track in near
                if track != change.who and self._where.came_to(track, change.box, change.seen_ns)
            )
            change.stranger = next(others, None)
        elif gone == 0:
            change.stranger = None

    def _clues(self, name: str, zone: Zone, at_ns: int) -> Iterator[Clue]:
        for change in self._changes:
            if change.explained or not is_inside(ground_point(change.box), zone.polygon):
                continue
            unseen_s = (at_ns - change.seen_ns) / NS_PER_S
            if "abandoned_object" in zone.rules and change.new_frac >= CAME:
                yield _abandoned(name, zone, change, at_ns, there=unseen_s <= UNSEEN_S)
            if "removed_object" in zone.rules and change.new_frac <= WENT:
                yield _removed(name, zone, change, at_ns, there=unseen_s <= UNSEEN_S)
            elif "removed_object" in zone.rules and change.new_frac >= CAME and change.seen_s >= KNOWN_S:
                yield _taken_again(name, zone, change, unseen_s)


def _abandoned(name: str, zone: Zone, change: _Change, at_ns: int, *, there: bool) -> Clue:
    alone_s = (at_ns - change.attended_ns) / NS_PER_S
    left = there and change.who is not None and change.is_away
    llr = _llr(alone_s / zone.abandoned_dwell_s, change) if left else 0.0
    stood_s = (at_ns - change.since_ns) / NS_PER_S
    words: dict[str, str | float] = {"variant": "unnamed", "stood_s": stood_s, "alone_s": alone_s}
    return _clue("abandoned_object", name, change, llr, change.since_ns, words)


def _removed(name: str, zone: Zone, change: _Change, at_ns: int, *, there: bool) -> Clue:
    gone_s = (at_ns - change.since_ns) / NS_PER_S
    taken = there and change.who is not None and change.is_away and change.known_s >= KNOWN_S
    llr = _llr(gone_s / zone.removed_dwell_s, change) if taken else 0.0
    words: dict[str, str | float] = {"variant": "unnamed", "gone_s": gone_s}
    return _clue("removed_object", name, change, llr, change.since_ns, words)


def _taken_again(name: str, zone: Zone, change: _Change, unseen_s: float) -> Clue:
    """What had come is gone, and somebody other than who brought it was there."""
    taken = change.stranger is not None and change.who is not None and change.is_away
    llr = _llr(unseen_s / zone.removed_dwell_s, change) if taken and unseen_s > 0.0 else 0.0
    words: dict[str, str | float] = {"variant": "unnamed", "gone_s": unseen_s}
    return _clue("removed_object", name, change, llr, change.seen_ns, words, change.stranger)


def _llr(waited: float, change: _Change) -> float:
    if waited < 1.0:
        return waited * min(WAITING_LLR, change.llr)
    return DONE_LLR + change.llr if change.llr > 0.0 else 0.0


def _clue(
    kind: str,
    zone: str,
    change: _Change,
    llr: float,
    since_ns: int,
    words: dict[str, str | float],
    who: int | None = None,
) -> Clue:
    track = change.who if who is None else who
    return thing_clue(
        kind, zone, track=track, box=change.box, prob=change.prob, llr=llr, since_ns=since_ns, words=words
    )
