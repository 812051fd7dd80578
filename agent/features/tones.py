"""Where in the spectrum one narrow tone stands out: what beeping alarms are recognised by.

Smoke (T3) and carbon monoxide (T4) alarms are one tone (about 3.1 kHz; 520 Hz in bedrooms) switched on
and off in a fixed rhythm. The rhythm is read elsewhere, from one band index per 20 ms.
"""

import numpy as np
from numpy.typing import NDArray

from agent.features.logmel import RANGE_DB

STEP_FRAMES = 2
"""Two hops of 10 ms: the 20 ms of one answer."""
PROMINENCE_DB = 12.0
"""How far a tone must stand over the bands around it; voices and music rarely do for long."""
FROM_LOUDEST_DB = 20.0
"""A tone much quieter than the loudest band of its moment is somebody's overtone."""
LOWEST_BAND = 7
"""About 400 Hz: hum and the fundamentals of voices lie below, no alarm does."""
_NEAR_BANDS, _FAR_BANDS = 2, 7
_UNIT_DB = RANGE_DB / 4.0  # log_mel spreads RANGE_DB over −2..+2


def tone_bands(log_mel: NDArray[np.float32]) -> tuple[int, ...]:
    """The band (0..63) of the tone that stands out, or −1, for each 20 ms of `log_mel` [frames, 64].

    An odd frame at the end is left out.
    """
    steps = log_mel.shape[0] // STEP_FRAMES
    if not steps:
        return ()
    levels_db = log_mel[: steps * STEP_FRAMES].reshape(steps, STEP_FRAMES, -1).mean(axis=1) * _UNIT_DB
    prominence_db = _prominence_db(levels_db)
    quiet = levels_db < levels_db.max(axis=1, keepdims=True) - FROM_LOUDEST_DB
    prominence_db[quiet] = 0.0
    prominence_db[:, :LOWEST_BAND] = 0.0
    best = prominence_db.argmax(axis=1)
    stands_out = prominence_db[np.arange(steps), best] >= PROMINENCE_DB
    return tuple(int(band) if out else -1 for band, out in zip(best, stands_out, strict=True))


def _prominence_db(levels_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each band over the louder of its two neighbourhoods, three to seven bands to the left and right."""
    width = _FAR_BANDS - _NEAR_BANDS
    padded = np.pad(levels_db, ((0, 0), (_FAR_BANDS, _FAR_BANDS)), mode="edge")
    means = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).mean(axis=-1)
    bands = levels_db.shape[1]
    left, right = means[:, :bands], means[:, _FAR_BANDS + _NEAR_BANDS + 1 :][:, :bands]
    return np.asarray(levels_db - np.maximum(left, right), np.float32)
