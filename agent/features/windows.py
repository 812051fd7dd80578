"""Cuts a stream of sound into the overlapping windows that the hearing graph reads.

    windows = SoundWindows()
    for block in blocks:
        for window in windows.push(block.samples, block.at_ns, gap_before=block.gap_before):
            ...
    for window in windows.flush():      # the source ended: what was not heard yet is heard now
        ...

A window holds 32,240 samples (2.015 s) and comes every 0.5 s of sound. The first ones reach back before
the stream began and are filled with zeros there, so that a bang in the first half second is heard when
that half second is over. After a gap everything starts anew, for sound before and after a hole must not
be heard as one; what the gap cut off unheard is heard first. At the end the last, incomplete half second
is filled up with zeros behind: every file gives a window, and its last sample is heard.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.features.logmel import RATE_HZ, SAMPLES

STEP_SAMPLES = RATE_HZ // 2
NS_PER_SAMPLE = 1_000_000_000 // RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class SoundWindow:
    """`samples` float32 [32_240]; `start_ns` is the time of the first one, padding included.

    `at_ns` is the end of the newest real sample. `pad_before_samples` and `pad_after_samples` are zeros
    that no microphone delivered. `gap_before` marks the first window after a hole in the sound.
    """

    samples: NDArray[np.float32]
    start_ns: int
    at_ns: int
    pad_before_samples: int = 0
    pad_after_samples: int = 0
    gap_before: bool = False


class SoundWindows:
    """Keeps the last 2.015 s of one source and yields a window every `STEP_SAMPLES`."""

    def __init__(self) -> None:
        self._held: NDArray[np.float32] = np.zeros(SAMPLES, np.float32)
        self._heard_samples = 0
        self._pending_samples = 0
        self._end_ns = 0
        self._gap_before = False

    def push(self, samples: NDArray[np.float32], at_ns: int, *, gap_before: bool = False) -> Iterator[SoundWindow]:
        """Take mono float32 samples at 16 kHz that begin at `at_ns`; yield each window they complete.

        Consume the iterator before the next push. Errors: ValueError when `samples` is not one row.
        """
        if samples.ndim != 1:
            raise ValueError(f"a block of sound is one row of mono samples, not {samples.shape}")
        if gap_before:
            yield from self._restart()
        taken = 0
        while taken < samples.size:
            part = samples[taken : taken + STEP_SAMPLES - self._pending_samples]
            taken += part.size
            self._append(part, at_ns + taken * NS_PER_SAMPLE)
            if self._pending_samples == STEP_SAMPLES:
                yield self._window()

    @property
    def pending_samples(self) -> int:
        """How much of the half second that is being filled is there."""
        return self._pending_samples

    @property
    def is_full(self) -> bool:
        """Whether there was sound for a whole window."""
        return self._heard_samples >= SAMPLES

    def newest(self) -> SoundWindow:
        """The window that ends with the newest sample, between two steps; the next step comes all the same."""
        return self.followed_by(0)

    def followed_by(self, silence_samples: int) -> SoundWindow:
        """The window that would end so much silence after the newest sample."""
        heard_samples = min(self._heard_samples, SAMPLES - silence_samples)
        return SoundWindow(
            samples=np.concatenate([self._held[silence_samples:], np.zeros(silence_samples, np.float32)]),
            start_ns=self._end_ns + (silence_samples - SAMPLES) * NS_PER_SAMPLE,
            at_ns=self._end_ns,
            pad_before_samples=SAMPLES - silence_samples - heard_samples,
            pad_after_samples=silence_samples,
        )

    def flush(self) -> Iterator[SoundWindow]:
        """Yield what is still unheard, filled up with zeros behind, and forget everything."""
        missing = STEP_SAMPLES - self._pending_samples
        if self._pending_samples > 0:
            self._append(np.zeros(missing, np.float32), self._end_ns)
            yield self._window(pad_after_samples=missing)
        self._forget()

    def _restart(self) -> Iterator[SoundWindow]:
        began = self._heard_samples > 0
        yield from self.flush()
        self._gap_before = began

    def _forget(self) -> None:
        self._held[:] = 0.0
        self._heard_samples = self._pending_samples = self._end_ns = 0
        self._gap_before = False

    def _append(self, part: NDArray[np.float32], end_ns: int) -> None:
        self._held[: SAMPLES - part.size] = self._held[part.size :]
        self._held[SAMPLES - part.size :] = part
        self._heard_samples += part.size
        self._pending_samples += part.size
        self._end_ns = end_ns

    def _window(self, pad_after_samples: int = 0) -> SoundWindow:
        """The window that ends now; `pad_after_samples` of it are zeros beyond `_end_ns`."""
        gap_before, self._gap_before, self._pending_samples = self._gap_before, False, 0
        return SoundWindow(
            samples=self._held.copy(),
            start_ns=self._end_ns + (pad_after_samples - SAMPLES) * NS_PER_SAMPLE,
            at_ns=self._end_ns,
            pad_before_samples=max(0, SAMPLES - self._heard_samples),
            pad_after_samples=pad_after_samples,
            gap_before=gap_before,
        )
