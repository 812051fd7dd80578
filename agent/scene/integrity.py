"""Whether the camera still shows the place it was put up to watch.

A reference of the place is learned while all is well: its contrast, its sharpness, and its coarse look (the mean
grey of 8 × 6 cells). Covering a lens takes away all three at once. Dusk and lights that go off change the
brightness but not the look: cells keep their order, so the *pattern* (cells less their mean, over their spread)
still resembles the reference. A picture too dark to show anything is `camera_dark`, whatever made it so.
"""

import math
from collections.abc import Iterator, Sequence

from agent.scene.evidence import Clue
from agent.types import NS_PER_S, PictureStats, Seen

LEARN_S, REFERENCE_MEMORY_S = 4.0, 30.0
RESEMBLANCE_LOST = 0.5
"""Correlation of the pattern of cells: the same place under other light keeps 0.7 and more, a hand has about 0."""
DETAIL_LOST = 0.45
"""Of the reference's sharpness: a covered lens shows no edges."""
DARK_BRIGHTNESS_FRAC, DARK_CONTRAST_FRAC = 0.05, 0.025
RATE_LLR_PER_S = 1.6
"""All signs together open the threshold of 4 after 3.2 s (the contract: 5 s); a hand that passes takes less."""
NOISY_AFTER_S, NOISY_SHARE = 10.0, 0.98
FROZEN_S = 3.0
"""A camera whose pictures always differed by noise is frozen when they stop differing."""


class PictureWatch:
    """The integrity of one camera's picture."""

    def __init__(self) -> None:
        self._reference: PictureStats | None = None
        self._known_s = 0.0
        self._at_ns: int | None = None
        self._before: PictureStats | None = None
        self._noisy_s = 0.0
        self._watched_s = 0.0
        self._same_since_ns: int | None = None

    def reset(self) -> None:
        """The source was lost: whatever comes back is compared with the reference, but is not a frozen picture."""
        self._before, self._same_since_ns, self._at_ns = None, None, None

    def see(self, seen: Seen) -> Iterator[Clue]:
        """Yield what one picture's statistics say."""
        elapsed_s = 0.0 if self._at_ns is None else min(0.5, max(0.0, (seen.at_ns - self._at_ns) / NS_PER_S))
        stats = seen.stats
        yield from self._freezing(seen, elapsed_s)
        dark = stats.brightness_frac < DARK_BRIGHTNESS_FRAC and stats.contrast_frac < DARK_CONTRAST_FRAC
        covered = self._coverage(stats)
        if self._knows_place:
            yield _sensor_clue("camera_covered", "picture", seen, elapsed_s * (RATE_LLR_PER_S * covered))
        yield _sensor_clue("camera_dark", "brightness", seen, elapsed_s * (1.0 if dark else -1.0) * RATE_LLR_PER_S)
        if covered <= 0.0 and not dark:
            self._learn(stats, elapsed_s)
        self._at_ns = seen.at_ns

    @property
    def _knows_place(self) -> bool:
        return self._known_s >= LEARN_S

    def _coverage(self, stats: PictureStats) -> float:
        """From -1 (shows the place) to 1 (covered)."""
        if self._reference is None:
            return -1.0
        detail = stats.sharpness_frac / max(1e-4, self._reference.sharpness_frac)
        contrast = stats.contrast_frac / max(1e-4, self._reference.contrast_frac)
        if detail > DETAIL_LOST or resemblance(stats.grid, self._reference.grid) > RESEMBLANCE_LOST:
            return -1.0
        return 1.0 if contrast < 0.6 or detail < DETAIL_LOST / 2 else -0.2

    def _learn(self, stats: PictureStats, elapsed_s: float) -> None:
        if self._reference is None or len(self._reference.grid) != len(stats.grid):
            self._reference = stats
            return
        self._known_s += elapsed_s
        share = elapsed_s / min(REFERENCE_MEMORY_S, max(elapsed_s, self._known_s)) if elapsed_s else 0.0
        old = self._reference
        self._reference = PictureStats(
            brightness_frac=old.brightness_frac + share * (stats.brightness_frac - old.brightness_frac),
            contrast_frac=old.contrast_frac + share * (stats.contrast_frac - old.contrast_frac),
            sharpness_frac=old.sharpness_frac + share * (stats.sharpness_frac - old.sharpness_frac),
            moving_frac=0.0,
            grid=tuple(a + share * (b - a) for a, b in zip(old.grid, stats.grid, strict=True)),
        )

    def _freezing(self, seen: Seen, elapsed_s: float) -> Iterator[Clue]:
        same = self._before == seen.stats
        self._watched_s += elapsed_s
        self._noisy_s += 0.0 if same else elapsed_s
        always_noisy = self._watched_s >= NOISY_AFTER_S and self._noisy_s >= NOISY_SHARE * self._watched_s
        if not same:
            self._same_since_ns = None
        elif self._same_since_ns is None and always_noisy:
            self._same_since_ns = seen.at_ns
        self._before = seen.stats
        since_ns = self._same_since_ns
        still_s = 0.0 if since_ns is None else (seen.at_ns - since_ns) / NS_PER_S
        llr = 4.5 * still_s / FROZEN_S
        yield _sensor_clue("camera_frozen", "same_picture", seen, min(8.0, llr), "state", {"still_s": still_s})


def resemblance(first: Sequence[float], second: Sequence[float]) -> float:
    """Correlation of two grids of cell means; 0 where one is flat, 1 where there is nothing to compare."""
    if not first or len(first) != len(second):
        return 1.0
    mean_first, mean_second = sum(first) / len(first), sum(second) / len(second)
    product = sum((a - mean_first) * (b - mean_second) for a, b in zip(first, second, strict=True))
    spread = math.sqrt(sum((a - mean_first) ** 2 for a in first) * sum((b - mean_second) ** 2 for b in second))
    return product / spread if spread > 1e-9 else 0.0


def _sensor_clue(
    kind: str,
    signal: str,
    seen: Seen,
    llr: float,
    adding: str = "rate",
    words: dict[str, str | float] | None = None,
) -> Clue:
    return Clue(
        kind=kind,
        signal=signal,
        modality="sensor",
        adding="state" if adding == "state" else "rate",
        llr=llr,
        score=seen.stats.brightness_frac,
        since_ns=seen.at_ns,
        words=words or {},
    )
