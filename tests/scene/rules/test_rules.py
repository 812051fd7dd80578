"""Lines, crowds, running, things left and taken, hours: what opens, when, and what must not."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.schema import Line, Zone
from agent.scene import Crossings, Policy, Scene
from agent.types import Box, Detection, IncidentChange, Tick
from tests.scene.observe import ASPECT, FPS, kinds, ns, opened, person, play, seen, times, watching

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
ACROSS = Line(line=((0.5, 0.2), (0.5, 1.0)))  # drawn downwards: the right hand of who walks down is on the left
People = Callable[[float], Sequence[Detection]]


def with_line(line: Line = ACROSS) -> Policy:
    return Policy(lines={"cam": {"gate": line}})


def with_zone(*rules: str, **more: object) -> Policy:
    return Policy(zones={"cam": {"hall": Zone.model_validate({"polygon": WHOLE, "rules": rules, **more})}})


def counts(people: People, end_s: float, line: Line = ACROSS) -> Crossings:
    scene = Scene(with_line(line))
    for one in watching(end_s, people):
        scene.step(one)
    scene.step(Tick(at_ns=ns(end_s + 5)))
    return scene.crossings("cam")["gate"]


def to_and_fro(at_s: float) -> float:
    """From left to right in 5 s and back in 5 s."""
    phase = at_s % 10
    return 0.3 + 0.08 * (phase if phase < 5 else 10 - phase)


# ---- lines


def test_crossings_are_counted_by_their_way() -> None:
    assert counts(lambda t: [person(to_and_fro(t), 0.8)], 24.0) == Crossings(came_in=2, went_out=3)


def test_a_line_drawn_the_other_way_has_in_and_out_the_other_way() -> None:
    turned = Line(line=tuple(reversed(ACROSS.line)))
    assert counts(lambda t: [person(to_and_fro(t), 0.8)], 24.0, turned) == Crossings(came_in=3, went_out=2)


def test_a_line_from_left_to_right_has_in_down_the_picture() -> None:
    level = Line(line=((0.1, 0.6), (0.9, 0.6)))
    assert counts(lambda t: [person(0.5, 0.45 + 0.05 * t)], 8.0, level) == Crossings(came_in=1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.019, 0.019), min_size=20, max_size=60))
def test_who_stands_on_a_line_crosses_nothing_however_restless(offsets: list[float]) -> None:
    def people(at_s: float) -> list[Detection]:
        index = round(at_s * FPS)
        return [person(0.3 if index < 10 else 0.5 + offsets[(index - 10) % len(offsets)], 0.8)]

    # Ten pictures at the left, then a jump onto the line, then jitter as wide as boxes jitter.
    assert counts(people, 1.0 + len(offsets) / FPS) == Crossings()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 0.4), st.floats(0.6, 0.9)), min_size=1, max_size=5))
def test_who_walks_to_and_fro_is_counted_once_a_crossing(turns: list[tuple[float, float]]) -> None:
    stations = [x for pair in turns for x in pair]
    path = [stations[0]]
    for goal in stations[1:]:
        while abs(goal - path[-1]) > 1e-9:
            path.append(path[-1] + max(-0.02, min(0.02, goal - path[-1])))
    came = counts(lambda t: [person(path[min(len(path) - 1, round(t * FPS))], 0.8)], len(path) / FPS)
    assert (came.went_out, came.came_in) == (len(turns), len(turns) - 1)


def test_who_walks_around_the_end_of_a_line_does_not_cross_it() -> None:
    short = Line(line=((0.5, 0.2), (0.5, 0.6)))
    assert counts(lambda t: [person(to_and_fro(t), 0.8)], 24.0, short) == Crossings()


@pytest.mark.parametrize(("direction", "count"), [("in", 0), ("out", 1), ("both", 1), ("none", 0)])
def test_only_the_wanted_way_is_told(direction: str, count: int) -> None:
    line = Line.model_validate({"line": ACROSS.line, "direction": direction})
    changes = play(watching(6.0, lambda t: [person(0.3 + 0.08 * t, 0.8)]), with_line(line))
    assert kinds(changes) == ["line_crossing"] * count


def test_a_crossing_is_told_at_once_with_way_track_and_line() -> None:
    changes = play(watching(6.0, lambda t: [person(0.3 + 0.08 * t, 0.8)]), with_line())
    (incident,) = opened(changes)
    assert incident.at_ns <= ns(2.5 + 0.02 / 0.08 + 0.3)
    assert incident.started_ns == pytest.approx(ns(2.5), abs=ns(0.2))
    assert incident.zones == ("gate",)
    assert incident.summary == "Person crossed a line (going out) at cam, line gate."
    assert incident.evidence[0].track is not None


def test_a_line_goes_on_counting_when_the_policy_changes_elsewhere() -> None:
    scene = Scene(with_line())
    for one in watching(4.0, lambda t: [person(0.3 + 0.08 * t, 0.8)]):
        scene.step(one)
    scene.adopt(replace(with_line(), sensitivity="high"))
    scene.step(Tick(at_ns=ns(9)))
    assert scene.crossings("cam")["gate"] == Crossings(went_out=1)


# ---- zones


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.012, 0.012), min_size=30, max_size=60))
def test_who_dithers_on_the_border_of_a_zone_is_one_intrusion_at_most(offsets: list[float]) -> None:
    zone = Zone(polygon=((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
    policy = Policy(zones={"cam": {"yard": zone}})
    people: People = lambda t: [person(0.5 + offsets[round(t * FPS) % len(offsets)], 0.8)]  # noqa: E731
    changes = play(watching(12.0, people), policy)
    assert len(opened(changes)) <= 1


def crowd(count: int) -> People:
    return lambda t: [person(0.1 + 0.12 * index, 0.8, height=0.3) for index in range(count if t > 1 else 1)]


@pytest.mark.parametrize(("count", "opens"), [(3, []), (4, ["crowding"]), (5, ["crowding"])])
def test_a_crowd_is_as_many_as_the_zone_says(count: int, opens: list[str]) -> None:
    policy = with_zone("crowding", crowding_count=4, crowding_dwell_s=5)
    changes = play(watching(10.0, crowd(count)), policy)
    assert kinds(changes) == opens
    for incident in opened(changes):
        assert ns(6.0) <= incident.at_ns <= ns(6.6)
        assert "people at cam, zone hall" in incident.summary


def test_a_crowd_outlasts_a_moment_in_which_one_is_hidden() -> None:
    def people(at_s: float) -> Sequence[Detection]:
        return crowd(3)(at_s) if 4.0 <= at_s < 5.5 else crowd(4)(at_s)

    changes = play(watching(10.0, people), with_zone("crowding", crowding_count=4, crowding_dwell_s=5))
    assert [incident.at_ns <= ns(6.6) for incident in opened(changes)] == [True]


def test_running_is_told_once_it_lasts_and_walking_never() -> None:
    # Heights a second: 1.9 and 0.7.
    running = play(watching(5.0, lambda t: [person(0.1 + 0.16 * t, 0.8, height=0.15)]), with_zone("running"))
    walking = play(watching(5.0, lambda t: [person(0.1 + 0.06 * t, 0.8, height=0.15)]), with_zone("running"))
    assert kinds(running) == ["running"]
    assert opened(running)[0].at_ns <= ns(2.5)
    assert kinds(walking) == []


# ---- things


def bag(x: float, y: float = 0.8, prob: float = 0.6) -> Detection:
    half = 0.06 / ASPECT / 2
    box = Box(left_frac=x - half, top_frac=y - 0.06, right_frac=x + half, bottom_frac=y)
    return Detection(label="suitcase", score_prob=prob, box=box)


def leaving(at_s: float, *, leaves_s: float = 15.0, returns_s: float = 1e9) -> list[Detection]:
    """Somebody brings a suitcase at 12 s, puts it down at 0.5 and goes on at `leaves_s`."""
    if at_s < 12.0:
        return []
    if at_s < leaves_s:
        return [person(0.53, 0.8), bag(0.5)]
    walked = 0.53 + 0.08 * (at_s - leaves_s)
    back = 0.53 + max(0.0, 0.4 - 0.08 * (at_s - returns_s)) if at_s >= returns_s else 2.0
    x = min(walked, back)
    return ([person(x, 0.8)] if x < 1.0 else []) + [bag(0.5)]


def test_a_thing_whose_owner_went_away_is_abandoned_after_the_dwell() -> None:
    changes = play(watching(45.0, leaving), with_zone("abandoned_object", abandoned_dwell_s=20))
    (incident,) = opened(changes)
    assert incident.kind == "abandoned_object"
    # Away from 1.2 heights on: 0.4 · 1.2 / 16 · 9 of the width at 0.08 a second, so about 3 s after leaving.
    assert ns(36.0) <= incident.at_ns <= ns(41.0)
    assert "suitcase" in incident.summary
    assert "owner went away" in incident.summary


def test_an_owner_who_comes_back_in_time_left_nothing() -> None:
    changes = play(
        watching(60.0, lambda t: leaving(t, returns_s=28.0)), with_zone("abandoned_object", abandoned_dwell_s=20)
    )
    assert kinds(changes) == []


def test_what_stood_there_from_the_start_is_part_of_the_place() -> None:
    changes = play(watching(60.0, lambda _: [bag(0.5)]), with_zone("abandoned_object", abandoned_dwell_s=5))
    assert kinds(changes) == []


def test_a_thing_nobody_was_seen_to_bring_takes_twice_as_long() -> None:
    policy = with_zone("abandoned_object", abandoned_dwell_s=10)
    changes = play(watching(60.0, lambda t: [bag(0.5)] if t > 15 else []), policy)
    (incident,) = opened(changes)
    assert ns(35.0) <= incident.at_ns <= ns(39.0)
    assert "who brought it was not seen" in incident.summary


def test_a_thing_that_flickers_is_still_one_thing() -> None:
    def people(at_s: float) -> list[Detection]:
        return [one for one in leaving(at_s) if one.label == "person" or round(at_s * FPS) % 3]

    assert kinds(play(watching(50.0, people), with_zone("abandoned_object", abandoned_dwell_s=20))) == [
        "abandoned_object"
    ]


def taking(at_s: float) -> list[Detection]:
    """A suitcase stands from the start; at 20 s somebody comes past and it is gone."""
    x = 0.1 + 0.08 * (at_s - 15.0)
    walker = [person(x, 0.8)] if 15.0 <= at_s < 26.0 else []
    return walker + ([bag(0.5)] if at_s < 20.0 else [])


def test_a_thing_that_a_stranger_took_is_removed() -> None:
    (incident,) = opened(play(watching(35.0, taking), with_zone("removed_object")))
    assert incident.kind == "removed_object"
    assert incident.at_ns <= ns(27.0)


def test_a_thing_that_is_only_hidden_is_not_removed() -> None:
    def people(at_s: float) -> list[Detection]:
        return [person(0.5, 0.82)] if 20.0 <= at_s < 40.0 else [bag(0.5)]

    assert kinds(play(watching(50.0, people), with_zone("removed_object"))) == []


def test_an_owner_who_takes_a_thing_away_again_removes_nothing() -> None:
    def people(at_s: float) -> list[Detection]:
        if at_s < 12.0:
            return []
        return [person(0.53 + 0.08 * max(0.0, at_s - 30.0), 0.8)] + ([bag(0.5)] if at_s < 30.0 else [])

    assert kinds(play(watching(42.0, people), with_zone("removed_object", "abandoned_object"))) == []


# ---- hours


def monday_at(hour: int) -> int:
    """Nanoseconds from 1970 to Monday, 1970-01-05, `hour` o'clock UTC."""
    return ns((4 * 24 + hour) * 3600)


