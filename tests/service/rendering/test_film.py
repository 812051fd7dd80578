"""The film of a replay: several sources one after the other, with sound, as players want it."""

from pathlib import Path

import av
import numpy as np
import pytest

from agent.service.rendering.film import Film
from agent.service.rendering.overlay import View
from agent.types import NS_PER_S, SOUND_RATE_HZ, SoundBlock


def view(at_ns: int) -> View:
    return View(camera="hall", media_time_s=at_ns / NS_PER_S)


def shoot(film: Film, seconds: float, *, with_sound: bool) -> None:
    for k in range(round(10 * seconds)):
        at_ns = k * NS_PER_S // 10
        film.picture(at_ns, np.full((90, 160, 3), 20 * k % 255, np.uint8))
        if with_sound:
            tone = 0.1 * np.sin(np.arange(SOUND_RATE_HZ // 5) / 20.0).astype(np.float32)  # longer than the pictures
            if k % 2 == 0:
                film.sound(SoundBlock(camera="hall", at_ns=at_ns, samples=tone))
        film.develop(at_ns, view)


@pytest.mark.parametrize("sounds", [(True, True), (False, True), (True, False), (True, False, True)])
def test_several_sources_whose_time_starts_anew_make_one_film(tmp_path: Path, sounds: tuple[bool, ...]) -> None:
    path = tmp_path / "film.mp4"
    with Film(path, with_sound=True) as film:
        for number, with_sound in enumerate(sounds):
            if number:
                film.splice()
            shoot(film, 1.5, with_sound=with_sound)
    with av.open(str(path)) as found:
        times = [float(frame.time) for frame in found.decode(video=0) if frame.time is not None]
    assert len(times) == 15 * len(sounds)
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1.5 * len(sounds), abs=0.35)
