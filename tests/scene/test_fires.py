"""Fire and smoke by two judges and a closer look: who is believed when."""

from dataclasses import replace

import pytest

from agent.scene.fires import IDLE_PART_S, PART_S
from agent.types import Box, Burning, Incident, IncidentChange, Seen
from tests.scene.observe import STATS, kinds, noisy, opened, play, score, seen, times

REGION = Box(left_frac=0.5, top_frac=0.0, right_frac=1.0, bottom_frac=0.5)
COLOURED = replace(STATS, colour_frac=0.2)


def shown(
    at_s: float, head: float, whole: float, part: float | None = None, *, kind: str = "fire", grey: bool = False
) -> Seen:
    """One picture: what the graph's own score, the second judge of the whole and of the part say of one kind."""
    both = ("fire", "smoke")
    closely = () if part is None else tuple(score(label, part if label == kind else -9.0) for label in both)
    burning = Burning(
        whole=tuple(score(label, whole if label == kind else -9.0) for label in both),
        region=REGION if closely else None,
        part=closely,
    )
    scene = [score(label, head if label == kind else -9.0) for label in both]
    stats = noisy(STATS if grey else COLOURED, at_s)
    return replace(seen(at_s, scene=scene, stats=stats), burning=burning)


def only(changes: list[IncidentChange]) -> Incident:
    (incident,) = opened(changes)
    return incident


@pytest.mark.parametrize("kind", ["fire", "smoke"])
def test_what_all_three_believe_opens_within_three_seconds(kind: str) -> None:
    incident = only(play([shown(t, 4.0, 4.0, 4.0, kind=kind) for t in times(0, 8, 0.1)]))
    assert (incident.kind, incident.severity) == (kind, "critical")
    assert incident.at_ns <= 3e9


@pytest.mark.parametrize("kind", ["fire", "smoke"])
def test_a_sunset_that_only_the_graphs_own_score_believes_opens_nothing(kind: str) -> None:
    assert play([shown(t, 4.8, -1.0, -0.5, kind=kind) for t in times(0, 120, 0.1)]) == []
    assert kinds(play([shown(t, 4.8, 4.8, 4.8, kind=kind) for t in times(0, 20, 0.1)])) == [kind]


def test_a_small_fire_that_only_the_closer_look_shows_opens_and_says_where() -> None:
    incident = only(play([shown(t, -1.0, -0.5, 5.0) for t in times(0, 20, 0.1)]))
    assert incident.evidence[0].box == REGION
    assert play([shown(t, -1.0, -0.5) for t in times(0, 60, 0.1)]) == []


@pytest.mark.parametrize(("every_s", "expected"), [(0.5, ["fire"]), (20.0, [])])
def test_one_closer_look_alone_opens_nothing(every_s: float, expected: list[str]) -> None:
    def part(at_s: float) -> float | None:
        return 6.0 if round(at_s / every_s, 3) % 1 == 0 else None

    assert every_s < PART_S or every_s > IDLE_PART_S
    assert kinds(play([shown(t, -2.0, -1.5, part(t)) for t in times(0, 60, 0.1)])) == expected


def test_a_closer_look_that_finds_nothing_holds_until_the_next_one() -> None:
    def parts(at_s: float) -> float | None:
        return -6.0 if round(at_s / 2, 3) % 1 == 0 else None

    assert play([shown(t, 4.0, 3.0, parts(t)) for t in times(0, 60, 0.1)]) == []
    assert kinds(play([shown(t, 4.0, 3.0) for t in times(0, 60, 0.1)])) == ["fire"]


def test_what_a_closer_look_does_not_believe_is_told_without_a_place() -> None:
    incident = only(play([shown(t, 9.0, 9.0, -1.0) for t in times(0, 20, 0.1)]))
    assert incident.evidence[0].box is None


def test_without_colour_the_second_judge_is_not_asked() -> None:
    assert kinds(play([shown(t, 3.0, -9.0, -9.0, grey=True) for t in times(0, 20, 0.1)])) == ["fire"]
    assert play([shown(t, 3.0, -9.0, -9.0) for t in times(0, 20, 0.1)]) == []


def test_a_graph_without_a_judge_is_believed_as_it_was() -> None:
    pictures = [replace(shown(t, 3.0, -9.0), burning=None) for t in times(0, 20, 0.1)]
    assert kinds(play(pictures)) == ["fire"]
