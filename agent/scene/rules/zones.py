"""Zones: who is inside (by the foot point), for how long, and when that is against the rules of the zone.

A person on the border would enter and leave with every jitter of the box. So who is inside stays inside until
the foot point is clearly out, or out for a while; the dwell goes on meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.config.schema import Line, Zone
from agent.scene.evidence import Clue
from agent.scene.following import MOST_PRESENCE_LLR, NO_PRESENCE_PROB, PRESENCE_LLR_PER_PROB_S, Followed
from agent.scene.geometry import distance_to, ground_point, is_inside, margin_frac
from agent.scene.rules.hours import Timetable
from agent.types import NS_PER_S

OUTSIDE_S = 1.0
"""Out for this long, however near: left."""
WAITING_LLR, DONE_LLR = 1.6, 2.0
"""Before the dwell is over, being inside is worth up to this, which no sensitivity opens alone; when it is over,
this is added to the presence. With a threshold of 3 an agreeing sound may shorten the dwell by a third."""
PACE_GRACE_S, CROWD_GRACE_S = 0.4, 2.0
"""Running, and a crowd, go on through gaps as short as these: a stride that stumbles, somebody hidden by another."""
SEEN_S = 1.0
"""Who was not seen for this long is not counted into a crowd."""


@dataclass(slots=True)
class _Visit:
    """The stay of one person or thing in one zone."""

    entered_ns: int
    inside_ns: int  # last seen inside
    presence_llr: float = 0.0
    at_ns: int = 0
    ran_since_ns: int | None = None
    ran_ns: int = 0


@dataclass(slots=True)
class _Crowd:
    """The crowd in one zone."""

    since_ns: int
    at_ns: int


class ZoneWatch:
    """Judges who is in the zones of one camera, and for how long, by the rules of each zone."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._zones = zones
        self._hours = Timetable(zones)
        self._visits: dict[tuple[str, int], _Visit] = {}
        self._crowds: dict[str, _Crowd] = {}

    def adopt(self, zones: Mapping[str, Zone]) -> None:
        """Watch other zones; who is inside one that stays as it was is still inside, and was so as long."""
        same = {name for name, zone in zones.items() if self._zones.get(name) == zone}
        self._visits = {key: visit for key, visit in self._visits.items() if key[0] in same}
        self._crowds = {name: crowd for name, crowd in self._crowds.items() if name in same}
        self._zones = zones
        self._hours = Timetable(zones)

    def watch(self, at_ns: int, wall_ns: int, present: Iterable[Followed], alive: Iterable[int]) -> Iterator[Clue]:
        """Update every visit; yield what the rules of the zones say. Sets `Followed.zones`.

        Outside of its hours a zone counts who is inside, but nobody dwells: at their beginning the dwell begins.
        """
        known = set(alive)
        self._visits = {key: visit for key, visit in self._visits.items() if key[1] in known}
        ruling = {name for name in self._zones if self._hours.holds(name, wall_ns)}
        for followed in present:
            inside = []
            for name, zone in self._zones.items():
                if followed.label not in zone.labels or not (
                    self._is_here(name, followed) or is_enough(followed, zone)
                ):
                    continue
                visit = self._visit(name, zone, followed, at_ns)
                if visit is None:
                    continue
                inside.append(name)
                if name in ruling:
                    yield from _clues(name, zone, followed, visit, at_ns)
                else:
                    visit.entered_ns, visit.ran_since_ns = at_ns, None
            followed.zones = tuple(inside)
        for name, zone in self._zones.items():
            if "crowding" in zone.rules:
                yield from self._crowding(name, zone, at_ns, is_ruling=name in ruling)

    def _is_here(self, name: str, followed: Followed) -> bool:
        """Who counts does so until they leave, smaller or less sure: they may lie down, or be half hidden."""
        return (name, followed.track_id) in self._visits

    def _visit(self, name: str, zone: Zone, followed: Followed, at_ns: int) -> _Visit | None:
        key = name, followed.track_id
        visit = self._visits.get(key)
        foot = ground_point(followed.box)
        inside = is_inside(foot, zone.polygon)
        if visit is None:
            if not inside:
                return None
            visit = self._visits[key] = _Visit(at_ns, at_ns, at_ns=at_ns)
        elif not inside:
            away = distance_to(foot, zone.polygon) > margin_frac(followed.box)
            if away or at_ns - visit.inside_ns > OUTSIDE_S * NS_PER_S:
                del self._visits[key]
                return None
        else:
            visit.inside_ns = at_ns
        elapsed_s = min(0.5, (at_ns - visit.at_ns) / NS_PER_S)
        gained = PRESENCE_LLR_PER_PROB_S * (followed.score_prob - NO_PRESENCE_PROB) * elapsed_s
        visit.presence_llr = min(MOST_PRESENCE_LLR, max(0.0, visit.presence_llr + gained))
        visit.at_ns = at_ns
        _run(visit, followed, at_ns)
        return visit

    def _crowding(self, name: str, zone: Zone, at_ns: int, *, is_ruling: bool) -> Iterator[Clue]:
        """A crowd is as sure as the least sure of the people that it takes."""
        there = [visit for (zone_name, _), visit in self._visits.items() if zone_name == name]
        sure = sorted((v.presence_llr for v in there if at_ns - v.at_ns <= SEEN_S * NS_PER_S), reverse=True)
        crowd = self._crowds.get(name)
        many = is_ruling and len(sure) >= zone.crowding_count
        if many:
            crowd = crowd or self._crowds.setdefault(name, _Crowd(at_ns, at_ns))
            crowd.at_ns = at_ns
        elif crowd is None or not is_ruling or at_ns - crowd.at_ns > CROWD_GRACE_S * NS_PER_S:
            self._crowds.pop(name, None)
            crowd = None
        if crowd is None:
            return
        presence_llr = sure[min(len(sure), zone.crowding_count) - 1] if sure else 0.0
        lasted_s = (at_ns - crowd.since_ns) / NS_PER_S
        yield Clue(
            kind="crowding",
            signal="crowd",
            modality="rule",
            adding="state",
            llr=_waited_llr(lasted_s, zone.crowding_dwell_s, presence_llr),
            score=min(1.0, len(sure) / zone.crowding_count),
            since_ns=crowd.since_ns,
            begun_ns=crowd.since_ns,
            zone=name,
            words={"count": len(sure), "lasted_s": lasted_s},
        )


