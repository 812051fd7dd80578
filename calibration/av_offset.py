"""By how much a camera's sound comes later than its picture, from hand claps seen and heard.

A clap is a sharp rise of level in the sound, and in the picture the moment at which the hands stop: motion that
was large and is suddenly small. Both become a strength on a grid of 10 ms; their cross-correlation over lags of
`LONGEST_S` either way peaks at the offset. Each clap is then compared alone, which gives the spread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.capture.source import SourceSpec, open_media
from agent.errors import VedetteError
from agent.types import NS_PER_S, Frame, SoundBlock

STEP_S = 0.01
LONGEST_S = 1.0
LEAST_CLAPS = 3
_SMEAR_S = 0.04
"""Half the width over which a moment is smeared: about a picture at 12 pictures a second."""
_RISE_DB = 15.0
_APART_S = 0.25
_SPREAD_MOST_S = 0.12

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Offset:
    """`sound_late_s` is positive where sound comes after the picture; `spread_s` is one standard error."""

    sound_late_s: float
    spread_s: float
    claps: int

    @property
    def sentence(self) -> str:
        """The offset in words."""
        side = "later" if self.sound_late_s >= 0 else "earlier"
        return f"{abs(self.sound_late_s):.3f} s {side} than the picture"


def measure(recordings: Sequence[str]) -> Offset:
    """Measure the offset over all claps of the recordings.

    Raises SourceError for what cannot be read; VedetteError where the claps do not agree on an offset.
    """
    each = [late for source in recordings for late in _claps_of(source)]
    if len(each) < LEAST_CLAPS:
        raise VedetteError(
            "The offset cannot be told",
            why=f"{len(each)} claps were both seen and heard, {LEAST_CLAPS} are needed",
            cure="Record somebody who claps five times, two seconds apart, near the camera, with nothing else moving.",
        )
    late_s = float(np.median(each))
    spread_s = float(1.4826 * np.median(np.abs(np.array(each) - late_s)))
    if spread_s > _SPREAD_MOST_S:
        raise VedetteError(
            "The offset cannot be told",
            why=f"the claps disagree by {spread_s:.2f} s",
            cure="Record it again in a quiet room, with nothing moving but the hands.",
        )
    return Offset(late_s, spread_s / len(each) ** 0.5, len(each))


def _claps_of(source: str) -> Iterable[float]:
    times_s, motion, rises_s = _read(source)
    if len(times_s) < 3 or not rises_s:
        return []
    return offsets_of(times_s, motion, rises_s)


def _read(source: str) -> tuple[Signal, Signal, list[float]]:
    """Times and amounts of motion between pictures, and the times of sharp rises of sound."""
    times: list[float] = []
    motion: list[float] = []
    sound: list[SoundBlock] = []
    before: NDArray[np.uint8] | None = None
    with open_media(SourceSpec(camera="calibrate", url=source, width_px=160, height_px=120)) as media:
        for item in media.read():
            if isinstance(item, Frame):
                grey = np.asarray(cv2.cvtColor(item.picture, cv2.COLOR_RGB2GRAY), np.uint8)
                if before is not None:
                    times.append(item.at_ns / NS_PER_S)
                    motion.append(float(np.abs(grey.astype(np.int16) - before).mean()))
                before = grey
            else:
                sound.append(item)
    return np.array(times), np.array(motion), _rises(sound)


def _rises(blocks: Sequence[SoundBlock]) -> list[float]:
    """When the level rises sharply, in seconds."""
    if not blocks:
        return []
    hop = 160
    samples = np.concatenate([block.samples for block in blocks])
    count = len(samples) // hop
    power = np.square(samples[: count * hop], dtype=np.float64).reshape(count, hop).mean(axis=1)
    level_db = 10.0 * np.log10(np.maximum(power, 1e-9))
    rise_db = level_db[3:] - np.maximum.reduce([level_db[2:-1], level_db[1:-2], level_db[:-3]])
    start_s = blocks[0].at_ns / NS_PER_S
    found: list[float] = []
    for step in np.flatnonzero(rise_db > _RISE_DB):
        at_s = start_s + float(step + 3) * STEP_S
        if not found or at_s - found[-1] > _APART_S:
            found.append(at_s)
    return found


def offsets_of(times_s: Signal, motion: Signal, rises_s: Sequence[float]) -> list[float]:
    """The offset of each clap, given the times [n] of pictures, the motion [n] up to each, and the sharp sounds.

    The lag common to all is found first, so that a stray movement near one clap is not taken for it.
    """
    stops = np.maximum(0.0, motion[:-1] - motion[1:])
    at_s = times_s[:-1]  # of the last picture that still showed motion
    lags_s = np.arange(-LONGEST_S, LONGEST_S + STEP_S / 2, STEP_S)
    agreed = np.zeros(len(lags_s))
    for rise_s in rises_s:
        agreed += _strength(at_s, stops, rise_s - lags_s)
    common_s = float(lags_s[int(np.argmax(agreed))])
    near_s = np.arange(-0.2, 0.2 + STEP_S / 2, STEP_S) + common_s
    offsets = []
    for rise_s in rises_s:
        strengths = _strength(at_s, stops, rise_s - near_s)
        if strengths.max() > 0.2 * stops.max():
            offsets.append(float(np.average(near_s, weights=strengths**2)))
    return offsets


def _strength(at_s: Signal, stops: Signal, moments_s: Signal) -> Signal:
    """How strongly something stops at each of the moments [m], smeared over a picture."""
    distance = (moments_s[:, None] - at_s[None, :]) / _SMEAR_S
    return np.asarray(np.exp(-0.5 * distance**2) @ stops)
