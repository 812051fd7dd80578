"""Whether much of what is seen or heard comes too late for the scene, which drops it: a camera may be blind by that."""

from agent.types import NS_PER_S

PERIOD_NS = 60 * NS_PER_S
MANY = 60
"""So many in a minute, one a second, are no accident."""
SAID = "much is seen or heard too late to be judged: the box is overloaded, or a camera sets its clock back"


class Late:
    """Compares how many were dropped, minute by minute. Times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._dropped = 0
        self._many = False

    def remarks(self, dropped: int, now_ns: int) -> list[str]:
        """Return what the state says of it; `dropped` counts all that came too late since the scene began."""
        if self._since_ns is None or now_ns - self._since_ns >= PERIOD_NS:
            self._many = self._since_ns is not None and dropped - self._dropped >= MANY
            self._since_ns, self._dropped = now_ns, dropped
        return [SAID] if self._many else []
