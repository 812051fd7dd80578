"""The smaller parts of the scene: ledger, reordering, rhythm, geometry, postures, sentences."""

import math
from dataclasses import replace

import pytest

from agent.kinds import KINDS
from agent.scene.alarm_patterns import Beeping, Rhythm
from agent.scene.behaviour import Body
from agent.scene.evidence import Clue, Ledger, belief
from agent.scene.geometry import distance_to, is_inside
from agent.scene.hearing import Background
from agent.scene.integrity.picture import resemblance
from agent.scene.policy import RULES, SUPPORTS, Policy
from agent.scene.reorder import ReorderBuffer
from agent.scene.sentences import sentence
from agent.types import Blind, Box, Tick
from tests.scene.observe import ASPECT, T3_BEEPS, T4_BEEPS, blind, heard, ns, person, seen, times

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))


def clue(llr: float, adding: str = "rate", *, at_s: float = 0.0, signal: str = "s", track: int | None = None,
         modality: str = "vision") -> Clue:  # fmt: skip
    return Clue(
        kind="fire", signal=signal, modality=modality, adding=adding, llr=llr, score=0.5, since_ns=ns(at_s), track=track
    )


# ---- the ledger


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


# ---- reordering


def test_observations_leave_in_the_order_of_time_once_nothing_earlier_can_come() -> None:
    buffer = ReorderBuffer(ns(0.25))
    assert list(buffer.push(Tick(at_ns=ns(1.0)))) == []
    assert list(buffer.push(Tick(at_ns=ns(0.9)))) == []
    assert [tick.at_ns for tick in buffer.push(Tick(at_ns=ns(1.2)))] == [ns(0.9)]
    assert [tick.at_ns for tick in buffer.flush()] == [ns(1.0), ns(1.2)]


def test_what_is_late_leaves_at_once_in_the_order_of_its_own_sense() -> None:
    buffer = ReorderBuffer(ns(0.25))
    pictures = [one for t in (1.0, 1.5, 2.0) for one in buffer.push(seen(t))]
    assert [one.at_ns for one in pictures] == [ns(1.0), ns(1.5)]
    assert [one.at_ns for t in (0.6, 1.1) for one in buffer.push(heard(t))] == [ns(0.6), ns(1.1)]
    assert [one.at_ns for one in buffer.push(seen(1.2))] == []  # a newer picture was told
    assert [one.at_ns for one in buffer.push(seen(1.2, camera="other"))] == [ns(1.2)]
    assert buffer.dropped == 1


def test_what_comes_far_too_late_is_dropped_and_counted() -> None:
    buffer = ReorderBuffer(ns(0.25))
    list(buffer.push(Tick(at_ns=ns(10.0))))
    list(buffer.push(Tick(at_ns=ns(11.0))))
    assert list(buffer.push(Tick(at_ns=ns(2.0)))) == []
    assert buffer.dropped == 0, "that a time has passed is known by then"
    assert list(buffer.push(Blind(camera="hall", at_ns=ns(4.9), modality="sound", reason="timeout"))) == []
    assert buffer.dropped == 1
    assert len(list(buffer.push(Blind(camera="hall", at_ns=ns(5.1), modality="sound", reason="timeout")))) == 1


def test_without_lateness_everything_leaves_at_once() -> None:
    buffer = ReorderBuffer(0)
    assert len(list(buffer.push(Tick(at_ns=5)))) == 1


def test_observations_of_one_moment_leave_by_type_and_camera() -> None:
    mixed = [Tick(at_ns=ns(1)), blind(1, "timeout"), heard(1.0), seen(1.0, camera="b"), seen(1.0, camera="a")]
    for order in (mixed, mixed[::-1]):
        buffer = ReorderBuffer(ns(0.25))
        for observation in order:
            assert list(buffer.push(observation)) == []
        out = list(buffer.flush())
        assert [type(one).__name__ for one in out] == ["Seen", "Seen", "Heard", "Blind", "Tick"]
        assert [getattr(one, "camera", "") for one in out] == ["a", "b", "cam", "cam", ""]


# ---- rhythm


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


# ---- geometry and level


def test_points_inside_outside_and_near_the_border() -> None:
    assert is_inside((0.5, 0.5), SQUARE)
    assert not is_inside((0.9, 0.5), SQUARE)
    assert is_inside((0.5, 0.5), SQUARE[::-1])
    assert distance_to((0.9, 0.5), SQUARE) == pytest.approx(0.1)
    assert distance_to((0.9, 0.9), SQUARE) == pytest.approx(math.hypot(0.1, 0.1))


def test_a_look_is_recognised_under_other_light_and_not_behind_a_hand() -> None:
    look = tuple((k * 37 % 48) / 48 for k in range(48))
    assert resemblance(look, tuple(0.3 * cell + 0.1 for cell in look)) == pytest.approx(1.0)
    assert resemblance(look, (0.2,) * 48) == 0.0
    assert resemblance((), look) == 1.0


