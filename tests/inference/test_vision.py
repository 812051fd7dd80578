"""Decoding pictures: which boxes stay, where they lie, and which export is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.schema import Models
from agent.errors import ModelError
from agent.inference.card import load_card
from agent.inference.vision import (
    MOST_BOXES,
    OVERLAP_IOU,
    BoxesAt,
    VisionModel,
    boxes_at,
    decode,
    export_for,
    places_of,
    probe_picture,
)
from tests.inference import tiny
from tests.inference.machines import machine

SIZES = tiny.SIZES_PX


@pytest.fixture
def model(tmp_path) -> VisionModel:
    tiny.save_vision_card(tmp_path)
    return VisionModel(load_card("vision", tmp_path), Models(), machine({}))


def with_bright_column(width: int, height: int, column: int) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, column * width // 16 : (column + 1) * width // 16] = 255
    return picture


def arrays(*rows: tuple[list[float], list[float]]) -> tuple[np.ndarray, BoxesAt]:
    """(scores, box) per place → scores [classes, N], boxes of places."""
    boxes = np.array([row[1] for row in rows], np.float32)
    return np.array([row[0] for row in rows], np.float32).T, boxes.__getitem__


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (320, 180, (320, 192)), (256, 192, (320, 192)), (320, 240, (320, 192)), (192, 108, (320, 192)),
        (320, 320, (320, 320)), (180, 320, (320, 320)), (108, 192, (320, 192)), (416, 234, (416, 416)),
        (640, 480, (416, 416)), (1, 1, (320, 192)), (5000, 1, (416, 416)), (1, 5000, (416, 416)),
    ],
)  # fmt: skip
def test_the_cheapest_export_that_keeps_the_picture_sharp_is_taken(width, height, expected):
    assert export_for(SIZES, width, height) == expected


def test_a_box_found_on_the_canvas_is_told_as_fractions_of_the_picture(model):
    sight = model.look(with_bright_column(320, 180, 4))
    best = sight.detections[0]
    assert best.label == "person"
    # The bright column is a sixteenth of the width; the square covers rows 86 to 106 of the canvas: six are border.
    assert best.box.left_frac == pytest.approx(4 / 16, abs=1e-3)
    assert best.box.right_frac == pytest.approx(5 / 16, abs=1e-3)
    assert (best.box.top_frac, best.box.bottom_frac) == pytest.approx((80 / 180, 100 / 180), abs=1e-3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5000), (5000, 1), (7680, 4320), (320, 180)])
def test_any_size_of_picture_gives_boxes_inside_it_only(model, width, height):
    for detection in model.look(np.full((height, width, 3), 255, np.uint8), min_score_prob=0.01).detections:
        box = detection.box
        assert 0 <= box.left_frac < box.right_frac <= 1
        assert 0 <= box.top_frac < box.bottom_frac <= 1


def test_a_box_on_the_border_beside_the_picture_is_no_find(model):
    class Border:
        """A fit whose picture lies above everything that is found."""

        canvas_width_px, canvas_height_px = 320, 192

        def to_fractions(self, boxes: np.ndarray) -> np.ndarray:
            return np.where([False, True, False, True], 1.0, boxes / 320).astype(np.float32)

    outputs = model.run(np.full((1, 3, 192, 320), 200, np.float32))
    assert model.sight(outputs, Border(), 0.01).detections == ()  # type: ignore[arg-type]


def test_scene_scores_are_calibrated_as_the_card_says(model):
    fire, smoke = model.look(np.full((192, 320, 3), 100, np.uint8)).scene
    assert (fire.label, smoke.label) == ("fire", "smoke")
    assert fire.prob == pytest.approx(1 / (1 + np.exp(-(0.1 * 100 - 8.0))), rel=1e-4)
    assert fire.llr == pytest.approx(0.1 * 100 - 8.0 - np.log(0.01 / 0.99), rel=1e-4)


def test_a_size_may_be_asked_for_and_one_that_does_not_exist_is_refused(model):
    model.look(np.zeros((100, 100, 3), np.uint8), size_px=(416, 416))
    assert [chosen.file for chosen in model.chosen] == ["vision-416x416.int8.onnx"]
    with pytest.raises(ModelError, match="no export of 64×64"):
        model.look(np.zeros((100, 100, 3), np.uint8), size_px=(64, 64))


def test_of_two_boxes_of_one_class_on_one_thing_the_better_stays():
    found = decode(*arrays(([0.6], [0, 0, 10, 10]), ([0.9], [1, 0, 11, 10])), 0.1)
    assert found.boxes.tolist() == [[1, 0, 11, 10]]


def test_boxes_of_two_classes_on_one_place_both_stay():
    found = decode(*arrays(([0.6, 0.0], [0, 0, 10, 10]), ([0.0, 0.9], [0, 0, 10, 10])), 0.1)
    assert found.classes.tolist() == [1, 0]


@pytest.mark.parametrize(("shift", "kept"), [(2.4, 1), (2.6, 2)])
def test_two_people_who_overlap_less_than_the_limit_both_stay(shift, kept):
    assert OVERLAP_IOU == (10 - 2.5) / (10 + 2.5)
    found = decode(*arrays(([0.9], [0, 0, 10, 10]), ([0.8], [shift, 0, shift + 10, 10])), 0.1)
    assert len(found.boxes) == kept


def test_a_box_suppressed_by_a_suppressed_box_stays():
    chain = arrays(([0.9], [0, 0, 10, 10]), ([0.8], [2, 0, 12, 10]), ([0.7], [4, 0, 14, 10]))
    assert decode(*chain, 0.1).boxes[:, 0].tolist() == [0, 4]


@pytest.mark.parametrize(("least", "kept"), [(0.49, 1), (0.5, 1), (0.51, 0)])
def test_the_least_score_is_kept_and_less_is_not(least, kept):
    assert len(decode(*arrays(([0.5], [0, 0, 1, 1])), least).boxes) == kept


def test_each_class_may_have_a_least_score_of_its_own():
    found = decode(*arrays(([0.2, 0.2], [0, 0, 1, 1])), np.array([0.3, 0.1], np.float32))
    assert found.classes.tolist() == [1]


def test_tracking_gets_faint_people_but_no_faint_furniture(model):
    faint = model.look(np.full((192, 320, 3), 60, np.uint8))  # every place: people 0.24, everything else 0.0024
    assert {found.label for found in faint.detections} == {"person"}
    assert len(model.look(np.full((192, 320, 3), 60, np.uint8), min_score_prob=0.002).detections) == MOST_BOXES


def test_no_place_at_all_gives_no_box():
    outputs = {"scores": np.zeros((1, 80, 1275), np.float32), "sides": np.zeros((1, 32, 1275), np.float32)}
    assert len(decode(*places_of(outputs, (320, 192)), 0.01).boxes) == 0


def test_the_sides_of_a_place_are_the_means_of_their_bins_in_strides_around_its_corner():
    sides = np.full((32, 1275), -50.0, np.float32)
    place = 960 + 20 * 3 + 5  # of the second grid, strides of 16: column 5, row 3
    for side, bins in enumerate(((1,), (0, 1), (2,), (7,))):
        sides[[8 * side + one for one in bins], place] = 0.0
    assert boxes_at(sides, (320, 192), np.array([place]))[0] == pytest.approx([80 - 16, 48 - 8, 80 + 32, 48 + 112])


def test_a_canvas_that_no_stride_divides_has_a_place_for_each_begun_cell():
    sides = np.zeros((32, 52 * 52 + 26 * 26 + 13 * 13 + 7 * 7), np.float32)
    last = boxes_at(sides, (416, 416), np.array([sides.shape[1] - 1]))[0]
    assert last == pytest.approx([384 - 3.5 * 64, 384 - 3.5 * 64, 384 + 3.5 * 64, 384 + 3.5 * 64])


@given(st.integers(0, 2**32 - 1))
def test_decoding_keeps_at_most_a_hundred_by_falling_score_and_none_that_overlaps_too_much(seed):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 300, (400, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 60, (400, 2))], axis=1).astype(np.float32)
    found = decode(random.uniform(0, 1, (3, 400)).astype(np.float32), boxes.__getitem__, 0.3)
    assert len(found.boxes) <= MOST_BOXES
    assert (np.diff(found.scores_prob) <= 0).all()
    for index, box in enumerate(found.boxes):
        same = found.boxes[:index][found.classes[:index] == found.classes[index]]
        sides = np.minimum(same[:, 2:], box[2:]) - np.maximum(same[:, :2], box[:2])
        inner = np.prod(np.maximum(sides, 0), axis=1)
        areas = np.prod(same[:, 2:] - same[:, :2], axis=1) + np.prod(box[2:] - box[:2])
        assert (inner / (areas - inner) <= OVERLAP_IOU + 1e-5).all()


def test_the_picture_a_device_is_tried_on_is_the_same_every_time():
    assert np.array_equal(probe_picture(320, 192), probe_picture(320, 192))
    assert probe_picture(320, 192).std() > 20


class Whole:
    """The canvas is the picture."""

    canvas_width_px = canvas_height_px = 100

    def to_fractions(self, boxes: np.ndarray) -> np.ndarray:
        return boxes / 100.0


def found_at(posture: np.ndarray | None) -> dict[str, np.ndarray]:
    """Two places: a person on the left, something else on the right; posture logits where given."""
    scores = np.zeros((1, 2, 3), np.float32)
    scores[0, 0, 0] = scores[0, 1, 1] = 0.9
    boxes = np.array([[[0, 0, 40, 90], [60, 0, 90, 90]]], np.float32)
    outputs = {"scores": scores, "boxes": boxes, "scene": np.zeros((1, 2), np.float32)}
    return outputs if posture is None else outputs | {"posture": posture}


def test_people_have_the_posture_of_their_place_and_things_have_none(model):
    logits = np.array([[[0.0, 1.0, 3.0], [9.0, 0.0, 0.0]]], np.float32)
    someone, thing = model.sight(found_at(logits), Whole(), 0.5).detections  # type: ignore[arg-type]
    assert someone.label == "person"
    assert thing.posture_probs is None
    expected = np.exp([0.0, 1.0, 3.0]) / np.exp([0.0, 1.0, 3.0]).sum()
    assert someone.posture_probs == pytest.approx(expected, abs=1e-4)


def test_a_graph_without_postures_tells_none(model):
    for found in model.sight(found_at(None), Whole(), 0.5).detections:  # type: ignore[arg-type]
        assert found.posture_probs is None
