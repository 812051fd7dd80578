"""What is usual of a whole scene or of its sound: the density of the embeddings that the models make of them."""

import math

import numpy as np

from agent.scene.normality.exemplars import Exemplars, Points
from agent.types import NS_PER_S

MOST = 256
MOST_AXES = 512
ANGLE = 0.3
"""Bandwidth of a unit vector: two looks at the same place differ by about this."""
EVERY_S, MEAN_S = 0.5, 1.5


class Looks:
    """The density of one kind of embedding; how many axes it has is known with the first."""

    def __init__(self) -> None:
        self.exemplars: Exemplars | None = None
        self._mean: float | None = None
        self._at_ns: int | None = None

    def begin_again(self) -> None:
        """Another recording follows, with a time of its own."""
        self._mean, self._at_ns = None, None

    def point(self, embedding: tuple[float, ...], at_ns: int) -> Points | None:
        """One point [1, axes], where there is an embedding and the last one is long enough ago."""
        if not 0 < len(embedding) <= MOST_AXES or (
            self._at_ns is not None and 0 <= at_ns - self._at_ns < EVERY_S * NS_PER_S
        ):
            return None
        vector = np.array(embedding, np.float32)[None]
        vector = vector / np.float32(max(float(np.linalg.norm(vector)), 1e-6)) / np.float32(ANGLE)
        if self.exemplars is None:
            self.exemplars = Exemplars(groups=1, most=MOST, axes=vector.shape[1])
        return vector if vector.shape[1] == self.exemplars.means.shape[2] else None

    def surprise(self, point: Points, at_ns: int) -> float:
        """How unusual it is, averaged over about `MEAN_S`."""
        if self.exemplars is None:
            return 0.0
        nats = float(self.exemplars.surprise(point, np.zeros((1, 1), np.intp)).nats[0])
        if self._mean is not None and self._at_ns is not None:
            share = 1.0 - math.exp(-max(0, at_ns - self._at_ns) / (MEAN_S * NS_PER_S))
            nats = self._mean + share * (nats - self._mean)
        self._mean, self._at_ns = nats, at_ns
        return nats
