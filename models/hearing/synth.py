"""Alarm sounds made from nothing: T3 and T4 beeps, bells, sweeps, steady tones, car alarms, sirens, clock beeps.

No recording here has exact T3 or T4 patterns (ISO 8201, ANSI/ASA S3.41: three beeps of 0.5 s and a pause of
1.5 s; four beeps of 0.1 s and a pause of 5 s), so they are synthesised with the tones of real sounders:
near 3.1 kHz with overtones for piezo ones, 520 Hz square for those that wake sleepers.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from agent.features.logmel import RATE_HZ

CLIP_S = 6.0


def alarms(count: int, seed: int = 8) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield `count` clips of 6 s with their alarm label, in a fixed order."""
    rng = np.random.default_rng(seed)
    makers = (
        _t3, _t4, _steady_beeps, _wail, _two_tone, _yelp, _clock, _chirps, _bell, _steady_tone, _car_alarm, _t3,
    )  # fmt: skip
    for index in range(count):
        label, sound = makers[index % len(makers)](rng)
        yield label, _in_a_room(sound, rng)


def _time_s() -> NDArray[np.float64]:
    return np.arange(int(CLIP_S * RATE_HZ)) / RATE_HZ


def _gate(pattern_s: list[tuple[float, bool]], offset_s: float) -> NDArray[np.float64]:
    """On and off as a smooth 0..1 row; `pattern_s` repeats from `offset_s` before the start."""
    period_s = sum(span for span, _ in pattern_s)
    phase = (_time_s() + offset_s) % period_s
    gate, begin = np.zeros_like(phase), 0.0
    for span, on in pattern_s:
        gate[(phase >= begin) & (phase < begin + span)] = on
        begin += span
    ramp = np.hanning(97)
    return np.convolve(gate, ramp / ramp.sum(), mode="same")


def _sounder(rng: np.random.Generator, square: bool = False) -> NDArray[np.float64]:
    """A steady tone with its overtones, slightly unsteady as cheap piezos are."""
    hz = 520.0 * rng.uniform(0.97, 1.03) if square else rng.uniform(2_300, 3_500)
    drift = 1.0 + 0.001 * np.cumsum(rng.normal(size=_time_s().size)) / np.sqrt(_time_s().size)
    phase = 2 * np.pi * np.cumsum(hz * drift) / RATE_HZ
    overtones = (1, 3, 5, 7, 9, 11) if square else (1, 2)
    strength = [1.0 / n for n in overtones] if square else [1.0, rng.uniform(0.02, 0.5)]
    return np.asarray(sum(a * np.sin(n * phase) for n, a in zip(overtones, strength, strict=True) if n * hz < 7_900))


