"""Puts observations that arrive out of order back into the order of time.

Cameras and microphones work at their own pace, so what happened first may be told last. Observations wait
for `lateness_ns`, then leave in one fixed order: by time, by type, by camera, by what they say. As long as
nothing is later than that, the order of arrival leaves no trace. What is later is dropped and counted.
"""

import heapq
from collections.abc import Iterator

from agent.types import Blind, Heard, Observation, Seen, Tick

LATENESS_NS = 250_000_000
"""How late an observation may be: the pace of see and hear differs by less, and a fall has 800 ms."""

_RANK: dict[type, int] = {Seen: 0, Heard: 1, Blind: 2, Tick: 3}


class _Waiting:
    """An observation with its place in the order; only twins of the same moment are compared by their text."""

    __slots__ = ("key", "observation")

    def __init__(self, observation: Observation) -> None:
        camera = "" if isinstance(observation, Tick) else observation.camera
        self.key = (observation.at_ns, _RANK[type(observation)], camera)
        self.observation = observation

    def __lt__(self, other: "_Waiting") -> bool:
        if self.key != other.key:
            return self.key < other.key
        return repr(self.observation) < repr(other.observation)


class ReorderBuffer:
    """Holds observations back until nothing earlier can come any more."""

    def __init__(self, lateness_ns: int = LATENESS_NS) -> None:
        self._lateness_ns = lateness_ns
        self._waiting: list[_Waiting] = []
        self._newest_ns: int | None = None
        self._released_ns: int | None = None
        self.dropped = 0

    def push(self, observation: Observation) -> Iterator[Observation]:
        """Take one observation; yield those whose time has come."""
        at_ns = observation.at_ns
        if self._released_ns is not None and at_ns < self._released_ns:
            self.dropped += not isinstance(observation, Tick)  # that time has passed is known by then
            return
        heapq.heappush(self._waiting, _Waiting(observation))
        self._newest_ns = at_ns if self._newest_ns is None else max(at_ns, self._newest_ns)
        yield from self._release(self._newest_ns - self._lateness_ns)

    def flush(self) -> Iterator[Observation]:
        """Yield all that still wait."""
        if self._newest_ns is not None:
            yield from self._release(self._newest_ns)

    def _release(self, until_ns: int) -> Iterator[Observation]:
        while self._waiting and self._waiting[0].key[0] <= until_ns:
            observation = heapq.heappop(self._waiting).observation
            self._released_ns = observation.at_ns
            yield observation
