"""How figures walk: legs that hardly swing for their pace surprise, legs that swing much do not."""

from dataclasses import replace

import numpy as np

from agent.scene.normality import Knowledge, Normality
from agent.scene.normality.walking import LEAST_FIGURES, Walking
from agent.types import Box, Figure
from tests.scene.normality.test_normality import moving, ns, picture

HERE = Box(left_frac=0.4, top_frac=0.4, right_frac=0.5, bottom_frac=0.6)


def walkers(count: int, seed: int = 1) -> list[Figure]:
    """People whose legs swing the more the faster they go."""
    rng = np.random.default_rng(seed)
    figures = []
    for speed in rng.uniform(0.2, 1.5, count).tolist():
        legs, width = 0.03 * speed * rng.lognormal(0.0, 0.3), 0.4 * speed**0.5 * rng.lognormal(0.0, 0.3)
        trunk, trunk_width = 0.015 * rng.lognormal(0.0, 0.3), 0.2 * rng.lognormal(0.0, 0.3)
        figures.append(Figure(box=HERE, legs=legs, trunk=trunk, legs_width=width, trunk_width=trunk_width, speed=speed))
    return figures


WALKER = Figure(box=HERE, legs=0.03, trunk=0.015, legs_width=0.4, trunk_width=0.2, speed=1.0)
GLIDER = replace(WALKER, legs=0.004, legs_width=0.05)


def taught() -> Walking:
    walking = Walking()
    for figure in walkers(600):
        walking.learn([figure])
    return walking


def test_who_glides_surprises_and_who_walks_or_swings_more_does_not() -> None:
    wild = replace(WALKER, legs=0.1, legs_width=2.0)
    walks, glides, swings = taught().surprise([WALKER, GLIDER, wild]).tolist()
    assert glides > 8.0
    assert walks < 1.0
    assert swings == 0.0


def test_slow_legs_are_usual_of_slow_people() -> None:
    slow = replace(WALKER, speed=0.2, legs=0.006, legs_width=0.18)
    fast = replace(slow, speed=1.5)
    surprise = taught().surprise([slow, fast])
    assert surprise[1] > 5.0 * max(float(surprise[0]), 0.5)


def test_nothing_is_said_before_enough_was_seen() -> None:
    walking = Walking()
    walking.learn(walkers(int(LEAST_FIGURES) - 1))
    assert walking.surprise([GLIDER]).tolist() == [0.0]
    walking.learn(walkers(2))
    assert walking.surprise([GLIDER])[0] > 0.0


def test_what_faded_is_known_less_surely_but_not_otherwise() -> None:
    walking = taught()
    before = float(walking.surprise([GLIDER])[0])
    walking.fade(0.5)
    assert float(walking.surprise([GLIDER])[0]) == before
    walking.fade(0.1)
    assert walking.surprise([GLIDER]).tolist() == [0.0]


def test_surprise_lies_on_the_cells_of_the_figure() -> None:
    cells = taught().on_cells([GLIDER], (48, 80))
    assert cells[24, 36] > 8.0
    assert cells[10, 36] == cells[24, 60] == 0.0


def test_who_glides_among_walkers_is_told_as_gliding() -> None:
    normality = Normality(from_recordings=True)
    people = walkers(1200)
    step = 0.1

    def see(index: int, figures: tuple[Figure, ...]) -> list[str]:
        flow = moving(20, 33, speed=0.02)
        seen = replace(picture(step * index, flow), figures=figures)
        return [
            str(clue.words["variant"])
            for clue in normality.see(seen, (), ns(step * index), calm=True)
            if clue.llr > 4.0
        ]

    for index, figure in enumerate(people):
        normality.measuring = index > 600
        see(index, (figure,))
    normality.settle()
    known = Knowledge.of(normality.knowledge.arrays())
    known.given = True
    normality = Normality(known, learns=False)
    assert not [said for index in range(30) for said in see(index, (people[index],))]
    assert set(see(99, (GLIDER,)) or [said for index in range(31, 60) for said in see(index, (GLIDER,))]) == {"gait"}
