"""A linear probe of frozen features: what they tell of a fight, with nothing learned but one weight a feature."""

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def probe(rows: Floats, truth: NDArray[np.bool_], pull: float) -> tuple[Floats, float]:
    """A logistic regression on rows [n, features], both classes weighing alike: weights of rows as they are, offset.

    `pull` is how much half the square of the weights of normalised rows counts against the sum of the losses.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    x = torch.from_numpy((rows - mean) / scale)
    t = torch.from_numpy(truth.astype(np.float32))
    each = torch.where(t > 0, len(t) / (2.0 * t.sum()), len(t) / (2.0 * (1.0 - t).sum()))
    fit = torch.zeros(rows.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([fit], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ fit[:-1] + fit[-1], t, each, reduction="sum")
        loss = loss + 0.5 * pull * fit[:-1].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    told = fit.detach().numpy()
    weights = (told[:-1] / scale).astype(np.float32)
    return weights, float(told[-1] - weights @ mean)


def judged(fit: tuple[Floats, float], rows: Floats) -> Floats:
    """The probe's log odds of rows [n, features]."""
    return np.asarray(rows @ fit[0] + fit[1], np.float32)
