"""Whether a camera goes on repeating one picture, as a recorder does that has lost it."""

import math

import numpy as np
from numpy.typing import NDArray

from agent.types import NS_PER_S, PictureStats

BLOCKS = 48
LIVELY_AFTER_S, LIVELY_REST_S, LIVELY_MEMORY_S = 30.0, 1.0, 1800.0
LIVELY_BLOCKS = BLOCKS // 6
"""Where there is noise, the same sixth of all blocks never rests for longer than this; what moves is now here and now
there. On 60 train clips, whose coders skip much, 9 blocks and more never rest so long, on nearly all 18."""
FROZEN_FRAC = 0.003
"""In a picture that is repeated fewer pixels differ from the one before; in train clips 0.01 and more always did."""
FROZEN_LIGHT = 0.3
"""A picture froze only in the light in which noise was seen: one that went dark may well have lost it."""


class Freezing:
    """Whether a camera some parts of whose picture never rested goes on repeating one picture."""

    def __init__(self) -> None:
        self._watched_s = 0.0
        self._rest_s = np.zeros(BLOCKS)  # for how long each block has not stirred
        self._longest_s = np.zeros(BLOCKS)  # the longest of such rests
        self._light: tuple[float, float] | None = None  # the least and the most in which noise was seen
        self.reset()

    def reset(self) -> None:
        """What comes next follows on nothing."""
        self._since_ns: int | None = None
        self._before: PictureStats | None = None
        self._stirred = False
        self._rest_s[:] = 0.0

    def see(self, at_ns: int, stats: PictureStats, elapsed_s: float) -> float:
        """Take a picture into account; return for how many seconds it has been the same one.

        One picture that differs does not count: a frozen picture that is still coded changes with each key picture.
        """
        # A recording of an older version does not say how many pixels differ, but no two noisy pictures are alike.
        before, self._before = self._before, stats
        alike = 0.0 if stats == before else 1.0
        same = (alike if stats.differing_frac is None else stats.differing_frac) < FROZEN_FRAC
        if same and self._since_ns is None and self._is_lively(stats.brightness_frac):
            self._since_ns = at_ns
        elif not same and (self._stirred or self._since_ns is None):
            self._since_ns = None
        self._stirred = not same
        if self._since_ns is not None:
            return (at_ns - self._since_ns) / NS_PER_S
        self._learn(stats, before, elapsed_s, all_blocks=not same)
        return 0.0

    def _is_lively(self, brightness_frac: float) -> bool:
        """Whether a still picture would be strange, in this light."""
        if self._watched_s < LIVELY_AFTER_S or self._light is None:
            return False
        least, most = self._light
        lit = (1.0 - FROZEN_LIGHT) * least <= brightness_frac <= (1.0 + FROZEN_LIGHT) * most
        return lit and int(np.count_nonzero(self._longest_s <= LIVELY_REST_S)) >= LIVELY_BLOCKS

    def _learn(self, stats: PictureStats, before: PictureStats | None, elapsed_s: float, *, all_blocks: bool) -> None:
        stirred = _flags(stats.stirred) if stats.stirred is not None else np.full(BLOCKS, all_blocks)
        self._rest_s = np.where(stirred, 0.0, self._rest_s + elapsed_s)
        kept = math.exp(-elapsed_s / LIVELY_MEMORY_S)
        self._longest_s = np.maximum(kept * self._longest_s, self._rest_s)
        self._watched_s += elapsed_s
        now = stats.brightness_frac
        if before is None or abs(now - before.brightness_frac) > FROZEN_LIGHT * now:
            return  # that a lamp went on is no noise
        if np.count_nonzero(stirred) >= LIVELY_BLOCKS:
            least, most = self._light or (now, now)
            self._light = min(now, now + kept * (least - now)), max(now, now + kept * (most - now))


def _flags(bits: int) -> NDArray[np.bool_]:
    """Whether each of `BLOCKS` bits is set."""
    packed = np.frombuffer(bits.to_bytes(BLOCKS // 8, "little"), np.uint8)
    return np.unpackbits(packed, bitorder="little").view(np.bool_)
