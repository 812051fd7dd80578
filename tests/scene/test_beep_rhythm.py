"""The patterns T3 and T4 are counted by cycles of beeps."""

import pytest

from agent.scene.alarm_patterns import Beeping, Rhythm
from tests.scene.observe import T3_BEEPS, T4_BEEPS, ns, times


def listen_to(
    pattern: tuple[tuple[float, float], ...], cycle_s: float, end_s: float, *, band: int = 48
) -> list[Beeping]:
    rhythm, found = Rhythm(), []
    for t in times(0.5, end_s, 0.5):
        steps = [(t - 0.5 + 0.02 * (k + 0.5)) % cycle_s for k in range(25)]
        tones = tuple(band if any(low <= p < high for low, high in pattern) else -1 for p in steps)
        beeping = rhythm.hear(ns(t), tones)
        if beeping and (not found or beeping != found[-1]):
            found.append(beeping)
    return found


def test_both_patterns_are_counted_by_cycles() -> None:
    assert [(b.pattern, b.cycles) for b in listen_to(T3_BEEPS, 4.0, 15)] == [("T3", 1), ("T3", 2), ("T3", 3)]
    assert [(b.pattern, b.cycles) for b in listen_to(T4_BEEPS, 5.7, 19)] == [("T4", 1), ("T4", 2), ("T4", 3), ("T4", 4)]


def test_a_room_that_rings_lengthens_beeps_and_changes_nothing() -> None:
    ringing = ((0.0, 0.68), (1.0, 1.68), (2.0, 2.68))
    assert listen_to(ringing, 4.0, 12)[-1].cycles == 3


@pytest.mark.parametrize(
    ("pattern", "cycle_s"),
    [(((0.0, 0.5),), 1.0), (((0.0, 0.5), (1.0, 1.5)), 3.0), (((0.0, 2.0),), 4.0), (((0.0, 0.1),), 0.5), ((), 1.0)],
)
def test_other_rhythms_are_neither(pattern: tuple[tuple[float, float], ...], cycle_s: float) -> None:
    assert [beeping for beeping in listen_to(pattern, cycle_s, 25) if beeping.cycles > 1] == []


def test_windows_that_overlap_are_heard_once() -> None:
    rhythm, found = Rhythm(), None
    for t in sorted([*times(0.5, 12, 0.5), *(x + 0.1 for x in times(0.5, 12, 0.5))]):
        steps = [(t - 0.5 + 0.02 * (k + 0.5)) % 4.0 for k in range(25)]
        tones = tuple(48 if any(low <= p < high for low, high in T3_BEEPS) else -1 for p in steps)
        found = rhythm.hear(ns(t), tones) or found
    assert found is not None
    assert (found.pattern, found.cycles) == ("T3", 3)


def test_no_pattern_reaches_across_a_gap() -> None:
    rhythm = Rhythm()
    tone = (48,) * 25
    rhythm.hear(ns(1), tone)
    rhythm.reset()
    assert rhythm.hear(ns(30), tone) is None
