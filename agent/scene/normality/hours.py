"""Activity at hours at which there never is any: known after three days of watching an hour."""

import math

import numpy as np
from numpy.typing import NDArray

from agent.scene.normality.words import Found
from agent.types import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
LEAST_MINUTES = 150.0
"""Of an hour of the day before anything is said about it: parts of three days."""
HIGH_NATS = 5.0
"""One minute in 150 with anybody in it."""


class Hours:
    """Minutes watched and minutes with somebody in them, by hour of the day (UTC); `counts` [24, 2] is kept."""

    def __init__(self, counts: NDArray[np.float32]) -> None:
        self.counts = counts
        self._minute: int | None = None
        self._active = False
        self._calm = True

    def see(self, wall_ns: int, active: bool, *, calm: bool) -> list[Found]:
        """Take one moment; tell how unusual activity is at this hour, while there is any."""
        minute = wall_ns // MINUTE_NS
        if minute != self._minute:
            if self._minute is not None and self._calm:
                self.counts[self._minute // 60 % 24] += (1.0, float(self._active))
            self._minute, self._active, self._calm = minute, False, True
        self._active |= active
        self._calm &= calm
        watched, busy = self.counts[minute // 60 % 24].tolist()
        if not active or watched < LEAST_MINUTES:
            return []
        return [
            Found(stream="hour", attribute="hour", nats=-math.log((busy + 0.5) / (watched + 1.0)), high_nats=HIGH_NATS)
        ]
