"""Media time → the machine's monotonic time, without the jitter of network, decoder and scheduler.

What arrives can be late but never early, so the smallest (arrival - stamp) seen so far is the best guess
of the distance between the two clocks. The guess is let rise slowly, faster than any two quartz clocks
part, and every punctual arrival pulls it down again.

Picture and sound of one connection share the smaller distance, so they stay together. Some cameras stamp the two by
clocks that are seconds apart; on a shared axis the later of them would be put so far into the past that nobody judges
it any more. Beyond what `sound_late_s` can put right, each stream goes by its own distance.
"""

from typing import Literal

from agent.types import NS_PER_S

Stream = Literal["vision", "sound"]

_RISE_PPM = 200
_SET_ANEW_NS = 10 * NS_PER_S
_PART_NS = 5 * NS_PER_S // 4  # the most that can be put right is a second, and the scene waits a quarter longer
_JOIN_NS = NS_PER_S


class Axis:
    """Maps the stamps of one stream."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._arrived_ns = 0

    def see(self, stamp_ns: int, arrived_ns: int) -> bool:
        """Learn from something stamped `stamp_ns` at its end that arrived at `arrived_ns`.

        Returns True where the medium's clock was set: time before and after it cannot be compared.
        """
        offset_ns = arrived_ns - stamp_ns
        if self._offset_ns is None:
            self._offset_ns, self._arrived_ns = offset_ns, arrived_ns
            return False
        risen_ns = self.offset_ns(arrived_ns)
        self._arrived_ns = max(self._arrived_ns, arrived_ns)
        was_set = abs(offset_ns - risen_ns) > _SET_ANEW_NS
        self._offset_ns = offset_ns if was_set else min(risen_ns, offset_ns)
        return was_set

    def offset_ns(self, now_ns: int) -> int:
        """Return what to add to a stamp to get monotonic time, as it is held for at `now_ns`; `see` comes first."""
        if self._offset_ns is None:
            raise ValueError("nothing was seen yet")
        return self._offset_ns + max(0, now_ns - self._arrived_ns) * _RISE_PPM // 1_000_000


class Axes:
    """Maps the stamps of both streams of one connection."""

    def __init__(self) -> None:
        self._own: dict[Stream, Axis] = {}
        self._arrived_ns = 0
        self._apart = False

    def see(self, stream: Stream, stamp_ns: int, arrived_ns: int) -> bool:
        """As `Axis.see`, of one of the streams."""
        was_set = self._own.setdefault(stream, Axis()).see(stamp_ns, arrived_ns)
        self._arrived_ns = max(self._arrived_ns, arrived_ns)
        offsets_ns = self._offsets_ns()
        self._apart = max(offsets_ns) - min(offsets_ns) > (_JOIN_NS if self._apart else _PART_NS)
        return was_set

    def at_ns(self, stream: Stream, stamp_ns: int) -> int:
        """Return the monotonic time of `stamp_ns` of `stream`; `see` comes first."""
        own_ns = self._own[stream].offset_ns(self._arrived_ns)
        return stamp_ns + (own_ns if self._apart else min(self._offsets_ns()))

    def _offsets_ns(self) -> list[int]:
        return [axis.offset_ns(self._arrived_ns) for axis in self._own.values()]
