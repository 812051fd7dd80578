"""What glows restlessly in pictures without colour."""

import math

import numpy as np
import pytest

from agent.features.flicker import Flicker
from agent.types import Box, Uint8Array

STEP_NS = 100_000_000
NOBODY: list[Box] = []


def night(glow_rows: int = 0, left: int = 150, level: int = 255) -> Uint8Array:
    """A dark picture of 180 × 320 with a bright patch 16 wide that reaches `glow_rows` up from row 120."""
    picture = np.full((180, 320, 3), 30, np.uint8)
    picture[120 - glow_rows : 120, left : left + 16] = level
    return picture


def flame(index: int) -> Uint8Array:
    """A patch whose top rises and sinks 1.5 times a second."""
    return night(24 + round(6 * math.sin(index * 0.1 * 2 * math.pi * 1.5)))


def lasting(pictures: list[Uint8Array], bodies: list[Box] = NOBODY, step_ns: int = STEP_NS) -> float:
    flicker = Flicker()
    return [flicker.see(picture, index * step_ns, bodies) for index, picture in enumerate(pictures)][-1]


def test_the_first_picture_says_nothing() -> None:
    assert Flicker().see(flame(0), 0, NOBODY) == 0.0


def test_a_flame_flickers() -> None:
    assert lasting([flame(index) for index in range(40)]) > 5.0


def test_a_lamp_does_not_flicker() -> None:
    assert lasting([night(24) for _ in range(40)]) == 0.0


def test_a_lamp_that_is_switched_on_flickers_no_more_a_while_later() -> None:
    assert lasting([night(0)] * 5 + [night(24)] * 40) < 1.0


def test_something_bright_that_passes_is_no_flame() -> None:
    passing = [night(24, left=20 + 6 * index) for index in range(40)]
    assert lasting(passing) < lasting([flame(index) for index in range(40)]) / 4


def test_restless_edges_by_day_do_not_glow() -> None:
    by_day = [np.where(flame(index) > 200, np.uint8(255), np.uint8(225)) for index in range(40)]
    assert lasting(by_day) == 0.0


def test_what_moves_on_a_body_is_the_body_s() -> None:
    body = Box(left_frac=0.4, top_frac=0.3, right_frac=0.6, bottom_frac=0.8)
    assert lasting([flame(index) for index in range(40)], [body]) == 0.0


def test_after_a_gap_nothing_is_compared() -> None:
    assert lasting([flame(index) for index in range(10)], step_ns=10 * STEP_NS) == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (7, 500), (360, 640), (2160, 3840)])
def test_any_size_of_picture_will_do(shape: tuple[int, int]) -> None:
    flicker = Flicker()
    for index in range(3):
        assert flicker.see(np.full((*shape, 3), 80 * index, np.uint8), index * STEP_NS, NOBODY) >= 0.0


def test_another_size_starts_over() -> None:
    flicker = Flicker()
    for index in range(30):
        flicker.see(flame(index), index * STEP_NS, NOBODY)
    assert flicker.see(flame(30)[::2, ::2].copy(), 30 * STEP_NS, NOBODY) == 0.0


def test_last_night_s_flame_is_forgotten_by_this_night() -> None:
    flicker = Flicker()
    for index in range(40):
        flicker.see(flame(index), index * STEP_NS, NOBODY)
    evening_ns = 12 * 3600 * 1_000_000_000  # by day the picture has colours, and is not looked at
    assert [flicker.see(night(24), evening_ns + index * STEP_NS, NOBODY) for index in range(5)] == [0.0] * 5
