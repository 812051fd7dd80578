"""Average precision over clips, and its 95 % interval by resampling whole recordings."""

import numpy as np
from numpy.typing import NDArray


def average_precision(truth: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """Mean precision at each true clip, ties broken against us; NaN without a true clip."""
    if not truth.any():
        return float("nan")
    order = np.lexsort((truth, -score))
    ranked = truth[order]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def mean_ap(truth: NDArray[np.bool_], score: NDArray[np.floating], columns: list[int]) -> float:
    """Mean of the columns' average precisions."""
    return float(np.mean([average_precision(truth[:, c], score[:, c]) for c in columns]))


def interval(
    truth: NDArray[np.bool_], score: NDArray[np.floating], group: NDArray[np.int64], columns: list[int],
    rounds: int = 500, seed: int = 0,
) -> tuple[float, float]:  # fmt: skip
    """2.5 % and 97.5 % of the mean AP over `rounds` draws of groups with replacement."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(group == g) for g in np.unique(group)]
    values = []
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        values.append(mean_ap(truth[rows], score[rows], columns))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
