"""The finer picture of sound that the verifier of the hearing graph reads: 128 bands instead of 64.

    features = fine_mel(samples)         # float32 [32_240] → float32 [128, 200]

It is what EfficientAT's networks were trained on (Schmid et al. 2023: 32 kHz, 800-sample windows every 320, 1,024-point
spectra, pre-emphasis, Kaldi's mel bank from 0 to 15 kHz, (ln(power + 1e-5) + 4.5) / 5), computed from the 16 kHz
spectra of `agent.features.logmel`: both have bins of 31.25 Hz, so that only pre-emphasis and scale have to be put in;
bands above 8 kHz stay empty. As there, the loudest frame of a window is put to one level, so that a microphone's gain
does not count.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agent.features.logmel import FFT_SAMPLES, QUIET_DBFS, RATE_HZ, loudest_db, power_spectra

FEATURE_VERSION = "finemel/1"
BANDS = 128
LOUDEST_DBFS = -8.0
"""How loud the loudest frame is made; the network was trained at many gains."""
_TOP_HZ, _TRAINED_HZ, _EMPHASIS = 15_000.0, 32_000.0, 0.97
_TRAINED_GAIN = 200.0**2
"""Power of a full-scale sine in the spectra that the network was trained on; in ours it is 1."""


def fine_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Levelled mel picture of mono samples at 16 kHz: float32 [128, frames].

    Samples that are not finite count as silence. Errors: ValueError when `samples` is no row of at least one window.
    """
    power = power_spectra(samples)
    gain_db = LOUDEST_DBFS - max(loudest_db(power), QUIET_DBFS)
    bands = (power * np.float32(10.0 ** (gain_db / 10.0))) @ _bank()
    return np.asarray((np.log(bands + np.float32(1e-5)) + np.float32(4.5)) / np.float32(5.0), np.float32).T


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.float32]:
    """Kaldi's triangles with the pre-emphasis and the scale that the network knows: float32 [257, 128]."""
    hz = np.arange(FFT_SAMPLES // 2 + 1) * RATE_HZ / FFT_SAMPLES
    edges_mel = np.linspace(0.0, _mel(np.array(_TOP_HZ)), BANDS + 2)
    step_mel = edges_mel[1]
    rising = (_mel(hz)[:, None] - edges_mel[:-2]) / step_mel
    falling = (edges_mel[2:] - _mel(hz)[:, None]) / step_mel
    emphasis = 1.0 - 2.0 * _EMPHASIS * np.cos(2.0 * np.pi * hz / _TRAINED_HZ) + _EMPHASIS**2
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * emphasis[:, None] * _TRAINED_GAIN, np.float32)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hz / 700.0))
