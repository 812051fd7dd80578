"""What is no fall, although a box that was high becomes low: one person at a time, without the tracker."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from agent.scene.falls import falls, going_down
from agent.scene.following import Followed, Following
from agent.types import Detection
from tests.scene.observe import ASPECT, ns, person, seen

OPENS_LLR, HARDLY_LLR = 4.0, 0.5
UPRIGHT, CROUCHED, LYING = (0.96, 0.02, 0.02), (0.02, 0.96, 0.02), (0.02, 0.02, 0.96)

Shown = Callable[[float], Detection]


def levels(seconds: float, *tracks: Shown) -> Mapping[int, float]:
    """The most that any picture said for a fall of each of the tracks, which are given and not found."""
    known = [
        Followed(number, ns(0), ns(0), shown(0.0).box, shown(0.0).score_prob, mean_prob=shown(0.0).score_prob)
        for number, shown in enumerate(tracks, start=1)
    ]
    most = dict.fromkeys(range(1, len(known) + 1), 0.0)
    for step in range(round(seconds * 10)):
        at_s = step / 10
        for followed, shown in zip(known, tracks, strict=True):
            followed.see(seen(at_s), shown(at_s))
        for clue in falls(ns(at_s), known):
            assert clue.track is not None
            most[clue.track] = max(most[clue.track], clue.llr)
    return most


def stands(x: float = 0.5, *, prob: float = 0.6) -> Detection:
    return person(x, 0.8, height=0.4, prob=prob)


def lies(x: float = 0.5, *, foot_y: float = 0.8, prob: float = 0.2) -> Detection:
    return person(x, foot_y, height=0.12, ratio=2.4, prob=prob)


def falls_at_2(lying: Detection, before: Detection | None = None) -> Shown:
    return lambda at_s: (before or stands()) if at_s < 2.0 else lying


def test_who_comes_to_lie_where_they_stood_has_fallen() -> None:
    assert levels(5, falls_at_2(lies()))[1] > OPENS_LLR


def test_a_track_that_goes_over_to_a_bag_while_the_person_stands_on_in_another_is_no_fall() -> None:
    most = levels(5, falls_at_2(lies(0.55)), lambda _: stands(0.505, prob=0.5))
    assert max(most.values()) < HARDLY_LLR


def test_who_stands_on_may_walk_away_from_the_bag() -> None:
    """The second track was there in the last picture of the first upright one; later it is elsewhere."""
    most = levels(5, falls_at_2(lies(0.55)), lambda at_s: stands(0.505 if at_s < 2.0 else 0.4, prob=0.5))
    assert max(most.values()) < HARDLY_LLR


def test_who_falls_beside_somebody_has_fallen() -> None:
    assert levels(5, falls_at_2(lies()), lambda _: stands(0.6))[1] > OPENS_LLR


def test_a_helper_who_kneels_does_not_take_a_fall_back() -> None:
    def helper(at_s: float) -> Detection:
        return stands(0.8) if at_s < 3.0 else person(0.5, 0.8, height=0.25, ratio=0.9, prob=0.6)

    assert levels(5, falls_at_2(lies()), helper)[1] > OPENS_LLR


def lies_on_beside(other: Detection, seconds: float = 3.5) -> float:
    """The most said for a fall of somebody who stood until 2 s and was lost lying at 2.3 s, with `other` seen there."""
    lost = Followed(1, ns(0), ns(0), stands().box, 0.6, mean_prob=0.6)
    there = Followed(2, ns(0), ns(0), other.box, other.score_prob, mean_prob=other.score_prob)
    most = 0.0
    for step in range(round(seconds * 10)):
        at_s = step / 10
        if at_s < 2.4:
            lost.see(seen(at_s), falls_at_2(lies())(at_s))
        there.see(seen(at_s), other)
        known = [lost, there]
        most = max([most, *(one.llr for one in falls(ns(at_s), known) if one.track == 1)])
    return most


def test_who_was_lost_lying_where_somebody_is_seen_lying_does_not_lie_on_beside_that_one() -> None:
    alone, beside = lies_on_beside(lies(0.9)), lies_on_beside(lies())
    assert beside < OPENS_LLR < alone


def test_a_helper_who_kneels_over_somebody_lost_from_sight_leaves_them_lying() -> None:
    kneeling = person(0.55, 0.8, height=0.25, ratio=0.8, prob=0.6)
    assert lies_on_beside(kneeling) == lies_on_beside(stands(0.9))


def goes_down(*looks: tuple[float, Detection], until_s: float) -> list[float]:
    """When somebody who stands until 1 s and is then seen so is said to be going down or no more."""
    one, said = Followed(1, ns(0), ns(0), stands().box, 0.6, mean_prob=0.6), []
    for at_s in (step / 10 for step in range(round(until_s * 10))):
        shown = [look for since_s, look in [(0.0, stands()), *looks] if at_s >= since_s]
        if shown[-1] is not GONE:
            one.see(seen(at_s), shown[-1])
        said += [at_s if clue.llr else -at_s for clue in going_down(ns(at_s), [one])]
    return said


GONE = person(0.0, 0.0)
LOW = person(0.5, 0.8, height=0.28, ratio=0.9, prob=0.6)


def test_whose_head_is_a_quarter_lower_than_a_moment_ago_goes_down_until_up_again() -> None:
    said = goes_down((1.0, LOW), (2.0, stands()), until_s=3.0)
    assert said[0] == pytest.approx(1.0)
    assert said[-1] == pytest.approx(-2.0)


def test_who_stays_low_goes_down_no_more() -> None:
    assert -3.1 <= goes_down((1.0, LOW), until_s=5.0)[-1] <= -2.8


def test_who_is_lost_on_the_way_down_goes_on_going_down_for_a_moment() -> None:
    assert goes_down((1.0, LOW), (1.2, GONE), until_s=4.0)[-1] == pytest.approx(-1.7)


def test_what_is_hardly_a_person_goes_down_nowhere() -> None:
    weak = [person(0.5, 0.8, height=high, ratio=wide, prob=0.3) for high, wide in ((0.4, 0.4), (0.28, 0.9))]
    one = Followed(1, ns(0), ns(0), weak[0].box, 0.3, mean_prob=0.3)
    for at_s in (step / 10 for step in range(20)):
        one.see(seen(at_s), weak[at_s >= 1.0])
        assert list(going_down(ns(at_s), [one])) == []


@pytest.mark.parametrize("x", [0.5 - 0.5 / ASPECT, 0.5 + 0.5 / ASPECT])
def test_what_lies_further_off_than_a_body_is_long_did_not_fall_there(x: float) -> None:
    assert levels(5, falls_at_2(lies(x)))[1] < HARDLY_LLR


def test_a_head_cannot_sink_by_more_than_the_body_is_high() -> None:
    assert levels(5, falls_at_2(lies(foot_y=1.0), person(0.5, 0.7, height=0.4, prob=0.6)))[1] < HARDLY_LLR


def test_feet_that_go_up_by_a_quarter_were_hidden() -> None:
    assert levels(5, falls_at_2(lies(foot_y=0.7)))[1] < HARDLY_LLR


def test_whose_feet_were_out_of_the_picture_walks_out_in_a_wide_stride() -> None:
    def leaves(at_s: float) -> Detection:
        top = 0.55 + max(0.0, 0.6 * (at_s - 2.0))
        return person(0.5, 1.0, height=1.0 - top, ratio=0.16 / 0.45 if at_s < 2.0 else 0.31 / (1.0 - top), prob=0.6)

    assert levels(2.7, leaves)[1] < HARDLY_LLR


@pytest.mark.parametrize(("drop", "fell"), [(0.3, False), (0.6, True)])
def test_a_box_that_goes_over_to_two_heads_side_by_side_at_the_lower_border_is_no_fall(drop: float, fell: bool) -> None:
    before, height = person(0.5, 1.0, height=0.5, ratio=0.5, prob=0.6), 0.5 * (1.0 - drop)
    most = levels(5, falls_at_2(person(0.5, 1.0, height=height, ratio=0.6 / height, prob=0.6), before))[1]
    assert most > OPENS_LLR if fell else most < HARDLY_LLR


def goes_low(before: Detection, lying: Detection, steps: int, *, once: bool = False) -> tuple[Followed, float, float]:
    """Somebody upright for 2 s, then low: who that is, when last seen, and the most told then; `once`: lost at rest."""
    followed, at_s, told = Followed(1, ns(0), ns(0), stands().box, 0.6, mean_prob=0.6), 0.0, 0.0
    for step in range(steps):
        at_s = step / 10
        followed.see(seen(at_s), before if step < 20 else lying)
        told = max((clue.llr for clue in falls(ns(at_s), [followed])), default=0.0)
        if once and followed.body.rest_looks:
            break
    return followed, at_s, told


def test_who_is_lost_at_the_lower_border_a_moment_after_looking_low_walked_out() -> None:
    """A thud that is heard a second later would make a fall of what is left."""
    followed, _, told = goes_low(person(0.5, 0.98, height=0.4, prob=0.6), lies(foot_y=1.0), 24)
    assert told > 2.0
    assert max(clue.llr for clue in falls(ns(2.5), [followed])) == 0.0


@pytest.mark.parametrize(("prob", "fell"), [(0.12, False), (0.3, True)])
def test_what_is_hardly_seen_where_somebody_left_below_does_not_lie_there(prob: float, fell: bool) -> None:
    """Their feet were out of the picture already; a tracker keeps the box on the floor that they left."""
    before = person(0.5, 1.0, height=0.5, ratio=0.5, prob=0.6)
    most = levels(5, falls_at_2(person(0.5, 0.98, height=0.15, ratio=2.4, prob=prob), before))[1]
    assert most > OPENS_LLR if fell else most < HARDLY_LLR


@pytest.mark.parametrize(("foot_y", "found"), [(0.98, False), (0.95, True)])
def test_whom_nobody_saw_stand_is_not_found_lying_by_the_lower_border(foot_y: float, found: bool) -> None:
    """Who leans over a table there is wider than high."""
    most = levels(5, lambda _: lies(foot_y=foot_y, prob=0.6))[1]
    assert most > OPENS_LLR if found else most < HARDLY_LLR


@pytest.mark.parametrize(("foot_y", "found"), [(0.5, False), (0.8, True)])
def test_whose_head_is_where_it_was_is_not_found_lying(foot_y: float, found: bool) -> None:
    """Something hides all but head and shoulders, which are wider than high."""
    sits, low = person(0.5, 0.8, height=0.28, ratio=0.85, prob=0.6), lies(foot_y=foot_y, prob=0.6)
    most = levels(9, lambda at_s: stands() if at_s < 2.0 else sits if at_s < 4.5 else low)[1]
    assert most > OPENS_LLR if found else most < HARDLY_LLR


@pytest.mark.parametrize(("x", "lies_on"), [(0.5, True), (0.915, False)])
def test_who_is_lost_at_a_border_at_the_side_walked_out(x: float, lies_on: bool) -> None:
    one = Followed(1, ns(0), ns(0), stands(x).box, 0.6, mean_prob=0.6)
    for step in range(24):
        one.see(seen(step / 10), stands(x) if step < 20 else lies(x))
    (seen_clue,) = [clue for clue in falls(ns(2.3), [one]) if clue.signal == "went_down"]
    (lost_clue,) = [clue for clue in falls(ns(2.9), [one]) if clue.signal == "went_down"]
    assert (lost_clue.llr > seen_clue.llr + 1.0) == lies_on


def test_what_the_posture_head_takes_for_somebody_crouching_did_not_fall() -> None:
    def with_posture(lying: tuple[float, float, float]) -> Shown:
        def shown(at_s: float) -> Detection:
            found = stands() if at_s < 2.0 else lies()
            return Detection(
                label="person",
                score_prob=found.score_prob,
                box=found.box,
                posture_probs=UPRIGHT if at_s < 2.0 else lying,
            )

        return shown

    assert levels(5, with_posture(LYING))[1] > OPENS_LLR
    assert levels(5, with_posture(CROUCHED))[1] < 0.5 * OPENS_LLR


def test_a_doubtful_fall_does_not_become_sure_by_lasting() -> None:
    doubtful = stands(prob=0.45)
    assert 2.0 < levels(12, falls_at_2(lies(), doubtful))[1] < OPENS_LLR


def test_after_a_cut_nobody_has_stood_yet() -> None:
    followed = Followed(1, ns(0), ns(0), stands().box, 0.6, mean_prob=0.6)
    most = 0.0
    for step in range(50):
        at_s = step / 10
        if step == 20:
            followed.start_over()
            assert list(falls(ns(at_s), [followed])) == []  # not seen again yet
        followed.see(seen(at_s), stands() if step < 20 else lies())
        most = max([most, *(clue.llr for clue in falls(ns(at_s), [followed]))])
    assert most < HARDLY_LLR


def squats(down_s: float) -> Shown:
    """Somebody who lets the head down by half their height over their feet, and whom the box makes as wide as high."""

    def shown(at_s: float) -> Detection:
        share = min(1.0, max(0.0, (at_s - 2.0) / down_s))
        return person(0.5, 0.8, height=0.4 - 0.2 * share, ratio=0.4 + 0.75 * share, prob=0.6)

    return shown


def test_who_lets_the_head_down_over_the_feet_without_haste_squats() -> None:
    assert levels(6, squats(1.2))[1] < HARDLY_LLR


def test_who_goes_down_over_the_feet_at_once_has_fallen() -> None:
    assert levels(6, squats(0.3))[1] > OPENS_LLR


def test_who_goes_down_slowly_and_comes_to_lie_beside_the_feet_has_fallen() -> None:
    def tumbles(at_s: float) -> Detection:
        share = min(1.0, max(0.0, (at_s - 2.0) / 1.2))
        return person(0.5 + 0.1 * share, 0.8, height=0.4 - 0.22 * share, ratio=0.4 + 1.2 * share, prob=0.6)

    assert levels(6, tumbles)[1] > OPENS_LLR


def test_two_people_in_one_box_who_walk_down_the_picture_do_not_lie() -> None:
    def walk(at_s: float) -> Detection:
        height, ratio = (0.3, 0.5) if at_s < 1.0 else (0.27, 0.85) if at_s < 2.5 else (0.24, 1.6)
        return person(0.5, 0.4 + 0.085 * at_s, height=height, ratio=ratio, prob=0.6)

    assert levels(4.5, walk)[1] < OPENS_LLR


def test_who_falls_towards_the_camera_has_fallen_though_head_and_feet_go_down_together() -> None:
    def tumbles(at_s: float) -> Detection:
        share = min(1.0, max(0.0, (at_s - 2.0) / 0.6))
        return person(0.5, 0.6 + 0.18 * share, height=0.3 - 0.12 * share, ratio=0.4 + share, prob=0.6)

    assert levels(2.6 + 0.9, tumbles)[1] > OPENS_LLR


def test_who_was_surely_a_person_a_moment_ago_is_one_though_the_detector_wavers_while_they_fall() -> None:
    def wavers(at_s: float) -> Detection:
        return stands(prob=0.7 if at_s < 1.2 else 0.2) if at_s < 2.2 else lies()

    assert levels(5, wavers)[1] > OPENS_LLR
    assert levels(5, lambda at_s: stands(prob=0.2) if at_s < 2.2 else lies())[1] < HARDLY_LLR


def test_a_look_too_weak_to_be_a_whole_person_tells_no_height() -> None:
    followed = Followed(1, ns(0), ns(0), stands().box, 0.6, mean_prob=0.6)
    for step in range(20):
        followed.see(seen(step / 10), stands())
    known = followed.body.standing_height, followed.body.upright_ns
    followed.see(seen(2.0), person(0.5, 0.8, height=0.7, prob=0.12))
    assert (followed.body.standing_height, followed.body.upright_ns) == known


def test_who_is_seen_low_once_after_the_feet_were_out_of_the_picture_walked_out() -> None:
    """The last box ends just above the border: a thud that is heard later would make a fall of it."""
    followed, at_s, told = goes_low(person(0.5, 1.0, height=0.4, prob=0.6), lies(foot_y=0.97), 40, once=True)
    assert told > 2.0
    assert max(clue.llr for clue in falls(ns(at_s + 0.5), [followed])) == 0.0


def found_again(lying: Detection, after_s: float) -> float:
    """The most told of a fall where somebody stood for 2 s and was lost, and `lying` turned up `after_s` later."""
    following, told = Following(), 0.0
    for step in range(50):
        at_s = step / 10
        following.see(seen(at_s, [stands()] if at_s < 2.0 else [lying] if at_s >= 2.0 + after_s else []))
        clues = falls(ns(at_s), following.known.values())
        told = max([told, *(clue.llr for clue in clues if clue.signal == "went_down")])
    return told


def lying_for_sure(x: float = 0.55) -> Detection:
    return replace(lies(x, prob=0.5), posture_probs=LYING)


def test_who_was_lost_upright_and_lies_there_a_moment_later_has_fallen() -> None:
    assert found_again(lying_for_sure(), 1.0) > OPENS_LLR


def test_who_lies_there_is_as_sure_as_the_surer_of_two_tracks_of_who_stood() -> None:
    sure, other = (Followed(number, ns(0), ns(0), stands().box, 0.6) for number in (101, 102))
    for step in range(20):
        at_s = step / 10
        if at_s < 1.8:
            sure.see(seen(at_s), stands() if at_s < 1.7 else person(0.5, 0.8, height=0.28, prob=0.11))
        other.see(seen(at_s), stands(0.505, prob=0.3))
        list(falls(ns(at_s), [sure, other]))
    assert sure.is_replaced
    assert sure.upright_prob > other.upright_prob + 0.2
    following = Following()
    following.known = {101: sure, 102: other}
    (found,) = following.see(seen(2.5, [lying_for_sure()]))
    assert found.upright_prob == sure.upright_prob
    assert not found.is_replaced


@pytest.mark.parametrize(
    ("lying", "after_s"),
    [
        (replace(lying_for_sure(), posture_probs=CROUCHED), 1.0),
        (replace(lying_for_sure(), posture_probs=None), 1.0),
        (lying_for_sure(0.5 + 0.45 / ASPECT), 1.0),
        (lying_for_sure(), 2.0),
    ],
    ids=["crouched", "of no posture", "too far away", "too late"],
)
def test_what_turns_up_otherwise_is_somebody_or_something_else(lying: Detection, after_s: float) -> None:
    assert found_again(lying, after_s) < HARDLY_LLR
