"""What two people do to each other, as numbers."""

import numpy as np
import pytest

from agent.features.kinematics import COLUMNS, FOOT, HEIGHT, KINEMATIC_NAMES, SPEED, VX, WIDTH, X, kinematics
from agent.types import FloatArray


def person(x: float, *, height: float = 0.4, vx: float = 0.0, speed: float = 0.0) -> FloatArray:
    row = np.zeros(len(COLUMNS), np.float32)
    row[[X, FOOT, WIDTH, HEIGHT, VX, SPEED]] = x, 0.8, 0.15, height, vx, speed
    return row


def told(*people: FloatArray, lost: int = 0) -> dict[str, float]:
    rows = np.array(people, np.float32).reshape(-1, len(COLUMNS))
    return dict(zip(KINEMATIC_NAMES, kinematics(rows, lost).tolist(), strict=True))


def test_nobody_is_all_zeros() -> None:
    assert set(told().values()) == {0.0}


def test_who_was_lost_is_told_without_anybody_present() -> None:
    assert told(lost=2)["lost"] == pytest.approx(np.log1p(2))


def test_one_person_has_no_pair() -> None:
    values = told(person(0.5, speed=1.0))
    assert values["closeness"] == values["overlap"] == values["close_pairs"] == 0.0
    assert values["speed_most"] == 1.0


def test_two_who_run_into_each_other_approach() -> None:
    towards = told(person(0.5, vx=0.4), person(0.9, vx=-0.4))
    apart = told(person(0.5, vx=-0.4), person(0.9, vx=0.4))
    assert towards["closest_approach"] == pytest.approx(2.0)
    assert apart["closest_approach"] == pytest.approx(-2.0)


def test_distance_counts_in_body_heights() -> None:
    near = told(person(0.5), person(0.9))
    small = told(person(0.5, height=0.1), person(0.9, height=0.1))
    assert near["closeness"] == pytest.approx(np.exp(-1.0))
    assert small["closeness"] < near["closeness"]


def test_boxes_on_each_other_overlap() -> None:
    assert told(person(0.5), person(0.5))["overlap"] == pytest.approx(1.0)


def test_no_number_is_beyond_bounds() -> None:
    values = kinematics(np.array([person(0.5, speed=1e6), person(0.5, vx=1e9)]), 0)
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 8.0
