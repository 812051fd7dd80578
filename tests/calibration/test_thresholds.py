"""Margins from verdicts and ordinary recordings: false incidents would not open again, true ones stay."""

import json
from importlib.resources import files
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.config.load import load, of_data
from agent.scene import Policy
from agent.scene.evidence import belief
from agent.types import Opened
from agent.uplink.history import history
from agent.uplink.storage.store import open_store
from agent.uplink.uplink import DATABASE
from calibration.applied import FILE, Applied, applied, margin_then, note
from calibration.cli import app
from calibration.thresholds import MOST_MARGIN_LLR, Judged, excess_llr, from_history, margins
from tests.uplink.made import WALL_OFFSET_NS, incident
from tests.uplink.messages.test_payload import message

CLIPS = files("agent") / "service" / "clips"


def judged(kind: str, excess: float, true: bool) -> Judged:
    return Judged(kind=kind, excess_llr=excess, true=true)


def test_a_false_incident_that_was_weaker_than_the_true_ones_would_not_open_again() -> None:
    (margin,) = margins([judged("fall", 0.5, False), judged("fall", 0.9, False), judged("fall", 2.5, True)], {})
    assert 0.9 < margin.after_llr < 2.5
    assert (margin.true_kept, margin.false_kept) == (1, 0)


def test_a_true_incident_is_not_given_up_for_one_false_one() -> None:
    (margin,) = margins([judged("fall", 2.0, False), judged("fall", 0.5, True)], {})
    assert margin.after_llr == 0.0
    assert (margin.true_kept, margin.false_kept) == (1, 1)


def test_what_a_margin_silences_already_does_not_raise_it() -> None:
    (margin,) = margins([judged("alarm", 0.4, False)], {"alarm": 1.0})
    assert (margin.after_llr, margin.false_kept) == (1.0, 0)
    (margin,) = margins([judged("alarm", 1.4, False)], {"alarm": 1.0})
    assert margin.after_llr == pytest.approx(1.5)


def test_the_excess_of_an_incident_holds_the_margin_of_its_time() -> None:
    known = (
        Applied(at="2026-11-02T00:00:00.000Z", before_llr={}),
        Applied(at="2026-11-09T00:00:00.000Z", before_llr={"fall": 1.0}),
    )

    def then(started_at: str) -> float:
        return margin_then("fall", started_at, known, {"fall": 1.7})

    days = ("2026-11-01T23:59:59.999Z", "2026-11-05T12:00:00.000Z", "2026-11-10T12:00:00.000Z")
    assert [then(day) for day in days] == [0.0, 1.0, 1.7]
    said = {"id": "a", "kind": "fall", "confidence": 0.5, "drill": False, "started_at": days[1]}
    (one,) = from_history([said], {"a": False}, lambda kind, at: margin_then(kind, at, known, {"fall": 1.7}))
    assert one.excess_llr == pytest.approx(1.0)


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "vedette.margins/1", "applied": [{"at": 1}]}', "\0"])
def test_notes_that_cannot_be_understood_count_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert applied(tmp_path) == ()
    note(tmp_path, "2026-11-02T00:00:00.000Z", {"fall": 1.0})
    assert [one.before_llr for one in applied(tmp_path)] == [{"fall": 1.0}]


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), min_size=1, max_size=30), st.floats(-4, 4))
def test_margins_never_sink_and_never_hide_everything(ones: list[tuple[float, bool]], before: float) -> None:
    (margin,) = margins([judged("scream", excess, true) for excess, true in ones], {"scream": before})
    assert round(before, 2) <= margin.after_llr <= MOST_MARGIN_LLR
    assert margin.true_kept <= margin.true
    assert margin.false_kept <= margin.false
    if any(true and excess >= before for excess, true in ones):  # what the margin of today hides is gone already
        assert margin.true_kept > 0 or margin.false >= 4


def test_the_excess_is_read_back_from_the_confidence_that_a_message_tells() -> None:
    for excess in (0.0, 0.7, 3.0):
        assert excess_llr(round(belief(excess + 20.0, 20.0), 6)) == pytest.approx(excess, abs=1e-4)


