"""A density in bounded memory: exemplars of what was seen, each with how often, and how unusual something new is.

Every sample belongs to a group (a part of the picture) and is a point whose axes are divided by their bandwidth, so
that one unit is "about the same". An exemplar is the mean of samples near to it; the density of a group is the
mixture of unit Gaussians around its exemplars, and the surprise of a point is that of its best exemplar:

    surprise(x) = min over j of  |x - mean_j|² / 2 + log(sum of the weights / weight_j)

What is like the most that was seen is no surprise; what is like nothing grows as the square of its distance, so that
twice as strange counts more (a histogram would end at its last bin). Weights fade with time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

JOIN = 1.0
"""A sample within one bandwidth of an exemplar is one more of it; farther away it is a new one."""
LEAST_PACE = 0.01
"""An exemplar goes on following its samples at least this fast: light and seasons move what is usual."""
NOTHING_LIKE_IT = 50.0
"""The surprise, in nats, where nothing was ever learned; no surprise is larger."""

Points = NDArray[np.float32]
Groups = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Surprise:
    """For n points: how unusual each is, in nats [n]; the share of every axis in it [n, axes]."""

    nats: Points
    parts: Points


class Exemplars:
    """For each of `groups` groups at most `most` exemplars of points with `axes` axes."""

    def __init__(self, *, groups: int, most: int, axes: int) -> None:
        self.means: Points = np.zeros((groups, most, axes), np.float32)
        self.weights: Points = np.zeros((groups, most), np.float32)  # 0: the place is free

    def surprise(self, points: Points, among: Groups) -> Surprise:
        """How unusual points [n, axes] are for the exemplars of the groups `among` [n, k]; -1 stands for no group."""
        known = self.weights[among] * (among >= 0)[..., None]  # [n, k, most]
        away = points[:, None, None, :] - self.means[among]
        costs = 0.5 * np.einsum("nkma,nkma->nkm", away, away)
        whole = known.sum((1, 2), keepdims=True)
        costs += np.log(np.maximum(whole, 1.0) / np.maximum(known, 1e-6))
        costs[known <= 0.0] = np.inf
        costs = costs.reshape(len(points), -1)
        best = costs.argmin(1)
        rows = np.arange(len(points))
        nats = np.minimum(costs[rows, best], NOTHING_LIKE_IT)
        parts = 0.5 * away.reshape(len(points), -1, points.shape[1])[rows, best] ** 2
        return Surprise(nats.astype(np.float32), np.where(np.isfinite(parts), parts, 0.0).astype(np.float32))

    def learn(self, points: Points, groups: Groups, weight: float = 1.0) -> None:
        """Take points [n, axes] of `groups` [n] into account, each with `weight`."""
        if not len(points):
            return
        known = self.weights[groups]
        squares = ((points[:, None, :] - self.means[groups]) ** 2).sum(2)
        squares[known <= 0.0] = np.inf
        nearest = squares.argmin(1)
        near = squares[np.arange(len(points)), nearest] <= JOIN**2
        self._join(points[near], groups[near], nearest[near], weight)
        # One new exemplar a group and call: its neighbours join it at the next look.
        new_groups, first = np.unique(groups[~near], return_index=True)
        place = self.weights[new_groups].argmin(1)
        self.means[new_groups, place] = points[~near][first]
        self.weights[new_groups, place] = weight

    def fade(self, share: float) -> None:
        """Multiply every weight by `share` in (0, 1]."""
        self.weights *= np.float32(share)

    def _join(self, points: Points, groups: Groups, slots: Groups, weight: float) -> None:
        flat = groups * self.weights.shape[1] + slots
        touched, which, counts = np.unique(flat, return_inverse=True, return_counts=True)
        sums = np.zeros((len(touched), points.shape[1]), np.float32)
        np.add.at(sums, which, points)
        weights, means = self.weights.reshape(-1), self.means.reshape(-1, points.shape[1])
        weights[touched] += counts.astype(np.float32) * np.float32(weight)
        pace = np.clip(counts * weight / weights[touched], LEAST_PACE, 1.0).astype(np.float32)[:, None]
        means[touched] += pace * (sums / counts[:, None].astype(np.float32) - means[touched])
