"""Things without a class that are left or taken: who brought them, who took them, and what is not told."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.schema import Zone
from agent.scene import Policy
from agent.service.recordings.journal import decode, encode
from agent.types import Box, Detection, PictureStats, Seen, Standing
from tests.scene.observe import STATS, blind, closed, kinds, ns, opened, person, play, seen, times, watching

PLACE = Box(left_frac=0.47, top_frac=0.7, right_frac=0.53, bottom_frac=0.8)
LEFT_S, GONE_S = 12.0, 20.0


def policy(*rules: str, **keys: object) -> Policy:
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    settings = {"abandoned_dwell_s": 20, "removed_dwell_s": 5, "polygon": whole} | keys
    return Policy(zones={"cam": {"hall": Zone(rules=rules, **settings)}})


def patch(stood_s: float, new_frac: float = 0.9, *, box: Box = PLACE, unlike_frac: float = 1.0) -> Standing:
    return Standing(box=box, stood_s=stood_s, area_frac=0.005, new_frac=new_frac, unlike_frac=unlike_frac, known_s=10.0)


def walker(at_s: float, *, there_s: float = LEFT_S, leaves_s: float = 14.0, back_s: float = 1e9) -> list[Detection]:
    """Somebody comes from the left, is at the place until `leaves_s` and goes to the right, out of the picture."""
    x = min(0.5, 0.5 - 0.1 * (there_s - at_s))
    x = 0.5 + 0.1 * (at_s - leaves_s) if at_s > leaves_s else x
    if at_s >= back_s:
        x = max(0.52, 1.0 - 0.1 * (at_s - back_s))
    return [person(x, 0.8)] if 0.05 < x < 0.98 else []


def stream(
    end_s: float,
    since_s: float = LEFT_S,
    until_s: float = 1e9,
    new_frac: float = 0.9,
    people=walker,
    unlike_frac: float = 1.0,
) -> list[Seen]:
    """Pictures at ten a second; a patch stands from `since_s` on, told each half second once it stood for 2 s."""
    pictures = []
    for index, one in enumerate(watching(end_s, people)):
        at_s = one.at_ns / 1e9
        there = since_s + 2.0 <= at_s < until_s
        told = (patch(at_s - since_s, new_frac, unlike_frac=unlike_frac),) if there else ()
        pictures.append(replace(one, standing=told if index % 5 == 0 else None))
    return pictures


def test_what_somebody_put_down_and_left_is_abandoned_after_the_dwell() -> None:
    (incident,) = opened(play(stream(50.0), policy("abandoned_object")))
    assert incident.kind == "abandoned_object"
    assert incident.severity == "warning"
    assert ns(34.0) <= incident.at_ns <= ns(38.0)  # away from 1.2 heights on, at 0.1 of the width a second
    assert "stands alone" in incident.summary
    assert "whoever brought it went away" in incident.summary
    assert incident.zones == ("hall",)
    assert len(incident.tracks) == 1
    assert incident.evidence[0].box == PLACE


def test_it_closes_when_it_is_taken_away_again() -> None:
    changes = play(stream(80.0, until_s=50.0), policy("abandoned_object"))
    (incident,) = closed(changes)
    assert incident.close_reason == "quiet"
    assert incident.ended_ns is not None
    assert incident.ended_ns <= ns(60.0)


def test_who_comes_back_in_time_left_nothing() -> None:
    def people(at_s: float) -> list[Detection]:
        return walker(at_s) if at_s < 25.0 else [person(max(0.55, 1.0 - 0.1 * (at_s - 25.0)), 0.8)]

    assert kinds(play(stream(60.0, people=people, until_s=31.0), policy("abandoned_object"))) == []


def test_who_stays_beside_it_left_nothing() -> None:
    assert kinds(play(stream(60.0, people=lambda t: walker(t, leaves_s=1e9)), policy("abandoned_object"))) == []


def test_what_nobody_brought_is_not_told() -> None:
    assert kinds(play(stream(90.0, people=lambda _: []), policy("abandoned_object", "removed_object"))) == []


def test_who_is_lost_from_sight_upon_it_is_the_thing() -> None:
    """Somebody who sits down is no longer found, and looks like a thing."""
    people = lambda t: walker(t) if t < 13.0 else []  # noqa: E731
    assert kinds(play(stream(90.0, people=people), policy("abandoned_object", "removed_object"))) == []


def test_somebody_who_only_passes_it_later_did_not_bring_it() -> None:
    people = lambda t: walker(t, there_s=40.0, leaves_s=40.0)  # noqa: E731
    assert kinds(play(stream(90.0, people=people), policy("abandoned_object"))) == []


def test_what_light_may_have_made_is_not_told() -> None:
    assert kinds(play(stream(60.0, unlike_frac=0.25), policy("abandoned_object"))) == []


def test_what_somebody_took_is_removed() -> None:
    (incident,) = opened(play(stream(40.0, new_frac=-0.9), policy("removed_object")))
    assert incident.kind == "removed_object"
    assert incident.at_ns <= ns(19.0)
    assert "is gone" in incident.summary


def test_who_gets_up_from_where_they_always_sat_took_nothing() -> None:
    def people(at_s: float) -> list[Detection]:
        x = 0.5 + 0.1 * max(0.0, at_s - LEFT_S)
        return [person(x, 0.8)] if x < 0.98 else []

    assert kinds(play(stream(40.0, new_frac=-0.9, people=people), policy("removed_object"))) == []


def test_what_another_one_takes_away_is_removed() -> None:
    people = lambda t: walker(t) if t < 30.0 else walker(t, there_s=40.0, leaves_s=41.0)  # noqa: E731
    changes = play(stream(60.0, people=people, until_s=40.5), policy("removed_object"))
    assert kinds(changes) == ["removed_object"]


def test_what_another_one_takes_away_is_missed_for_as_long_as_the_zone_asks() -> None:
    people = lambda t: walker(t) if t < 30.0 else walker(t, there_s=40.0, leaves_s=41.0)  # noqa: E731
    pictures = stream(170.0, people=people, until_s=40.5)
    (incident,) = opened(play(pictures, policy("removed_object", removed_dwell_s=100)))
    assert ns(140.0) <= incident.at_ns <= ns(145.0)


def test_a_car_that_was_there_explains_it() -> None:
    def people(at_s: float) -> list[Detection]:
        car = Box(left_frac=0.4, top_frac=0.6, right_frac=0.6, bottom_frac=0.82)
        return [*walker(at_s), Detection(label="car", score_prob=0.6, box=car)]

    assert kinds(play(stream(60.0, people=people), policy("abandoned_object"))) == []


def test_one_thing_that_the_detector_names_too_is_one_incident() -> None:
    def people(at_s: float) -> list[Detection]:
        bag = Detection(label="suitcase", score_prob=0.6, box=PLACE)
        return [*walker(at_s), *([bag] if at_s >= LEFT_S else [])]

    changes = play(stream(80.0, people=people), policy("abandoned_object"))
    assert kinds(changes) == ["abandoned_object"]


@pytest.mark.parametrize(
    "keys",
    [
        {"any_object": False},
        {"polygon": ((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0))},
        {"hours": ["sat,sun"]},
    ],
)
def test_a_zone_that_does_not_ask_is_not_told(keys: dict[str, object]) -> None:
    assert kinds(play(stream(50.0), policy("abandoned_object", **keys))) == []


def test_nothing_is_taken_from_a_camera_that_does_not_show_its_place() -> None:
    dark = PictureStats(brightness_frac=0.01, contrast_frac=0.005, sharpness_frac=0.0, moving_frac=0.0, grid=STATS.grid)
    covered = [replace(one, stats=dark) if one.at_ns > ns(LEFT_S) else one for one in stream(40.0)]
    assert "abandoned_object" not in kinds(play(covered, policy("abandoned_object")))


def test_a_source_that_is_lost_and_back_leaves_nothing() -> None:
    before = watching(10.0, walker)
    after = [seen(at_s, ()) for at_s in times(20.0, 60.0, 0.1)]
    changes = play([*before, blind(10.0, "timeout"), *after], policy("abandoned_object", "removed_object"))
    assert set(kinds(changes)) <= {"source_lost"}


def test_a_recording_holds_what_stands() -> None:
    (first, *_) = [one for one in stream(20.0) if one.standing]
    assert decode(encode(first)) == first


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 0.8), st.floats(0.0, 0.8), st.floats(0.05, 0.2), st.floats(0.0, 60.0),
            st.floats(-1.0, 1.0), st.floats(0.0, 1.0), st.booleans(), st.floats(0.0, 1.0),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_whatever_stands_what_opens_closes_and_the_same_pictures_give_the_same(rows: list[tuple]) -> None:
    pictures = []
    for index, (left, top, size, stood_s, new_frac, unlike_frac, there, x) in enumerate(rows * 3):
        box = Box(left_frac=left, top_frac=top, right_frac=left + size, bottom_frac=top + size)
        told = (patch(stood_s, new_frac, box=box, unlike_frac=unlike_frac),)
        people = [person(x, 0.8)] if there else []
        pictures.append(replace(seen(0.5 * index, people), standing=told))
    asked = policy("abandoned_object", "removed_object", abandoned_dwell_s=1, removed_dwell_s=1)
    first, second = play(pictures, asked), play(pictures, asked)
    assert first == second
    assert sorted(one.ordinal for one in opened(first)) == sorted(one.ordinal for one in closed(first))
