"""Picture statistics and the motion gate: cheap, bounded, and awake when something happens."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.features.picture import MOVING_CELLS, MotionGate, Prepared, picture_stats
from agent.types import PictureStats

STEP_NS = 100_000_000
HEIGHT, WIDTH = 180, 320


def flat(grey: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    return np.full((height, width, 3), grey, np.uint8)


def noisy(grey: int, sigma: float, seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(grey, sigma, (HEIGHT, WIDTH, 3))
    return noise.clip(0, 255).astype(np.uint8)


def with_person(left: int, grey: int = 200) -> NDArray[np.uint8]:
    picture = flat(90)
    picture[100:140, left : left + 14] = grey
    return picture


def stats_of(picture: NDArray[np.uint8], previous: NDArray[np.uint8] | None) -> PictureStats:
    return picture_stats(Prepared.of(picture), None if previous is None else Prepared.of(previous))


def looks(gate: MotionGate, pictures: list[NDArray[np.uint8]], first_ns: int = 0) -> list[bool]:
    previous, opened = None, []
    for index, picture in enumerate(map(Prepared.of, pictures)):
        stats = picture_stats(picture, previous)
        opened.append(gate.opens(picture, stats, first_ns + index * STEP_NS))
        previous = picture
    return opened


@given(grey=st.integers(0, 255), height=st.integers(1, 64), width=st.integers(1, 64))
def test_any_flat_picture_has_its_own_brightness_and_no_contrast_sharpness_or_motion(grey, height, width):
    picture = flat(grey, height, width)
    stats = stats_of(picture, picture)
    assert stats.brightness_frac == pytest.approx(grey / 255, abs=0.005)
    assert (stats.contrast_frac, stats.sharpness_frac, stats.moving_frac) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    assert len(stats.grid) == 48


def test_blurring_a_picture_lowers_its_sharpness():
    sharp = noisy(128, 40, 1)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (9, 9), 3))
    assert stats_of(blurred, None).sharpness_frac < 0.2 * stats_of(sharp, None).sharpness_frac


def test_a_change_of_everything_moves_every_cell():
    assert stats_of(flat(200), flat(20)).moving_frac == 1.0


def test_a_walking_person_moves_a_few_cells():
    assert 0 < stats_of(with_person(60), with_person(50)).moving_frac < 0.05


def test_strong_sensor_noise_does_not_count_as_motion():
    frames = [noisy(60, 12, seed) for seed in range(20)]
    moving = [stats_of(new, old).moving_frac for old, new in pairwise(frames)]
    assert max(moving) * 960 < MOVING_CELLS


def test_pictures_of_two_sizes_can_be_compared():
    assert stats_of(flat(80), flat(80, 96, 160)).moving_frac == 0.0


def test_the_grid_tells_where_it_is_bright_row_by_row():
    picture = flat(0)
    picture[: HEIGHT // 6, : WIDTH // 8] = 255
    grid = stats_of(picture, None).grid
    assert grid[0] == 1.0
    assert max(grid[1:]) == 0.0


def test_a_still_scene_is_looked_at_first_and_then_once_every_three_seconds():
    opened = looks(MotionGate(still_look_s=3.0), [flat(90)] * 91)
    assert [index for index, look in enumerate(opened) if look] == [0, 30, 60, 90]


def test_a_walking_person_is_looked_at_in_every_picture():
    assert all(looks(MotionGate(still_look_s=3.0), [with_person(20 + 4 * n) for n in range(40)]))


def test_the_gate_stays_open_for_a_while_after_the_motion_ends():
    gate = MotionGate(still_look_s=60.0, hold_s=1.0)
    opened = looks(gate, [with_person(20), *[with_person(60)] * 30])
    assert opened == [True] * 12 + [False] * 19


def test_a_thing_too_slow_for_neighbouring_pictures_opens_the_gate_all_the_same():
    fade = [with_person(50, 90 + n) for n in range(30)]  # 1 level per picture: never a change from one to the next
    opened = looks(MotionGate(still_look_s=60.0), fade)
    assert 5 <= opened.index(True, 1) <= 15


def test_a_timeline_that_starts_again_does_not_close_the_gate():
    gate = MotionGate(still_look_s=3.0)
    looks(gate, [flat(90)], first_ns=10**12)
    assert looks(gate, [flat(90)], first_ns=0) == [True]