def _t3(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    beep = rng.uniform(0.45, 0.55)
    pattern = [(beep, True), (beep, False), (beep, True), (beep, False), (beep, True), (3 * beep, False)]
    return "smoke_alarm", _sounder(rng, rng.random() < 0.3) * _gate(pattern, rng.uniform(0, 1.0))


def _t4(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    pattern = [(0.1, True), (0.1, False)] * 4 + [(rng.uniform(3.5, 5.0), False)]
    return "smoke_alarm", _sounder(rng) * _gate(pattern, 0.0)


def _chirps(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    """A continuous fast sweep, as hand-held fire sounders and many smoke alarms make."""
    rate_hz, low, high = rng.uniform(1.5, 9.0), rng.uniform(600, 2_200), rng.uniform(2_400, 3_400)
    sweep = low + (high - low) * ((_time_s() * rate_hz) % 1.0)
    return "smoke_alarm", np.sin(2 * np.pi * np.cumsum(sweep) / RATE_HZ)


def _bell(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    """A hammer on a gong many times a second: partials that do not fit each other, each stroke rings on."""
    ring_s = np.arange(int(0.4 * RATE_HZ)) / RATE_HZ
    partials = rng.uniform(700, 1_400) * np.array([1.0, 1.5, 2.3, 2.9, 4.1]) * rng.uniform(0.95, 1.05, 5)
    decay = np.exp(-ring_s[:, None] * rng.uniform(6, 25, 5))
    stroke = (decay * np.sin(2 * np.pi * ring_s[:, None] * partials)).sum(axis=1)
    struck = np.zeros(_time_s().size)
    period = RATE_HZ / rng.uniform(8.0, 22.0)
    at = np.arange(0, struck.size, period) + rng.normal(0, 0.02 * period, int(np.ceil(struck.size / period)))
    struck[np.clip(at, 0, struck.size - 1).astype(int)] = rng.uniform(0.7, 1.0, at.size)
    return "smoke_alarm", fftconvolve(struck, stroke)[: struck.size]


def _steady_tone(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    """One tone that does not stop, perhaps rattling as cheap sounders do."""
    rattle = 1.0 + rng.uniform(0.0, 0.8) * np.sin(2 * np.pi * rng.uniform(15, 90) * _time_s())
    return "burglar_alarm", _sounder(rng) * rattle


def _car_alarm(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    """The cycle that car alarms go through: a second or two each of yelps, sweeps, two tones and beeps."""
    span_s = rng.uniform(1.0, 2.2)
    kind = ((_time_s() + rng.uniform(0, 4 * span_s)) / span_s).astype(int) % 4
    fast = (_time_s() * rng.uniform(4.0, 9.0)) % 1.0
    slow = 0.5 - 0.5 * np.cos(2 * np.pi * _time_s() * rng.uniform(0.8, 2.0))
    tones = (_time_s() * rng.uniform(2.0, 4.0)) % 1.0 > 0.5
    shape = np.choose(kind, (fast, slow, tones, 1.0 - fast))
    low, high = rng.uniform(600, 1_000), rng.uniform(1_500, 2_600)
    sound = np.sin(2 * np.pi * np.cumsum(low + (high - low) * shape) / RATE_HZ)
    gate = np.where(kind == 3, (_time_s() * 5.0) % 1.0 < 0.5, 1.0)
    return "burglar_alarm", sound * np.convolve(gate, np.hanning(97) / np.hanning(97).sum(), mode="same")


def _steady_beeps(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    on_s = rng.uniform(0.08, 0.6)
    pattern = [(on_s, True), (on_s * rng.uniform(0.6, 2.0), False)]
    return "burglar_alarm", _sounder(rng, rng.random() < 0.2) * _gate(pattern, rng.uniform(0, 1))


def _siren(rng: np.random.Generator, shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """A horn whose pitch follows `shape` 0..1, with the odd overtones that a driven horn has."""
    low, high = rng.uniform(400, 700), rng.uniform(1_100, 1_700)
    phase = 2 * np.pi * np.cumsum(low + (high - low) * shape) / RATE_HZ
    return np.asarray(sum(np.sin(n * phase) / n ** rng.uniform(0.8, 1.6) for n in (1, 2, 3, 4)))


def _wail(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * _time_s() / rng.uniform(2.0, 6.0) + rng.uniform(0, 6))
    return "siren", _siren(rng, shape)


def _yelp(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    shape = (_time_s() * rng.uniform(2.5, 6.0)) % 1.0
    return "siren", _siren(rng, shape if rng.random() < 0.5 else 0.5 - 0.5 * np.cos(2 * np.pi * shape))


def _two_tone(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    gate = _gate([(span := rng.uniform(0.3, 0.8), True), (span, False)], rng.uniform(0, 1))
    low = rng.uniform(400, 800)
    phase = 2 * np.pi * np.cumsum(low * np.where(gate > 0.5, rng.uniform(1.2, 1.5), 1.0)) / RATE_HZ
    return "siren", np.asarray(sum(np.sin(n * phase) / n for n in (1, 2, 3, 4)))


def _clock(rng: np.random.Generator) -> tuple[str, NDArray[np.float64]]:
    pattern = [(0.06, True), (0.06, False)] * int(rng.integers(2, 5)) + [(rng.uniform(0.3, 0.7), False)]
    hz = rng.uniform(1_800, 2_300)
    return "clock_alarm", np.sign(np.sin(2 * np.pi * hz * _time_s())) * _gate(pattern, rng.uniform(0, 1))


def _in_a_room(sound: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Decaying echoes, a noise floor, and any level between a far corner and full scale."""
    tail = rng.normal(size=int(RATE_HZ * 0.4)) * np.exp(
        -np.arange(int(RATE_HZ * 0.4)) / (RATE_HZ * rng.uniform(0.03, 0.12))
    )
    tail[0] = rng.uniform(3.0, 20.0)
    wet = fftconvolve(sound, tail)[: sound.size]
    wet = wet / (np.abs(wet).max() + 1e-9) * 10.0 ** (rng.uniform(-30, 0) / 20.0)
    return np.asarray(
        np.clip(wet + rng.normal(size=wet.size) * 10.0 ** (rng.uniform(-80, -50) / 20.0), -1, 1), np.float32
    )
