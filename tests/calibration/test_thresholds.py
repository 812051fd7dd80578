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
from agent.uplink import history
from agent.uplink.door import DATABASE
from agent.uplink.store import open_store
from calibration.cli import app
from calibration.thresholds import MOST_MARGIN_LLR, Judged, excess_llr, from_history, margins
from tests.uplink.made import WALL_OFFSET_NS, incident
from tests.uplink.test_payload import message

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


def test_a_margin_that_is_there_already_is_added_to() -> None:
    (margin,) = margins([judged("alarm", 0.4, False)], {"alarm": 1.0})
    assert margin.after_llr == pytest.approx(1.5)


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), min_size=1, max_size=30), st.floats(-4, 4))
def test_margins_never_sink_and_never_hide_everything(ones: list[tuple[float, bool]], before: float) -> None:
    (margin,) = margins([judged("scream", excess, true) for excess, true in ones], {"scream": before})
    assert round(before, 2) - 0.01 <= margin.after_llr <= MOST_MARGIN_LLR + 0.01
    assert margin.true_kept <= margin.true
    assert margin.false_kept <= margin.false
    if margin.true:
        assert margin.true_kept > 0 or margin.false >= 4


def test_the_excess_is_read_back_from_the_confidence_that_a_message_tells() -> None:
    for excess in (0.0, 0.7, 3.0):
        assert excess_llr(round(belief(excess + 20.0, 20.0), 6)) == pytest.approx(excess, abs=1e-4)


def test_drills_and_incidents_without_a_verdict_teach_nothing() -> None:
    def said(name: str, drill: bool = False) -> dict[str, object]:
        return {"id": name, "kind": "fall", "confidence": 0.9, "drill": drill}

    found = from_history([said("a"), said("b"), said("c", drill=True)], {"a": False, "c": True})
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
