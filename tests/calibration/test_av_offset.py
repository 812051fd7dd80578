"""Hand claps, drawn and clicked: by how much the sound comes later than the picture."""

from pathlib import Path

import numpy as np
import pytest

from agent.errors import VedetteError
from calibration.av_offset import measure
from tests.capture.media import write_clip, write_sound

FPS = 25
RATE_HZ = 16_000
CLAPS_S = (1.0, 2.3, 3.9, 5.0, 6.4)


def clapping(path: Path, late_s: float, fps: int = FPS, claps_s: tuple[float, ...] = CLAPS_S) -> Path:
    """Two bars that close in 0.2 s before each clap and open slowly after it; a click `late_s` after each."""
    rng = np.random.default_rng(5)
    pictures = []
    for number in range(8 * fps):
        at_s = number / fps
        to_clap_s = min((clap_s - at_s for clap_s in claps_s if clap_s >= at_s), default=9.0)
        since_s = min((at_s - clap_s for clap_s in claps_s if clap_s <= at_s), default=9.0)
        apart = min(1.0, to_clap_s / 0.2, 0.05 + since_s / 0.9)
        picture = rng.integers(90, 96, (120, 160, 3)).astype(np.uint8)
        half = round(4 + 34 * apart)
        picture[30:90, 80 - half - 40 : 80 - half] = 230
        picture[30:90, 80 + half : 80 + half + 40] = 230
        pictures.append(picture)
    samples = rng.normal(0.0, 0.002, 8 * RATE_HZ).astype(np.float32)
    for clap_s in claps_s:
        start = round((clap_s + late_s) * RATE_HZ)
        decay = np.exp(-np.arange(1600) / 160.0)
        samples[start : start + 1600] += (0.5 * decay * rng.normal(0, 1, 1600)).astype(np.float32)
    return write_clip(path, pictures, fps, samples[None], RATE_HZ)


@pytest.mark.parametrize("late_s", [-0.35, 0.0, 0.08, 0.6])
def test_the_offset_is_found_to_a_picture(tmp_path: Path, late_s: float) -> None:
    offset = measure([str(clapping(tmp_path / "claps.mp4", late_s))])
    assert abs(offset.sound_late_s - late_s) < 1.0 / FPS
    assert offset.claps == len(CLAPS_S)


def test_a_slow_camera_is_measured_to_its_own_picture(tmp_path: Path) -> None:
    offset = measure([str(clapping(tmp_path / "claps.mp4", 0.2, fps=10))])
    assert abs(offset.sound_late_s - 0.2) < 0.1


def test_two_claps_are_too_few_and_no_offset_is_made_up(tmp_path: Path) -> None:
    path = clapping(tmp_path / "claps.mp4", 0.2, claps_s=(2.0, 4.0))
    with pytest.raises(VedetteError, match="cannot be told") as caught:
        measure([str(path)])
    assert "claps five times" in caught.value.cure


def test_sound_alone_has_no_offset(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "noise.wav", np.full((1, 32_000), 0.1, np.float32), RATE_HZ)
    with pytest.raises(VedetteError, match="cannot be told"):
        measure([str(path)])
