"""Evidence adds up per sense, fades, and counts once what is said several times."""

import math
from dataclasses import replace

import pytest

from agent.scene.evidence import Clue, Ledger, belief
from tests.scene.observe import ns


def clue(llr: float, adding: str = "rate", *, at_s: float = 0.0, signal: str = "s", track: int | None = None,
         modality: str = "vision") -> Clue:  # fmt: skip
    return Clue(
        kind="fire", signal=signal, modality=modality, adding=adding, llr=llr, score=0.5, since_ns=ns(at_s), track=track
    )


def test_evidence_adds_up_and_fades() -> None:
    ledger = Ledger(decay_s=2.0, most_llr=100.0)
    ledger.note(clue(1.0), ns(0))
    ledger.note(clue(1.0), ns(0))
    assert ledger.level(ns(0)).total == pytest.approx(2.0)
    assert ledger.level(ns(2)).total == pytest.approx(2.0 / math.e)


def test_of_two_sounds_far_apart_the_later_is_told_once_it_weighs_more() -> None:
    ledger = Ledger(decay_s=2.0, most_llr=100.0)
    ledger.note(clue(3.0, "peak", at_s=0.0, modality="sound"), ns(2))
    ledger.note(clue(2.0, "peak", at_s=1.0, modality="sound"), ns(3))  # the same sound in the next window
    assert [item.at_ns for item in ledger.evidence()] == [ns(2)]
    ledger.note(clue(2.0, "peak", at_s=6.0, modality="sound"), ns(8))
    assert [item.at_ns for item in ledger.evidence()] == [ns(8)]


def test_a_level_never_falls_below_nothing_nor_rises_above_its_cap() -> None:
    ledger = Ledger(decay_s=1e9, most_llr=5.0)
    ledger.note(clue(1.0), ns(0))
    ledger.note(clue(-50.0), ns(1))
    assert ledger.level(ns(1)).total == 0.0
    ledger.note(clue(50.0), ns(2))
    assert ledger.level(ns(2)).total == pytest.approx(5.0)


def test_windows_of_one_bang_count_once() -> None:
    ledger = Ledger(decay_s=1e9, most_llr=100.0)
    for end_s in (10.0, 10.5, 11.0, 11.5):
        ledger.note(clue(5.0, "peak", at_s=end_s - 2.0), ns(end_s))
    assert ledger.level(ns(11.5)).total == pytest.approx(5.0)


def test_only_what_began_near_a_moment_is_said_about_it() -> None:
    ledger = Ledger(decay_s=1e9, most_llr=100.0)
    ledger.note(replace(clue(4.0, "peak", at_s=8.2), begun_ns=ns(10.0)), ns(10.2))
    ledger.note(replace(clue(3.0, "peak", at_s=12.2), begun_ns=ns(14.0)), ns(14.2))

    def about(from_s: float, to_s: float) -> float:
        return ledger.level(ns(14.2), began_ns=(ns(from_s), ns(to_s))).total

    assert [about(9.0, 15.0), about(13.0, 15.0), about(11.0, 13.0)] == [pytest.approx(4.0), pytest.approx(3.0), 0.0]


def test_a_state_says_its_own_whole() -> None:
    ledger = Ledger(decay_s=1e9, most_llr=100.0)
    for llr in (3.0, 7.0, 2.0):
        ledger.note(clue(llr, "state"), ns(0))
        assert ledger.level(ns(0)).total == pytest.approx(llr)


def test_tracks_that_say_the_same_count_once_and_different_signals_add_up() -> None:
    ledger = Ledger(decay_s=1e9, most_llr=100.0)
    ledger.note(clue(2.0, track=1), ns(0))
    ledger.note(clue(3.0, track=2), ns(0))
    assert ledger.level(ns(0)).total == pytest.approx(3.0)
    ledger.note(clue(1.5, signal="other"), ns(0))
    assert ledger.level(ns(0)).total == pytest.approx(4.5)


def test_sight_and_sound_are_kept_apart() -> None:
    ledger = Ledger(decay_s=1e9, most_llr=100.0)
    ledger.note(clue(2.0), ns(0))
    ledger.note(clue(3.0, signal="sound", modality="sound"), ns(0))
    level = ledger.level(ns(0))
    assert (level.total, level.without_sound, level.without_sight) == pytest.approx((5.0, 2.0, 3.0))


def test_belief_is_nothing_without_evidence_and_half_or_so_at_the_threshold() -> None:
    assert belief(0.0, 5.0) == 0.0
    assert belief(5.0, 5.0) == pytest.approx(0.5, abs=0.01)
    assert belief(12.0, 5.0) > 0.99
