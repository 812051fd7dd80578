"""Points inside, outside and near the border of polygons."""

import math

import pytest

from agent.scene.geometry import distance_to, is_inside

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))


def test_points_inside_outside_and_near_the_border() -> None:
    assert is_inside((0.5, 0.5), SQUARE)
    assert not is_inside((0.9, 0.5), SQUARE)
    assert is_inside((0.5, 0.5), SQUARE[::-1])
    assert distance_to((0.9, 0.5), SQUARE) == pytest.approx(0.1)
    assert distance_to((0.9, 0.9), SQUARE) == pytest.approx(math.hypot(0.1, 0.1))
