"""From one picture to the next another place: then nobody has stood, walked or lain here yet."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.features.picture import Prepared, picture_stats
from agent.scene import Policy, Scene
from agent.scene.integrity.cuts import Cuts
from agent.scene.integrity.edges import cells_of
from agent.types import PictureStats
from tests.scene.observe import falling, kinds, seen
from tests.scene.pictures import scribbled

WIDTH, HEIGHT = 160, 90
Picture = NDArray[np.uint8]


def seen_from(number: int, across: int = 0, down: int = 0) -> Picture:
    return scribbled(number, HEIGHT + 40, WIDTH + 40).astype(np.uint8)[down : down + HEIGHT, across : across + WIDTH]


def stats_of(picture: Picture) -> PictureStats:
    return picture_stats(Prepared.of(np.ascontiguousarray(picture)), None)


def cuts_in(pictures: list[Picture]) -> list[int]:
    cuts = Cuts()
    return [index for index, one in enumerate(pictures) if cuts.see(cells_of(stats_of(one).edges))]


def test_a_cut_is_told_by_the_second_picture_of_each_place_however_short_the_one_before_was() -> None:
    assert cuts_in([seen_from(1)] * 5 + [seen_from(2)] * 3 + [seen_from(3)] * 5) == [6, 9]


def soft(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0), np.uint8)


def darker(picture: Picture) -> Picture:
    return (picture * 0.4).astype(np.uint8)


@pytest.mark.parametrize("alter", [darker, lambda _: seen_from(1, 16, 8)])
def test_light_and_a_push_are_no_cuts(alter: Callable[[Picture], Picture]) -> None:
    assert cuts_in([seen_from(1)] * 5 + [alter(seen_from(1))] * 5) == []


def test_what_does_not_stay_is_no_cut() -> None:
    torn = [seen_from(number) for number in range(2, 7)]
    assert cuts_in([seen_from(1)] * 5 + torn) == []


@pytest.mark.parametrize(("places", "opened"), [((1, 2, 3), []), ((1, 2, 2), ["fall"])])
def test_who_goes_down_in_one_place_and_who_lies_in_the_next_are_two(
    places: tuple[int, ...], opened: list[str]
) -> None:
    """The second place is softer than the first, so it might be a hand: sensor integrity waits for the first one."""
    looks = [stats_of(seen_from(1)), *(stats_of(soft(seen_from(number))) for number in places[1:])]
    scene, changes = Scene(Policy(), lateness_ns=0), []
    for step in range(82):
        at_s = step / 10
        stats = looks[0 if at_s < 4.0 else 1 if at_s < 6.3 else 2]
        changes += scene.step(seen(at_s, [falling(at_s, falls_s=6.0)], stats=stats))
    assert [kind for kind in kinds(changes) if kind == "fall"] == opened
