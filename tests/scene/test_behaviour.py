"""Postures and paces, a long lie nobody saw begin, groups, and microphones that fail."""

from dataclasses import replace
from itertools import pairwise

import pytest

from agent.scene import Policy, Scene
from agent.scene.behaviour import Body
from agent.scene.groups import Group
from agent.scene.integrity.microphone import TOLD_LLR, MicrophoneWatch
from agent.types import Box, Detection, Heard
from tests.scene.observe import ASPECT, falling, heard, kinds, ns, opened, person, play, times, watching


def behaviours(*looks: tuple[float, Detection, float]) -> list[str]:
    """What a body does after each look: (time, detection, speed)."""
    body, seen = Body(), []
    for at_s, one, speed in looks:
        body.see(ns(at_s), one.box, ASPECT, speed, one.posture_probs)
        seen.append(body.behaviour)
    return seen


def crouched(at_s: float) -> Detection:
    """Upright until 2 s, then down to 0.6 of the height within 0.5 s, up again from 5 s on."""
    down = min(1.0, max(0.0, (at_s - 2.0) / 0.5)) - min(1.0, max(0.0, (at_s - 5.0) / 0.5))
    return person(0.5, 0.8, height=0.4 - 0.16 * down, ratio=0.4 + 0.25 * down)


def test_who_goes_down_on_the_spot_and_comes_up_again_crouched() -> None:
    looks = [(t, crouched(t), 0.0) for t in times(0, 8, 0.1)]
    seen = behaviours(*looks)
    assert set(seen[:20]) == {"standing"}
    assert set(seen[30:50]) == {"crouching"}
    assert set(seen[62:]) == {"standing"}


def test_who_crouches_for_long_is_still_crouching() -> None:
    looks = [(t, crouched(min(t, 4.0)), 0.0) for t in times(0, 30, 0.1)]
    assert behaviours(*looks)[-1] == "crouching"


def test_who_walks_away_shrinks_but_does_not_crouch() -> None:
    away = [(t, person(0.5, 0.9 - 0.05 * t, height=0.5 - 0.04 * t), 0.5) for t in times(0, 8, 0.1)]
    assert set(behaviours(*away)) <= {"standing", "walking"}


@pytest.mark.parametrize(("speed", "pace"), [(0.05, "standing"), (0.6, "walking"), (1.9, "running")])
def test_the_pace_is_that_of_heights_a_second(speed: float, pace: str) -> None:
    assert behaviours(*[(t, person(0.5, 0.8), speed) for t in times(0, 2, 0.1)])[-1] == pace


def test_a_pace_between_two_does_not_flutter() -> None:
    seen = behaviours(*[(t, person(0.5, 0.8), 1.45 + 0.1 * (-1) ** round(t * 10)) for t in times(0, 6, 0.1)])
    assert sum(one != other for one, other in pairwise(seen[5:])) <= 1


def test_a_long_lie_is_found_though_the_fall_was_not_seen_and_the_evidence_says_so() -> None:
    lying = person(0.5, 0.8, height=0.12, ratio=2.6, prob=0.6)
    changes = play(watching(6.0, lambda _: [lying]))
    (incident,) = opened(changes)
    assert incident.kind == "fall"
    assert incident.evidence[0].signal == "fallen"
    assert incident.at_ns <= ns(3.5)
    assert "how it came to that was not seen" in incident.summary


# ---- groups


def groups(people: object, end_s: float) -> list[tuple[Group, ...]]:
    scene, seen = Scene(Policy(), lateness_ns=0), []
    for one in watching(end_s, people):  # type: ignore[arg-type]
        scene.step(one)
        seen.append(scene.groups("cam"))
    return seen


def meeting(at_s: float) -> list[Detection]:
    """Two people walk towards each other from 2.6 heights apart, stand for 4 s and part again."""
    apart = 1.0 - 0.2 * min(4.0, at_s) + 0.2 * max(0.0, at_s - 8.0)
    return [person(0.5 - apart / 2 / ASPECT, 0.8), person(0.5 + apart / 2 / ASPECT, 0.8)]


def test_people_who_come_together_are_a_group_until_they_part() -> None:
    seen = groups(meeting, 14.0)
    assert seen[10] == ()
    (coming,) = seen[36]
    assert coming.trend == "converging"
    (standing,) = seen[75]
    assert standing.trend == "steady"
    assert standing.tracks == (1, 2)
    assert standing.spacing_heights == pytest.approx(0.5, abs=0.1)
    (leaving,) = seen[95]
    assert leaving.trend == "dispersing"
    assert seen[-1] == ()


def test_three_in_a_row_are_one_group_and_a_loner_is_none() -> None:
    row = [person(x, 0.8) for x in (0.1, 0.25, 0.4, 0.9)]
    (group,) = groups(lambda _: row, 3.0)[-1]
    assert len(group.tracks) == 3


# ---- microphones


