import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.features.blur import CELLS, blurred
from agent.types import Box

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (120, 200, 3), np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(left_frac=left, top_frac=top, right_frac=right, bottom_frac=bottom)


def test_what_is_in_a_box_loses_its_detail_and_the_rest_stays() -> None:
    picture = blurred(NOISE, [box(0.4, 0.4, 0.6, 0.8)])
    inside = picture[48:96, 80:120].astype(float)
    assert inside.std() < 0.25 * NOISE[48:96, 80:120].astype(float).std()
    outside = np.ones((120, 200), bool)
    outside[36:120, 70:130] = False  # the box and what it grew by
    assert np.array_equal(picture[outside], NOISE[outside])
    assert not np.array_equal(picture[44:48, 80:120], NOISE[44:48, 80:120])  # grown


def test_the_picture_that_was_given_is_not_changed() -> None:
    before = NOISE.copy()
    blurred(NOISE, [box(0, 0, 1, 1)])
    assert np.array_equal(NOISE, before)


def test_no_more_is_left_of_a_box_than_its_cells() -> None:
    """Whatever has the same cell means gives the same picture: the original cannot be computed back."""
    side = 100
    cell = side // CELLS
    other = NOISE[:side, :side].copy().reshape(CELLS, cell, CELLS, cell, 3).transpose(0, 2, 1, 3, 4)
    other = RNG.permuted(other.reshape(CELLS, CELLS, cell * cell, 3), axis=2)
    other = other.reshape(CELLS, CELLS, cell, cell, 3).transpose(0, 2, 1, 3, 4).reshape(side, side, 3)
    whole = [box(0, 0, 1, 1)]
    assert not np.array_equal(other, NOISE[:side, :side])
    assert np.array_equal(blurred(other, whole), blurred(NOISE[:side, :side], whole))


def test_a_box_beyond_the_border_is_cut_there() -> None:
    picture = blurred(NOISE, [box(-0.2, -0.1, 0.1, 1.2), box(1.1, 0.0, 1.2, 0.1)])
    assert picture.shape == NOISE.shape
    assert np.array_equal(picture[:, 60:], NOISE[:, 60:])


@given(
    st.tuples(st.floats(-1, 2), st.floats(0, 2), st.floats(-1, 2), st.floats(0, 2)),
    st.sampled_from([(1, 1), (2, 300), (17, 16), (120, 200)]),
)
def test_any_box_on_any_picture_gives_a_picture(
    edges: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    left, width, top, height = edges
    picture = blurred(NOISE[: size[0], : size[1]], [box(left, top, left + width, top + height)])
    assert picture.shape == (min(size[0], 120), min(size[1], 200), 3)
    assert picture.dtype == np.uint8


def test_a_box_grows_by_its_share() -> None:
    picture = blurred(NOISE, [box(0.5, 0.5, 0.6, 0.6)])
    changed = np.argwhere((picture != NOISE).any(axis=2))
    assert changed.min(axis=0) == pytest.approx([58, 97], abs=1)
    assert changed.max(axis=0) == pytest.approx([73, 122], abs=1)
