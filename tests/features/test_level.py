"""Levels and onsets: finite for every input, and exact where the answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.features.level import SILENCE_DBFS, is_digital_silence, level_dbfs, onset_s, peak_dbfs

RATE_HZ = 16_000


def sine(amplitude: float, seconds: float = 0.5, hz: float = 1000.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def noise(amplitude: float, seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, amplitude, round(seconds * RATE_HZ)).astype(np.float32)


@given(st.floats(0.001, 1.0))
def test_a_sine_is_three_decibels_under_its_peak(amplitude):
    peak = 20 * math.log10(amplitude)
    assert peak_dbfs(sine(amplitude)) == pytest.approx(peak, abs=0.01)
    assert level_dbfs(sine(amplitude)) == pytest.approx(peak - 3.0103, abs=0.01)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(800, np.float32)])
def test_silence_and_nothing_have_a_finite_level(samples):
    assert level_dbfs(samples) == peak_dbfs(samples) == SILENCE_DBFS
    assert is_digital_silence(samples)


@pytest.mark.parametrize(("steps", "silent"), [(0.9, True), (1.0, True), (1.1, False)])
def test_digital_silence_ends_above_one_step_of_sixteen_bits(steps, silent):
    assert is_digital_silence(np.full(100, steps * 2.0**-15, np.float32)) is silent


def test_a_bang_is_placed_to_the_hundredth_of_a_second():
    samples = noise(0.001, 0.6)
    samples[4800:5600] += noise(0.3, 0.05, 1)
    assert onset_s(samples, RATE_HZ) == pytest.approx(0.30, abs=0.011)


def test_the_sharper_of_two_rises_is_told():
    samples = noise(0.001, 0.6)
    samples[3200:3300] += 0.02
    samples[6400:7200] += 0.4
    assert onset_s(samples, RATE_HZ) == pytest.approx(0.40, abs=0.011)


def test_a_bang_out_of_digital_silence_is_an_onset_and_a_whisper_out_of_it_is_not():
    samples = np.zeros(9600, np.float32)
    samples[4800:] = noise(0.1, 0.3)
    assert onset_s(samples, RATE_HZ) == pytest.approx(0.30, abs=0.011)
    assert onset_s(samples * np.float32(0.01), RATE_HZ) is None


@pytest.mark.parametrize("samples", [noise(0.1, 0.6), np.zeros(9600, np.float32), sine(0.5), np.zeros(100, np.float32)])
def test_steady_sound_has_no_onset(samples):
    assert onset_s(samples, RATE_HZ) is None


def test_a_rise_within_the_context_belongs_to_the_step_before():
    samples = noise(0.001, 0.6)
    samples[960:1760] += noise(0.3, 0.05, 1)  # at 0.06 s of 0.1 s of context
    assert onset_s(samples, RATE_HZ) is None
