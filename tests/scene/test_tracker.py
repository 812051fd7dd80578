"""Identities over time: gaps, crossings, weak detections, other classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.scene.association import agreement, alike, assign, centred, corners, overlap
from agent.scene.kalman import POSITION, VELOCITY, Noise, born, predict, update
from agent.scene.tracker import Tracker, TrackerSettings
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
