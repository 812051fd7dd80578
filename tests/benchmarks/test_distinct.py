"""Footage that shows one view, or sounds alike, is found through another moment and another loudness."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("soundfile", reason="reading other people's sounds needs the extra `train`")

from benchmarks import distinct
from benchmarks.distinct import HOP, SAME_VIEW_BITS, apart, bands, heard_before, view


def picture(seed: int) -> np.ndarray:
    return np.kron(np.random.default_rng(seed).integers(20, 230, (18, 32)), np.ones((10, 10))).astype(np.uint8)


def test_another_moment_of_one_camera_is_the_same_view_and_another_camera_is_not() -> None:
    place, passer = picture(1), picture(1)
    passer[60:140, 100:130] = 10
    darker = (place * 0.6).astype(np.uint8)
    known = np.array([view(place)])
    assert apart(known, np.array([view(passer), view(picture(2))])) <= SAME_VIEW_BITS
    assert apart(known, np.array([view(darker)])) <= SAME_VIEW_BITS
    assert apart(known, np.array([view(picture(2))])) > 2 * SAME_VIEW_BITS


def test_what_has_no_picture_is_like_nothing() -> None:
    assert apart(np.zeros((0, 256), np.bool_), np.array([view(picture(1))])) == 256


def test_a_black_picture_shows_no_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "KEPT", tmp_path / "views")
    film = tmp_path / "film"
    film.mkdir()
    for number, shown in enumerate((np.zeros((180, 320), np.uint8), picture(1))):
        for copy in range(100):
            cv2.imwrite(str(film / f"{number * 100 + copy:06d}.png"), shown)
    assert distinct.views_of(film).tolist() == [view(picture(1)).tolist()]


def sound(seed: int, seconds: float) -> np.ndarray:
    """Twelve tones, each louder and quieter by chance."""
    chance, times = np.random.default_rng(seed), np.arange(round(seconds * 2.5) * 4 * HOP) / 16_000
    tones = (
        np.repeat(chance.uniform(0.001, 0.1, round(seconds * 2.5)), 4 * HOP) * np.sin(2.0 * np.pi * hz * times)
        for hz in np.geomspace(120.0, 7000.0, 12)
    )
    return np.asarray(sum(tones), np.float32)


def test_a_piece_of_a_sound_that_was_learned_from_is_found_though_it_is_quieter() -> None:
    whole = sound(1, 20.0)
    piece = 0.3 * whole[round(70.4 * HOP) :]
    known = [("learned", bands(whole))]
    assert [line.split(":")[0] for line in heard_before([("piece", piece)], known)] == ["piece and learned"]
    assert list(heard_before([("other", sound(2, 9.0))], known)) == []


def test_two_quiet_rooms_are_not_one_sound() -> None:
    first, second = (0.01 * np.random.default_rng(seed).normal(size=160_000).astype(np.float32) for seed in (1, 2))
    assert list(heard_before([("first", first)], [("second", bands(second))])) == []
