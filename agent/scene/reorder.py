"""Puts observations that arrive out of order back into the order of time.

Cameras and microphones work at their own pace, so what happened first may be told last. Observations wait
for `lateness_ns`, then leave in one fixed order: by time, by type, by camera, by what they say. As long as
nothing is later than that, the order of arrival leaves no trace.

Some cameras deliver their sound a second after its picture, or the reverse. Nobody waits so long for them: what comes
later leaves at once, as long as nothing newer of the same sense has left before it (decision 040). What would set a
sense back in time, or comes later than `MOST_LATE_NS`, is dropped and counted.
"""

import heapq
from collections.abc import Iterator

from agent.types import Blind, Fused, Heard, Observation, Seen, Tick

LATENESS_NS = 250_000_000
"""How late an observation may be: the pace of see and hear differs by less, and a fall has 800 ms."""

MOST_LATE_NS = 5_000_000_000
"""What happened longer ago than this is no news. Picture and sound that are further apart go by clocks of their own
(agent.capture.axis), so only overload makes anything as late."""

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
        self._newest_of: dict[tuple[str, str], int] = {}  # camera and sense → time of the newest that left
        self.dropped = 0

    def push(self, observation: Observation) -> Iterator[Observation]:
        """Take one observation; yield those whose time has come."""
        at_ns = observation.at_ns
        if self._released_ns is not None and at_ns < self._released_ns:
            yield from self._late(observation, self._released_ns - at_ns)
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
            self._note(observation)
            yield observation

    def _late(self, observation: Observation, by_ns: int) -> Iterator[Observation]:
        """Yield what comes too late for its place in the order of all, unless it comes too late for its own sense."""
        if isinstance(observation, Tick):
            return  # that time has passed is known by then
        if by_ns > MOST_LATE_NS or observation.at_ns < self._newest_of.get(_sense_of(observation), observation.at_ns):
            self.dropped += 1
            return
        self._note(observation)
        yield observation

    def _note(self, observation: Observation) -> None:
        if not isinstance(observation, Tick):
            self._newest_of[_sense_of(observation)] = observation.at_ns


def _sense_of(observation: Seen | Heard | Fused | Blind) -> tuple[str, str]:
    """Which sense of which camera an observation is of, or tells the end of."""
    if isinstance(observation, Blind):
        return observation.camera, observation.modality
    return observation.camera, "sound" if isinstance(observation, Heard) else "vision"
