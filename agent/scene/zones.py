"""Zones: who is inside (by the foot point), for how long, and when that is an intrusion or loitering.

A person on the border would enter and leave with every jitter of the box. So who is inside stays inside until
the foot point is clearly out, or out for a while; the dwell goes on meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.config.schema import Zone
from agent.scene.evidence import Clue
from agent.scene.following import Followed
from agent.scene.geometry import distance_to, is_inside
from agent.types import NS_PER_S

BORDER_FRAC = 0.02
"""Clearly out: this far from the border, in fractions of the picture (about half a foot's length at 20 m)."""
OUTSIDE_S = 1.0
"""Out for this long, however near: left."""
PRESENCE_LLR_PER_PROB_S, NO_PRESENCE_PROB = 12.0, 0.2
"""Evidence that there is somebody at all: (score − 0.2) · 12 nats per second; a score of 0.5 for 0.5 s gives 1.8."""
MOST_LLR = 6.0
WAITING_LLR, DONE_LLR = 1.6, 2.0
"""Before the dwell is over, being inside is worth up to this, which no sensitivity opens alone; when it is over,
this is added to the presence. With a threshold of 3 an agreeing sound may shorten the dwell by a third."""


@dataclass(slots=True)
class _Visit:
    """One object in one zone."""

    entered_ns: int
    inside_ns: int  # last seen inside
    presence_llr: float = 0.0
    at_ns: int = 0


class ZoneWatch:
    """The zones of one camera."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._zones = zones
        self._visits: dict[tuple[str, int], _Visit] = {}

    def adopt(self, zones: Mapping[str, Zone]) -> None:
        """Watch other zones; who is inside one that stays as it was is still inside, and was so as long."""
        same = {name for name, zone in zones.items() if self._zones.get(name) == zone}
        self._visits = {key: visit for key, visit in self._visits.items() if key[0] in same}
        self._zones = zones

    def watch(self, at_ns: int, present: Iterable[Followed], alive: Iterable[int]) -> Iterator[Clue]:
        """Update every visit; yield what the rules of the zones say. Sets `Followed.zones`."""
        known = set(alive)
        self._visits = {key: visit for key, visit in self._visits.items() if key[1] in known}
        for followed in present:
            inside = []
            for name, zone in self._zones.items():
                if followed.label not in zone.labels:
                    continue
                visit = self._visit(name, zone, followed, at_ns)
                if visit is not None:
                    inside.append(name)
                    yield from _clues(name, zone, followed, visit, at_ns)
            followed.zones = tuple(inside)

    def _visit(self, name: str, zone: Zone, followed: Followed, at_ns: int) -> _Visit | None:
        key = name, followed.track_id
        visit = self._visits.get(key)
        foot = followed.box.foot
        # A box that reaches below the picture stands on its border.
        foot = min(1.0, max(0.0, foot[0])), min(1.0, max(0.0, foot[1]))
        inside = is_inside(foot, zone.polygon)
        if visit is None:
            if not inside:
                return None
            visit = self._visits[key] = _Visit(at_ns, at_ns, at_ns=at_ns)
        elif not inside:
            away = distance_to(foot, zone.polygon) > BORDER_FRAC
            if away or at_ns - visit.inside_ns > OUTSIDE_S * NS_PER_S:
                del self._visits[key]
                return None
        else:
            visit.inside_ns = at_ns
        elapsed_s = min(0.5, (at_ns - visit.at_ns) / NS_PER_S)
        gained = PRESENCE_LLR_PER_PROB_S * (followed.score_prob - NO_PRESENCE_PROB) * elapsed_s
        visit.presence_llr = min(MOST_LLR, max(0.0, visit.presence_llr + gained))
        visit.at_ns = at_ns
        return visit


def _clues(name: str, zone: Zone, followed: Followed, visit: _Visit, at_ns: int) -> Iterator[Clue]:
    inside_s = (at_ns - visit.entered_ns) / NS_PER_S
    for rule, dwell_s in (("intrusion", zone.intrusion_dwell_s), ("loitering", zone.loitering_dwell_s)):
        if rule not in zone.rules:
            continue
        waited = min(1.0, inside_s / dwell_s) if dwell_s > 0.0 else 1.0
        if waited < 1.0:
            llr = waited * min(WAITING_LLR, visit.presence_llr)
        else:
            llr = DONE_LLR + visit.presence_llr if visit.presence_llr > 0.0 else 0.0
        yield Clue(
            kind=rule,
            signal="inside_zone",
            modality="rule",
            adding="state",
            llr=llr,
            score=followed.score_prob,
            since_ns=visit.entered_ns,
            begun_ns=visit.entered_ns,
            track=followed.track_id,
            box=followed.box,
            zone=name,
            words={"inside_s": inside_s, "who": followed.label.capitalize()},
        )
