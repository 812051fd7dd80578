"""The usual level of sound at a place is learned."""

import pytest

from agent.scene.hearing import Background


def test_the_usual_level_is_learned_and_a_bang_hardly_moves_it() -> None:
    background = Background()
    for _ in range(60):
        background.learn(-60.0, 0.5)
    background.learn(-10.0, 0.5)
    assert background.is_known
    assert background.level_dbfs == pytest.approx(-60.0, abs=0.5)
    assert background.over_db(-30.0) == pytest.approx(30.0, abs=1.0)


def test_the_usual_level_of_a_street_that_got_louder_is_learned_again() -> None:
    background = Background()
    for level in [-60.0] * 120 + [-30.0] * 1200:
        background.learn(level, 0.5)
    assert background.level_dbfs == pytest.approx(-30.0, abs=1.0)
