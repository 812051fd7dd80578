"""Where to look closer: what moves unexplained, in turns, so many times a second, from pictures and times alone."""

from itertools import pairwise

import numpy as np
import pytest

from agent.features.regions import Regions
from agent.types import NS_PER_S, Box

SIZE_FRAC = (0.4, 0.43)
STEP_NS = NS_PER_S // 10


def with_things(*places: tuple[int, int]) -> np.ndarray:
    """A noisy yard of 320×180 with things of 8×17 pixels at these places (left, top)."""
    grey = np.random.default_rng(places[0][0] if places else 0).integers(95, 105, (180, 320)).astype(np.uint8)
    for left, top in places:
        grey[top : top + 17, left : left + 8] = 200
    return grey


def looks(pictures, looks_per_s=4.0, explained=(), known=()):
    """(index of the picture, corners) of all looks."""
    regions, found = Regions(looks_per_s), []
    for index, grey in enumerate(pictures):
        regions.note(grey, index * STEP_NS)
        corners = regions.next(explained, known, SIZE_FRAC)
        if corners is not None:
            found.append((index, corners))
    return found


def holds(corners, x_px, y_px):
    left, top, right, bottom = corners
    return left < x_px / 320 < right and top < y_px / 180 < bottom


def test_what_moves_is_looked_at_where_it_is_and_not_at_the_edge_of_the_part():
    found = looks([with_things((100 + 3 * n, 60)) for n in range(30)])
    assert found
    for index, (left, top, right, bottom) in found:
        assert (right - left, bottom - top) == pytest.approx(SIZE_FRAC)
        assert holds((left + 0.05, top + 0.05, right - 0.05, bottom - 0.05), 104 + 3 * index, 68)


def test_parts_stay_within_the_picture():
    found = looks([with_things((2, 2), (300, 2 + n)) for n in range(40)])
    assert found
    assert all(min(corners) >= 0.0 and max(corners) <= 1.0 + 1e-9 for _, corners in found)


def test_a_still_picture_is_looked_at_nowhere():
    assert looks([with_things((100, 60))] * 50) == []


@pytest.mark.parametrize("looks_per_s", [1.0, 2.0, 4.0, 5.0])
def test_there_are_so_many_looks_a_second_and_no_more(looks_per_s):
    found = looks([with_things((20 + 2 * n, 60)) for n in range(100)], looks_per_s)
    assert len(found) == pytest.approx(10 * looks_per_s, abs=2)
    for start in range(90):
        assert sum(start <= index < start + 10 for index, _ in found) <= looks_per_s + 1


def test_two_things_far_apart_take_turns():
    found = [corners for _, corners in looks([with_things((30 + n, 20), (280 - n, 140)) for n in range(50)])]
    first = [holds(corners, 60, 30) for corners in found]
    second = [holds(corners, 260, 150) for corners in found]
    assert sum(first) == pytest.approx(sum(second), abs=2)
    assert all(a or b for a, b in zip(first, second, strict=True))
    assert not any(a and again for a, again in pairwise(first[1:]))


def test_what_a_known_thing_explains_needs_no_look():
    box = Box(left_frac=0.2, top_frac=0.2, right_frac=0.8, bottom_frac=0.8)
    assert looks([with_things((120 + n, 80)) for n in range(40)], explained=[box]) == []


def test_a_known_small_thing_is_looked_at_again_though_it_stands():
    box = Box(left_frac=0.8, top_frac=0.7, right_frac=0.82, bottom_frac=0.8)
    found = looks([with_things((100, 60))] * 20, known=[box])
    assert len(found) == pytest.approx(8, abs=1)
    assert all(holds(corners, 259, 135) for _, corners in found)


def test_light_that_changes_the_whole_picture_is_no_thing():
    assert looks([np.full((180, 320), 60 + 3 * n, np.uint8) for n in range(40)]) == []


def test_the_same_pictures_and_times_give_the_same_looks():
    pictures = [with_things((30 + n, 20), (280 - 2 * n, 140)) for n in range(50)]
    assert looks(pictures) == looks(pictures)


def test_time_that_runs_backwards_begins_anew():
    regions = Regions(4.0)
    regions.note(with_things((10, 10)), 100 * NS_PER_S)
    regions.note(with_things((200, 100)), 0)
    assert regions.next((), (), SIZE_FRAC) is None
    regions.note(with_things((230, 100)), STEP_NS)
    assert regions.next((), (), SIZE_FRAC) is not None
