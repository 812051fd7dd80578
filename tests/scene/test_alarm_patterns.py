"""T3 and T4 from real sound: beeps made here, in noise as loud as they are, through features and scene."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.features.logmel import RATE_HZ, log_mel
from agent.features.tones import STEP_FRAMES, tone_bands
from agent.features.windows import SoundWindows
from agent.scene import Policy
from agent.types import Heard, Opened
from tests.scene.observe import ns, opened, play

Sound = NDArray[np.float64]
T3 = ((0.5, True), (0.5, False), (0.5, True), (0.5, False), (0.5, True), (1.5, False))
T4 = ((0.1, True), (0.1, False)) * 3 + ((0.1, True), (5.0, False))
ON_FROM_S, LONG_S = 2.0, 26.0


def beeps(pattern: tuple[tuple[float, bool], ...], hz: float, *, square: bool) -> tuple[Sound, Sound]:
    """A sounder from 2 s on, with a root mean square of 1 while it is on; and when it is on."""
    t = np.arange(round(LONG_S * RATE_HZ)) / RATE_HZ
    edges = np.cumsum([0.0, *(span for span, _ in pattern)])
    part = np.searchsorted(edges, (t - ON_FROM_S) % edges[-1], side="right") - 1
    on = np.array([sounds for _, sounds in pattern])[np.minimum(part, len(pattern) - 1)] & (t >= ON_FROM_S)
    tone = np.sign(np.sin(2 * np.pi * hz * t)) if square else np.sqrt(2.0) * np.sin(2 * np.pi * hz * t)
    ramp = np.hanning(97)
    gate = np.convolve(on.astype(float), ramp / ramp.sum(), mode="same")
    return tone * gate, on


def white(rng: np.random.Generator, count: int) -> Sound:
    return rng.normal(0.0, 1.0, count)


def pink(rng: np.random.Generator, count: int) -> Sound:
    """Noise that falls by 3 dB an octave, as streets and rooms do; root mean square 1."""
    spectrum = np.fft.rfft(rng.normal(0.0, 1.0, count))
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 20.0)), count)
    return np.asarray(noise / noise.std())


def heard_in(sound: Sound) -> list[Heard]:
    """What the listener tells of a sound, without a model: tones alone."""
    samples = (0.05 * sound).astype(np.float32)
    return [
        Heard(
            camera="cam",
            start_ns=window.start_ns,
            at_ns=window.at_ns,
            level_dbfs=-26.0,
            peak_dbfs=-14.0,
            scores=(),
            tone_bands=tone_bands(log_mel(window.samples)[-25 * STEP_FRAMES :]),
        )
        for window in SoundWindows().push(samples, 0)
    ]


@pytest.mark.parametrize("noise", [white, pink])
@pytest.mark.parametrize(("hz", "square"), [(3100.0, False), (520.0, True)])
@pytest.mark.parametrize(("pattern", "name", "cycle_s"), [(T3, "T3", 4.0), (T4, "T4", 5.7)])
def test_an_alarm_as_loud_as_the_noise_opens_within_two_cycles(
    pattern: tuple[tuple[float, bool], ...],
    name: str,
    cycle_s: float,
    hz: float,
    square: bool,
    noise: Callable[[np.random.Generator, int], Sound],
) -> None:
    tone, _ = beeps(pattern, hz, square=square)
    changes = play(heard_in(tone + noise(np.random.default_rng(8), tone.size)), Policy())
    (incident,) = [change.incident for change in changes if isinstance(change, Opened)]
    assert incident.kind == "alarm"
    assert f"({name})" in incident.summary
    assert incident.at_ns <= ns(ON_FROM_S + 2 * cycle_s + 0.7)


@pytest.mark.parametrize("noise", [white, pink])
def test_the_noise_alone_opens_nothing(noise: Callable[[np.random.Generator, int], Sound]) -> None:
    assert opened(play(heard_in(noise(np.random.default_rng(8), round(LONG_S * RATE_HZ))))) == []
