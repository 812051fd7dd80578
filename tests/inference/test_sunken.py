"""Who is looked at closer after they stood, when, where, and what comes of it."""

import numpy as np

from agent.inference.sunken import KEEP_S, LOOKS_PER_S, SunkenLooks
from agent.inference.vision import Sight, box_of
from agent.types import NS_PER_S, Box, Detection, Frame

WIDTH_PX, HEIGHT_PX = 320, 180
LYING = (0.01, 0.02, 0.97)


class Shows:
    """A model that always finds the same in what it is given, and keeps the pictures."""

    smallest_px = (320, 192)

    def __init__(self, *found: Detection) -> None:
        self.found, self.pictures = found, []

    def look(self, picture, **_):
        self.pictures.append(picture)
        return Sight(self.found, ())


def frame(step: int) -> Frame:
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    return Frame(camera="c", at_ns=step * NS_PER_S // 10, picture=picture, width_px=WIDTH_PX, height_px=HEIGHT_PX)


def person(left: float, top: float, right: float, bottom: float, prob: float = 0.7) -> Detection:
    return Detection(label="person", score_prob=prob, box=box_of(left, top, right, bottom))


STANDS = person(0.4, 0.2, 0.5, 0.7)
BENDS = person(0.4, 0.35, 0.52, 0.7, 0.4)
LIES = person(0.36, 0.55, 0.6, 0.72, 0.15)


def looks(model, *shown) -> list[Box | None]:
    """Where somebody was looked at in each of some pictures, which show these people."""
    closer = SunkenLooks(model)
    found = (closer.see(frame(step), detections) for step, detections in enumerate(shown))
    return [one.box if one is not None else None for one in found]


def test_nobody_is_looked_at_who_stands_or_was_never_seen_standing() -> None:
    assert looks(Shows(), *[[STANDS]] * 20) == [None] * 20
    assert looks(Shows(), *[[LIES]] * 20) == [None] * 20


def test_who_goes_down_is_looked_at_some_times_a_second() -> None:
    where = looks(Shows(), *[[STANDS]] * 5, [BENDS], *[[LIES]] * 20)
    assert where[5] == BENDS.box
    assert set(where[6:]) == {LIES.box, None}
    assert 0.2 * 20 <= sum(box is not None for box in where[6:]) <= LOOKS_PER_S * 20 / 10


def test_who_is_lost_is_looked_at_where_they_were_and_not_for_ever() -> None:
    where = looks(Shows(), [STANDS], [BENDS], [LIES], *[[]] * round(KEEP_S * 10 + 10))
    assert [box for box in where[3:] if box]
    assert set(where[3:]) <= {LIES.box, None}
    assert set(where[-20:]) == {None}


def test_who_stands_up_again_is_left_alone() -> None:
    where = looks(Shows(), [STANDS], [BENDS], [BENDS], [STANDS], *[[STANDS]] * 10)
    assert set(where[3:]) == {None}


def test_who_walks_away_and_shrinks_is_left_alone() -> None:
    steps = [person(0.4, 0.2 + step * 0.002, 0.5, 0.7 - step * 0.003) for step in range(60)]
    assert set(looks(Shows(), *[[one] for one in steps])) == {None}


def test_the_square_around_them_is_cut_out_and_what_it_shows_is_told_in_the_pictures_place() -> None:
    model = Shows(Detection(label="person", score_prob=0.6, box=box_of(0.2, 0.3, 0.8, 0.6), posture_probs=LYING))
    closer = SunkenLooks(model)
    found = [closer.see(frame(step), [shown]) for step, shown in enumerate([STANDS, BENDS, LIES, LIES, LIES])]
    last = [one for one in found if one is not None][-1]
    height, width = model.pictures[-1].shape[:2]
    assert abs(width - height) <= 2, "a square"
    assert last.person is not None
    assert last.person.posture_probs == LYING
    middle = (last.person.box.left_frac + last.person.box.right_frac) / 2
    assert abs(middle - (LIES.box.left_frac + LIES.box.right_frac) / 2) < 0.03


def test_what_is_beside_them_in_the_square_is_somebody_else() -> None:
    model = Shows(Detection(label="person", score_prob=0.6, box=box_of(0.0, 0.0, 0.1, 0.3), posture_probs=LYING))
    closer = SunkenLooks(model)
    found = [closer.see(frame(step), [shown]) for step, shown in enumerate([STANDS, BENDS, LIES])]
    assert [one.person for one in found if one is not None] == [None]
