"""A film can be played whatever coder there is, lasts as long as it should, and shows what went in."""

import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from agent.service.evidence.clip_film import ENCODERS, ClipFilm, encoder_of
from agent.service.rendering.film import Film
from agent.service.rendering.overlay import View
from agent.types import NS_PER_S, SOUND_RATE_HZ

STEP_NS = NS_PER_S // 10
MISSING: tuple[str, dict[str, str]] = ("no_such_coder", {})


def jpeg(grey: int, width_px: int = 320, height_px: int = 180) -> bytes:
    picture = np.full((height_px, width_px, 3), grey, np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def decoded(film: bytes) -> list[tuple[float, int]]:
    """Return time and mean grey of every picture."""
    with av.open(io.BytesIO(film)) as opened:
        return [
            (float(frame.time or 0), int(frame.to_ndarray(format="gray").mean())) for frame in opened.decode(video=0)
        ]


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda entry: entry[0])
def test_pictures_come_out_as_they_went_in_at_their_times(encoder: tuple[str, dict[str, str]]) -> None:
    if encoder_of((encoder, MISSING)) == MISSING:
        pytest.skip("this build of FFmpeg has no such coder")
    film = ClipFilm(with_sound=False, encoder=encoder)
    for n in range(20):
        film.picture(7 * NS_PER_S + n * STEP_NS, jpeg(40 if n < 10 else 200))
    shown = decoded(film.finish(7 * NS_PER_S + 3 * NS_PER_S))
    assert [time for time, _ in shown[:20]] == pytest.approx([n / 10 for n in range(20)], abs=0.002)
    assert all(abs(grey - (40 if time < 0.95 else 200)) < 12 for time, grey in shown)
    assert shown[-1][0] == pytest.approx(3.0, abs=0.002)  # the last one stays on


def test_the_first_coder_that_is_there_is_taken() -> None:
    assert encoder_of((("no_such_coder", {}), ("mpeg4", {"a": "b"})))[0] == "mpeg4"
    assert encoder_of()[0] in {name for name, _ in ENCODERS}


def test_a_build_without_h264_makes_films_and_clips_all_the_same(tmp_path: Path) -> None:
    coder = encoder_of((MISSING, *ENCODERS[2:]))
    clip = ClipFilm(with_sound=True, encoder=coder)
    with Film(tmp_path / "film.mp4", with_sound=True, encoder=coder) as film:
        for n in range(5):
            clip.picture(n * STEP_NS, jpeg(90))
            film.picture(n * STEP_NS, np.full((180, 320, 3), 90, np.uint8))
        film.develop(NS_PER_S, lambda at_ns: View(camera="hall", media_time_s=at_ns / NS_PER_S))
    for made in (clip.finish(NS_PER_S), (tmp_path / "film.mp4").read_bytes()):
        with av.open(io.BytesIO(made)) as opened:
            assert opened.streams.video[0].codec_context.name == "mpeg4"
            assert len(list(opened.decode(video=0))) >= 5


def test_sound_lies_where_it_was_heard_and_what_came_before_the_first_picture_is_left_out() -> None:
    film = ClipFilm(with_sound=True)
    silence, tone = np.zeros(1600, np.int16), (np.sin(np.arange(1600)) * 20_000).astype(np.int16)
    for n in range(-5, 30):
        if n == 0:
            film.picture(0, jpeg(90))
        film.sound(n * STEP_NS, tone if n < 0 or 10 <= n < 12 else silence)
    film.picture(3 * NS_PER_S, jpeg(90))
    with av.open(io.BytesIO(film.finish(3 * NS_PER_S))) as opened:
        parts = [(float(frame.time or 0), frame.to_ndarray()) for frame in opened.decode(audio=0)]
    level = {round(at_s, 2): float(np.abs(samples).mean()) for at_s, samples in parts}
    loud = [at_s for at_s, mean in level.items() if mean > 0.1]
    assert min(loud) == pytest.approx(1.0, abs=0.13)
    assert max(loud) == pytest.approx(1.2, abs=0.13)
    assert sum(samples.shape[-1] for _, samples in parts) / SOUND_RATE_HZ == pytest.approx(3.0, abs=0.2)


def test_a_gap_in_the_sound_stays_a_gap() -> None:
    film = ClipFilm(with_sound=True)
    film.picture(0, jpeg(90))
    tone = (np.sin(np.arange(1600)) * 20_000).astype(np.int16)
    for n in (0, 1, 20, 21):
        film.sound(n * STEP_NS, tone)
    film.picture(3 * NS_PER_S, jpeg(90))
    with av.open(io.BytesIO(film.finish(3 * NS_PER_S))) as opened:
        times = [float(frame.time or 0) for frame in opened.decode(audio=0)]
    assert [time for time in times if 0.4 < time < 1.8] == []
    assert any(1.9 < time < 2.2 for time in times)


def test_a_camera_that_changes_its_size_and_a_picture_that_is_broken_do_not_end_the_film() -> None:
    film = ClipFilm(with_sound=False)
    film.picture(0, b"no jpeg")
    film.picture(STEP_NS, jpeg(90))
    film.picture(2 * STEP_NS, b"no jpeg")
    film.picture(3 * STEP_NS, jpeg(90, 640, 480))
    assert len(decoded(film.finish(3 * STEP_NS))) == 2


def test_a_film_without_a_picture_is_none() -> None:
    assert ClipFilm(with_sound=True).finish(NS_PER_S) == b""


def test_even_noise_keeps_within_the_bytes_that_are_told() -> None:
    film, noise = ClipFilm(with_sound=False), np.random.default_rng(1)
    for n in range(100):
        picture = noise.integers(0, 255, (360, 640, 3)).astype(np.uint8)
        film.picture(n * STEP_NS, cv2.imencode(".jpg", picture)[1].tobytes())
    assert len(film.finish(10 * NS_PER_S)) < 9_000_000 / 60 * 10 * 1.5
