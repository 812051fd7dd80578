"""Figures: a walker's legs swing, who glides does not; before a figure was followed nothing is told."""

import numpy as np
import pytest

from agent.features.gait import Gait
from agent.types import NS_PER_S, Figure, Uint8Array

HIGH, WIDE = 192, 288


def ground() -> Uint8Array:
    noise = np.random.default_rng(5).integers(90, 110, (HIGH, WIDE, 1))
    return np.repeat(noise, 3, 2).astype(np.uint8)


def person(picture: Uint8Array, x: float, swing: float) -> None:
    """A body 34 lines high with its feet on line 130; its legs stand `swing` pixels apart."""
    left = round(x)
    picture[96:114, left - 4 : left + 5] = 20
    for side in (-1, 1):
        foot = round(x + side * swing / 2)
        picture[114:130, foot - 2 : foot + 2] = 20


def film(pictures: int, *, walks: bool, speed_px: float = 3.0) -> list[tuple[Figure, ...]]:
    gait, told = Gait(), []
    empty = ground()
    for index in range(30):
        gait.see(empty, index * NS_PER_S // 10)
    for index in range(pictures):
        picture = empty.copy()
        person(picture, 20 + speed_px * index, 6.0 + 6.0 * np.sin(index * 1.3) if walks else 6.0)
        told.append(gait.see(picture, (30 + index) * NS_PER_S // 10))
    return told


def test_legs_of_a_walker_swing_and_those_of_who_glides_do_not() -> None:
    walker, glider = film(40, walks=True)[-1], film(40, walks=False)[-1]
    assert len(walker) == len(glider) == 1
    assert walker[0].legs > 2.0 * glider[0].legs
    assert walker[0].legs_width > 2.0 * glider[0].legs_width
    assert walker[0].trunk == pytest.approx(glider[0].trunk, abs=0.03)


def test_a_figure_is_told_where_it_is_and_how_fast() -> None:
    figure = film(40, walks=True)[-1][0]
    middle_x = (figure.box.left_frac + figure.box.right_frac) / 2 * WIDE
    assert middle_x == pytest.approx(20 + 3.0 * 39, abs=6)
    assert figure.box.top_frac * HIGH < 113 < figure.box.bottom_frac * HIGH
    assert figure.speed == pytest.approx(30.0 / 34.0, rel=0.4)


def test_nothing_is_told_of_what_was_not_followed_yet() -> None:
    told = film(12, walks=True)
    assert not any(told[:4])
    assert told[-1]


def test_who_stands_is_not_told() -> None:
    assert not film(25, walks=False, speed_px=0.0)[-1]


def test_a_still_picture_and_another_beginning_forget_the_ways() -> None:
    gait = Gait()
    empty = ground()
    for index in range(60):
        picture = empty.copy()
        if index >= 30:
            person(picture, 3.0 * index - 70, 6.0)
        told = gait.see(picture, index * NS_PER_S // 10, moving=index != 59)
    assert told == ()
    assert gait.see(picture, 0) == ()
    assert gait.see(picture, NS_PER_S // 10) == ()


@pytest.mark.parametrize("shape", [(1, 1), (8, 400), (400, 8), (48, 64), (192, 288)])
def test_any_size_of_picture_is_taken(shape: tuple[int, int]) -> None:
    gait, random = Gait(), np.random.default_rng(1)
    for index in range(12):
        gait.see(random.integers(0, 256, (*shape, 3), dtype=np.uint8), index * NS_PER_S // 10)
