"""Turns 16 kHz sound into the log-mel picture that the hearing graph reads; training imports it as is.

    features = log_mel(samples)          # float32 [32_240] → float32 [200, 64]

25 ms Hann windows every 10 ms, 512-point power spectra, 64 triangular bands from 50 to 7,800 Hz on the
mel scale, decibels. Two steps make the result robust to what cameras do to sound:

1. **Level.** A microphone's gain, its automatic level control and its distance only add a constant in
   decibels, so the loudest frame of the window is taken as 0 dB. It is not taken lower than
   `QUIET_DBFS`: the hiss of a silent room must not be blown up into an event.
2. **Range.** What lies more than `RANGE_DB` under the reference is cut off. A recording's background and
   the exact zeros of padding or of a muted microphone then look alike, so a hard edge between them is
   faint, and int8 spends its steps on what can be heard.

Before the level step the mean is taken out of each frame, because cheap converters add an offset.
The result lies in −2..+2: 0 is `RANGE_DB / 2` under the loudest frame.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FEATURE_VERSION = "logmel/1"
RATE_HZ = 16_000
BANDS = 64
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 512
FRAMES = 200
SAMPLES = WINDOW_SAMPLES + (FRAMES - 1) * HOP_SAMPLES
"""32,240 samples, 2.015 s: what one inference hears."""
LOW_HZ, HIGH_HZ = 50.0, 7_800.0
QUIET_DBFS = -60.0
RANGE_DB = 80.0
FLOOR_DB = -120.0
"""Power that stands in for digital silence, well under a 16-bit converter's noise in one band."""
_DB_PER_NEPER = np.float32(10.0 / np.log(10.0))


class Spectra:
    """The power spectra of one source's overlapping windows: those that the window before had are not computed again.

    A window that begins `step_samples` (whole hops) after the one before shares frames with it; any other is computed
    whole. The numbers are the same to the last bit.
    """

    def __init__(self, step_samples: int) -> None:
        self._step_samples = step_samples
        self._samples: NDArray[np.float32] = np.zeros(0, np.float32)
        self._power: NDArray[np.float32] = np.zeros((0, FFT_SAMPLES // 2 + 1), np.float32)

    def of(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Power spectra of mono samples, all finite: float32 [frames, 257]."""
        step_samples, hops = self._step_samples, self._step_samples // HOP_SAMPLES
        if samples.size > step_samples and np.array_equal(self._samples[step_samples:], samples[:-step_samples]):
            shared = self._power[hops:]
            power = np.concatenate([shared, _power(samples[len(shared) * HOP_SAMPLES :])])
        else:
            power = _power(samples)
        self._samples, self._power = samples.copy(), power
        return power


def log_mel(samples: NDArray[np.float32], spectra: Spectra | None = None) -> NDArray[np.float32]:
    """Levelled log-mel picture of mono samples (full scale ±1): float32 [frames, 64] in −2..+2.

    `n` samples give `1 + (n − 400) // 160` frames. Samples that are not finite count as silence. `spectra` may keep
    what the source's next window shares with this one.
    Errors: ValueError when `samples` is not one-dimensional or shorter than one window.
    """
    return level(mel_db(samples, spectra))


def mel_db(samples: NDArray[np.float32], spectra: Spectra | None = None) -> NDArray[np.float32]:
    """Absolute mel powers in dB re full scale, float32 [frames, 64], not levelled (training mixes these)."""
    level_db: NDArray[np.float32] = _in_db(power_spectra(samples, spectra) @ _tables()[1])
    return level_db


def power_spectra(samples: NDArray[np.float32], spectra: Spectra | None = None) -> NDArray[np.float32]:
    """Power of each frame and bin, float32 [frames, 257]; a full-scale sine has 1. As `log_mel` takes its samples.

    Errors: ValueError when `samples` is not one-dimensional or shorter than one window.
    """
    if samples.ndim != 1 or samples.size < WINDOW_SAMPLES:
        raise ValueError(f"log-mel needs one row of at least {WINDOW_SAMPLES} samples, not {samples.shape}")
    samples = np.asarray(samples, np.float32)
    if not np.isfinite(samples.sum()):
        samples = np.where(np.isfinite(samples), samples, np.float32(0.0))
    return _power(samples) if spectra is None else spectra.of(samples)


def loudest_db(power: NDArray[np.float32]) -> float:
    """How loud the loudest frame of spectra [frames, 257] is, over all bands of the log-mel picture, in dBFS."""
    return float(_in_db((power @ _tables()[1]).sum(axis=1).max()))


def _power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power spectra of all frames, float32 [frames, 257]; each depends on its own samples alone."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::HOP_SAMPLES]
    centred = (frames - frames.mean(axis=1, keepdims=True)) * _tables()[0]
    spectrum = np.fft.rfft(centred, FFT_SAMPLES, axis=1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def level(picture_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the loudest frame at 0 dB (not under `QUIET_DBFS`), cut `RANGE_DB` below it, scale to −2..+2.

    Takes [..., frames, 64] in dB and returns the same shape.
    """
    loudest = np.exp(picture_db / _DB_PER_NEPER).sum(axis=-1).max(axis=-1)
    reference_db = np.maximum(_DB_PER_NEPER * np.log(loudest), np.float32(QUIET_DBFS))[..., None, None]
    under_db = np.clip(picture_db - reference_db, np.float32(-RANGE_DB), np.float32(0.0))
    return np.asarray((under_db + np.float32(RANGE_DB / 2.0)) * np.float32(4.0 / RANGE_DB), np.float32)


def _in_db(power: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(_DB_PER_NEPER * np.log(power + np.float32(10.0 ** (FLOOR_DB / 10.0))), np.float32)


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hann window scaled so that a full-scale sine is 0 dB, and the mel bank [257, 64]."""
    hann = np.hanning(WINDOW_SAMPLES + 1)[:-1]
    hann *= 2.0 / hann.sum()
    return hann.astype(np.float32), mel_bank().astype(np.float32)


def mel_bank() -> NDArray[np.float64]:
    """Triangles of height 1, evenly spaced on O'Shaughnessy's mel scale: float64 [257 bins, 64 bands].

    The lowest bands are narrower than a bin; each gets at least its nearest bin.
    """
    edges_mel = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), BANDS + 2)
    bins_mel = _mel(np.arange(FFT_SAMPLES // 2 + 1) * RATE_HZ / FFT_SAMPLES)
    low, mid, high = edges_mel[:-2], edges_mel[1:-1], edges_mel[2:]
    rising = (bins_mel[:, None] - low) / (mid - low)
    falling = (high - bins_mel[:, None]) / (high - mid)
    bank = np.maximum(0.0, np.minimum(rising, falling))
    for band in np.flatnonzero(bank.sum(axis=0) < 0.5):
        bank[np.argmin(np.abs(bins_mel - mid[band])), band] = 1.0
    return np.asarray(bank)


def _mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))
