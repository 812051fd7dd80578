"""Eight seconds in steps: what the fusion graph is shown, and what its answer does."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from agent.features.motion import MOTION_NAMES
from agent.scene import Policy, Scene
from agent.types import FUSION_STEPS, NS_PER_S, Fused, FusionWindow, Heard, IncidentChange, Observation, Opened, Seen
from tests.scene.observe import (
    closed,
    heard,
    in_order,
    kinds,
    ns,
    opened,
    person,
    play,
    score,
    seen,
    times,
    walking,
    watching,
)

MOVING = replace(seen(0.0).stats, moving_frac=0.1)


def pictures(end_s: float, *, moving: bool = True, embedding: tuple[float, ...] = (1.0, 2.0)) -> list[Observation]:
    found: list[Observation] = []
    for index in range(round(end_s * 10)):
        at_s = index / 10
        picture = seen(at_s, [walking(at_s)], stats=replace(MOVING, moving_frac=0.1 if moving else 0.0))
        found.append(replace(picture, embedding=embedding, motion=(0.5,) * len(MOTION_NAMES)))
    return found


def sounds(end_s: float, *, level_dbfs: float = -40.0) -> list[Observation]:
    made = [heard(0.5 * (index + 1), level_dbfs=level_dbfs) for index in range(round(2 * end_s))]
    return [replace(window, embedding=(0.1, 0.2, 0.3)) for window in made]


def shown(observations: Iterable[Observation]) -> list[FusionWindow]:
    scene = Scene(Policy(), lateness_ns=0)
    windows: list[FusionWindow] = []
    for observation in observations:
        scene.step(observation)
        windows += scene.windows()
    return windows


def test_a_window_comes_due_every_half_second_while_something_moves() -> None:
    windows = shown(pictures(3.0))
    assert [window.at_ns for window in windows] == [ns(t) for t in (0.5, 1.0, 1.5, 2.0, 2.5)]


def test_no_window_comes_due_where_nothing_moves_or_sounds() -> None:
    assert shown(pictures(3.0, moving=False)) == []


def test_sound_alone_makes_windows_without_people() -> None:
    window = shown(sounds(3.0))[-1]
    assert window.people.shape == (FUSION_STEPS, 0)
    assert window.sound_known.sum() == window.at_ns // ns(0.5)


def test_quiet_sound_alone_makes_none() -> None:
    assert shown(sounds(3.0, level_dbfs=-80.0)) == []


def test_the_newest_half_second_stands_last_and_what_was_not_observed_is_unknown() -> None:
    window = shown(pictures(1.1))[-1]
    assert window.scene_known.tolist() == [0.0] * 14 + [1.0, 1.0]
    assert np.allclose(window.scene[-1, :2], (1.0, 2.0))
    assert not window.scene[:14].any()


def test_a_window_never_reaches_back_further_than_eight_seconds() -> None:
    window = shown(pictures(12.0))[-1]
    assert window.people_known.sum() == FUSION_STEPS


def test_the_windows_do_not_depend_on_the_order_of_arrival() -> None:
    stream = in_order(pictures(4.0), sounds(4.0))
    swapped = list(stream)
    swapped[10], swapped[11] = swapped[11], swapped[10]

    def late(observations: list[Observation]) -> list[FusionWindow]:
        scene = Scene(Policy())
        found: list[FusionWindow] = []
        for observation in observations:
            scene.step(observation)
            found += scene.windows()
        return found

    for first, second in zip(late(stream), late(swapped), strict=True):
        assert first.at_ns == second.at_ns
        assert np.array_equal(first.people, second.people)
        assert np.array_equal(first.sound, second.sound)


@pytest.mark.parametrize(("sound_late_s", "picture_late_s"), [(1.0, 0.0), (0.0, 1.0)])
def test_what_comes_late_stands_in_the_half_second_in_which_it_happened(
    sound_late_s: float, picture_late_s: float
) -> None:
    late_s = {Seen: picture_late_s, Heard: sound_late_s}
    moment = lambda one: replace(one, embedding=(one.at_ns / NS_PER_S, 1.0))  # noqa: E731
    stream = in_order(map(moment, pictures(8.0)), map(moment, sounds(8.0)))
    aligned = shown(stream)[-4]
    arriving = sorted(stream, key=lambda one: one.at_ns + ns(late_s[type(one)]))
    late = next(window for window in reversed(shown(arriving)) if window.at_ns == aligned.at_ns + ns(1.5))
    for name in ("scene", "people", "sound"):
        assert np.array_equal(getattr(late, name)[:10], getattr(aligned, name)[3:13])


def test_windows_nobody_asks_for_do_not_pile_up() -> None:
    scene = Scene(Policy(), lateness_ns=0)
    for observation in pictures(20.0):
        scene.step(observation)
    assert 0 < len(scene.windows()) <= 8
    assert scene.windows() == ()


def fused(at_s: float, llr: float) -> Fused:
    return Fused(camera="cam", at_ns=ns(at_s), scores=(score("fight", llr),))


def fought(llr: float, end_s: float = 5.0, *, people_until_s: float = 100.0) -> list[tuple[float, str]]:
    """When what opened, with the graph saying `llr` from 1 s on, and somebody there until `people_until_s`."""
    scene = Scene(Policy(), lateness_ns=0)
    found = []
    for picture in pictures(end_s):
        if isinstance(picture, Seen) and picture.at_ns >= ns(people_until_s):
            picture = replace(picture, detections=())  # noqa: PLW2901
        changes = list(scene.step(picture))
        for window in scene.windows():
            changes += scene.step(fused(window.at_ns / 1e9, llr if window.at_ns > ns(1.0) else -3.0))
        found += [(picture.at_ns / 1e9, kind) for kind in kinds(changes)]
    return found


def test_a_strong_fight_opens_within_the_contract() -> None:
    found = fought(6.0)
    assert [kind for _, kind in found] == ["fight"]
    assert found[0][0] <= 1.0 + 1.2


def test_what_one_window_alone_takes_for_a_fight_is_none_and_what_two_do_may_be_one() -> None:
    """An embrace begins like one."""

    def opens(windows: int) -> bool:
        scene, found = Scene(Policy(), lateness_ns=0), list[IncidentChange]()
        for picture in pictures(6.0):
            found += scene.step(picture)
            for window in scene.windows():
                sure = ns(2.0) < window.at_ns <= ns(2.0 + 0.5 * windows)
                found += scene.step(fused(window.at_ns / 1e9, 9.0 if sure else -0.1))
        return "fight" in kinds(found)

    assert not opens(1)
    assert opens(2)


@pytest.mark.parametrize("goes_down", [False, True])
def test_a_doubtful_fight_waits_while_somebody_goes_down(goes_down: bool) -> None:
    low = person(0.5, 0.8, height=0.28, ratio=0.9)
    scene, opened = Scene(Policy(), lateness_ns=0), list[float]()
    for picture in pictures(5.0):
        at_s = picture.at_ns / 1e9
        if isinstance(picture, Seen):
            people = (low if goes_down and 2.0 <= at_s < 3.2 else person(0.5, 0.8), person(0.7, 0.8))
            picture = replace(picture, detections=people)  # noqa: PLW2901
        changes = list(scene.step(picture))
        for window in scene.windows():
            doubtful = ns(2.0) < window.at_ns <= ns(3.5)
            changes += scene.step(fused(window.at_ns / 1e9, 0.6 if doubtful else -0.05))
        opened += [at_s for kind in kinds(changes) if kind == "fight"]
    assert opened
    assert (opened[0] > 3.2) == goes_down


def test_a_weak_fight_opens_later_within_the_contract() -> None:
    found = fought(0.5)
    assert [kind for _, kind in found] == ["fight"]
    assert 1.0 + 1.2 < found[0][0] <= 1.0 + 2.5


def test_what_the_graph_finds_unlikely_never_opens_however_long() -> None:
    assert fought(-0.05, end_s=20.0) == []


def test_where_nobody_is_nobody_fights() -> None:
    assert fought(6.0, people_until_s=0.0) == []


def test_who_was_lost_from_sight_a_moment_ago_may_fight() -> None:
    found = fought(6.0, people_until_s=1.0)
    assert [kind for _, kind in found] == ["fight"]


def opens_among(people: int, llr: float) -> bool:
    """Whether a fight opens where the graph says `llr` of so many people."""
    scene = Scene(Policy(), lateness_ns=0)
    found = []
    for picture in pictures(4.0):
        crowd = tuple(person(0.05 + 0.9 * place / people, 0.8, height=0.1) for place in range(people))
        found += scene.step(replace(picture, detections=crowd) if isinstance(picture, Seen) else picture)
        for window in scene.windows():
            found += scene.step(fused(window.at_ns / 1e9, llr))
    return "fight" in kinds(found)


def test_among_many_people_a_fight_has_to_be_surer() -> None:
    assert opens_among(8, 0.6)
    assert not opens_among(20, 0.6)
    assert opens_among(20, 0.6 + 1.0)  # ln(20 / 8) = 0.92


def believed(llr: float) -> float:
    scene = Scene(Policy(), lateness_ns=0)
    for picture in pictures(2.0):
        scene.step(picture)
        for window in scene.windows():
            scene.step(fused(window.at_ns / 1e9, llr))
    return scene.beliefs("cam")["fight"]


def test_beliefs_rank_what_lies_below_the_operating_point() -> None:
    assert 0.0 < believed(-3.0) < believed(-1.0) < believed(0.2) < believed(1.0)


def test_a_fight_begins_with_what_lasted_and_not_with_what_was_merely_possible() -> None:
    scene = Scene(Policy(), lateness_ns=0)
    begun = []
    for picture in pictures(8.0):
        changes = list(scene.step(picture))
        for window in scene.windows():
            changes += scene.step(fused(window.at_ns / 1e9, 5.0 if window.at_ns > ns(5.0) else -1.0))
        begun += [change.incident for change in changes if isinstance(change, Opened)]
    assert len(begun) == 1
    assert begun[0].started_ns >= ns(5.0)


def test_a_scream_a_crash_and_people_who_fight_are_one_fight() -> None:
    windows = [
        heard(t, scream=7.0 if 10.0 < t <= 12.0 else -3.0, crash=7.0 if 11.0 < t <= 13.0 else -3.0)
        for t in times(0.5, 30, 0.5)
    ]
    graph = [fused(10.5 + 0.5 * k, 3.0 if k < 8 else -4.0) for k in range(16)]
    people = watching(30, lambda t: [walking(t), person(0.7, 0.8)])
    changes = play(in_order(people, windows, graph))
    first = opened(changes)
    assert [incident.kind for incident in first if incident.kind != "fight"] in ([], ["scream"], ["scream", "crash"])
    (whole,) = [incident for incident in closed(changes) if incident.kind == "fight"]
    assert {incident.ordinal for incident in first} == {whole.ordinal, *whole.absorbs}
    assert {"fight_fused", "scream"} <= {evidence.signal for evidence in whole.evidence}
    reasons = {end.kind: end.close_reason for end in closed(changes)}
    assert reasons.pop("fight") == "quiet"
    assert set(reasons.values()) <= {"absorbed"}
