"""Identities over time: gaps, crossings, weak detections, other classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.scene.tracking.association import agreement, alike, assign, centred, corners, overlap
from agent.scene.tracking.camera_motion import common_shift, jump
from agent.scene.tracking.kalman import POSITION, VELOCITY, Noise, born, predict, update
from agent.scene.tracking.score_level import ScoreLevel
from agent.scene.tracking.sightings import MOST_BOXES
from agent.scene.tracking.tracker import Tracker, TrackerSettings
from agent.types import NS_PER_S

Boxes = NDArray[np.float64]


def box(x: float, y: float = 300.0, width: float = 80.0, height: float = 200.0) -> list[float]:
    return [x, y, x + width, y + height]


def step(
    tracker: Tracker,
    at_s: float,
    boxes: list[list[float]],
    scores: list[float] | None = None,
    groups: list[int] | None = None,
) -> list[int]:
    count = len(boxes)
    ids = tracker.step(
        round(at_s * NS_PER_S),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array([0.9] * count if scores is None else scores),
        np.array([0] * count if groups is None else groups, np.int64),
    )
    return [int(one) for one in ids]


def test_the_very_first_picture_names_everybody_and_later_ones_wait_for_a_second_sighting() -> None:
    tracker = Tracker()
    assert step(tracker, 0.0, [box(0), box(500)]) == [1, 2]
    assert step(tracker, 0.03, [box(2), box(502), box(900)]) == [1, 2, 0]
    assert step(tracker, 0.06, [box(4), box(504), box(902)]) == [1, 2, 3]


def test_a_false_alarm_in_one_picture_never_becomes_an_identity() -> None:
    tracker = Tracker()
    step(tracker, 0.0, [box(0)])
    assert step(tracker, 0.03, [box(0), box(900)]) == [1, 0]
    for k in range(2, 60):
        step(tracker, k * 0.03, [box(0)])
    assert step(tracker, 2.0, [box(0), box(900)]) == [1, 0]


def test_a_walk_goes_on_behind_a_pillar() -> None:
    tracker = Tracker()
    for k in range(30):
        step(tracker, k / 30, [box(10.0 * k)])
    for k in range(30, 50):
        step(tracker, k / 30, [])
    assert step(tracker, 50 / 30, [box(500.0)]) == [1]


def test_irregular_times_are_the_same_walk() -> None:
    tracker = Tracker()
    times = [0.0, 0.03, 0.2, 0.21, 0.5, 0.6, 0.95, 1.0, 1.4]
    assert {step(tracker, t, [box(150 * t)])[0] for t in times} == {1}


def test_who_is_lost_for_too_long_is_somebody_new() -> None:
    tracker = Tracker(TrackerSettings(lost_s=1.0))
    for k in range(10):
        step(tracker, k / 10, [box(0), box(600)])
    for k in range(10, 25):
        step(tracker, k / 10, [box(600)])
    assert step(tracker, 2.5, [box(0), box(600)]) == [0, 2]
    assert step(tracker, 2.6, [box(0), box(600)]) == [3, 2]


def test_everybody_survives_a_short_loss_of_the_source_but_not_a_long_one() -> None:
    def found_after(gap_s: float) -> int:
        tracker = Tracker(TrackerSettings(lost_s=1.0))
        for k in range(10):
            step(tracker, k / 10, [box(0)])
        return step(tracker, 0.9 + gap_s, [box(0)])[0]

    assert [found_after(gap_s) for gap_s in (0.5, 2.9, 3.1)] == [1, 1, 0]


def test_weak_detections_carry_a_known_object_only() -> None:
    tracker = Tracker()
    step(tracker, 0.0, [box(0)])
    for k in range(1, 20):
        assert step(tracker, k / 30, [box(2.0 * k), box(800)], [0.2, 0.2]) == [1, 0]


def test_detections_of_another_group_do_not_continue_a_track() -> None:
    tracker = Tracker()
    step(tracker, 0.0, [box(0)], groups=[0])
    assert step(tracker, 0.03, [box(0)], groups=[1]) == [0]
    assert step(tracker, 0.06, [box(0), box(0)], groups=[1, 0]) == [2, 1]


def test_two_who_cross_keep_their_identities() -> None:
    tracker = Tracker()
    for k in range(60):
        left, right = 100 + 8.0 * k, 580 - 8.0 * k
        ids = step(tracker, k / 30, [box(left), box(right, 290, 85, 210)])
        assert ids == [1, 2]


def test_boxes_without_a_size_and_empty_pictures_do_no_harm() -> None:
    tracker = Tracker()
    assert step(tracker, 0.0, []) == []
    assert step(tracker, 0.1, [[5, 5, 5, 9], [9, 9, 5, 5]]) == [0, 0]
    assert step(tracker, 0.2, [box(0)]) == [0]


def test_a_still_picture_holds_everybody_in_place() -> None:
    tracker = Tracker(TrackerSettings(lost_s=1.0))
    for k in range(10):
        step(tracker, k / 10, [box(10.0 * k)])
    for k in range(10, 100):
        tracker.stand_still(round(k / 10 * NS_PER_S))
    assert step(tracker, 10.0, [box(90.0)]) == [1]


def test_time_that_does_not_advance_does_no_harm() -> None:
    tracker = Tracker()
    assert step(tracker, 1.0, [box(0)]) == [1]
    assert step(tracker, 1.0, [box(0)]) == [1]
    assert step(tracker, 0.5, [box(1)]) == [1]
    assert np.isfinite(tracker.boxes).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_identities_are_unique_in_a_picture_and_never_reused_while_alive(data: st.DataObject) -> None:
    tracker = Tracker()
    highest = 0
    for k in range(data.draw(st.integers(1, 12))):
        places = data.draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=6))
        scores = [data.draw(st.sampled_from([0.05, 0.3, 0.65, 0.9])) for _ in places]
        ids = step(tracker, k / 10, [box(40.0 * x, 60.0 * y) for x, y in places], scores)
        known = [one for one in ids if one]
        assert len(set(known)) == len(known)
        alive = tracker.ids.tolist()
        assert len(set(alive)) == len(alive)
        newborn = [one for one in alive if one > highest]
        assert newborn == sorted(newborn)
        highest = max([highest, *alive])


coordinate = st.one_of(
    st.floats(-100.0, 2000.0), st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0, 1e300, -1e12])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(coordinate, min_size=4, max_size=4), st.floats(0.0, 1.0)), max_size=6))
def test_boxes_that_are_not_boxes_get_no_identity_and_disturb_nobody(wrong: list[tuple[list[float], float]]) -> None:
    tracker = Tracker()
    step(tracker, 0.0, [box(3000)])
    strange = [corner for corner, _ in wrong]
    for k in range(1, 4):
        ids = step(tracker, k / 10, [*strange, box(3000)], [*(score for _, score in wrong), 0.9])
        assert ids[-1] == 1
        for (left, top, right, bottom), one in zip(strange, ids, strict=False):
            assert one == 0 or (right > left and bottom > top)
        assert np.isfinite(tracker.boxes).all()
        assert np.isfinite(tracker.velocities).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_order_of_detections_within_a_picture_does_not_matter(data: st.DataObject) -> None:
    one, other = Tracker(), Tracker()
    for k in range(data.draw(st.integers(1, 8))):
        places = data.draw(
            st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4), st.integers(0, 1)), max_size=8, unique=True)
        )
        boxes = [box(30.0 * x, 50.0 * y) for x, y, _ in places]
        scores = [data.draw(st.sampled_from([0.2, 0.65, 0.8, 0.9])) for _ in places]
        groups = [group for _, _, group in places]
        order = data.draw(st.permutations(range(len(places))))
        plain = step(one, k / 10, boxes, scores, groups)
        mixed = step(other, k / 10, [boxes[i] for i in order], [scores[i] for i in order], [groups[i] for i in order])
        assert mixed == [plain[i] for i in order]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-86400.0, -3.0, -0.1, 0.0, 0.02, 0.1, 0.5, 2.0, 5.0, 1e6]), min_size=1, max_size=12))
def test_jumps_of_the_clock_do_no_harm(jumps: list[float]) -> None:
    tracker, at_s, highest, before = Tracker(), 1e6, 0, list[int]()
    for jump_s in jumps:
        at_s += jump_s
        ids = step(tracker, at_s, [box(100), box(700)])
        alive = tracker.ids.tolist()
        assert [one for one in alive if one > highest] == [one for one in alive if one not in before]
        before, highest = alive, max([highest, *alive])
        assert np.isfinite(tracker.boxes).all()
        assert (tracker.seen_ns <= round(at_s * NS_PER_S)).all()
        assert len(tracker.ids) <= 4
    for k in range(1, 4):
        ids = step(tracker, at_s + k / 10, [box(100), box(700)])
    assert all(ids)


def test_a_clock_that_is_set_back_costs_no_identity_and_keeps_nobody_for_longer() -> None:
    tracker = Tracker(TrackerSettings(lost_s=1.0))
    for k in range(10):
        step(tracker, 5000 + k / 10, [box(0), box(600)])
    assert step(tracker, 10.0, [box(0)]) == [1]
    for k in range(1, 20):
        assert step(tracker, 10 + k / 10, [box(0)]) == [1]
    assert tracker.ids.tolist() == [1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=20, max_size=60))
def test_who_walks_on_keeps_the_identity_whichever_pictures_are_dropped(kept: list[bool]) -> None:
    tracker = Tracker()
    step(tracker, 0.0, [box(0)])
    step(tracker, 0.05, [box(4)])
    for k, seen in enumerate(kept, start=2):
        if seen or k % 8 == 0:
            assert step(tracker, k / 20, [box(4.0 * k)]) == [1]


def test_thousands_of_boxes_are_bounded_to_the_surest() -> None:
    tracker = Tracker()
    boxes = [box(100.0 * (k % 60), 250.0 * (k // 60)) for k in range(3000)]
    scores = [0.9 - k * 1e-5 for k in range(3000)]
    for k in range(3):
        ids = step(tracker, k / 10, boxes, scores)
    assert ids == [*range(1, MOST_BOXES + 1), *[0] * (3000 - MOST_BOXES)]


def crowd(count: int, by: tuple[float, float] = (0.0, 0.0)) -> list[list[float]]:
    return [box(150.0 * k + 12.0 * k * k + by[0], 300.0 + 60.0 * (k % 3) + by[1]) for k in range(count)]


def test_a_camera_that_is_bumped_into_costs_no_identity() -> None:
    tracker = Tracker()
    for k in range(10):
        step(tracker, k / 10, crowd(6))
    assert step(tracker, 1.0, crowd(6, (110.0, 40.0))) == [1, 2, 3, 4, 5, 6]
    assert step(tracker, 1.1, crowd(6, (110.0, 40.0))) == [1, 2, 3, 4, 5, 6]


def test_who_is_hidden_while_the_camera_pans_moves_along() -> None:
    def found_after(pan: float) -> int:
        tracker = Tracker()
        for k in range(20):
            step(tracker, k / 20, crowd(6))
        for k in range(20):
            step(tracker, 1 + k / 20, crowd(5, (pan * (k + 1), 0.0)))
        return step(tracker, 2.0, crowd(6, (pan * 21, 0.0)))[5]

    assert [found_after(0.0), found_after(12.0)] == [6, 6]


def test_people_who_scatter_are_not_the_camera() -> None:
    apart = np.array([[20.0, 3.0], [-18.0, -2.0], [15.0, -20.0], [-22.0, 18.0], [1.0, 2.0], [4.0, -5.0]])
    assert not common_shift(apart, 2.0).any()
    assert common_shift([10.0, -4.0] + 0.02 * apart, 2.0) == pytest.approx([10.0, -4.0], abs=0.5)
    assert jump(centred(np.array(crowd(6))), centred(np.array(crowd(6, (90.0, 0.0))))) == pytest.approx([90.0, 0.0])
    elsewhere = np.array([box(90.0 * k, 200.0 * k) for k in range(6)])
    assert jump(centred(np.array(crowd(6))), centred(elsewhere)) is None


def test_a_detector_that_is_never_very_sure_is_followed_as_well() -> None:
    def followed(score: float, settings: TrackerSettings) -> int:
        tracker, count = Tracker(settings), 0
        for k in range(40):
            count += sum(1 for one in step(tracker, k / 10, crowd(3, (3.0 * k, 0.0)), [score] * 3) if one)
        return count

    assert followed(0.9, TrackerSettings()) == followed(0.9, TrackerSettings(sure_prob=0.0)) == 120
    assert followed(0.55, TrackerSettings()) > 85
    assert followed(0.55, TrackerSettings(sure_prob=0.0)) == 0
    assert followed(0.2, TrackerSettings()) == 0


def test_one_bad_picture_does_not_lower_the_thresholds() -> None:
    level = ScoreLevel(0.85)
    for _ in range(30):
        assert level.learn(np.full(5, 0.93), 0.1) == 1.0
    assert level.learn(np.full(5, 0.3), 0.1) == 1.0
    for _ in range(600):
        scale = level.learn(np.full(5, 0.6), 0.1)
    assert 0.4 < scale < 0.6
    assert level.learn(np.zeros(0), 1e6) == 1.0


RED, BLUE = [1.0, 0.1, 0.0], [0.0, 0.1, 1.0]


def step_with_looks(tracker: Tracker, at_s: float, boxes: list[list[float]], looks: list[list[float]]) -> list[int]:
    ids = tracker.step(
        round(at_s * NS_PER_S), np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9),
        np.zeros(len(boxes), np.int64), np.array(looks).reshape(len(boxes), -1 if looks else 3),
    )  # fmt: skip
    return [int(one) for one in ids]


def test_who_looks_different_is_somebody_else_in_the_same_place() -> None:
    tracker = Tracker()
    for k in range(5):
        step_with_looks(tracker, k / 10, [box(0)], [RED])
    assert [step_with_looks(tracker, 0.5 + k / 10, [box(0)], [BLUE]) for k in range(3)] == [[0], [2], [2]]


def test_two_who_pass_each_other_unseen_are_told_apart_by_their_looks() -> None:
    def after(looks: bool) -> list[int]:
        tracker = Tracker()
        red, blue = (RED, BLUE) if looks else ([0.0] * 3, [0.0] * 3)
        for k in range(10):
            step_with_looks(tracker, k / 10, [box(0), box(150)], [red, blue])
        return step_with_looks(tracker, 1.8, [box(150), box(0)], [red, blue])

    assert (after(looks=True), after(looks=False)) == ([1, 2], [2, 1])


def test_who_comes_back_elsewhere_is_known_by_the_looks_if_it_can_be_reached() -> None:
    def found_at(x: float) -> int:
        tracker = Tracker()
        for k in range(10):
            step_with_looks(tracker, k / 10, [box(0)], [RED])
        step_with_looks(tracker, 1.5, [], [])
        return step_with_looks(tracker, 1.7, [box(x)], [RED])[0]

    assert [found_at(x) for x in (300.0, 3000.0)] == [1, 0]


def test_looks_that_are_unknown_or_broken_say_nothing() -> None:
    plain, other = Tracker(), Tracker()
    for k in range(10):
        boxes = [box(5.0 * k), box(400.0 - 5.0 * k)]
        nothing = [[0.0, 0.0, 0.0], [float("nan"), 1.0, float("inf")]]
        assert step_with_looks(other, k / 10, boxes, nothing) == step(plain, k / 10, boxes)
    assert step_with_looks(other, 1.0, [box(45), box(355)], [[1.0, 0.0], [0.0, 1.0]]) == [1, 2]


def test_the_filter_learns_a_constant_velocity_and_predicts_with_it() -> None:
    noise = Noise()
    state = born(np.array([[0.0, 0.0, 40.0, 100.0]]), noise)
    for k in range(1, 40):
        predict(state, 0.1, noise)
        state = update(state, np.array([[5.0 * k, -2.0 * k, 40.0, 100.0]]), noise)
    assert state[0, VELOCITY][:2] == pytest.approx([50.0, -20.0], rel=0.05)
    predict(state, 1.0, noise)
    assert state[0, POSITION][:2] == pytest.approx([245.0, -98.0], rel=0.05)


def test_one_long_prediction_is_as_many_short_ones() -> None:
    noise = Noise()
    long = born(np.array([[10.0, 20.0, 40.0, 100.0]]), noise)
    long[:, VELOCITY] = [30.0, -5.0, 0.0, 0.0]
    short = long.copy()
    predict(long, 1.0, noise)
    for _ in range(10):
        predict(short, 0.1, noise)
    assert short == pytest.approx(long, rel=1e-6)


def test_overlap_of_equal_half_and_apart() -> None:
    first = np.array([box(0.0)])
    others = np.array([box(0.0), box(40.0), box(80.0), box(500.0)])
    assert overlap(first, others)[0] == pytest.approx([1.0, 1 / 3, 0.0, 0.0])


def test_height_tells_people_apart_who_stand_in_line() -> None:
    first = np.array([box(0.0)])
    assert alike(first, np.array([box(300.0), box(0.0, 300.0, 80.0, 100.0)]))[0] == pytest.approx([1.0, 0.5])


def test_corners_and_centres_are_each_others_inverse() -> None:
    boxes = np.array([[1.0, 2.0, 5.0, 10.0], [0.0, 0.0, 1.0, 1.0]])
    assert corners(centred(boxes)) == pytest.approx(boxes)


def test_agreement_of_straight_on_sideways_and_back() -> None:
    heading, origin = np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2))
    targets = np.array([[5.0, 0.0], [0.0, 5.0], [-5.0, 0.0]])
    straight, unknown = agreement(heading, origin, targets)
    assert straight == pytest.approx([1.0, 0.0, -1.0])
    assert unknown == pytest.approx([0.0, 0.0, 0.0])


def test_assignment_takes_the_best_total_and_only_allowed_pairs() -> None:
    gain = np.array([[0.9, 0.8], [0.85, 0.1]])
    rows, columns = assign(gain, np.ones((2, 2), bool))
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {0: 1, 1: 0}
    rows, columns = assign(gain, np.array([[True, False], [False, False]]))
    assert (rows.tolist(), columns.tolist()) == ([0], [0])
    assert assign(gain, np.zeros((2, 2), bool))[0].size == 0
