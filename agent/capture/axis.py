"""Media time → the machine's monotonic time, without the jitter of network, decoder and scheduler.

What arrives can be late but never early, so the smallest (arrival - stamp) seen so far is the best guess
of the distance between the two clocks. The guess is let rise slowly, faster than any two quartz clocks
part, and every punctual arrival pulls it down again.
"""

from agent.types import NS_PER_S

_RISE_PPM = 200
_SET_ANEW_NS = 10 * NS_PER_S


class Axis:
    """Maps the stamps of one connection. Both streams share one axis, so they stay together."""

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
        risen_ns = self._offset_ns + max(0, arrived_ns - self._arrived_ns) * _RISE_PPM // 1_000_000
        self._arrived_ns = max(self._arrived_ns, arrived_ns)
        was_set = abs(offset_ns - risen_ns) > _SET_ANEW_NS
        self._offset_ns = offset_ns if was_set else min(risen_ns, offset_ns)
        return was_set

    def at_ns(self, stamp_ns: int) -> int:
        """Return the monotonic time of `stamp_ns`; `see` comes first."""
        if self._offset_ns is None:
            raise ValueError("nothing was seen yet")
        return stamp_ns + self._offset_ns
