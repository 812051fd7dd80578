"""What the state topic says, whole and true, at the beginning, in trouble and in the end: valid against its schema."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent.capture.state import SourceState
from agent.config.load import of_data
from agent.service.channels import NewestFrames, SoundQueue
from agent.service.senses import Senses
from agent.service.telemetry.report import Report
from agent.types import BlindReason
from agent.uplink.messages.payload import encoded, schema
from agent.uplink.mqtt.publisher import Health
from agent.uplink.outbox.batch import OutboxState

CONFIG = {
    "models": {"device": "cpu", "runtime": "onnxruntime"},
    "cameras": {"hall": {"url": "rtsp://10.0.0.1/a"}, "yard": {"url": "rtsp://10.0.0.2/a"}},
}
REASONS: Sequence[BlindReason] = ("not_found", "refused", "login", "codec", "timeout", "ended", "silent")


class Sending:
    """In the uplink's place: keeps what is published."""

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []
        self.outbox = OutboxState(depth=0, size_bytes=0, degraded=False, why="")

    def publish_state(self, state: dict[str, Any]) -> None:
        self.states.append(json.loads(encoded({**state, "run": "0123456789abcdef"})))

    def health(self) -> Health:
        return Health(connected=True, protocol="5", fault="", why="", refused_topics=("vedette/box/gap",))

    def outbox_state(self) -> OutboxState:
        return self.outbox


@pytest.fixture(scope="module")
def senses() -> Senses:
    return Senses.load(of_data(CONFIG))


def drift_of(camera: str) -> dict[str, float | None]:
    return {"vision": 0.312 if camera == "hall" else None, "hearing": None}


def reading_of(camera: str) -> dict[str, Any]:
    return {"decoder": "vaapi" if camera == "hall" else "cpu"}


def errors(state: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(schema("state-1")).iter_errors(state)]


def reporting(senses: Senses) -> tuple[Report, Sending]:
    sending = Sending()
    report = Report(of_data(CONFIG), senses, sending, NewestFrames(), SoundQueue(), drift=drift_of, reading=reading_of)  # type: ignore[arg-type]
    return report, sending


def test_the_state_fits_its_schema_from_the_first_to_the_last(senses: Senses) -> None:
    report, sending = reporting(senses)
    report.publish()
    for reason in REASONS:
        report.source_changed(
            SourceState(camera="hall", status="lost", modalities=("vision", "sound"), reason=reason, why="it is so")
        )
        report.publish()
    report.source_changed(SourceState(camera="hall", status="running", modalities=("vision",)))
    report.source_changed(SourceState(camera="yard", status="absent", modalities=("sound",)))
    report.unwatch("yard")
    report.publish(final=True)
    assert len(sending.states) == len(REASONS) + 2
    assert [errors(state) for state in sending.states] == [[]] * len(sending.states)
    assert sending.states[-1]["cameras"].keys() == {"hall"}
    assert sending.states[0]["models"].keys() >= {"vision", "hearing"}


def test_what_is_degraded_is_said_with_its_reason_and_fits_too(senses: Senses) -> None:
    report, sending = reporting(senses)
    sending.outbox = OutboxState(depth=3, size_bytes=900, degraded=True, why="the disk is full", write_ms=2000.0)
    report.publish()
    (state,) = sending.states
    assert errors(state) == []
    assert state["status"] == "degraded"
    assert any("the disk is full" in why for why in state["degraded_because"])


def test_drift_is_told_of_each_camera_and_degrades_nothing(senses: Senses) -> None:
    report, sending = reporting(senses)
    report.publish()
    (state,) = sending.states
    assert errors(state) == []
    assert state["cameras"]["hall"]["drift"] == {"vision": 0.312, "hearing": None}
    assert state["cameras"]["yard"]["drift"] == {"vision": None, "hearing": None}
    assert state["status"] == "ok"
    for wrong in ({"vision": -0.1, "hearing": None}, {"vision": 0.1}, {"vision": 0.1, "hearing": None, "fusion": 1}):
        hall = state["cameras"]["hall"] | {"drift": wrong}
        assert errors(state | {"cameras": {"hall": hall}})


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "fine"), ("clock", "wrong"), ("uptime_s", -1), ("surprise", 1), ("degraded_because", ["it rains"])],
)
def test_the_schema_refuses_what_is_not_in_the_contract(senses: Senses, field: str, value: Any) -> None:
    report, sending = reporting(senses)
    report.publish()
    state = sending.states[0] | {"status": "ok", "degraded_because": []}
    assert errors(state) == []
    assert errors(state | {field: value})
