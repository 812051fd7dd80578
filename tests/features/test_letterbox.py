"""The letterbox fits every picture and maps boxes there and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.features.letterbox import PAD_GREY, Letterbox, letterbox, plan, to_tensor

SIDES = st.integers(1, 9000)


def picture_of(width: int, height: int, value: int = 200) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_a_wide_picture_gets_grey_above_and_below_and_nothing_at_the_sides() -> None:
    canvas, fit = letterbox(picture_of(640, 320), 320, 320)
    assert canvas.shape == (320, 320, 3)
    assert (fit.pad_left_px, fit.pad_top_px, fit.content_width_px, fit.content_height_px) == (0, 80, 320, 160)
    assert (canvas[:80] == PAD_GREY).all()
    assert (canvas[240:] == PAD_GREY).all()
    assert (canvas[80:240] == 200).all()


def test_stretching_fills_the_border_up_to_its_factor_and_boxes_still_return() -> None:
    _, little = letterbox(picture_of(640, 320), 320, 320, most_stretch=1.5)
    assert (little.content_width_px, little.content_height_px) == (320, 240)
    _, whole = letterbox(picture_of(640, 320), 320, 320, most_stretch=3.0)
    assert (whole.content_width_px, whole.content_height_px) == (320, 320)
    boxes = np.array([[0.1, 0.2, 0.6, 0.9]], np.float32)
    np.testing.assert_allclose(little.to_fractions(little.to_canvas(boxes)), boxes, atol=1e-5)


def test_a_picture_of_the_canvas_size_is_left_as_it_is() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (192, 320, 3), np.uint8)
    canvas, fit = letterbox(picture, 320, 192)
    assert (canvas == picture).all()
    assert (fit.content_width_px, fit.content_height_px) == (320, 192)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7680, 4320), (1, 5000), (5000, 1), (40_000, 2)])
def test_extreme_pictures_fill_the_canvas_and_keep_at_least_one_pixel(width: int, height: int) -> None:
    canvas, fit = letterbox(picture_of(width, height), 320, 192)
    assert canvas.shape == (192, 320, 3)
    assert min(fit.content_width_px, fit.content_height_px) >= 1
    assert (canvas == 200).all(2).sum() == fit.content_width_px * fit.content_height_px


def test_shrinking_averages_so_that_a_fine_pattern_becomes_grey_not_stripes() -> None:
    picture = np.zeros((640, 640, 3), np.uint8)
    picture[:, ::2] = 200
    canvas, _ = letterbox(picture, 320, 320)
    assert canvas.std() < 1.0
    assert abs(float(canvas.mean()) - 100) < 2


@given(width=SIDES, height=SIDES, canvas=st.sampled_from([(320, 192), (320, 320), (416, 416)]),
       corners=st.tuples(*[st.floats(0, 1)] * 4))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_boxes_return_from_the_canvas_as_they_went(
    width: int, height: int, canvas: tuple[int, int], corners: tuple[float, float, float, float]
) -> None:
    fit = plan(width, height, *canvas)
    boxes = np.array([corners], np.float32)
    on_canvas = fit.to_canvas(boxes)
    assert (on_canvas >= -1e-3).all()
    assert (on_canvas <= np.array([*canvas, *canvas]) + 1e-3).all()
    coarsest = max(1, 320 / fit.content_width_px, 320 / fit.content_height_px)
    np.testing.assert_allclose(fit.to_fractions(on_canvas), boxes, atol=2e-4 * coarsest)


@given(width=SIDES, height=SIDES)
def test_the_picture_is_not_distorted_by_more_than_rounding(width: int, height: int) -> None:
    fit = plan(width, height, 320, 192)
    scale_x, scale_y = fit.content_width_px / width, fit.content_height_px / height
    assert abs(scale_x * width - scale_y * width) <= max(1.0, width / height)
    assert fit.content_width_px == 320 or fit.content_height_px == 192


def test_a_box_in_the_grey_border_is_clipped_to_the_picture() -> None:
    fit = plan(640, 320, 320, 320)
    assert fit.to_fractions(np.array([[0, 0, 320, 320]], np.float32)).tolist() == [[0, 0, 1, 1]]


def test_no_boxes_stay_no_boxes() -> None:
    fit = plan(10, 10, 320, 320)
    assert fit.to_fractions(np.zeros((0, 4), np.float32)).shape == (0, 4)
    assert fit.to_canvas(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("picture", [np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8),
                                     np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)])  # fmt: skip
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture"):
        letterbox(picture, 320, 320)


def test_a_tensor_is_planar_and_keeps_its_values() -> None:
    canvas = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    tensor = to_tensor(canvas)
    assert tensor.shape == (1, 3, 2, 3)
    assert tensor.dtype == np.float32
    assert tensor[0, 1, 1, 2] == canvas[1, 2, 1]
    assert tensor.flags.c_contiguous


def test_a_letterbox_cannot_be_changed() -> None:
    fit = plan(10, 10, 20, 20)
    assert isinstance(fit, Letterbox)
    with pytest.raises(AttributeError):
        fit.pad_left_px = 3  # type: ignore[misc]