def test_drills_and_incidents_without_a_verdict_teach_nothing() -> None:
    def said(name: str, drill: bool = False) -> dict[str, object]:
        return {"id": name, "kind": "fall", "confidence": 0.9, "drill": drill, "started_at": "2026-11-21T12:00:00.000Z"}

    found = from_history([said("a"), said("b"), said("c", drill=True)], {"a": False, "c": True}, lambda *_: 0.0)
    assert [(one.kind, one.true) for one in found] == [("fall", False)]


def test_a_margin_moves_the_threshold_of_its_kind_alone() -> None:
    plain = Policy.of(of_data({}))
    policy = Policy.of(of_data({"policy": {"margin_llr": {"fall": 1.5}}}))
    assert policy.threshold_llr("fall") == plain.threshold_llr("fall") + 1.5
    assert policy.threshold_llr("fire") == plain.threshold_llr("fire")


def test_the_command_learns_from_marked_incidents_and_writes_the_configuration(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    store = open_store(state / DATABASE)
    with store.transaction() as db:
        for ordinal, confidence in ((1, 0.6), (2, 0.7)):
            said = message(Opened(incident=incident(ordinal, confidence=confidence)), incident_id=f"id-{ordinal}")
            history.record(db, said, wall_offset_ns=WALL_OFFSET_NS)
            assert history.mark(db, said["id"], verdict=False, at="2026-11-21T12:00:00.000Z")
    store.close()
    config = tmp_path / "vedette.toml"
    config.write_text('# mine\n[policy]\nsensitivity = "normal"\n')
    arguments = ["thresholds", "--config", str(config), "--state", str(state), "--json", "--apply"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, ended.output
    (margin,) = json.loads(ended.stdout)
    assert (margin["kind"], margin["false"], margin["false_kept"]) == ("fall", 2, 0)
    assert load(config).policy.margin_llr == {"fall": margin["after_llr"]}
    assert "# mine" in config.read_text()

    again = CliRunner().invoke(app, arguments)  # the same verdicts: nothing more is asked for
    assert json.loads(again.stdout) == [margin | {"before_llr": margin["after_llr"]}]
    assert load(config).policy.margin_llr == {"fall": margin["after_llr"]}
    assert len(applied(state)) == 1


def ordinary(tmp_path: Path, recording: Path) -> dict[str, dict[str, float]]:
    config = tmp_path / "vedette.toml"
    config.write_text("")
    arguments = ["thresholds", "--config", str(config), "--state", str(tmp_path), "--json"]
    ended = CliRunner().invoke(app, [*arguments, "--ordinary", str(recording)])
    assert ended.exit_code == 0, ended.output
    return {margin["kind"]: margin for margin in json.loads(ended.stdout)}


def beginning_of(clip: Path, path: Path, length_s: float) -> Path:
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.pts is not None and packet.pts * packet.time_base < length_s:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    return path


def test_what_just_opens_in_an_ordinary_recording_is_false_and_raises_its_threshold(tmp_path: Path) -> None:
    found = ordinary(tmp_path, beginning_of(Path(str(CLIPS / "fire.mp4")), tmp_path / "short.mp4", 8.3))
    assert (found["fire"]["false"], found["fire"]["false_kept"]) == (1, 0)
    assert 0.0 < found["fire"]["after_llr"] <= MOST_MARGIN_LLR


def test_what_no_margin_would_silence_moves_no_threshold(tmp_path: Path) -> None:
    found = ordinary(tmp_path, Path(str(CLIPS / "fire.mp4")))
    assert (found["fire"]["false"], found["fire"]["false_kept"], found["fire"]["after_llr"]) == (1, 1, 0.0)


def test_without_verdicts_and_recordings_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    config = tmp_path / "vedette.toml"
    config.write_text("")
    ended = CliRunner().invoke(app, ["thresholds", "--config", str(config), "--state", str(tmp_path)])
    assert "nothing to learn from" in str(ended.exception)
