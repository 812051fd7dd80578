"""How much surprise is usual: the highest of every picture is counted, and what lies beyond all but one in a
thousand of them, with a margin, is where evidence reaches its threshold.

Counted in bins of log(1 + nats), so that a place where little happens and a crowded square have their own scale.
"""

import math

import numpy as np
from numpy.typing import NDArray

BINS = 160
MOST_NATS = 200.0
USUAL_SHARE = 0.999
OFTEN_SHARE = 0.99
MARGIN = 1.25
"""What was learned from is a part of what is usual: the next days bring a little more."""
LEAST_NATS = 2.0
"""Two standard deviations above the mean: nothing less is ever called unusual."""
LEAST_LOOKS = 50.0

_WIDTH = math.log1p(MOST_NATS) / BINS


class Gauge:
    """The distribution of the highest surprise of a picture."""

    def __init__(self, margin: float = MARGIN) -> None:
        self._margin = margin
        self.counts: NDArray[np.float32] = np.zeros(BINS, np.float32)

    @property
    def is_ready(self) -> bool:
        """Whether enough was counted to know what is usual."""
        return float(self.counts.sum()) >= LEAST_LOOKS

    def learn(self, nats: float) -> None:
        """Count the highest surprise of one picture, in nats."""
        self.counts[min(BINS - 1, int(math.log1p(max(0.0, nats)) / _WIDTH))] += 1.0

    def fade(self, share: float) -> None:
        """Forget: multiply all that was counted by `share`."""
        self.counts *= np.float32(share)

    def high_nats(self) -> float:
        """The surprise at which evidence reaches its threshold."""
        return max(LEAST_NATS, self._margin * self._edge_nats(USUAL_SHARE))

    def often_nats(self) -> float:
        """What all but one in a hundred pictures stay below: less than `high_nats`."""
        return self._edge_nats(OFTEN_SHARE) if self.is_ready else 0.0

    def _edge_nats(self, share: float) -> float:
        reached = np.cumsum(self.counts) >= share * self.counts.sum()
        return math.expm1((int(reached.argmax()) + 1) * _WIDTH)


def llr_of(nats: float, high_nats: float, threshold_llr: float, headroom_llr: float) -> float:
    """What a surprise says: the threshold where it is as high as `high_nats`, ever more beyond, less than the headroom.

    Rises with the surprise everywhere, so that no two degrees of strangeness become one.
    """
    ratio = nats / high_nats
    if ratio <= 1.0:
        return threshold_llr * ratio
    return threshold_llr + headroom_llr * (1.0 - 1.0 / ratio)
