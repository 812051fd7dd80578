"""What optical flow says of pictures whose motion is known."""

import numpy as np
import pytest

from agent.features.motion import MOTION_NAMES, Motion
from agent.types import Box, Uint8Array

STEP_NS = 100_000_000
BOX = Box(left_frac=0.3, top_frac=0.2, right_frac=0.7, bottom_frac=0.8)


def textured(seed: int = 0) -> Uint8Array:
    """A picture with structure at several scales, so that flow can be found everywhere."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(40, 200, (12, 20)), np.ones((15, 16)))
    fine = np.kron(rng.integers(-30, 30, (45, 80)), np.ones((4, 4)))
    grey = np.clip(coarse + fine, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def told(pictures: list[Uint8Array], people: list[Box]) -> dict[str, float]:
    motion = Motion()
    values: tuple[float, ...] = ()
    for index, picture in enumerate(pictures):
        values = motion.see(picture, index * STEP_NS, people)
    return dict(zip(MOTION_NAMES, values, strict=True))


def moved_inside(picture: Uint8Array, shift_px: int) -> Uint8Array:
    """The picture with the inside of BOX shifted to the right."""
    high, wide = picture.shape[:2]
    rows = slice(int(0.2 * high), int(0.8 * high))
    columns = slice(int(0.3 * wide), int(0.7 * wide))
    after = picture.copy()
    after[rows, columns] = np.roll(picture[rows, columns], shift_px, axis=1)
    return after


def test_the_first_picture_says_nothing() -> None:
    assert Motion().see(textured(), 0, []) == ()


def test_a_picture_nobody_looked_at_says_nothing_but_is_remembered() -> None:
    motion = Motion()
    motion.see(textured(), 0, None)
    assert len(motion.see(textured(), STEP_NS, [])) == len(MOTION_NAMES)


def test_pictures_too_far_apart_say_nothing() -> None:
    motion = Motion()
    motion.see(textured(), 0, [])
    assert motion.see(textured(), 5 * STEP_NS, []) == ()


def test_a_camera_that_turns_moves_nothing_but_itself() -> None:
    picture = textured()
    still = told([picture, picture], [BOX])
    turned = told([picture, np.roll(picture, 4, axis=1)], [BOX])
    assert still["all_camera"] == 0.0
    assert turned["all_camera"] > 0.1
    assert turned["person_mean_mean"] < 0.5 * turned["all_camera"]


def test_motion_inside_a_person_is_measured_in_body_heights_a_second() -> None:
    picture = textured()
    values = told([picture, moved_inside(picture, 6)], [BOX])
    # 6 of 180 pixels in 0.1 s are a third of the picture and 0.55 of the body; the flow is lost at the borders.
    assert 0.5 * 0.55 < values["person_mean_mean"] < 1.2 * 0.55
    assert values["people_share"] > 0.6


def test_one_direction_is_less_chaos_than_many() -> None:
    picture = textured()
    straight = told([picture, moved_inside(picture, 6)], [BOX])
    torn = picture.copy()
    torn[36:90] = np.roll(picture[36:90], 6, axis=1)
    torn[90:144] = np.roll(picture[90:144], -6, axis=1)
    assert told([picture, torn], [BOX])["person_mean_chaos"] > straight["person_mean_chaos"] + 0.2


def test_two_people_close_together_are_a_pair_and_far_apart_are_not() -> None:
    picture = textured()
    left = Box(left_frac=0.1, top_frac=0.2, right_frac=0.2, bottom_frac=0.8)
    near = Box(left_frac=0.22, top_frac=0.2, right_frac=0.32, bottom_frac=0.8)
    far = Box(left_frac=0.8, top_frac=0.2, right_frac=0.9, bottom_frac=0.8)
    assert told([picture, picture], [left, near])["pair"] == 1.0
    assert told([picture, picture], [left, far])["pair"] == 0.0


def test_arms_that_move_on_a_body_that_stays_are_told_by_the_upper_half() -> None:
    picture = textured()
    high, wide = picture.shape[:2]
    upper = slice(int(0.2 * high), int(0.4 * high))
    columns = slice(int(0.3 * wide), int(0.7 * wide))
    waved = picture.copy()
    waved[upper, columns] = np.roll(picture[upper, columns], 5, axis=1)
    values = told([picture, waved], [BOX])
    assert values["person_most_rest_upper"] > 2.0 * values["person_most_rest_lower"]


def test_a_body_that_only_moves_on_has_little_rest() -> None:
    picture = textured()
    walked = told([picture, moved_inside(picture, 6)], [BOX])
    assert walked["person_most_rest"] < walked["person_most_mean"]


def test_all_numbers_are_finite_and_bounded() -> None:
    values = told([textured(0), textured(1), textured(2)], [BOX, BOX])
    assert np.isfinite(list(values.values())).all()
    assert max(values.values()) <= 50.0


@pytest.mark.parametrize("size_px", [(1, 1), (2, 2), (1, 192), (320, 1), (320, 5), (8, 8), (11, 40), (640, 2)])
def test_pictures_of_every_size_are_read(size_px: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    values = told([rng.integers(0, 255, (size_px[1], size_px[0], 3), np.uint8) for _ in range(3)], [BOX])
    assert np.isfinite(list(values.values())).all()
