"""Groups: who is together, how dense, and whether they come together or scatter.

Two people are together while their feet are near each other, measured in body heights, with hysteresis, so that a
group neither forms nor falls apart with the jitter of boxes. How distances to and within a group change, smoothed
over a second, tells whether it converges or disperses. `Scene.groups` tells them; no incident rests on them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from agent.scene.following import Followed
from agent.types import NS_PER_S

JOIN_HEIGHTS, PART_HEIGHTS = 1.2, 2.0
"""Together from this distance on, and until it is further: an arm's length each, and a step."""
REACH_HEIGHTS = 4.0
"""Whoever is further away has nothing to do with a group."""
TREND_HEIGHTS_PER_S = 0.25
"""Half the pace of a slow walk: people who stand together shift by less."""
EVERY_S = 0.19
"""People come together within seconds: looked at five times in each."""
_MEMORY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People who are together: at least two tracks."""

    tracks: tuple[int, ...]
    since_ns: int
    spacing_heights: float  # mean distance of each to the nearest other: the smaller the denser
    closing_heights_per_s: float  # of all within reach; negative where they move apart

    @property
    def trend(self) -> str:
        """`converging`, `dispersing` or `steady`."""
        if abs(self.closing_heights_per_s) < TREND_HEIGHTS_PER_S:
            return "steady"
        return "converging" if self.closing_heights_per_s > 0.0 else "dispersing"


@dataclass(slots=True)
class _Pair:
    """Two people: how far apart in heights, and how fast that shrinks."""

    heights: float
    closing: float = 0.0
    together_ns: int | None = None


class GroupWatch:
    """Finds out who is together in front of one camera, and whether groups converge or disperse."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._at_ns: int | None = None
        self.groups: tuple[Group, ...] = ()

    def see(self, at_ns: int, present: Iterable[Followed], aspect_ratio: float) -> None:
        """Take those who are present in one picture."""
        elapsed_s = 0.0 if self._at_ns is None else max(0.0, (at_ns - self._at_ns) / NS_PER_S)
        if self._at_ns is not None and elapsed_s < EVERY_S:
            return
        self._at_ns = at_ns
        share = 1.0 - math.exp(-elapsed_s / _MEMORY_S)
        before, self._pairs = self._pairs, {}
        people = sorted(_standing(one, aspect_ratio) for one in present if one.label == "person")
        for (first, x0, y0, height0), (second, x1, y1, height1) in combinations(people, 2):
            heights = math.hypot(x1 - x0, y1 - y0) / max(height0, height1)
            if heights > REACH_HEIGHTS:
                continue
            pair = before.get((first, second)) or _Pair(heights)
            if elapsed_s > 0.0:
                pair.closing += share * ((pair.heights - heights) / elapsed_s - pair.closing)
            pair.heights = heights
            if heights > PART_HEIGHTS:
                pair.together_ns = None
            elif heights <= JOIN_HEIGHTS and pair.together_ns is None:
                pair.together_ns = at_ns
            self._pairs[first, second] = pair
        self.groups = tuple(self._group(members) for members in self._members())

    def _members(self) -> list[tuple[int, ...]]:
        """Who hangs together over any number of links."""
        of: dict[int, set[int]] = {}
        for (first, second), pair in self._pairs.items():
            if pair.together_ns is not None:
                joined = of.get(first, {first}) | of.get(second, {second})
                of |= dict.fromkeys(joined, joined)
        return sorted({tuple(sorted(members)) for members in of.values()})

    def _group(self, members: tuple[int, ...]) -> Group:
        nearest = dict.fromkeys(members, math.inf)
        closing, since_ns = [], []
        for (first, second), pair in self._pairs.items():
            if first not in nearest and second not in nearest:
                continue
            closing.append(pair.closing)
            if first in nearest and second in nearest:
                nearest[first] = min(nearest[first], pair.heights)
                nearest[second] = min(nearest[second], pair.heights)
                if pair.together_ns is not None:
                    since_ns.append(pair.together_ns)
        return Group(
            tracks=members,
            since_ns=min(since_ns),
            spacing_heights=sum(nearest.values()) / len(nearest),
            closing_heights_per_s=sum(closing) / len(closing),
        )


def _standing(one: Followed, aspect_ratio: float) -> tuple[int, float, float, float]:
    """Who stands where, and how tall, in picture heights: a step down the picture counts as one across."""
    x, y = one.box.foot
    return one.track_id, x * aspect_ratio, y, max(one.body.size, one.box.height_frac, 1e-3)
