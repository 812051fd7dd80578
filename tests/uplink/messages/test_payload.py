import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.types import KINDS, NS_PER_S, Closed, Opened
from agent.uplink.messages.payload import (
    active_message,
    cloud_event,
    encoded,
    gap_message,
    incident_message,
    name_in,
    replay_id,
    rfc3339,
    schema,
    uuid7,
)
from tests.uplink.made import STARTED_NS, WALL_OFFSET_NS, incident, life

ID = uuid7(1_790_000_000_000, bytes(range(10)))
SCHEMAS = ("incident-1", "gap-1", "active-1", "sound-1", "presence-1", "stats-1", "response-1", "request-1", "state-1")


def message(change: Any = None, **more: Any) -> dict[str, Any]:
    values = {
        "incident_id": ID,
        "seq": 7,
        "node": "box",
        "wall_offset_ns": WALL_OFFSET_NS,
        "clock_synchronised": True,
        "models": {"vision": "0123456789ab"},
    }
    return incident_message(change or Opened(incident=incident()), **values | more)


def errors(name: str, instance: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema(name)).iter_errors(instance)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_valid_and_strict_everywhere(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("type") == "object":
                assert "additionalProperties" in part, part
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(schema(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_copy_in_docs_is_the_schema_of_the_package(name: str, repository: Path) -> None:
    copy = json.loads((repository / "docs" / "schemas" / f"{name}.schema.json").read_text())
    assert copy == schema(name)


def test_every_phase_of_an_incident_fits_the_schema() -> None:
    for change in life(1, updates=2):
        assert errors("incident-1", json.loads(encoded(message(change)))) == []


FIELDS = """
schema id seq delayed node camera camera_name cameras kind phase severity escalated started_at at ended_at clock
confidence summary without_sound without_picture evidence tracks zones snapshot clip models absorbs drill close_reason
"""


def test_the_fields_are_those_of_the_contract_in_its_order() -> None:
    assert list(message()) == FIELDS.split()


def test_the_schema_knows_exactly_the_kinds_of_the_product() -> None:
    assert schema("incident-1")["$defs"]["kind"]["enum"] == list(KINDS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "party"),
        ("seq", 0),
        ("id", "1"),
        ("started_at", "2026-11-21T10:00:00Z"),
        ("confidence", 1.2),
        ("clip", 3),
        ("surprise", 1),
        ("close_reason", "quiet"),
    ],
)
def test_the_schema_refuses_what_is_not_in_the_contract(field: str, value: Any) -> None:
    assert errors("incident-1", message() | {field: value})


def test_a_close_without_reason_or_end_is_refused() -> None:
    closing = message(life(1)[-1])
    assert errors("incident-1", closing) == []
    assert errors("incident-1", closing | {"close_reason": None})
    assert errors("incident-1", closing | {"ended_at": None})


def test_the_message_is_whole() -> None:
    got = message(
        Closed(incident=incident(ended_ns=STARTED_NS + 3 * NS_PER_S, close_reason="quiet", drill=True)),
        snapshot="vedette/box/hall/snapshot/x",
        absorbed_ids=[ID],
        clock_synchronised=False,
    )
    assert got == {
        "schema": "vedette.incident/1",
        "id": ID,
        "seq": 7,
        "delayed": False,
        "node": "box",
        "camera": "hall",
        "camera_name": "hall",
        "cameras": ["hall"],
        "kind": "fall",
        "phase": "close",
        "severity": "critical",
        "escalated": False,
        "started_at": rfc3339(WALL_OFFSET_NS + STARTED_NS),
        "at": rfc3339(WALL_OFFSET_NS + STARTED_NS + 2 * NS_PER_S),
        "ended_at": rfc3339(WALL_OFFSET_NS + STARTED_NS + 3 * NS_PER_S),
        "clock": "unsynchronised",
        "confidence": 0.93,
        "summary": "A person fell and stays on the floor.",
        "without_sound": True,
        "without_picture": False,
        "evidence": [
            {
                "signal": "lying",
                "modality": "vision",
                "score": 0.91,
                "llr": 3.5,
                "at": rfc3339(WALL_OFFSET_NS + STARTED_NS + NS_PER_S),
                "track": 4,
                "box": [0.1, 0.5, 0.4, 0.7],
                "zone": "stairs",
            },
            {
                "signal": "thud",
                "modality": "sound",
                "score": 0.4,
                "llr": 1.1,
                "at": rfc3339(WALL_OFFSET_NS + STARTED_NS),
            },
        ],
        "tracks": [4],
        "zones": ["stairs"],
        "snapshot": "vedette/box/hall/snapshot/x",
        "clip": None,
        "models": {"vision": "0123456789ab"},
        "absorbs": [ID],
        "drill": True,
        "close_reason": "quiet",
    }


def test_numbers_that_json_does_not_know_are_bounded() -> None:
    first = incident().evidence[0]
    odd = incident(evidence=(replace(first, llr=float("inf"), score=float("nan")), replace(first, llr=float("-inf"))))
    got = json.loads(encoded(message(Opened(incident=odd))))
    assert [entry["llr"] for entry in got["evidence"]] == [1e6, -1e6]
    assert got["evidence"][0]["score"] == 0.0
    assert errors("incident-1", got) == []


@pytest.mark.parametrize(
    ("unix_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (999_999, "1970-01-01T00:00:00.000Z"),
        (1_000_000, "1970-01-01T00:00:00.001Z"),
        (1_798_761_599_999_999_999, "2026-12-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_rfc_3339_in_utc_with_milliseconds(unix_ns: int, text: str) -> None:
    assert rfc3339(unix_ns) == text


def test_uuid7_gives_the_example_of_rfc_9562() -> None:
    # Appendix A.6: 2022-02-22 19:22:22.000 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    random_bytes = bytes.fromhex("0CC3") + bytes.fromhex("18C4DC0C0C07398F")
    assert uuid7(0x017F22E279B0, random_bytes) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_uuid7_always_has_version_variant_and_time(unix_ms: int, random_bytes: bytes) -> None:
    made = uuid.UUID(uuid7(unix_ms, random_bytes))
    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, unix_ms)


def test_replay_ids_depend_on_source_and_ordinal_only_and_are_uuids() -> None:
    assert replay_id("a.mp4", 1, 0) == replay_id("a.mp4", 1, 0)
    assert len({replay_id(source, ordinal, 0) for source in ("a.mp4", "b.mp4", "\udcff") for ordinal in (1, 2)}) == 6
    assert uuid.UUID(replay_id("a.mp4", 1, 0)).version == 7


def test_a_gap_says_exactly_what_will_not_come() -> None:
    gap = gap_message(seq=12, node="box", ranges=[(3, 5), (9, 9)], reason="bytes", at_wall_ns=0)
    assert (gap["from_seq"], gap["to_seq"], gap["count"], gap["ranges"]) == (3, 9, 4, [[3, 5], [9, 9]])
    assert errors("gap-1", json.loads(encoded(gap))) == []


def test_the_active_message_lists_open_incidents() -> None:
    active = active_message("hall", [message()], at_wall_ns=0, node="box")
    assert [entry["id"] for entry in active["incidents"]] == [ID]
    assert errors("active-1", json.loads(encoded(active))) == []


def test_cloud_events_attributes_are_those_of_version_1() -> None:
    attributes = cloud_event(message(), "vedette.incident.open", "hall")
    assert attributes == {
        "specversion": "1.0",
        "id": f"{ID}-7",
        "source": "/vedette/box/hall",
        "type": "vedette.incident.open",
        "time": message()["at"],
        "dataschema": "urn:vedette:incident:1",
        "subject": "hall",
    }
    assert attributes["dataschema"] == schema("incident-1")["$id"]
    gap = gap_message(seq=12, node="box", ranges=[(3, 5)], reason="age", at_wall_ns=0)
    assert cloud_event(gap, "vedette.gap", "")["dataschema"] == schema("gap-1")["$id"]


def test_a_message_says_what_people_call_the_camera_in_any_script() -> None:
    got = message(camera_name="Eingang Süd 入口")
    assert (got["camera"], got["camera_name"]) == ("hall", "Eingang Süd 入口")
    assert errors("incident-1", json.loads(encoded(got))) == []
    assert "Eingang Süd 入口".encode() in encoded(got)
    assert name_in(got) == "Eingang Süd 入口"
    before = {key: value for key, value in got.items() if key != "camera_name"}  # of a box that knew no names
    assert errors("incident-1", before) == []
    assert name_in(before) == "hall"
