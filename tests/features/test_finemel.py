"""The finer picture of sound: as the published network knows it, the same at any gain, nothing where nothing sounds."""

import numpy as np
import pytest

from agent.features.finemel import BANDS, fine_mel
from agent.features.logmel import FRAMES, RATE_HZ, SAMPLES

SILENCE = (np.log(1e-5) + 4.5) / 5.0


def tone(hz: float, amplitude: float = 0.1) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(SAMPLES) / RATE_HZ)).astype(np.float32)


def test_a_window_is_128_bands_of_200_frames() -> None:
    picture = fine_mel(tone(1_000.0))
    assert picture.shape == (BANDS, FRAMES)
    assert picture.dtype == np.float32


@pytest.mark.parametrize("hz", [300.0, 1_000.0, 4_000.0])
def test_a_tone_stands_where_kaldis_mel_scale_has_it(hz: float) -> None:
    top_mel, mel = 1127.0 * np.log1p(15_000.0 / 700.0), 1127.0 * np.log1p(hz / 700.0)
    band = int(fine_mel(tone(hz)).mean(axis=1).argmax())
    assert band == pytest.approx(mel / top_mel * (BANDS + 1) - 1, abs=1.0)


def test_a_microphones_gain_does_not_count() -> None:
    rng = np.random.default_rng(1)
    sound = rng.normal(0.0, 0.1, SAMPLES).astype(np.float32)
    assert fine_mel(sound * np.float32(0.1)) == pytest.approx(fine_mel(sound), abs=0.01)


def test_nothing_is_heard_above_eight_kilohertz_or_in_silence() -> None:
    rng = np.random.default_rng(2)
    picture = fine_mel(rng.normal(0.0, 0.1, SAMPLES).astype(np.float32))
    assert picture[-15:] == pytest.approx(SILENCE, abs=1e-4)
    assert np.median(picture[:100], axis=1).min() > SILENCE + 0.3
    assert fine_mel(np.zeros(SAMPLES, np.float32)) == pytest.approx(SILENCE, abs=1e-4)


def test_it_is_the_teachers_own_picture_of_the_same_sound() -> None:
    """As EfficientAT computes it at 32 kHz, with the loudest frame at the same level, the window's edges aside."""
    pytest.importorskip("torch", reason="needs the extra `train`")
    from scipy.signal import resample_poly

    from agent.features.finemel import LOUDEST_DBFS
    from agent.features.logmel import loudest_db, power_spectra
    from models.hearing import mn04

    t = np.arange(SAMPLES) / RATE_HZ
    sound = sum(0.05 * np.sin(2 * np.pi * hz * t + hz) for hz in (200.0, 700.0, 1_900.0, 3_300.0)).astype(np.float32)
    gain = 10.0 ** ((LOUDEST_DBFS - loudest_db(power_spectra(sound))) / 20.0)
    theirs = mn04.log_mel_32k(np.asarray(resample_poly(sound * gain, 2, 1), np.float32))[0, 0].numpy()
    ours = fine_mel(sound)
    loud = ours[:, 20:180] > 0.0
    assert loud.sum() > 500
    assert np.abs(ours[:, 20:180] - theirs[:, 21:181])[loud].max() < 0.1
