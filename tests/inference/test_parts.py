"""A still in parts: where each lies, which boxes it may speak for, and what stays of all together."""

import numpy as np
import pytest

from agent.inference.card import load_card
from agent.inference.parts import CUT_FRAC, PART_FRAC, SMALL_FRAC, joined, parts_of
from agent.inference.stills import look_closely
from agent.inference.vision import MOST_BOXES, Sight, box_of
from agent.types import Detection
from tests.inference import tiny


class Keen:
    """A model that finds all that is bright as one person, if it fills a hundredth of what it is shown."""

    def __init__(self, folder):
        tiny.save_vision_card(folder)
        self.card = load_card("vision", folder)

    def look(self, picture, **_):
        rows, columns = np.nonzero(picture[:, :, 0])
        if len(rows) < 0.01 * picture[:, :, 0].size:
            return Sight((), ())
        height, width = picture.shape[:2]
        corners = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        box = box_of(*map(float, corners))
        score = float(len(rows) / picture[:, :, 0].size)
        return Sight((Detection(label="person", score_prob=score, box=box),), ())


def shown_with(left, top, right, bottom):
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[top:bottom, left:right] = 255
    return picture


@pytest.mark.parametrize(("width", "height"), [(640, 480), (101, 33), (1, 1), (5000, 1)])
def test_parts_lie_where_their_corners_say_and_cover_the_whole_picture(width, height):
    shown = np.arange(height * width, dtype=np.uint32).view(np.uint8).reshape(height, width, 4)[:, :, :3]
    parts = list(parts_of(shown))
    assert len(parts) == 5
    assert parts[0].picture is shown
    covered = np.zeros((height, width), bool)
    for part in parts[1:]:
        left, top, right, bottom = np.round(np.array(part.corners_frac) * (width, height, width, height)).astype(int)
        assert np.array_equal(part.picture, shown[top:bottom, left:right])
        covered[top:bottom, left:right] = True
    assert covered.all()


def test_a_box_of_a_part_is_told_in_fractions_of_the_picture():
    part = list(parts_of(shown_with(0, 0, 1, 1)))[4]
    told = part.to_whole(np.array([[0, 0, 1, 1], [0.5, 0.5, 1, 1]], np.float32))
    assert told == pytest.approx(np.array([[0.4, 0.4, 1, 1], [0.7, 0.7, 1, 1]], np.float32))


def test_a_part_does_not_speak_for_what_its_inner_edges_may_cut():
    upper_left = list(parts_of(shown_with(0, 0, 1, 1)))[1]
    near, far = CUT_FRAC / 2, CUT_FRAC * 2
    boxes = [[0, 0, 0.2, 0.5], [0.8, 0, 1 - near, 0.5], [0.8, 0, 1 - far, 0.5], [0, 0.8, 0.5, 1 - near]]
    assert upper_left.holds(np.array(boxes, np.float32)).tolist() == [True, False, True, False]


def test_a_part_does_not_speak_for_what_is_large():
    part = list(parts_of(shown_with(0, 0, 1, 1)))[1]
    side = np.sqrt(SMALL_FRAC) / PART_FRAC
    boxes = [[0.1, 0.1, 0.1 + 0.95 * side, 0.1 + side], [0.1, 0.1, 0.1 + 1.05 * side, 0.1 + side]]
    assert part.holds(np.array(boxes, np.float32)).tolist() == [True, False]


def test_the_whole_picture_speaks_for_every_box():
    whole = next(parts_of(shown_with(0, 0, 1, 1)))
    assert whole.holds(np.array([[0, 0, 1, 1]], np.float32)).all()


def test_no_part_with_a_box_is_no_box():
    assert len(joined(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.intp))) == 0


def test_of_one_thing_seen_twice_the_surer_box_stays_and_at_most_a_hundred_by_falling_score():
    twice = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.48], [0.6, 0.6, 1, 1]], np.float32)
    assert joined(twice, np.array([0.4, 0.6, 0.9], np.float32), np.zeros(3, np.intp)).tolist() == [2, 1]
    row = np.arange(120, dtype=np.float32)[:, None]
    apart = np.concatenate([row, row * 0, row + 0.5, row * 0 + 1], 1)
    kept = joined(apart, np.linspace(0.1, 0.9, 120, dtype=np.float32), np.zeros(120, np.intp))
    assert kept.tolist() == list(range(119, 119 - MOST_BOXES, -1))


def test_what_is_too_small_for_the_whole_picture_is_found_in_a_part_and_told_once(tmp_path):
    found = look_closely(Keen(tmp_path), shown_with(500, 400, 540, 440))
    assert len(found) == 1
    box = found[0].box
    corners = (box.left_frac, box.top_frac, box.right_frac, box.bottom_frac)
    assert corners == pytest.approx((500 / 640, 400 / 480, 540 / 640, 440 / 480), abs=1e-6)


def test_what_every_part_cuts_is_told_by_the_whole_picture_alone(tmp_path):
    margin = 1 - PART_FRAC
    left, right = int(640 * (margin - 0.1)), int(640 * (PART_FRAC + 0.1))
    found = look_closely(Keen(tmp_path), shown_with(left, 100, right, 130))
    assert [(one.box.left_frac, one.box.right_frac) for one in found] == [pytest.approx((left / 640, right / 640))]