def room(at_s: float) -> Heard:
    return heard(at_s, level_dbfs=-60.0 + (at_s * 7.3) % 3)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"level_dbfs": -120.0, "peak_dbfs": -120.0}, "went silent"),
        ({"level_dbfs": -2.0, "peak_dbfs": 0.0}, "overdriven"),
        ({"level_dbfs": -57.5, "peak_dbfs": -40.25}, "repeats"),
    ],
)
def test_a_microphone_that_fails_is_told_within_5_s_and_when_it_works_again_too(
    fault: dict[str, float], reason: str
) -> None:
    sound = [replace(room(t), **fault) if 20 <= t < 30 else room(t) for t in times(0.5, 45, 0.5)]
    changes = [one for one in play(sound) if one.incident.kind == "mic_silent"]
    (incident,) = opened(changes)
    assert ns(23) <= incident.at_ns <= ns(25.5)
    assert reason in incident.summary
    assert len(changes) >= 2


def test_a_microphone_that_is_gated_in_quiet_moments_is_not_told() -> None:
    def gated(at_s: float) -> Heard:
        quiet = {"level_dbfs": -120.0, "peak_dbfs": -120.0}
        return replace(room(at_s), **quiet) if at_s % 8 < 3.5 else room(at_s)

    assert "mic_silent" not in kinds(play([gated(t) for t in times(0.5, 120, 0.5)]))


def test_a_recording_that_is_silent_from_the_start_has_no_broken_microphone() -> None:
    quiet = [replace(room(t), level_dbfs=-120.0, peak_dbfs=-120.0) for t in times(0.5, 60, 0.5)]
    assert "mic_silent" not in kinds(play(quiet))


def test_a_microphone_that_was_once_silent_for_long_is_told_sooner_as_days_go_by() -> None:
    watch, newest_s = MicrophoneWatch(), 0.0
    sounding, silent = room(1.0), replace(room(1.0), level_dbfs=-120.0, peak_dbfs=-120.0)

    def hear(window: Heard, seconds: int) -> float:
        nonlocal newest_s
        told = [0.0]
        for second in range(seconds):
            newest_s += 1.0
            level_dbfs = window.level_dbfs - (second % 7 if window is sounding else 0)
            told.append(watch.hear(replace(window, at_ns=ns(newest_s), level_dbfs=level_dbfs)).llr)
        return max(told)

    hear(sounding, 60)
    hear(silent, 600)
    hear(sounding, 60)
    assert hear(silent, 1700) < TOLD_LLR  # it has been silent for 600 s before, and that was no fault
    hear(sounding, 2 * 86_400)
    assert hear(silent, 4000) >= TOLD_LLR  # three times 1700 s, had nothing been forgotten


def postures_of(looks: list[tuple[float, float, float] | None]) -> list[str | None]:
    """What a body's posture is after each of these looks, ten a second."""
    body, found = Body(), []
    for index, probs in enumerate(looks):
        body.see(ns(index / 10), person(0.5, 0.8).box, ASPECT, 0.0, probs)
        found.append(body.posture)
    return found


UPRIGHT, CROUCHED, LYING = (0.9, 0.08, 0.02), (0.1, 0.85, 0.05), (0.02, 0.08, 0.9)


def test_one_wrong_look_does_not_change_a_posture_and_a_few_right_ones_do():
    found = postures_of([UPRIGHT] * 5 + [LYING] + [UPRIGHT] * 3 + [LYING] * 6)
    assert found[:9] == ["upright"] * 9
    assert found[-3:] == ["lying"] * 3


def test_bending_is_never_taken_for_lying_on_the_way():
    assert set(postures_of([UPRIGHT] * 5 + [CROUCHED] * 10 + [UPRIGHT] * 10)) == {"upright", "crouched"}


def test_a_look_without_posture_leaves_it_as_it_was_and_without_any_there_is_none():
    assert postures_of([None, None]) == [None, None]
    assert postures_of([LYING, None, None]) == ["lying"] * 3


def test_probabilities_of_a_posture_add_up_to_one_and_are_never_certain():
    body = Body()
    for index in range(20):
        body.see(ns(index / 10), person(0.5, 0.8).box, ASPECT, 0.0, (1.0, 0.0, 0.0))
    assert body.posture_probs is not None
    assert sum(body.posture_probs) == pytest.approx(1.0)
    assert 0.97 < body.posture_probs[0] < 1.0


def test_a_posture_that_is_surely_none_of_lying_keeps_a_wide_box_from_falling() -> None:
    def lies(t: float) -> list[Detection]:
        return [replace(falling(t), posture_probs=(0.9, 0.08, 0.02) if t < 3.2 else (0.05, 0.1, 0.85))]

    assert kinds(play(watching(8, lies))) == ["fall"]
    wavering = [(t, person(0.5, 0.8, height=0.24, ratio=1.2), 0.0) for t in times(0, 2, 0.1)]
    assert behaviours(*wavering)[-1] == "lying"
    assert "lying" not in behaviours(
        *[(t, replace(one, posture_probs=(0.1, 0.88, 0.02)), 0.0) for t, one, _ in wavering]
    )


def test_who_is_cut_off_at_the_side_is_not_seen_upright() -> None:
    """Half a body looks narrow: who bends at the border into the picture has not fallen."""

    def bends(t: float) -> list[Detection]:
        share = min(1.0, max(0.0, (t - 2.0) / 0.4))
        box = Box(left_frac=0.0, top_frac=0.45 + 0.13 * share, right_frac=0.06 + 0.14 * share, bottom_frac=0.73)
        return [Detection(label="person", score_prob=0.5, box=box)]

    assert play(watching(4, bends)) == []
