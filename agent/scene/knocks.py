"""Regular knocks: steps, hammering, dripping. Each alone sounds a little like a shot; their rhythm says what they are.

Nobody shoots three times in a row with the same pause to a tenth and the same loudness; people walk so all day.
"""

from collections import deque
from itertools import pairwise
from statistics import median

from agent.types import NS_PER_S

ONSETS = 4
"""This many in rhythm make it one: three equal pauses."""
PERIOD_S = (0.3, 0.9)
"""From a run to a slow walk; hammers and knocks lie between."""
TOLERANCE_FRAC = 0.15
"""How far a pause may be off; one onset in between may have been missed."""
LOUDER_DB = 8.0
"""What is this much louder than the rhythm is not part of it."""
KEPT_S = 2.5
"""The rhythm explains the windows (2 s) that still hold one of its knocks."""


class RegularKnocks:
    """The newest onsets of one microphone."""

    def __init__(self) -> None:
        self._onsets: deque[tuple[int, float]] = deque(maxlen=ONSETS)
        self._rhythm: tuple[int, float] | None = None  # when it was last kept, and how loud it is

    def hear(self, onset_ns: int | None, peak_dbfs: float) -> None:
        """Take the onset of the newest half second, if there was one, and the peak of that half second."""
        if onset_ns is None or (self._onsets and onset_ns <= self._onsets[-1][0]):
            return
        self._onsets.append((onset_ns, peak_dbfs))
        if self._is_regular():
            self._rhythm = onset_ns, median(peak for _, peak in self._onsets)

    def explain(self, at_ns: int, peak_dbfs: float) -> bool:
        """Whether a knock heard at `at_ns`, as loud as `peak_dbfs`, belongs to a rhythm."""
        if self._rhythm is None:
            return False
        kept_ns, usual_dbfs = self._rhythm
        return at_ns - kept_ns <= KEPT_S * NS_PER_S and peak_dbfs <= usual_dbfs + LOUDER_DB

    def _is_regular(self) -> bool:
        if len(self._onsets) < ONSETS:
            return False
        times = [at_ns / NS_PER_S for at_ns, _ in self._onsets]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        period_s = min(pauses)
        if not PERIOD_S[0] <= period_s <= PERIOD_S[1]:
            return False
        peaks = [peak for _, peak in self._onsets]
        alike = max(peaks) - min(peaks) <= LOUDER_DB
        return alike and all(_is_multiple(pause, period_s) for pause in pauses)


def _is_multiple(pause_s: float, period_s: float) -> bool:
    count = max(1, round(pause_s / period_s))
    return count <= 2 and abs(pause_s / count - period_s) <= TOLERANCE_FRAC * period_s