def test_the_usual_level_is_learned_and_a_bang_hardly_moves_it() -> None:
    background = Background()
    for _ in range(60):
        background.learn(-60.0, 0.5)
    background.learn(-10.0, 0.5)
    assert background.is_known
    assert background.level_dbfs == pytest.approx(-60.0, abs=0.5)
    assert background.over_db(-30.0) == pytest.approx(30.0, abs=1.0)


def test_the_usual_level_of_a_street_that_got_louder_is_learned_again() -> None:
    background = Background()
    for level in [-60.0] * 120 + [-30.0] * 1200:
        background.learn(level, 0.5)
    assert background.level_dbfs == pytest.approx(-30.0, abs=1.0)


# ---- postures


def body_of(*boxes: Box, speed: float = 0.0) -> Body:
    body = Body()
    for k, box in enumerate(boxes):
        body.see(ns(0.1 * k), box, ASPECT, speed)
    return body


def standing_box(bottom: float = 0.9, height: float = 0.4, ratio: float = 0.4) -> Box:
    return person(0.5, bottom, height=height, ratio=ratio).box


def test_paces_by_body_heights_per_second() -> None:
    stand, walk, run = (body_of(*[standing_box()] * 20, speed=speed).behaviour for speed in (0.05, 0.6, 2.0))
    assert (stand, walk, run) == ("standing", "walking", "running")


def test_lying_is_wide_and_low() -> None:
    assert body_of(*[standing_box(height=0.12, ratio=2.4)] * 10).behaviour == "lying"
    assert body_of(*[standing_box(height=0.3, ratio=0.75)] * 10).behaviour == "standing"


def test_lying_along_the_line_of_sight_is_short() -> None:
    body = body_of(*[standing_box()] * 10, *[standing_box(height=0.14, ratio=0.85)] * 10)
    assert body.behaviour == "lying"


def test_who_walks_out_of_the_picture_does_not_lie() -> None:
    leaving = [
        Box(left_frac=0.45, top_frac=top, right_frac=0.54, bottom_frac=1.0)
        for top in (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.88, 0.91, 0.94, 0.97)
    ]
    assert body_of(*[standing_box(0.97)] * 5, *leaving).behaviour != "lying"


def test_whoever_is_cut_off_at_the_side_keeps_the_posture() -> None:
    lying = [standing_box(height=0.12, ratio=2.4)] * 10
    leaving = [Box(left_frac=0.0, top_frac=0.78, right_frac=0.03, bottom_frac=0.9)] * 3
    assert body_of(*lying, *leaving).behaviour == "lying"


# ---- tables and sentences


def test_the_tables_name_kinds_that_exist() -> None:
    signals = {"thud"}
    for kind, rule in RULES.items():
        assert kind in KINDS
        assert set(rule.silences) | set(rule.absorbs) <= RULES.keys()
        assert rule.threshold_llr > 0
        assert rule.decay_s > 0
    for support in SUPPORTS:
        assert support.kind in RULES
        assert support.signal in RULES.keys() | signals
        assert support.most_llr < RULES[support.kind].threshold_llr


@pytest.mark.parametrize("kind", sorted(RULES))
def test_every_kind_has_a_sentence_a_guard_can_read(kind: str) -> None:
    words = {
        "from": "walking", "down_s": 0.6, "lying_s": 1.2, "over_db": 31.0, "inside_s": 2.0, "still_s": 3.0,
        "reason": "it stopped answering", "way": "in", "count": 6, "lasted_s": 12.0, "what": "suitcase",
        "alone_s": 60.0, "gone_s": 6.0,
    }  # fmt: skip
    said = sentence(kind, words, cameras=("stairwell",), zones=(), agreeing=())
    assert "stairwell" in said
    assert said[0].isupper()
    assert said.endswith(".")
    assert "{" not in said


def test_a_sentence_says_where_and_what_agrees() -> None:
    words = {"variant": "fell", "from": "standing", "down_s": 0.6, "lying_s": 1.2}
    said = sentence("fall", words, cameras=("stairwell",), zones=("landing",), agreeing=("thud",))
    assert said == (
        "Person fell at stairwell, zone landing: went from standing to lying in 0.6 s and stayed down 1.2 s; "
        "a thud was heard."
    )


def test_a_sentence_does_not_say_that_a_moment_was_long_nor_one_sound_twice() -> None:
    words = {"variant": "fell", "from": "walking", "down_s": 0.8, "lying_s": 0.1}
    said = sentence("fall", words, cameras=("hall",), zones=(), agreeing=("thud", "crash"))
    assert said == "Person fell at hall: went from walking to lying in 0.8 s; a thud was heard."
    assert "a crash was heard" in sentence("fall", words, cameras=("hall",), zones=(), agreeing=("crash",))


def test_a_policy_refuses_kinds_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown kind 'fal'"):
        Policy(disabled_kinds=frozenset({"fal"}))
