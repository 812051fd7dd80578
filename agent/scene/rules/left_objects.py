"""Things that are left behind or taken away: what stands where, whose it is, and who was near when it came or went.

Detectors lose small things for seconds and trackers give them new numbers, so a thing is known by its place: what
is found where something stood is that thing. What moves stands nowhere for long and is soon forgotten. Whose it is
was read off when it came: whoever was nearest, within an arm's reach. An owner who was lost from sight beside the
thing may have another number now, so whoever is found there then is the owner.

A thing is abandoned once its owner has been away for the dwell. One that nobody was seen to bring takes twice as
long; one that stood there from the start belongs to the place. A thing that stood for long and is gone was removed
if somebody other than its owner was within reach when it went, and nobody hides its place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.config.schema import Zone
from agent.scene.evidence import Clue
from agent.scene.following import MOST_PRESENCE_LLR, NO_PRESENCE_PROB, PRESENCE_LLR_PER_PROB_S, Followed
from agent.scene.geometry import gap_between, ground_point, iou, is_inside
from agent.scene.rules.hours import Timetable
from agent.scene.rules.whereabouts import size_of
from agent.scene.rules.zones import DONE_LLR, WAITING_LLR
from agent.types import NS_PER_S, Box

SAME_OVERLAP = 0.4
"""Found with this much overlap with where something stood: the same thing."""
SETTLED_S = 2.0
"""What stood for this long stands; while it comes, it has time to get an owner."""
KNOWN_S, KNOWN_SHARE = 8.0, 0.6
"""What stood for this long, found in most pictures, is missed when it is not there."""
FORGET_S, KEPT_S = 1.0, 120.0
"""Something not found again for this long is forgotten: what never stood, what did."""
TOLD_S = 60.0
"""What somebody took is remembered for the dwell of the zone that asks for it, and so much longer."""
UNSEEN_S = 4.0
"""A thing is still there while it was found this recently."""
REACH_HEIGHTS, AWAY_HEIGHTS = 0.5, 1.2
"""Near: as far as an arm reaches, in heights of the person; away: further than this."""
FURNITURE_S = 10.0
"""What stands when the watching begins belongs to the place."""
SIGNALS = {"abandoned_object": "left_alone", "removed_object": "taken_away"}
TOOK_S = 3.0
"""Who was within reach this long before a thing was last seen may have taken it."""


@dataclass(slots=True)
class _Thing:
    """A thing of a known class at one place, and who has to do with it. Times in ns, tracks by number."""

    track: int  # of its first sighting
    label: str
    box: Box
    since_ns: int
    seen_ns: int
    is_new: bool
    seen_s: float = 0.0
    watched_s: float = 0.0
    prob: float = 0.0
    owner: int | None = None
    owner_away: bool = False
    attended_ns: int = 0
    stranger: int | None = None
    stranger_ns: int = 0
    hidden_ns: int = 0

    @property
    def presence_llr(self) -> float:
        """What was seen of it says for there being a thing."""
        return min(MOST_PRESENCE_LLR, PRESENCE_LLR_PER_PROB_S * (self.prob - NO_PRESENCE_PROB) * self.seen_s)

    @property
    def stands(self) -> bool:
        """Whether it stood long enough to be a thing at a place."""
        return self.seen_ns - self.since_ns >= SETTLED_S * NS_PER_S and self.seen_s >= SETTLED_S / 2

    @property
    def is_known(self) -> bool:
        """Whether it has stood there long enough, and was seen often enough, to be missed."""
        return self.seen_ns - self.since_ns >= KNOWN_S * NS_PER_S and self.seen_s >= KNOWN_SHARE * self.watched_s

    @property
    def was_taken(self) -> bool:
        """Whether somebody other than its owner was within reach when it was last found."""
        return self.stranger is not None and self.seen_ns - self.stranger_ns <= TOOK_S * NS_PER_S


class LeftObjectWatch:
    """Follows the things in front of one camera, and tells which were left behind or taken."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._things: list[_Thing] = []
        self._began_ns: int | None = None
        self._at_ns = 0
        self.adopt(zones)

    def adopt(self, zones: Mapping[str, Zone]) -> None:
        """Watch other zones; the things stay."""
        self._zones = {
            name: zone for name, zone in zones.items() if {"abandoned_object", "removed_object"} & set(zone.rules)
        }
        self._labels = frozenset(label for zone in self._zones.values() for label in zone.object_labels)
        self._missed_s = missed_s(self._zones.values())
        self._hours = Timetable(self._zones)

    def watch(self, at_ns: int, wall_ns: int, present: Sequence[Followed], alive: Iterable[int]) -> Iterator[Clue]:
        """Take one picture's objects; yield what is abandoned and what was removed."""
        if not self._zones:
            return
        self._began_ns = at_ns if self._began_ns is None else self._began_ns
        elapsed_s = min(0.5, max(0.0, (at_ns - self._at_ns) / NS_PER_S))
        self._at_ns = at_ns
        self._find([one for one in present if one.label in self._labels], at_ns, elapsed_s)
        people = [one for one in present if one.label == "person"]
        known = set(alive)
        for thing in self._things:
            _attend(thing, people, known, at_ns)
        for name, zone in self._zones.items():
            if self._hours.holds(name, wall_ns):
                for thing in self._things:
                    if thing.label in zone.object_labels and is_inside(ground_point(thing.box), zone.polygon):
                        yield from _clues(name, zone, thing, at_ns)
        self._things = [thing for thing in self._things if not _is_forgotten(thing, at_ns, self._missed_s)]

    def _find(self, found: Iterable[Followed], at_ns: int, elapsed_s: float) -> None:
        free = list(self._things)
        for one in found:
            place = max(free, key=lambda thing: iou(thing.box, one.box), default=None)
            if place is None or iou(place.box, one.box) < SAME_OVERLAP:
                place = self._new(one, at_ns)
            else:
                free.remove(place)
            share = min(1.0, elapsed_s / max(elapsed_s, place.seen_s + elapsed_s, 1e-6))
            place.prob += share * (one.score_prob - place.prob)
            place.seen_s += elapsed_s
            place.seen_ns = at_ns
        for thing in self._things:
            thing.watched_s += elapsed_s if at_ns - thing.seen_ns <= UNSEEN_S * NS_PER_S else 0.0

    def _new(self, one: Followed, at_ns: int) -> _Thing:
        began_ns = at_ns if self._began_ns is None else self._began_ns
        thing = _Thing(
            track=one.track_id,
            label=one.label,
            box=one.box,
            since_ns=at_ns,
            seen_ns=at_ns,
            is_new=at_ns - began_ns > FURNITURE_S * NS_PER_S,
            prob=one.score_prob,
            attended_ns=at_ns,
        )
        self._things.append(thing)
        return thing


