"""Flames laid over quiet pictures: they are where the record says, and nothing else changes what is said."""

import numpy as np
import pytest

from models.scenes.fluid import Plume
from models.vision import burning
from models.vision.records import Record


@pytest.fixture(scope="module")
def moments() -> list[Plume]:
    plume = Plume(burning.FIRST_SEED)
    for _ in range(80):
        plume.step(0.8)
    return [plume]


def quiet() -> Record:
    return Record("a.jpg", "ours", "a", "ours", "g", fire=0, smoke=0)


def test_flames_burn_inside_the_box_that_the_record_tells(moments: list[Plume]) -> None:
    grey = np.full((240, 320, 3), 60, np.uint8)
    for seed in range(12):
        picture, _, said = burning.burning(grey, quiet(), moments, np.random.default_rng(seed))
        redder = picture[..., 0].astype(int) - picture[..., 2]
        if said.fire is None:
            continue
        ((label, x1, y1, x2, y2),) = said.scene_boxes
        y, x = np.unravel_index(int(redder.argmax()), redder.shape)
        assert label == 0
        assert x1 <= (x + 0.5) / 320 <= x2, seed
        assert y1 <= (y + 0.5) / 240 <= y2, seed
        assert said.smoke is None


def test_the_picture_without_flames_differs_in_them_and_their_light_only(moments: list[Plume]) -> None:
    grey, bins = np.full((240, 320, 3), 60, np.uint8), 0
    for seed in range(12):
        picture, without, said = burning.burning(grey, quiet(), moments, np.random.default_rng(seed))
        bins += int(np.ptp(without) > 0)
        if said.fire == 1:
            assert int(picture.max()) > 200 > int(without.max())
    assert 0 < bins < 12, "some burn in a bin, which the picture without flames shows, too"


def test_flames_at_night_have_no_colour_and_outshine_the_place(moments: list[Plume]) -> None:
    told = 0
    for seed in range(12):
        bluish = np.full((240, 320, 3), (100, 120, 140), np.uint8)
        picture, without, said = burning.burning(bluish, quiet(), moments, np.random.default_rng(seed), infrared=True)
        assert int(np.ptp(picture.astype(int), axis=2).max()) == 0
        assert float(without.mean()) < 120
        if said.fire == 1:
            told += 1
            assert int(picture.max()) > int(without.max()) + burning.LEAST_GAP
    assert told > 6


def test_what_was_filmed_by_night_is_not_made_darker(moments: list[Plume]) -> None:
    by_night = np.full((240, 320, 3), 120, np.uint8)
    assert burning.colourless(by_night)
    _, without, _ = burning.burning(by_night, quiet(), moments, np.random.default_rng(0), infrared=True)
    assert abs(float(np.median(without)) - 120) < 3


def test_nothing_is_said_of_flames_before_what_is_as_white_as_they_are(moments: list[Plume]) -> None:
    white = np.full((240, 320, 3), 255, np.uint8)
    for seed in range(6):
        _, _, said = burning.burning(white, quiet(), moments, np.random.default_rng(seed), infrared=False)
        assert (said.fire == 1) == bool(said.scene_boxes)
    assert not burning._stands_out(white, white, (0.2, 0.2, 0.6, 0.6))


def test_a_lamp_is_bright_and_says_nothing(moments: list[Plume]) -> None:
    grey = np.full((240, 320, 3), 60, np.uint8)
    lit = burning.lamp(grey, np.random.default_rng(0))
    assert int(lit.max()) > 200
    assert lit.shape == grey.shape


def test_the_same_seed_draws_the_same_picture(moments: list[Plume]) -> None:
    grey = np.full((120, 160, 3), 90, np.uint8)
    first, second = (burning.burning(grey, quiet(), moments, np.random.default_rng(3))[0] for _ in range(2))
    assert (first == second).all()
