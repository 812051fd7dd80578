"""What closer looks at somebody who went down add to falls, and what they leave alone."""

from dataclasses import replace

import pytest

from agent.scene.falls import falls
from agent.scene.following import Following
from agent.scene.lying_looks import LyingLooks
from agent.service.recordings import journal
from agent.types import Box, Detection, Seen, Sunken
from tests.scene.observe import ASPECT, ns, person, seen

UPRIGHT, CROUCHED, LYING = (0.96, 0.02, 0.02), (0.02, 0.96, 0.02), (0.02, 0.02, 0.96)
OPENS_LLR, HARDLY_LLR = 4.0, 0.5
STANDS = person(0.5, 0.7, height=0.4, prob=0.75)
BENDS = person(0.5, 0.71, height=0.28, ratio=0.9, prob=0.6)
ALONG = person(0.5, 0.72, height=0.25, ratio=0.65, prob=0.4)
"""A body along the camera's axis: no wider than high."""


def shown(at: Detection, posture: tuple[float, float, float] | None, prob: float = 0.5) -> Sunken:
    if posture is None:
        return Sunken(box=at.box, person=None)
    return Sunken(box=at.box, person=replace(at, score_prob=prob, posture_probs=posture))


def goes_down(
    low: Detection | None,
    look: Sunken | None,
    *,
    stands: Detection = STANDS,
    bends: Detection = BENDS,
    for_s: float = 3.0,
) -> float:
    """The most said for a fall of somebody who stands for 2 s and then shows as `low`, looked at closely or not."""
    following, most = Following(), 0.0
    for step in range(50):
        at_s = step / 10
        found = [stands] if at_s < 2.0 else [bends] if at_s < 2.3 else [low] if low is not None else []
        closely = look if 2.0 <= at_s < 2.0 + for_s and step % 3 == 0 else None
        one = replace(seen(at_s, found), sunken=closely)
        following.see(one)
        for clue in falls(ns(at_s), following.known.values()):
            most = max(most, clue.llr)
    return most


def test_a_body_along_the_cameras_axis_is_a_fall_by_closer_looks_alone() -> None:
    assert goes_down(ALONG, None) < HARDLY_LLR
    assert goes_down(ALONG, shown(ALONG, LYING)) > OPENS_LLR


@pytest.mark.parametrize("posture", [UPRIGHT, CROUCHED, None])
def test_no_fall_where_they_show_something_else(posture: tuple[float, float, float] | None) -> None:
    assert goes_down(ALONG, shown(ALONG, posture)) < HARDLY_LLR


def test_a_faint_look_says_nothing() -> None:
    assert goes_down(ALONG, shown(ALONG, LYING, prob=0.15)) < HARDLY_LLR


def test_who_was_hardly_a_person_while_upright_did_not_fall() -> None:
    faint = replace(STANDS, score_prob=0.36)
    assert goes_down(ALONG, shown(ALONG, LYING), stands=faint) < HARDLY_LLR


def test_somebody_lost_while_going_down_is_still_seen_by_closer_looks() -> None:
    look = shown(person(0.5, 0.75, height=0.2, ratio=1.5), LYING)
    assert goes_down(None, None) < HARDLY_LLR
    assert goes_down(None, look) > OPENS_LLR


def test_who_stands_next_to_the_place_is_not_meant() -> None:
    following = Following()
    for step in range(40):
        look = shown(ALONG, LYING) if step >= 20 and step % 3 == 0 else None
        one = replace(seen(step / 10, [replace(STANDS, box=person(0.62, 0.7, height=0.4).box)]), sunken=look)
        following.see(one)
        assert not list(falls(ns(step / 10), following.known.values()))


def test_where_looks_show_nobody_lying_the_box_counts_for_less() -> None:
    lies = person(0.5, 0.72, height=0.16, ratio=1.7, prob=0.4)
    assert goes_down(lies, None) > OPENS_LLR
    assert goes_down(lies, shown(lies, CROUCHED)) < HARDLY_LLR


@pytest.mark.parametrize(
    ("posture", "for_s", "fell"), [(LYING, 3.0, True), (CROUCHED, 3.0, False), (LYING, 0.7, False), (None, 3.0, False)]
)
def test_at_the_lower_border_looks_have_to_agree_for_longer_and_the_whole_look_with_them(
    posture: tuple[float, float, float] | None, for_s: float, fell: bool
) -> None:
    """Who walks out there looks lying, too, but does not stay."""
    low = replace(person(0.5, 0.99, height=0.38, ratio=0.8, prob=0.6), posture_probs=posture)
    stands, bends = person(0.5, 1.0, height=0.64, prob=0.75), person(0.5, 1.0, height=0.5, ratio=0.76, prob=0.7)
    most = goes_down(low, shown(low, LYING), stands=stands, bends=bends, for_s=for_s)
    assert most > OPENS_LLR if fell else most < HARDLY_LLR


def test_looks_in_a_row_tell_since_when_and_one_that_shows_nobody_ends_it() -> None:
    looks = LyingLooks()
    for at_s in (1.0, 1.3, 1.6):
        looks.see(ns(at_s), shown(ALONG, LYING), ASPECT)
    assert looks.lying_s(ns(1.6)) == pytest.approx(0.6)
    assert looks.lying_s(ns(2.7)) is None, "long ago"
    looks.see(ns(1.9), shown(ALONG, None), ASPECT)
    assert looks.lying_s(ns(1.9)) is None


def test_who_moves_on_does_not_lie() -> None:
    looks = LyingLooks()
    for step in range(5):
        where = person(0.5, 0.6 + 0.1 * step, height=0.25, ratio=0.65)
        looks.see(ns(step * 0.3), shown(where, LYING), ASPECT)
    assert looks.lying_s(ns(1.2)) == 0.0


def test_a_look_is_recorded_and_old_recordings_have_none() -> None:
    one = replace(seen(1.0, [STANDS]), sunken=shown(ALONG, LYING))
    assert journal.decode(journal.encode(one)) == one
    old = journal.encode(seen(1.0, [STANDS])).replace(',"sunken":null', "")
    told = journal.decode(old)
    assert isinstance(told, Seen)
    assert told.sunken is None
    assert "sunken" not in old


def test_no_box_of_no_size_is_divided_by() -> None:
    nothing = Box(left_frac=0.5, top_frac=0.5, right_frac=0.5, bottom_frac=0.5)
    looks = LyingLooks()
    dot = replace(STANDS, box=nothing, posture_probs=LYING)
    for at_s in (1.0, 1.3):
        looks.see(ns(at_s), Sunken(box=nothing, person=dot), ASPECT)
    assert looks.lying_s(ns(1.3)) == pytest.approx(0.3)
