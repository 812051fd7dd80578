"""Tone bands: beeps are followed through noise, voices and noise are not taken for beeps."""

import numpy as np
import pytest

from agent.features.logmel import log_mel
from agent.features.tones import tone_bands

RATE_HZ = 16_000


def at(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def bands_of(samples: np.ndarray) -> tuple[int, ...]:
    return tone_bands(log_mel(samples.astype(np.float32)))


def noise(sigma: float, seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, round(seconds * RATE_HZ))


def smoke_alarm(hz: float, seconds: float = 4.0) -> np.ndarray:
    """T3: three beeps of half a second, half a second apart, then a pause."""
    t = at(seconds)
    on = ((t % 4.0) < 3.0) & ((t % 1.0) < 0.5)
    return 0.1 * on * np.sin(2 * np.pi * hz * t)


def agreement(bands: tuple[int, ...], seconds: float) -> float:
    """Share of 20 ms steps in which a T3 tone is told when, and only when, it sounds; edges left out."""
    t = (np.arange(len(bands)) + 0.6) * 0.02
    phase = t % 1.0
    clear = (np.abs(phase - 0.5) > 0.03) & (phase > 0.03) & (phase < 0.97)
    sounds = ((t % 4.0) < 3.0) & (phase < 0.5)
    told = np.array(bands) >= 0
    return float((told == sounds)[clear].mean())


@pytest.mark.parametrize("hz", [520.0, 1000.0, 2900.0, 3100.0, 3400.0])
def test_a_beeping_alarm_is_followed_without_a_miss_in_quiet(hz):
    assert agreement(bands_of(smoke_alarm(hz) + noise(0.0003, 4.0)), 4.0) == 1.0


@pytest.mark.parametrize(("snr_db", "least"), [(20, 0.99), (10, 0.98), (5, 0.95)])
def test_a_smoke_alarm_is_followed_through_noise(snr_db, least):
    sigma = 0.1 / np.sqrt(2) * 10 ** (-snr_db / 20)
    assert agreement(bands_of(smoke_alarm(3100.0) + noise(sigma, 4.0)), 4.0) >= least


def test_a_steady_tone_keeps_one_band_and_a_higher_tone_has_a_higher_one():
    low, high = (bands_of(np.sin(2 * np.pi * hz * at(1.0))) for hz in (1000.0, 3100.0))
    assert len(set(low)) == len(set(high)) == 1
    assert 0 < low[0] < high[0] < 64


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_next_to_no_tones(seed):
    bands = np.array(bands_of(noise(0.1, 4.0, seed)))
    assert (bands >= 0).mean() < 0.02


def test_a_voice_like_stack_of_harmonics_is_not_one_tone():
    t = at(2.0)
    pitch = 140.0 + 25.0 * np.sin(2 * np.pi * 2.0 * t)
    voice = sum(np.sin(n * 2 * np.pi * np.cumsum(pitch) / RATE_HZ) / n for n in range(1, 30))
    assert (np.array(bands_of(0.05 * voice)) >= 0).mean() < 0.1


def test_silence_has_no_tone_and_too_few_frames_have_no_answer():
    assert set(bands_of(np.zeros(8000))) == {-1}
    assert tone_bands(np.zeros((1, 64), np.float32)) == ()


def test_one_answer_is_given_per_twenty_milliseconds():
    assert len(tone_bands(np.zeros((51, 64), np.float32))) == 25
