"""Any sound → blocks of 0.1 s, mono, 16 kHz, with the time of their first sample and gaps marked."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from agent.capture.timeline import SoundClock
from agent.types import NS_PER_S, SOUND_RATE_HZ, FloatArray

BLOCK_SAMPLES = SOUND_RATE_HZ // 10
LOUDEST = 1e6
"""Full scale is 1. Files of floats may be scaled as whole numbers, and are heard; what a damaged stream decodes to may
be anything, and a power that overflows would end whoever listens."""
_NS_PER_SAMPLE = NS_PER_S // SOUND_RATE_HZ


@dataclass(frozen=True, slots=True)
class Sound:
    """float32 mono samples at 16 kHz; `at_ns` is the time of the first one."""

    at_ns: int
    samples: FloatArray
    gap_before: bool


@dataclass(slots=True)
class _Run:
    """Sound without a gap, being cut: what is resampled but not yet given away, and when that begins."""

    at_ns: int
    gap_before: bool
    resampler: AudioResampler
    held: list[FloatArray] = field(default_factory=list)
    held_samples: int = 0


class SoundCutter:
    """Turns decoded sound of any rate, layout and format into blocks of `BLOCK_SAMPLES`.

    What is left before a gap, before a change of format and at the end is given as a shorter block, so no
    sample is lost.
    """

    def __init__(self) -> None:
        self._clock = SoundClock()
        self._format: tuple[str, str, int] | None = None
        self._run: _Run | None = None

    def push(self, frame: AudioFrame, at_ns: int, *, broken: bool = False) -> Iterator[Sound]:
        """Take a decoded frame whose first sample lies at `at_ns`; yield the blocks it completes.

        `broken`: something is known to be missing before it.
        """
        if not frame.samples or not frame.sample_rate:
            return
        step = self._clock.step(at_ns, frame.samples * NS_PER_S // frame.sample_rate, broken=broken)
        described = (frame.format.name, frame.layout.name, frame.sample_rate)
        if step.gap_before or described != self._format:
            yield from self.flush()
            self._format = described
            self._run = _Run(step.at_ns, step.gap_before, _to_mono())
        assert self._run is not None
        self._run.at_ns += step.moved_ns
        yield from _resampled(self._run, frame)

    def flush(self) -> Iterator[Sound]:
        """Yield what is held, as a block that may be short."""
        if self._run is None:
            return
        yield from _resampled(self._run, None)
        if self._run.held_samples:
            yield _block(self._run, self._run.held_samples)
        self._run = self._format = None


def _resampled(run: _Run, frame: AudioFrame | None) -> Iterator[Sound]:
    for resampled in run.resampler.resample(frame):
        samples = _bounded(np.array(resampled.to_ndarray(), np.float32).reshape(-1))
        run.held.append(samples)
        run.held_samples += samples.size
    while run.held_samples >= BLOCK_SAMPLES:
        yield _block(run, BLOCK_SAMPLES)


def _block(run: _Run, length: int) -> Sound:
    held = np.concatenate(run.held)
    block = Sound(run.at_ns, held[:length], run.gap_before)
    run.held, run.held_samples = [held[length:]], held.size - length
    run.at_ns += length * _NS_PER_SAMPLE
    run.gap_before = False
    return block


def _bounded(samples: FloatArray) -> FloatArray:
    """The samples, silent where one is no number; none is beyond `LOUDEST`."""
    if samples.size and not np.abs(samples).max() <= LOUDEST:
        return np.asarray(np.clip(np.nan_to_num(samples, nan=0.0), -LOUDEST, LOUDEST), np.float32)
    return samples


def _to_mono() -> AudioResampler:
    # rematrix_maxval: without it FFmpeg makes stereo 3 dB louder than the mean of its channels.
    return AudioResampler(format="flt", layout="mono", rate=SOUND_RATE_HZ, options={"rematrix_maxval": "1.0"})
