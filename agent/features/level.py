"""How loud a piece of sound is, and when in it something sharp began."""

import numpy as np
from numpy.typing import NDArray

SILENCE_DBFS = -120.0
"""What digital silence counts as: a number, so that levels can be compared and averaged."""
DIGITAL_SILENCE_PEAK = 2.0**-15
"""One step of a 16-bit converter: where nothing is larger, nothing was recorded (dither, muted inputs)."""

ONSET_FRAME_S = 0.01
ONSET_CONTEXT_S = 0.1
"""How much sound before the step `onset_s` wants to see: what a rise is measured against."""
ONSET_RISE_DB = 12.0
"""A rise of sixteen times the power within 10 ms over the loudest of the 50 ms before is a bang, not a voice."""
ONSET_LEVEL_DBFS = -50.0
"""Quieter sounds have no onset worth telling."""
_BEFORE_FRAMES = 5


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """Root mean square of float32 samples (full scale ±1) in dB re full scale, never below `SILENCE_DBFS`."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return _db(np.sqrt(power))


def peak_dbfs(samples: NDArray[np.float32]) -> float:
    """The largest sample's magnitude in dB re full scale, never below `SILENCE_DBFS`."""
    return _db(float(np.abs(samples).max()) if samples.size else 0.0)


def is_digital_silence(samples: NDArray[np.float32]) -> bool:
    """Whether no sample is larger than one step of a 16-bit converter."""
    return not samples.size or bool(np.abs(samples).max() <= DIGITAL_SILENCE_PEAK)


def onset_s(samples: NDArray[np.float32], rate_hz: int, *, context_s: float = ONSET_CONTEXT_S) -> float | None:
    """Seconds from the first sample to the sharpest rise of level after the first `context_s`, to 10 ms.

    None where nothing rises by `ONSET_RISE_DB` to at least `ONSET_LEVEL_DBFS`.
    """
    hop = round(ONSET_FRAME_S * rate_hz)
    count = samples.size // hop
    if count <= _BEFORE_FRAMES:
        return None
    power = np.square(samples[: count * hop], dtype=np.float64).reshape(count, hop).mean(axis=1)
    frames_db = 10.0 * np.log10(np.maximum(power, 10.0 ** (SILENCE_DBFS / 10.0)))
    before_db = np.lib.stride_tricks.sliding_window_view(frames_db[:-1], _BEFORE_FRAMES).max(axis=1)
    # What comes out of digital silence is measured from the quietest level that counts, not from −120 dB.
    rise_db = frames_db[_BEFORE_FRAMES:] - np.maximum(before_db, ONSET_LEVEL_DBFS - ONSET_RISE_DB)
    rise_db[: max(0, round(context_s / ONSET_FRAME_S) - _BEFORE_FRAMES)] = 0.0
    sharpest = int(np.argmax(rise_db))
    if rise_db[sharpest] < ONSET_RISE_DB:
        return None
    return (sharpest + _BEFORE_FRAMES) * hop / rate_hz


def _db(amplitude: float) -> float:
    return max(SILENCE_DBFS, float(20.0 * np.log10(amplitude))) if amplitude > 0.0 else SILENCE_DBFS
