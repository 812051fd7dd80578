"""How long writing to the disk takes: the worst of late, so that a dying memory card is told of before it dies."""

from agent.types import NS_PER_S

_PERIOD_NS = 60 * NS_PER_S


class Pace:
    """The longest write of the present minute and of the one before. Times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self._period = 0
        self._worst_ns = (0, 0)

    def note(self, began_ns: int, ended_ns: int) -> None:
        """Count one write."""
        before, now = self._at(ended_ns)
        self._worst_ns = before, max(now, ended_ns - began_ns)

    def worst_ms(self, now_ns: int) -> float:
        """Return the longest write of the last minute or two, in milliseconds."""
        return round(max(self._at(now_ns)) / 1e6, 1)

    def _at(self, now_ns: int) -> tuple[int, int]:
        period, passed = now_ns // _PERIOD_NS, now_ns // _PERIOD_NS - self._period
        if passed:
            self._worst_ns = (self._worst_ns[1], 0) if passed == 1 else (0, 0)
            self._period = period
        return self._worst_ns
