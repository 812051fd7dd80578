"""Who was where lately: whoever brought or took a thing has often gone on by the time it is noticed."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.scene.following import Followed, group_of
from agent.scene.geometry import heights_between, inside_frac
from agent.types import NS_PER_S, Box

KEPT_S, EVERY_S = 15.0, 0.2
ELSEWHERE_HEIGHTS = 0.15
"""Who was seen further away than this before, in own heights, came from elsewhere."""
UNDER_FRAC = 0.5
_PEOPLE, _THINGS = 0, (4, 5)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one was at a moment; `size` is the height of the body in fractions of the picture."""

    at_ns: int
    track: int
    box: Box
    size: float


class Whereabouts:
    """The people, animals and vehicles before one camera in the last seconds."""

    def __init__(self) -> None:
        self._people: deque[_Place] = deque()
        self._others: deque[_Place] = deque()
        self._first: dict[int, _Place] = {}
        self._last: dict[int, _Place] = {}
        self._at_ns: int | None = None
        self._aspect_ratio = 1.0

    def note(self, at_ns: int, present: Iterable[Followed], aspect_ratio: float) -> None:
        """Take who is there now; `aspect_ratio` is the picture's width over its height."""
        self._aspect_ratio = aspect_ratio
        if self._at_ns is not None and 0 <= at_ns - self._at_ns < EVERY_S * NS_PER_S:
            return
        self._at_ns = at_ns
        for one in present:
            group = group_of(one.label)
            if group in _THINGS:
                continue
            place = _Place(at_ns, one.track_id, one.box, size_of(one))
            if group != _PEOPLE:
                self._others.append(place)
                continue
            self._people.append(place)
            self._first.setdefault(one.track_id, place)
            self._last[one.track_id] = place
        self._forget(at_ns)

    def near(self, box: Box, from_ns: int, to_ns: int, heights: float) -> list[int]:
        """Tracks of the people within reach of `box` between two moments, the nearest first."""
        nearest: dict[int, float] = {}
        for place in self._people:
            if from_ns <= place.at_ns <= to_ns:
                reach = self._reach(place, box)
                nearest[place.track] = min(reach, nearest.get(place.track, reach))
        return [track for reach, track in sorted((r, t) for t, r in nearest.items()) if reach <= heights]

    def newest_near_ns(self, box: Box, tracks: Sequence[int], heights: float) -> int | None:
        """When one of `tracks` was last within reach of `box`."""
        times = (
            place.at_ns
            for place in reversed(self._people)
            if place.track in tracks and self._reach(place, box) <= heights
        )
        return next(times, None)

    def last_reach(self, track: int, box: Box) -> float | None:
        """How far from `box` somebody was when last seen, in own heights; None for who is not remembered."""
        place = self._last.get(track)
        return None if place is None else self._reach(place, box)

    def came_to(self, track: int, box: Box, by_ns: int) -> bool:
        """Whether somebody was elsewhere before: who was always there is not somebody who came."""
        known = (place for place in (self._first.get(track), *self._people) if place and place.track == track)
        return any(p.at_ns <= by_ns and self._reach(p, box) > ELSEWHERE_HEIGHTS for p in known)

    def reach(self, person: Followed, box: Box) -> float:
        """Distance between a person and a thing in heights of the person."""
        return heights_between(person.box, box, self._aspect_ratio) / size_of(person)

    def _reach(self, place: _Place, box: Box) -> float:
        return heights_between(place.box, box, self._aspect_ratio) / place.size

    def under_others(self, box: Box) -> bool:
        """Whether an animal or a vehicle was where `box` is."""
        return any(inside_frac(box, place.box) >= UNDER_FRAC for place in self._others)

    def _forget(self, at_ns: int) -> None:
        for places in (self._people, self._others):
            while places and at_ns - places[0].at_ns > KEPT_S * NS_PER_S:
                places.popleft()
        for track in list(_old(self._last, at_ns)):
            del self._last[track], self._first[track]


def size_of(person: Followed) -> float:
    """The height of a body in fractions of the picture, as far as it is known."""
    return max(person.body.size, person.box.height_frac, 1e-3)


def _old(last: dict[int, _Place], at_ns: int) -> Iterator[int]:
    return (track for track, place in last.items() if at_ns - place.at_ns > KEPT_S * NS_PER_S)