def is_enough(followed: Followed, part: Zone | Line) -> bool:
    """Whether somebody who comes to a zone or line is found surely enough, and is large enough, to count there."""
    return followed.mean_prob >= part.min_score and followed.box.height_frac >= part.min_height


def _run(visit: _Visit, followed: Followed, at_ns: int) -> None:
    if followed.label == "person" and followed.behaviour == "running":
        visit.ran_since_ns = at_ns if visit.ran_since_ns is None else visit.ran_since_ns
        visit.ran_ns = at_ns
    elif visit.ran_since_ns is not None and at_ns - visit.ran_ns > PACE_GRACE_S * NS_PER_S:
        visit.ran_since_ns = None


def _waited_llr(waited_s: float, dwell_s: float, presence_llr: float) -> float:
    waited = min(1.0, waited_s / dwell_s) if dwell_s > 0.0 else 1.0
    if waited < 1.0:
        return waited * min(WAITING_LLR, presence_llr)
    return DONE_LLR + presence_llr if presence_llr > 0.0 else 0.0


def _clues(name: str, zone: Zone, followed: Followed, visit: _Visit, at_ns: int) -> Iterator[Clue]:
    who = followed.label.capitalize()
    for rule, dwell_s, signal, since_ns in (
        ("intrusion", zone.intrusion_dwell_s, "inside_zone", visit.entered_ns),
        ("loitering", zone.loitering_dwell_s, "inside_zone", visit.entered_ns),
        ("running", zone.running_dwell_s, "pace", visit.ran_since_ns),
    ):
        if since_ns is None or rule not in zone.rules:
            continue  # what is over fades within the decay of its kind
        lasted_s = (at_ns - since_ns) / NS_PER_S
        yield Clue(
            kind=rule,
            signal=signal,
            modality="rule",
            adding="state",
            llr=_waited_llr(lasted_s, dwell_s, visit.presence_llr),
            score=followed.score_prob,
            since_ns=since_ns,
            begun_ns=since_ns,
            track=followed.track_id,
            box=followed.box,
            zone=name,
            words={"inside_s": lasted_s, "who": who},
        )