@pytest.mark.parametrize(
    ("hour", "timezone", "count"),
    [(21, "UTC", 0), (22, "UTC", 1), (5, "UTC", 0), (21, "Europe/Vienna", 1), (20, "Europe/Vienna", 0)],
)
def test_rules_hold_in_their_hours_at_the_place(hour: int, timezone: str, count: int) -> None:
    scene = Scene(with_zone("intrusion", hours=["mon-fri 22:00-06:00"], timezone=timezone))
    changes: list[IncidentChange] = list(scene.step(Tick(at_ns=0, wall_offset_ns=monday_at(hour))))
    for at_s in times(0.1, 4.0, 0.1):
        changes += scene.step(seen(at_s, [person(0.5, 0.8)]))
    changes += scene.finish(ns(4), "stopped")
    assert kinds(changes) == ["intrusion"] * count


def test_the_dwell_begins_with_the_hours() -> None:
    scene = Scene(
        with_zone("loitering", hours=["22:00-06:00"], loitering_dwell_s=10),
        wall_offset_ns=monday_at(22) - ns(20),
    )
    changes = [change for one in watching(40.0, lambda _: [person(0.5, 0.8)]) for change in scene.step(one)]
    (incident,) = opened(changes)
    assert ns(29.8) <= incident.at_ns <= ns(31)


