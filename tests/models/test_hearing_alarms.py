"""The shipped sound model finds alarms that are as loud as the noise around them, and none in the noise alone."""

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="needs the extra `train`")
pytest.importorskip("soundfile", reason="needs the extra `train`")
pytest.importorskip("scipy", reason="needs the extra `train`")

from agent.config.schema import Models
from agent.features.logmel import RATE_HZ
from models.hearing.heard import Noting, take
from models.hearing.incidents import opened

T3 = [(0.5, 1), (0.5, 0), (0.5, 1), (0.5, 0), (0.5, 1), (1.5, 0)]
T4 = [*[(0.1, 1), (0.1, 0)] * 4, (5.0, 0)]
TONE_HZ = 3_100.0
LONG_S = 20.0


@pytest.fixture(scope="module")
def model() -> Noting:
    return Noting.load(Models(device="cpu"))


def beeping(pattern: list[tuple[float, int]]) -> np.ndarray:
    """A piezo sounder at ISO 8201's or ANSI S3.41's pattern, amplitude 1."""
    time_s = np.arange(int(LONG_S * RATE_HZ)) / RATE_HZ
    ends = np.cumsum([span for span, _ in pattern])
    on = np.array([sounds for _, sounds in pattern])[np.searchsorted(ends, time_s % ends[-1], side="right")]
    return on * np.sin(2 * np.pi * TONE_HZ * time_s)


def kinds(sound: np.ndarray, model: Noting) -> set[str]:
    return opened(take((sound * 32_767).astype(np.int16), model).scored(model))


@pytest.mark.parametrize("pattern", [T3, T4], ids=["T3", "T4"])
def test_a_smoke_or_gas_alarm_as_loud_as_white_noise_opens_an_alarm(
    pattern: list[tuple[float, int]], model: Noting
) -> None:
    """0 dB: the noise has the power of the beep while it sounds."""
    noise = np.random.default_rng(1).normal(0, np.sqrt(0.5), int(LONG_S * RATE_HZ))
    assert "alarm" in kinds(0.05 * (beeping(pattern) + noise), model)


def test_white_noise_alone_opens_nothing(model: Noting) -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, int(LONG_S * RATE_HZ))
    assert kinds(noise, model) == set()
