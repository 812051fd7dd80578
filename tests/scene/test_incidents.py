"""The life of an incident: every state meets every event."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.scene.evidence import Clue
from agent.scene.incidents import Desk
from agent.scene.lifecycle import EVENTS, STATES, TRANSITIONS, Action, Event, State
from agent.scene.policy import RULES, KindRule, Policy
from agent.types import Closed, IncidentChange, Opened, Updated
from tests.scene.observe import ns


@pytest.mark.parametrize(
    ("state", "event", "after", "action"),
    [
        ("quiet", "weak", "quiet", "nothing"),
        ("quiet", "middling", "suspected", "suspect"),
        ("quiet", "strong", "open", "open"),
        ("quiet", "expired", "quiet", "nothing"),
        ("quiet", "ended", "quiet", "nothing"),
        ("suspected", "weak", "quiet", "drop"),
        ("suspected", "middling", "suspected", "nothing"),
        ("suspected", "strong", "open", "open"),
        ("suspected", "expired", "quiet", "drop"),
        ("suspected", "ended", "quiet", "drop"),
        ("open", "weak", "closing", "fade"),
        ("open", "middling", "open", "go_on"),
        ("open", "strong", "open", "go_on"),
        ("open", "expired", "quiet", "close"),
        ("open", "ended", "quiet", "close"),
        ("closing", "weak", "closing", "go_on"),
        ("closing", "middling", "closing", "go_on"),
        ("closing", "strong", "open", "resume"),
        ("closing", "expired", "quiet", "close"),
        ("closing", "ended", "quiet", "close"),
    ],
)
def test_each_state_meets_each_event(state: State, event: Event, after: State, action: Action) -> None:
    assert TRANSITIONS[state, event] == (after, action)


def test_the_table_knows_every_state_and_every_event() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in STATES for event in EVENTS}


def test_only_an_opening_leads_from_nothing_to_an_incident() -> None:
    for (before, _), (after, action) in TRANSITIONS.items():
        if before in ("quiet", "suspected") and after in ("open", "closing"):
            assert action == "open"
        if before in ("open", "closing") and after in ("quiet", "suspected"):
            assert action == "close"


# One rule for all kinds: threshold 4 (suspected from 1.6, closing below 1.2), 5 s of quiet, 60 s at most.
RULE = KindRule(severity="warning", threshold_llr=4.0, decay_s=1e6, quiet_s=5.0, longest_s=60.0)


class Case:
    """One kind on one camera, told its whole llr from outside."""

    def __init__(self) -> None:
        self.desk = Desk(Policy(rules=dict.fromkeys(RULES, RULE)))

    def at(self, at_s: float, llr: float) -> list[str]:
        self.desk.note("cam", clue(at_s, llr), ns(at_s))
        return [type(change).__name__ for change in self.desk.judge(ns(at_s))]


def clue(at_s: float, llr: float, *, kind: str = "fall", track: int | None = None) -> Clue:
    return Clue(
        kind=kind,
        signal="seen",
        modality="vision",
        adding="state",
        llr=llr,
        score=0.9,
        since_ns=ns(at_s),
        track=track,
        words={"variant": "fallen", "lying_s": 1.0},
    )


def test_below_at_and_above_the_threshold() -> None:
    assert Case().at(1, 3.999) == []
    assert Case().at(1, 4.0) == ["Opened"]
    assert Case().at(1, 4.001) == ["Opened"]


def test_an_incident_closes_after_the_quiet_and_not_before() -> None:
    case = Case()
    assert case.at(1, 5.0) == ["Opened"]
    assert case.at(2, 0.0) == []
    assert case.at(6.9, 0.0) == []
    assert case.at(7.0, 0.0) == ["Closed"]
    assert case.at(8.0, 0.0) == []


def test_what_comes_back_within_the_quiet_is_the_same_incident() -> None:
    case = Case()
    assert [case.at(1, 5.0), case.at(2, 0.0), case.at(5, 5.0), case.at(9, 0.0), case.at(13.9, 0.0)] == [
        ["Opened"], [], [], [], [],
    ]  # fmt: skip
    assert case.at(14.0, 0.0) == ["Closed"]


def test_evidence_between_the_levels_keeps_an_open_incident_open() -> None:
    case = Case()
    case.at(1, 5.0)
    assert [case.at(float(t), 1.3) for t in range(2, 40)] == [[]] * 38


def test_an_incident_that_lasts_too_long_closes_and_does_not_open_again_until_it_was_quiet() -> None:
    case = Case()
    case.at(0, 5.0)
    assert case.at(60, 5.0) == ["Closed"]
    assert [case.at(float(t), 5.0) for t in range(61, 70)] == [[]] * 9
    assert case.at(70, 0.0) == []
    assert case.at(71, 5.0) == ["Opened"]


def test_updates_come_at_most_every_two_seconds_and_only_with_news() -> None:
    desk = Desk(Policy(rules=dict.fromkeys(RULES, RULE)))
    changes = []
    for step in range(60):
        at_s = step * 0.1
        desk.note("cam", clue(at_s, 5.0, track=1), ns(at_s))
        if step >= 5:
            desk.note("cam", clue(at_s, 4.5, track=2), ns(at_s))
        changes += desk.judge(ns(at_s))
    assert [type(change) for change in changes] == [Opened, Updated]
    assert changes[1].incident.at_ns == ns(2.0)
    assert changes[1].incident.tracks == (1, 2)


DOUBTFUL = KindRule(
    severity="critical", threshold_llr=3.0, sure_llr=2.0, decay_s=1e6, quiet_s=5.0, silences=("scream",)
)
SCREAM = KindRule(severity="critical", threshold_llr=4.0, decay_s=1e6, quiet_s=5.0)


def told(*said: tuple[float, str, float], rules: Mapping[str, KindRule]) -> list[tuple[str, str, str, bool]]:
    """What a desk tells of clues (time, kind, llr): kind, change, severity, and whether it escalated."""
    desk, changes = Desk(Policy(rules=rules)), list[IncidentChange]()
    for at_s, kind, llr in said:
        desk.note("cam", clue(at_s, llr, kind=kind), ns(at_s))
        changes += desk.judge(ns(at_s))
    incidents = [(type(change).__name__, change.incident) for change in changes]
    return [(one.kind, name, one.severity, one.escalated) for name, one in incidents]


def test_what_is_not_sure_is_a_warning_and_becomes_critical_at_once_and_stays_it() -> None:
    rules = {"fight": DOUBTFUL}
    said = [(1.0, "fight", 3.0), (1.1, "fight", 4.999), (1.2, "fight", 5.0), (2.0, "fight", 3.2), (3.0, "fight", 0.0)]
    assert told(*said, (8.0, "fight", 0.0), rules=rules) == [
        ("fight", "Opened", "warning", False),
        ("fight", "Updated", "critical", True),
        ("fight", "Closed", "critical", False),
    ]


def test_what_is_sure_when_it_opens_does_not_escalate() -> None:
    assert told((1.0, "fight", 5.0), rules={"fight": DOUBTFUL}) == [("fight", "Opened", "critical", False)]


def test_what_is_less_than_critical_by_its_kind_is_never_more() -> None:
    assert told((1.0, "fall", 9.0), rules={"fall": RULE}) == [("fall", "Opened", "warning", False)]


def test_a_doubtful_incident_that_keeps_a_sure_one_from_being_told_is_as_severe() -> None:
    rules = {"fight": DOUBTFUL, "scream": SCREAM}
    quiet = told((1.0, "fight", 3.0), (1.5, "scream", 2.0), rules=rules)
    assert quiet == [("fight", "Opened", "warning", False)]
    loud = told((1.0, "fight", 3.0), (1.5, "scream", 4.0), rules={**rules, "fight": replace(DOUBTFUL, sure_llr=9.0)})
    assert loud == [("fight", "Opened", "warning", False), ("fight", "Updated", "critical", True)]


def test_what_takes_up_a_critical_incident_is_critical() -> None:
    absorbing = replace(DOUBTFUL, sure_llr=9.0, absorbs=("scream",), reach_s=0.0)
    found = told((1.0, "scream", 4.0), (1.5, "fight", 3.0), rules={"fight": absorbing, "scream": SCREAM})
    assert found[:2] == [("scream", "Opened", "critical", False), ("fight", "Opened", "critical", False)]


PATIENT = replace(DOUBTFUL, waits_for=("fall", "going_down"))
FALL = KindRule(severity="critical", threshold_llr=4.0, decay_s=1e6, quiet_s=5.0, reach_s=3.0)
FALLS = {"fight": PATIENT, "fall": FALL, "scream": SCREAM}
"""A fight that is doubtful from 3 and sure from 5, and a fall that is suspected from 1.6 and open from 4."""


def opened(*said: tuple[float, str, float]) -> list[tuple[str, str]]:
    """Kind and severity of what opens of clues (time, kind, llr) of people who fall, fight and scream."""
    return [(kind, severity) for kind, change, severity, _ in told(*said, rules=FALLS) if change == "Opened"]


@pytest.mark.parametrize("first", [("fall", 4.0), ("fall", 1.7), ("going_down", 1.0)])
def test_a_doubtful_fight_waits_while_somebody_falls_or_may_be_about_to(first: tuple[str, float]) -> None:
    kind, llr = first
    assert ("fight", "warning") not in opened((1.0, kind, llr), (1.5, "fight", 4.9))


@pytest.mark.parametrize("first", [("fall", 4.0), ("fall", 1.7), ("going_down", 1.0)])
def test_a_sure_fight_waits_for_nothing(first: tuple[str, float]) -> None:
    kind, llr = first
    assert ("fight", "critical") in opened((1.0, kind, llr), (1.5, "fight", 5.0))


@pytest.mark.parametrize("first", [("fall", 1.5), ("going_down", 0.0)])
def test_who_neither_falls_nor_goes_down_holds_up_no_fight(first: tuple[str, float]) -> None:
    kind, llr = first
    assert opened((1.0, kind, llr), (1.5, "fight", 3.0)) == [("fight", "warning")]


def test_who_got_up_again_holds_up_no_fight() -> None:
    assert opened((1.0, "going_down", 1.0), (1.5, "fight", 3.1), (2.0, "going_down", 0.0)) == [("fight", "warning")]


def test_who_has_perhaps_been_lying_for_long_holds_up_no_fight() -> None:
    lying = [(1.0 + 0.5 * step, "fall", 3.9) for step in range(7)]
    assert opened(*lying, (4.1, "fight", 3.0)) == [("fight", "warning")]


def test_what_is_lying_there_fallen_holds_up_a_doubtful_fight_as_long_as_the_fall_is_open() -> None:
    lying = [(1.0 + 0.5 * step, "fall", 5.0) for step in range(40)]
    assert opened(*lying, (21.0, "fight", 3.0)) == [("fall", "critical")]
    over = ((22.0, "fall", 0.0), (28.0, "fight", 3.0))
    assert opened(*lying, (21.0, "fight", 3.0), *over) == [("fall", "critical"), ("fight", "warning")]


def test_a_doubtful_fight_becomes_part_of_the_fall_that_it_was() -> None:
    found = told((1.0, "fight", 3.0), (1.5, "fall", 4.0), (2.0, "fight", 4.0), rules=FALLS)
    assert [(kind, change) for kind, change, _, _ in found] == [
        ("fight", "Opened"), ("fall", "Opened"), ("fight", "Closed")
    ]  # fmt: skip


def test_a_fight_that_turns_out_to_be_one_opens_again_beside_the_fall_that_it_was_taken_for() -> None:
    said = [(1.0, "fight", 3.0), (1.5, "fall", 4.0), (2.0, "fight", 5.0)]
    assert opened(*said) == [("fight", "warning"), ("fall", "critical"), ("fight", "critical")]


def test_a_sure_fight_in_which_somebody_falls_goes_on() -> None:
    found = told((1.0, "fight", 5.0), (1.5, "fall", 4.0), rules=FALLS)
    assert [(kind, change) for kind, change, _, _ in found] == [("fight", "Opened"), ("fall", "Opened")]


def test_a_fight_long_before_is_not_the_fall() -> None:
    found = told((1.0, "fight", 3.0), (5.0, "fall", 4.0), rules=FALLS)
    assert [(kind, change) for kind, change, _, _ in found] == [("fight", "Opened"), ("fall", "Opened")]


def test_a_fight_that_waits_keeps_no_scream_from_being_told() -> None:
    assert ("scream", "critical") in opened((1.0, "fall", 4.0), (1.5, "fight", 3.0), (2.0, "scream", 4.0))


def test_where_falls_are_not_told_no_fight_waits_for_one() -> None:
    desk = Desk(Policy(rules=FALLS, disabled_kinds=frozenset({"fall"})))
    desk.note("cam", clue(1.0, 9.0, kind="fall"), ns(1.0))
    desk.note("cam", clue(1.0, 3.0, kind="fight"), ns(1.0))
    assert [change.incident.kind for change in desk.judge(ns(1.0))] == ["fight"]


def test_a_fall_on_another_camera_holds_up_no_fight() -> None:
    desk = Desk(Policy(rules=FALLS))
    desk.note("door", clue(1.0, 9.0, kind="fall"), ns(1.0))
    desk.note("cam", clue(1.0, 3.0, kind="fight"), ns(1.0))
    assert {change.incident.kind for change in desk.judge(ns(1.0))} == {"fall", "fight"}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.1, 4.0), st.sampled_from(["fight", "fall", "scream", "going_down"]), st.floats(0.0, 8.0)),
        max_size=30,
    )
)
def test_whatever_waits_for_what_each_opens_and_closes_in_turn_and_what_is_sure_is_told(
    said: list[tuple[float, str, float]],
) -> None:
    at_s, desk, levels, is_open = 0.0, Desk(Policy(rules=FALLS)), dict.fromkeys(FALLS, 0.0), dict.fromkeys(FALLS, False)
    for passed_s, kind, llr in said:
        at_s += passed_s
        levels[kind] = llr
        desk.note("cam", clue(at_s, llr, kind=kind), ns(at_s))
        for change in desk.judge(ns(at_s)):
            assert is_open[change.incident.kind] is not isinstance(change, Opened)
            is_open[change.incident.kind] = not isinstance(change, Closed)
        # A fight that is sure is told. (What began after one that timed out or was absorbed waits until it was weak.)
        assert is_open["fight"] or levels["fight"] < 5.0


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 4.0), st.sampled_from(["fight", "scream"]), st.floats(0.0, 8.0)), max_size=30))
def test_an_incident_only_becomes_severer_and_says_so_each_time(said: list[tuple[float, str, float]]) -> None:
    at_s, clues = 0.0, []
    for passed_s, kind, llr in said:
        at_s += passed_s
        clues.append((at_s, kind, llr))
    severity: dict[str, str] = {}
    for kind, change, now, escalated in told(*clues, rules={"fight": DOUBTFUL, "scream": SCREAM}):
        before = now if change == "Opened" else severity[kind]  # one of a kind is open at a time on one camera
        assert (before, now) in (("warning", "warning"), ("warning", "critical"), ("critical", "critical"))
        assert escalated == (now != before)
        severity[kind] = now


def test_the_sentence_says_whether_it_is_sure() -> None:
    desk = Desk(Policy(rules={"fight": DOUBTFUL}))
    said = []
    for at_s, llr in ((1.0, 3.0), (1.1, 5.0)):
        desk.note("cam", clue(at_s, llr, kind="fight"), ns(at_s))
        said += [change.incident.summary for change in desk.judge(ns(at_s))]
    assert said == ["Possible fight at cam.", "People fighting at cam."]


def test_the_end_of_a_source_closes_with_its_reason_and_drops_suspicions() -> None:
    desk = Desk(Policy(rules=dict.fromkeys(RULES, RULE)))
    desk.note("cam", clue(0, 5.0), ns(0))
    desk.note("cam", clue(0, 2.0, kind="fire"), ns(0))
    desk.note("other", clue(0, 5.0), ns(0))
    desk.judge(ns(0))
    changes = desk.end("cam", ns(1), "source_ended")
    assert [(type(c), c.incident.camera, c.incident.kind, c.incident.close_reason) for c in changes] == [
        (Closed, "cam", "fall", "source_ended")
    ]
    assert desk.end("cam", ns(1), "source_ended") == []
    assert desk.open_kinds("other") == ["fall"]


def test_disarmed_and_disabled_kinds_never_open_but_are_believed() -> None:
    for policy in (Policy(armed=False), Policy(disabled_kinds=frozenset({"fall"}))):
        desk = Desk(policy)
        desk.note("cam", clue(0, 9.0), ns(0))
        assert desk.judge(ns(0)) == []
        assert desk.belief("cam", "fall", ns(0)) > 0.9


def test_ordinals_count_from_one_and_are_never_used_twice() -> None:
    desk = Desk(Policy(rules=dict.fromkeys(RULES, RULE)))
    ordinals = []
    for round_s in (0.0, 10.0, 20.0):
        for camera in ("a", "b"):
            desk.note(camera, clue(round_s, 5.0), ns(round_s))
        ordinals += [change.incident.ordinal for change in desk.judge(ns(round_s))]
        desk.end(None, ns(round_s + 5), "stopped")
    assert ordinals == [1, 2, 3, 4, 5, 6]