# ---- who is large and sure enough to count


def in_hall(people: People, end_s: float = 4.0, **more: object) -> bool:
    return "intrusion" in kinds(play(watching(end_s, people), with_zone("intrusion", **more)))


@pytest.mark.parametrize(("height", "told"), [(0.28, False), (0.32, True)])
def test_who_is_too_small_for_a_zone_is_not_told(height: float, told: bool) -> None:
    assert in_hall(lambda t: [person(0.5, 0.8, height=height)], min_height=0.3) is told
    assert in_hall(lambda t: [person(0.5, 0.8, height=height)])


@pytest.mark.parametrize(("prob", "told"), [(0.62, False), (0.68, True)])
def test_who_is_too_doubtful_for_a_zone_is_not_told(prob: float, told: bool) -> None:
    assert in_hall(lambda t: [person(0.5, 0.8, prob=prob)], min_score=0.65) is told


def test_one_sure_picture_makes_nobody_sure() -> None:
    assert not in_hall(lambda t: [person(0.5, 0.8, prob=0.95 if t == 1.0 else 0.5)], min_score=0.6)


def test_who_comes_nearer_counts_from_then_on() -> None:
    nearer = watching(8.0, lambda t: [person(0.5, 0.8, height=0.2 + 0.02 * t)])
    changes = play(nearer, with_zone("intrusion", min_height=0.3))
    (told,) = opened(changes)
    assert told.started_ns >= ns(4.5)


