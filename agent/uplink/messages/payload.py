"""Incident messages, version 1: what a subscriber gets, made from what the scene decided.

Pure functions: time, ids and randomness are arguments. The contract is `schemas/incident-1.schema.json`.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from agent.types import Box, Closed, Evidence, Incident, IncidentChange, Opened

INCIDENT_SCHEMA = "vedette.incident/1"
GAP_SCHEMA = "vedette.gap/1"
ACTIVE_SCHEMA = "vedette.active/1"
CONTENT_TYPE = "application/json"
DELAYED_AFTER_S = 10.0  # published later than this after it happened: `delayed` (product contract)
EXTREME_LLR = 1e6  # JSON knows no infinity; a likelihood ratio of e^±1000000 says the same

_NS_PER_MS = 1_000_000
_MS_PER_S = 1_000

Phase = Literal["open", "update", "close"]
Message: TypeAlias = dict[str, Any]


def uuid7(unix_ms: int, random_bytes: bytes) -> str:
    """Return the UUID version 7 (RFC 9562, 5.7) of a time and ten random bytes: ids sort by time."""
    if len(random_bytes) != 10:
        raise ValueError("uuid7 takes exactly 10 random bytes")
    raw = bytearray((unix_ms & (1 << 48) - 1).to_bytes(6, "big") + random_bytes)
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def unix_ms_of(identifier: str) -> int | None:
    """Return the time in a UUID version 7; None of what is none."""
    digits = identifier.replace("-", "")
    try:
        return int(digits[:12], 16) if len(digits) == 32 else None
    except ValueError:
        return None


def replay_id(source: str, ordinal: int, unix_ms: int) -> str:
    """Return the id of incident `ordinal` of a recording: the same every time, in the layout of a UUIDv7."""
    return uuid7(unix_ms, hashlib.sha256(f"{source}\0{ordinal}".encode("utf-8", "surrogateescape")).digest()[:10])


def rfc3339(unix_ns: int) -> str:
    """Return a wall time as RFC 3339 in UTC with milliseconds, cut, not rounded."""
    seconds, ms = divmod(unix_ns // _NS_PER_MS, _MS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def phase_of(change: IncidentChange) -> Phase:
    """Return the phase of an incident's life that `change` begins or continues."""
    if isinstance(change, Opened):
        return "open"
    return "close" if isinstance(change, Closed) else "update"


def incident_message(
    change: IncidentChange,
    *,
    incident_id: str,
    seq: int,
    node: str,
    wall_offset_ns: int,
    clock_synchronised: bool,
    models: Mapping[str, str],
    absorbed_ids: Sequence[str] = (),
    camera_name: str = "",
    snapshot: str | None = None,
    clip: str | None = None,
) -> Message:
    """Return the message of one change. `wall_offset_ns` is wall time minus the scene's time.

    `models` names each model's short sha256; `camera_name` is what people call the camera, if not by its identifier;
    `snapshot` is the topic of the picture, if one was sent;
    `clip` the film's path below the state folder, if one is kept.
    """
    incident = change.incident
    return {
        "schema": INCIDENT_SCHEMA,
        "id": incident_id,
        "seq": seq,
        "delayed": False,
        "node": node,
        "camera": incident.camera,
        "camera_name": camera_name or incident.camera,
        "cameras": list(incident.cameras),
        "kind": incident.kind,
        "phase": phase_of(change),
        "severity": incident.severity,
        "escalated": incident.escalated,
        **_times(incident, wall_offset_ns),
        "clock": "synchronised" if clock_synchronised else "unsynchronised",
        "confidence": _number(incident.confidence),
        "summary": incident.summary,
        "without_sound": incident.without_sound,
        "without_picture": incident.without_picture,
        "evidence": [_evidence(item, wall_offset_ns) for item in incident.evidence],
        "tracks": list(incident.tracks),
        "zones": list(incident.zones),
        "snapshot": snapshot,
        "clip": clip,
        "models": dict(models),
        "absorbs": list(absorbed_ids),
        "drill": incident.drill,
        "close_reason": incident.close_reason,
    }


