"""Lines on the ground: who crosses them which way, how many there were, and when a crossing is told.

Somebody is on a side of a line once the foot point is clearly there: away from the line by more than boxes jitter.
A crossing is the way from one clear side to the other through the line itself, so whoever stands on it, however
long and however restless, crosses nothing, and whoever walks around its end neither.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from agent.config.schema import Line
from agent.scene.evidence import Clue
from agent.scene.following import Followed
from agent.scene.geometry import Point, distance_to_path, ground_point, margin_frac, meeting
from agent.scene.rules.hours import Timetable
from agent.scene.rules.zones import DONE_LLR, is_enough
from agent.types import NS_PER_S

TOLD_S = 1.0
"""A crossing is told anew with each picture for this long: who crosses right after appearing is known for a person
only a moment later."""


@dataclass(frozen=True, slots=True)
class Crossings:
    """How often a line was crossed since the watching began."""

    came_in: int = 0
    went_out: int = 0


@dataclass(slots=True)
class _Side:
    """Where one object was clearly on one side of one line."""

    point: Point
    at_ns: int
    way: str = ""  # in, out: of the newest crossing
    crossed_ns: int = 0
    told_ns: int = 0


class LineWatch:
    """Counts who crosses the lines of one camera, and tells the crossings that matter."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = lines
        self._hours = Timetable(lines)
        self._sides: dict[tuple[str, int], _Side] = {}
        self._counts: dict[str, Crossings] = dict.fromkeys(lines, Crossings())

    @property
    def counts(self) -> Mapping[str, Crossings]:
        """Crossings of every line so far."""
        return dict(self._counts)

    def adopt(self, lines: Mapping[str, Line]) -> None:
        """Watch other lines; one that stays where it was keeps its counts, and who is on which side."""
        same = {name for name, line in lines.items() if name in self._lines and self._lines[name].line == line.line}
        self._sides = {key: side for key, side in self._sides.items() if key[0] in same}
        self._counts = {name: self._counts[name] if name in same else Crossings() for name in lines}
        self._lines = lines
        self._hours = Timetable(lines)

    def watch(self, at_ns: int, wall_ns: int, present: Iterable[Followed], alive: Iterable[int]) -> Iterator[Clue]:
        """Update every side; yield the crossings that are to be told."""
        if not self._lines:
            return
        known = set(alive)
        self._sides = {key: side for key, side in self._sides.items() if key[1] in known}
        told = [name for name in self._lines if self._hours.holds(name, wall_ns)]
        for followed in present:
            for name, line in self._lines.items():
                if followed.label in line.labels:
                    self._move(name, line, followed, at_ns)
                    side = self._sides.get((name, followed.track_id))
                    if side is not None and name in told and _is_told(line, side, at_ns):
                        yield _clue(name, side, followed)

    def _move(self, name: str, line: Line, followed: Followed, at_ns: int) -> None:
        key, point = (name, followed.track_id), ground_point(followed.box)
        before = self._sides.get(key)
        if before is None:
            if is_enough(followed, line) and distance_to_path(point, line.line) > margin_frac(followed.box):
                self._sides[key] = _Side(point, at_ns)
            return
        way = _way(before.point, point, line)
        if not way:
            if distance_to_path(point, line.line) > margin_frac(followed.box):
                before.point, before.at_ns = point, at_ns
        elif distance_to_path(point, line.line) > margin_frac(followed.box):
            share = meeting(before.point, point, line.line)
            crossed_ns = before.at_ns + round((0.5 if share is None else share) * (at_ns - before.at_ns))
            self._sides[key] = _Side(point, at_ns, way, crossed_ns, at_ns)
            count = self._counts[name]
            self._counts[name] = Crossings(count.came_in + (way == "in"), count.went_out + (way == "out"))


def _way(before: Point, now: Point, line: Line) -> str:
    """`in`, `out`, or nothing where the straight way from `before` to `now` leads through no part of the line, or
    back through another."""
    ways = 0
    for a, b in pairwise(line.line):
        if meeting(before, now, (a, b)) is not None:
            # Right of the way from a to b, in a picture whose y points down, is where this product is positive.
            right = (b[0] - a[0]) * (now[1] - a[1]) - (b[1] - a[1]) * (now[0] - a[0]) > 0.0
            ways += 1 if right else -1
    return "in" if ways > 0 else "out" if ways < 0 else ""


def _is_told(line: Line, side: _Side, at_ns: int) -> bool:
    wanted = line.direction in ("both", side.way)
    return bool(side.way) and wanted and at_ns - side.told_ns <= TOLD_S * NS_PER_S


def _clue(name: str, side: _Side, followed: Followed) -> Clue:
    presence_llr = followed.presence_llr
    return Clue(
        kind="line_crossing",
        signal=f"crossed_{side.way}",
        modality="rule",
        adding="state",
        llr=DONE_LLR + presence_llr if presence_llr > 0.0 else 0.0,
        score=followed.score_prob,
        since_ns=side.crossed_ns,
        begun_ns=side.crossed_ns,
        track=followed.track_id,
        box=followed.box,
        zone=name,
        words={"who": followed.label.capitalize(), "way": side.way},
    )