def test_who_counts_goes_on_counting_while_they_lie_or_are_half_hidden() -> None:
    stays = with_zone("loitering", min_height=0.3, min_score=0.6, loitering_dwell_s=6.0)
    crouches = watching(12.0, lambda t: [person(0.5, 0.8, height=0.4 if t < 2 else 0.25, prob=0.7 if t < 2 else 0.55)])
    assert "loitering" in kinds(play(crouches, stays))


def test_a_line_counts_neither_the_small_nor_the_doubtful() -> None:
    tall, sure = ACROSS.model_copy(update={"min_height": 0.3}), ACROSS.model_copy(update={"min_score": 0.65})
    for line, less, more in (
        (tall, person(0, 0.8, height=0.25), person(0, 0.8, height=0.35)),
        (sure, person(0, 0.8, prob=0.6), person(0, 0.8, prob=0.7)),
    ):
        for one, crossings in ((less, 0), (more, 1)):
            size = {"height": one.box.height_frac, "prob": one.score_prob}
            crossed = counts(lambda t, size=size: [person(0.3 + 0.08 * t, 0.8, **size)], 5.0, line)  # type: ignore[misc]
            assert crossed.came_in + crossed.went_out == crossings


# ---- years of passers-by


def test_who_passed_by_before_is_no_reason_for_who_lingers_now() -> None:
    def people(at_s: float) -> Sequence[Detection]:
        if at_s >= 100.0:
            return [person(0.5, 0.8)]
        walked_s = at_s % 20.0  # across the picture in ten seconds, and then nobody for as long
        return [person(0.1 + 0.08 * walked_s, 0.8)] if walked_s < 10.0 else []

    policy = with_zone("loitering", loitering_dwell_s=30)
    (incident,) = opened(play(watching(140.0, people), policy))
    assert incident.started_ns >= ns(100.0)
    assert len(incident.tracks) == 1
    assert all(evidence.at_ns >= ns(100.0) for evidence in incident.evidence)


# ---- things that are gone for long


@pytest.mark.parametrize("dwell_s", [90.0, 200.0])
def test_a_thing_is_missed_for_as_long_as_the_zone_asks(dwell_s: float) -> None:
    policy = with_zone("removed_object", removed_dwell_s=dwell_s)
    (incident,) = opened(play(watching(20.0 + dwell_s + 10.0, taking), policy))
    assert ns(20.0 + dwell_s) <= incident.at_ns <= ns(20.0 + dwell_s + 8.0)