def _times(incident: Incident, wall_offset_ns: int) -> Message:
    ended_ns = incident.ended_ns
    return {
        "started_at": rfc3339(incident.started_ns + wall_offset_ns),
        "at": rfc3339(incident.at_ns + wall_offset_ns),
        "ended_at": None if ended_ns is None else rfc3339(ended_ns + wall_offset_ns),
    }


def _evidence(item: Evidence, wall_offset_ns: int) -> Message:
    entry: Message = {
        "signal": item.signal,
        "modality": item.modality,
        "score": _number(item.score),
        "llr": _number(item.llr),
        "at": rfc3339(item.at_ns + wall_offset_ns),
    }
    if item.track is not None:
        entry["track"] = item.track
    if item.box is not None:
        entry["box"] = _box(item.box)
    if item.zone is not None:
        entry["zone"] = item.zone
    return entry


def _box(box: Box) -> list[float]:
    """Return left, top, right, bottom in fractions of the picture."""
    return [_number(edge) for edge in (box.left_frac, box.top_frac, box.right_frac, box.bottom_frac)]


def _number(value: float) -> float:
    """Return a number that JSON can hold, with seven significant digits: enough, and the same on every machine."""
    if math.isnan(value):
        return 0.0
    return float(f"{max(-EXTREME_LLR, min(EXTREME_LLR, float(value))):.7g}")


def gap_message(*, seq: int, node: str, ranges: Sequence[tuple[int, int]], reason: str, at_wall_ns: int) -> Message:
    """Return the message that says which numbers will never come: `ranges` are closed, ascending, apart."""
    return {
        "schema": GAP_SCHEMA,
        "seq": seq,
        "node": node,
        "from_seq": ranges[0][0],
        "to_seq": ranges[-1][1],
        "count": sum(last - first + 1 for first, last in ranges),
        "ranges": [list(pair) for pair in ranges],
        "reason": reason,
        "at": rfc3339(at_wall_ns),
    }


def active_message(
    camera: str, open_messages: Sequence[Message], *, at_wall_ns: int, node: str, camera_name: str = ""
) -> Message:
    """Return the retained truth about one camera: its open incidents, oldest first, without their evidence."""
    kept = ("id", "seq", "kind", "severity", "started_at", "at", "confidence", "summary", "drill")
    return {
        "schema": ACTIVE_SCHEMA,
        "node": node,
        "camera": camera,
        "camera_name": camera_name or camera,
        "at": rfc3339(at_wall_ns),
        "incidents": [{key: message[key] for key in kept} for message in open_messages],
    }


def name_in(message: Mapping[str, Any]) -> str:
    """Return what people called the camera of a message of this box or of another, which may be older."""
    return str(message.get("camera_name") or message["camera"])


def cloud_event(message: Message, event_type: str, subject: str) -> dict[str, str]:
    """Return the CloudEvents 1.0 attributes that travel as MQTT 5 user properties (binary mode)."""
    name = message["schema"].split("/")[0]
    return {
        "specversion": "1.0",
        "id": f"{message.get('id', name)}-{message['seq']}",
        "source": f"/vedette/{message['node']}" + (f"/{subject}" if subject else ""),
        "type": event_type,
        "time": message["at"],
        "dataschema": f"urn:{message['schema'].replace('.', ':').replace('/', ':')}",
    } | ({"subject": subject} if subject else {})


def encoded(message: Message) -> bytes:
    """Return the bytes of a message: UTF-8 JSON on one line, in the order of the contract."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def schema(name: str) -> Message:
    """Return a JSON Schema of the package by its name: `incident-1`, `gap-1`, `stats-1` …"""
    text = (files("agent.uplink") / "schemas" / f"{name}.schema.json").read_text("utf-8")
    loaded: Message = json.loads(text)
    return loaded