def _attend(thing: _Thing, people: Sequence[Followed], known: set[int], at_ns: int) -> None:
    """Note who is near a thing, and whose it is."""
    near = sorted((_reach(one, thing), one.track_id) for one in people)
    within = [track for reach, track in near if reach <= REACH_HEIGHTS]
    settling = at_ns - thing.since_ns <= SETTLED_S * NS_PER_S
    if any(iou(one.box, thing.box) > 0.0 for one in people):
        thing.hidden_ns = at_ns
    if within and (
        (thing.owner is None and settling)
        or (thing.owner is not None and thing.owner not in known and not thing.owner_away)
    ):
        thing.owner, thing.is_new = within[0], thing.is_new or settling
    strangers = [track for track in within if track != thing.owner]
    if strangers:
        thing.stranger, thing.stranger_ns = strangers[0], at_ns
    reaches = [reach for reach, track in near if track == thing.owner]
    if reaches:
        thing.owner_away = reaches[0] > AWAY_HEIGHTS
    if (reaches and not thing.owner_away) or (thing.owner is None and within) or settling:
        thing.attended_ns = at_ns


def _clues(name: str, zone: Zone, thing: _Thing, at_ns: int) -> Iterator[Clue]:
    unseen_s = (at_ns - thing.seen_ns) / NS_PER_S
    if "abandoned_object" in zone.rules and thing.stands and thing.is_new:
        alone_s = (at_ns - thing.attended_ns) / NS_PER_S
        waited = alone_s / (zone.abandoned_dwell_s * (1.0 if thing.owner is not None else 2.0))
        there = unseen_s <= UNSEEN_S or at_ns - thing.hidden_ns <= UNSEEN_S * NS_PER_S
        llr = _llr(waited, thing) if there else 0.0
        variant = "nobody" if thing.owner is None else "owner"
        words: dict[str, str | float] = {"variant": variant, "what": thing.label, "alone_s": alone_s}
        yield _clue("abandoned_object", name, thing, llr, thing.attended_ns, words)
    if "removed_object" in zone.rules and thing.is_known:
        gone_s = (at_ns - max(thing.seen_ns, thing.hidden_ns)) / NS_PER_S
        llr = _llr(gone_s / zone.removed_dwell_s, thing) if thing.was_taken and gone_s > 0.0 else 0.0
        words = {"variant": "named", "what": thing.label, "gone_s": gone_s}
        yield _clue("removed_object", name, thing, llr, thing.seen_ns, words)


def _llr(waited: float, thing: _Thing) -> float:
    if waited < 1.0:
        return waited * min(WAITING_LLR, thing.presence_llr)
    return DONE_LLR + thing.presence_llr


def _is_forgotten(thing: _Thing, at_ns: int, missed_s: float) -> bool:
    kept_s = KEPT_S if thing.stands else FORGET_S
    if thing.is_known and thing.was_taken:
        kept_s = max(kept_s, missed_s)
    return at_ns - thing.seen_ns > kept_s * NS_PER_S


def missed_s(zones: Iterable[Zone]) -> float:
    """For how long something that was taken has to be remembered, 0 where no zone asks for it."""
    return max((zone.removed_dwell_s + TOLD_S for zone in zones if "removed_object" in zone.rules), default=0.0)


def _reach(person: Followed, thing: _Thing) -> float:
    """Distance between a person and a thing in heights of the person."""
    return gap_between(person.box, thing.box) / size_of(person)


def thing_clue(
    kind: str,
    zone: str,
    *,
    track: int | None,
    box: Box,
    prob: float,
    llr: float,
    since_ns: int,
    words: dict[str, str | float],
) -> Clue:
    """What says that a thing was left or taken; named things and others speak with one signal."""
    return Clue(
        kind=kind,
        signal=SIGNALS[kind],
        modality="rule",
        adding="state",
        llr=llr,
        score=min(1.0, max(0.0, prob)),
        since_ns=since_ns,
        begun_ns=since_ns,
        track=track,
        box=box,
        zone=zone,
        words=words,
    )


def _clue(kind: str, zone: str, thing: _Thing, llr: float, since_ns: int, words: dict[str, str | float]) -> Clue:
    return thing_clue(
        kind, zone, track=thing.track, box=thing.box, prob=thing.prob, llr=llr, since_ns=since_ns, words=words
    )
