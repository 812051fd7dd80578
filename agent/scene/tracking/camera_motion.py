"""The camera's own motion, seen in how the tracks move: no picture is needed.

What all objects do at once and unexpectedly, the camera did. A hand-held camera, a gust at the pole or a person
at the joystick then costs no identities.
"""

from collections.abc import Sequence

import numpy as np

from agent.scene.tracking.association import Floats

FEWEST = 3  # objects that have to jump together
REACH_HEIGHTS = 1.0  # a jump is looked for up to this far
APART_HEIGHTS = 0.1  # objects that jump together agree to within this
SIZE_RATIO, WIDTH_RATIO = 0.2, 0.4  # largest logarithms of the change of height and width in a jump
MOST_PAIRS = 1000  # in a crowd anything may have jumped anywhere

_MAD_TO_SIGMA = 1.48
_TINY = 1e-12


def median(values: Floats) -> Floats:
    """Of `values` [n, …] along the first axis; many times faster than numpy's for a few values."""
    ordered = np.sort(values, axis=0)
    return np.asarray((ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2.0, np.float64)


def common_shift(off: Floats, strictness: float) -> Floats:
    """The part [2] of the surprises `off` [n, 2] that all objects share.

    The median, shrunk by as much of it as chance explains: `strictness` standard errors count as chance.
    """
    return np.array([_common(each, strictness) for each in off.T.tolist()])


def _common(off: Sequence[float], strictness: float) -> float:
    """The same along one axis, in plain numbers: for a dozen of them numpy takes three times as long."""
    middle = _middle(off)
    spread = _MAD_TO_SIGMA * _middle([abs(one - middle) for one in off])
    by_chance = (strictness * spread) * (strictness * spread)
    return middle * max(0.0, 1.0 - by_chance / (len(off) * (middle * middle) + _TINY))


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2.0


def jump(expected: Floats, found: Floats) -> Floats | None:
    """By how much [2] most of the boxes `expected` [n, 4] (centre and size) moved to be boxes of `found` [m, 4].

    Every pair of boxes of about the same size votes for its displacement; None where half of the expected do not
    agree.
    """
    if min(len(expected), len(found)) < FEWEST or len(expected) * len(found) > 64 * MOST_PAIRS:
        return None
    off = found[None, :, :2] - expected[:, None, :2]
    height = np.broadcast_to(expected[:, None, 3], off.shape[:2])
    change = np.abs(np.log(found[None, :, 2:] / expected[:, None, 2:]))
    near = (change[..., 0] < WIDTH_RATIO) & (change[..., 1] < SIZE_RATIO)
    near &= np.abs(off).max(axis=2) < REACH_HEIGHTS * height
    moves, reach = off[near], APART_HEIGHTS * height[near]
    if not FEWEST <= len(moves) <= MOST_PAIRS:
        return None
    together = np.abs(moves[:, None] - moves[None]).max(axis=2) < reach[:, None]
    votes = together.sum(axis=1)
    best = int(votes.argmax())
    if votes[best] < max(FEWEST, 0.5 * len(expected)):
        return None
    return median(moves[together[best]])
