"""How far what a model says of a camera has moved from what it said in its first days there: the drift of its scores.

The figure is the population stability index of credit scoring, the usual measure of how far scores have moved (N.
Siddiqi, Credit Risk Scorecards, Wiley 2006): with a the share of a band of scores now and e its share at first, the
sum of (a - e) · ln(a / e) over all bands. 0 where nothing has changed; by the rule of thumb of the same book below 0.1
nothing of note, above 0.25 another population. It tells that something is different, not whether a verdict is wrong.
Plain arithmetic: files and threads are in `drift_watch`.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.types import NS_PER_S

BOUNDS_PROB = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
"""Upper ends of all bands of scores but the last; narrow at the bottom, where most of what is said lies."""
BANDS = len(BOUNDS_PROB) + 1
SMALLEST_SHARE = 0.001  # of an empty band; a logarithm of nothing would be endless
SAMPLE_EVERY_NS = 10 * NS_PER_S  # one look in ten seconds: more of the same moment tell no more
SAMPLES_A_DAY = 8640
REFERENCE_SAMPLES = 3 * SAMPLES_A_DAY  # the first days: three of a camera that is always watched
LEAST_RECENT = SAMPLES_A_DAY / 4
FORGET_S = 86_400.0  # what is this old counts 1/e
NOTABLE = 0.25
"""Above this the scores are of another population (Siddiqi 2006)."""


def psi(before: Sequence[float], now: Sequence[float]) -> float:
    """Return the population stability index of two histograms, counts [bands] each, neither of them empty."""
    all_before, all_now = sum(before), sum(now)
    total = 0.0
    for expected, actual in zip(before, now, strict=True):
        e = max(expected / all_before, SMALLEST_SHARE)
        a = max(actual / all_now, SMALLEST_SHARE)
        total += (a - e) * math.log(a / e)
    return total


def _empty() -> list[float]:
    return [0.0] * BANDS


@dataclass(slots=True)
class Drift:
    """One sense of one camera: its scores at first, counted; and those of the last day, fading.

    `basis` names what they are scores of (the model's file, the camera's address): another one begins anew.
    """

    basis: str
    reference: list[float] = field(default_factory=_empty)
    recent: list[float] = field(default_factory=_empty)
    _newest_ns: int | None = None

    def note(self, score_prob: float, at_ns: int) -> None:
        """Count one score, if the one before it is long enough ago; `at_ns` is on the monotonic timeline."""
        newest_ns, self._newest_ns = self._newest_ns, at_ns
        if newest_ns is not None and at_ns >= newest_ns:
            if at_ns - newest_ns < SAMPLE_EVERY_NS:
                self._newest_ns = newest_ns
                return
            kept = math.exp(-(at_ns - newest_ns) / NS_PER_S / FORGET_S)
            self.recent = [count * kept for count in self.recent]
        band = bisect.bisect_right(BOUNDS_PROB, score_prob)
        self.recent[band] += 1.0
        if sum(self.reference) < REFERENCE_SAMPLES:
            self.reference[band] += 1.0

    def figure(self) -> float | None:
        """Return the index of the last day against the first days; None until there is enough of either."""
        if sum(self.reference) < REFERENCE_SAMPLES or sum(self.recent) < LEAST_RECENT:
            return None
        return round(psi(self.reference, self.recent), 3)
