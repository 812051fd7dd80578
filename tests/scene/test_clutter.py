"""What detectors keep taking for somebody: known after a while, never on who is followed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.scene.clutter import MEMORY_S, SURER, Clutter
from agent.scene.following import Following
from tests.scene.observe import ns, person, seen

Floats = NDArray[np.float64]

CHAIR = np.array([[1.0, 0.4, 1.2, 0.6]])
NOBODY = np.zeros((0, 4))
WEAK = np.array([0.2])


def after(seconds: float, boxes: Floats = CHAIR, scores: Floats = WEAK, people: Floats = NOBODY) -> Clutter:
    clutter = Clutter()
    for step in range(round(seconds * 10) + 1):
        clutter.learn(ns(step / 10), boxes, scores, people)
    return clutter


def test_a_box_that_stays_at_its_place_is_usual_after_a_while() -> None:
    assert not after(1.0).usual(CHAIR, WEAK).any()
    assert after(2.0).usual(CHAIR, WEAK).all()


def test_a_part_of_what_is_usual_is_usual_too() -> None:
    assert after(2.0).usual(np.array([[1.0, 0.5, 1.2, 0.6]]), WEAK).all()


def test_who_lies_over_what_is_usual_is_seen_better_than_it() -> None:
    assert not after(2.0).usual(CHAIR, WEAK * SURER * 1.1).any()


def test_boxes_around_somebody_who_is_followed_are_theirs() -> None:
    assert not after(5.0, people=CHAIR + 0.01).usual(CHAIR, WEAK).any()


def test_what_is_no_longer_there_is_forgotten() -> None:
    clutter = after(5.0)
    for step in range(51, 51 + round(MEMORY_S * 10)):
        clutter.learn(ns(step / 10), NOBODY, np.zeros(0), NOBODY)
    assert not clutter.usual(CHAIR, WEAK).any()


def test_what_somebody_stands_before_is_hidden_and_not_gone() -> None:
    clutter = after(3.0)
    for step in range(31, 31 + round(MEMORY_S * 20)):
        clutter.learn(ns(step / 10), NOBODY, np.zeros(0), CHAIR + 0.01)
    assert clutter.usual(CHAIR, WEAK).all()


def test_after_a_cut_nothing_is_usual() -> None:
    clutter = after(5.0)
    clutter.forget()
    assert not clutter.usual(CHAIR, WEAK).any()


def test_a_crowd_in_front_of_a_busy_wall_leaves_no_growing_memory() -> None:
    rng = np.random.default_rng(7)
    clutter = Clutter()
    people = CHAIR + 0.05
    for step in range(600):
        corner = rng.uniform(0.9, 1.1, (8, 2)) * [1.0, 0.45]
        found = np.hstack([corner, corner + rng.uniform(0.1, 0.3, (8, 2))])
        clutter.learn(ns(step / 10), found, np.full(8, 0.1), people)
    assert clutter.places < 8 * 10 * 5


coordinates = st.floats(0.0, 1.0)
boxes = st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=6).map(
    lambda rows: np.array([(x, y, x + 0.01 + w, y + 0.01 + h) for x, y, w, h in rows], np.float64).reshape(-1, 4)
)


@given(pictures=st.lists(boxes, max_size=12), asked=boxes)
def test_nothing_is_usual_within_the_first_second_whatever_is_seen(pictures: list[Floats], asked: Floats) -> None:
    clutter = Clutter()
    for step, found in enumerate(pictures):
        clutter.learn(ns(step / 12), found, np.full(len(found), 0.2), NOBODY)
    assert not clutter.usual(asked, np.full(len(asked), 0.1)).any()


@given(pictures=st.lists(boxes, min_size=1, max_size=30))
def test_a_clock_that_is_set_back_harms_nothing(pictures: list[Floats]) -> None:
    clutter = Clutter()
    for step, found in enumerate(pictures):
        clutter.learn(ns(1.0 - (step % 3) / 10), found, np.full(len(found), 0.2), NOBODY)
        assert clutter.usual(found, np.full(len(found), 0.2)).shape == (len(found),)


def test_a_track_does_not_stay_behind_on_a_chair_that_was_there_before() -> None:
    """Somebody walks past a chair that looks a little like a person who lies there, and out of sight behind it."""
    following = Following()
    chair = person(0.49, 0.8, height=0.3, ratio=0.9, prob=0.2)
    for step in range(40):
        walker = person(0.2 + 0.01 * step, 0.8, height=0.4, prob=0.6)
        following.see(seen(step / 10, [walker, chair] if step < 30 else [chair]))
    (followed,) = following.known.values()
    assert followed.box.height_frac > 0.35
    assert ns(3.9) - followed.seen_ns >= ns(0.9)


def test_who_falls_where_nothing_was_is_followed_down() -> None:
    following = Following()
    for step in range(40):
        lying = person(0.5, 0.8, height=0.16, ratio=1.6, prob=0.2)
        falling = person(0.5, 0.8, height=0.28, ratio=0.8, prob=0.25)
        standing = person(0.5, 0.8, height=0.4, prob=0.6)
        following.see(seen(step / 10, [standing if step < 30 else falling if step < 32 else lying]))
    (followed,) = following.known.values()
    assert followed.body.lying_since_ns is not None
    assert followed.seen_ns == ns(3.9)
