"""From a message that came over MQTT to a command, or to a reason why it is refused.

Whoever may publish to the broker may send anything, so every message is hostile until it has passed these checks: size,
retention, encoding, depth, shape, names, age. Pure functions: nothing here changes anything.

A value may be plain text or {"value": …, "for_s": …, "at": …, "id": …}; with `for_s` it holds for a while, `at` makes a
message that is old invalid, `id` comes back in the answer.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, cast

from agent.kinds import KINDS
from agent.types import NS_PER_S
from agent.uplink.control.commands import (
    PROFILES,
    SENSITIVITIES,
    Action,
    Cameras,
    Command,
    CommandError,
    Request,
    Setting,
)
from agent.uplink.messages.payload import Message, rfc3339
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.connection import Received

MAX_BYTES = 16_384
MAX_BRACKETS = 32  # no message of ours has more than two
FRESH_S = 30.0  # a message whose `at` is further away than this is refused
LONGEST_WHILE_S = 7 * 86_400.0
_SHOWN = 60  # characters of what somebody sent that are said back
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

ON_OFF: Mapping[str, bool] = {"on": True, "true": True, "off": False, "false": False}
DEFAULT = "default"  # go by the configuration again

_FIELDS: Mapping[str, Mapping[str, type]] = {
    "status": {},
    "snapshot": {"camera": str},
    "clip": {"incident": str},
    "verdict": {"incident": str, "verdict": bool},
    "drill": {"camera": str, "kind": str},
}
_ID = re.compile(r"[\x20-\x7e]{1,64}")
_INCIDENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def parse_command(received: Received, topics: Topics, cameras: Cameras, now_wall_ns: int) -> Command:
    """Return what a message on one of the `listened` topics wants. Raises CommandError."""
    if received.retain:
        _refuse("a command must not be retained: it would be obeyed again at every connection")
    if len(received.payload) > MAX_BYTES:
        _refuse(f"{len(received.payload)} bytes are too many, {MAX_BYTES} are allowed")
    levels = received.topic.removeprefix(topics.of_node("")).split("/")
    if levels == ["request"]:
        return _request(_document(received.payload), cameras, now_wall_ns)
    value, for_s, request_id = _value(received.payload, now_wall_ns)
    of_node = levels[0] == "set"
    setting = _of_node(levels[1:], value) if of_node else _of_camera(levels[0], levels[2:], value, cameras)
    return replace(setting, for_s=for_s, request_id=request_id)


def _of_node(levels: list[str], value: object) -> Setting:
    if levels == ["armed"]:
        return Setting(name="armed", value=_switch(value))
    if levels == ["sensitivity"]:
        return Setting(name="sensitivity", value=_choice(value, SENSITIVITIES))
    if levels == ["profile"]:
        return Setting(name="profile", value=_choice(value, PROFILES))
    return _refuse(f"there is no setting {printable('/'.join(levels))}; there are armed, profile and sensitivity")


def _of_camera(camera: str, levels: list[str], value: object, cameras: Cameras) -> Setting:
    _require_camera(camera, cameras)
    match levels:
        case ["armed" | "enabled" as name]:
            return Setting(name=name, value=_switch(value), camera=camera)
        case ["zone" | "line" as name, place]:
            if place not in getattr(cameras[camera], name):
                _refuse(f"camera {camera} has no {name} {printable(place)}")
            return Setting(name=name, value=_switch(value), camera=camera, place=place)
    there_are = "armed, enabled, zone/<zone> and line/<line>"
    return _refuse(f"a camera has no setting {printable('/'.join(levels))}; it has {there_are}")


def _require_camera(camera: str, cameras: Cameras) -> None:
    if camera not in cameras:
        _refuse(f"there is no camera {printable(camera)}")


def _switch(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    text = value.casefold() if isinstance(value, str) else ""
    if text == DEFAULT:
        return None
    if text not in ON_OFF:
        _refuse(f"{printable(value)} is neither on nor off nor default")
    return ON_OFF[text]


def _choice(value: object, choices: Collection[str]) -> str | None:
    if value == DEFAULT:
        return None
    if not isinstance(value, str) or value not in choices:
        _refuse(f"{printable(value)} is none of {', '.join(choices)}, default")
    return value


def _value(payload: bytes, now_wall_ns: int) -> tuple[object, float | None, str]:
    """Return value, `for_s` and id of a `set` message: plain text, a JSON text or truth value, or an object."""
    if not payload.lstrip().startswith((b"{", b"[", b'"')):
        return _text(payload).strip(), None, ""
    document = _json(payload)
    if not isinstance(document, dict):
        return document, None, ""
    _require_fields(document, {"value"}, {"for_s", "at", "id"})
    _require_fresh(document, now_wall_ns)
    return document["value"], _while_s(document), _request_id(document)


def _while_s(document: Message) -> float | None:
    """Return how long a setting is to hold, None for good."""
    if "for_s" not in document:
        return None
    for_s = document["for_s"]
    if not isinstance(for_s, int | float) or isinstance(for_s, bool) or not 1 <= for_s <= LONGEST_WHILE_S:
        _refuse(f"for_s has to be a number of seconds, 1 to {LONGEST_WHILE_S:.0f}, not {printable(for_s)}")
    if document["value"] == DEFAULT:
        _refuse("default for a while says nothing: name the value that is to hold meanwhile")
    return float(for_s)


def _request(document: Message, cameras: Cameras, now_wall_ns: int) -> Request:
    action = document.get("action")
    if not isinstance(action, str) or action not in _FIELDS:
        _refuse(f"there is no action {printable(action)}; there are {', '.join(_FIELDS)}")
    wanted = _FIELDS[action]
    _require_fields(document, {"action", *wanted}, {"at", "id"})
    for name, kind in wanted.items():
        if not isinstance(document[name], kind):
            _refuse(
                f"{name} has to be {'true or false' if kind is bool else 'a text'}, not {printable(document[name])}"
            )
    _require_fresh(document, now_wall_ns)
    values = {name: document[name] for name in wanted}
    if "camera" in values:
        _require_camera(values["camera"], cameras)
    if "incident" in values and not _INCIDENT.fullmatch(values["incident"]):
        _refuse(f"{printable(values['incident'])} is not the id of an incident")
    if "kind" in values and values["kind"] not in KINDS:
        _refuse(f"there is no kind {printable(values['kind'])}")
    return Request(action=cast("Action", action), request_id=_request_id(document), **values)


def _require_fields(document: Message, needed: Collection[str], allowed: Collection[str]) -> None:
    missing = [name for name in needed if name not in document]
    if missing:
        _refuse(f"{min(missing)} is missing")
    unknown = document.keys() - {*needed, *allowed}
    if unknown:
        _refuse(f"{printable(min(unknown))} is not known here")


def _require_fresh(document: Message, now_wall_ns: int) -> None:
    """Refuse what was said long ago, or comes from the future: somebody replays it, or a clock is wrong."""
    if "at" not in document:
        return
    try:
        at = datetime.fromisoformat(document["at"])
        away_s = (at - _EPOCH) / timedelta(seconds=1) - now_wall_ns / NS_PER_S
    except (TypeError, ValueError, OverflowError):  # no text, no time, no time zone
        _refuse(f"at has to be a time like {rfc3339(now_wall_ns)}, not {printable(document['at'])}")
    if abs(away_s) > FRESH_S:
        when = "old" if away_s < 0 else "ahead of this box's clock"
        _refuse(f"the message is {abs(away_s):.0f} s {when}, {FRESH_S:.0f} s are allowed")


def _request_id(document: Message) -> str:
    request_id = document.get("id", "")
    if "id" in document and not (isinstance(request_id, str) and _ID.fullmatch(request_id)):
        _refuse("id has to be a text of 1 to 64 printable ASCII characters")
    return str(request_id)


def _document(payload: bytes) -> Message:
    document = _json(payload)
    if not isinstance(document, dict):
        _refuse('a request has to be a JSON object like {"action": "status"}')
    return document


def _json(payload: bytes) -> Any:
    text = _text(payload)
    if text.count("{") + text.count("[") > MAX_BRACKETS:
        _refuse("it is nested too deeply")
    try:
        return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except ValueError as error:  # also a number of too many digits
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        return _refuse(f"it is not JSON{where}")


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return _refuse("it is not UTF-8")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        _refuse("a name stands twice in it")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number of JSON")


def printable(value: object) -> str:
    """Return what somebody sent so that it can be printed and logged: ASCII, on one line, short."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _refuse(why: str) -> NoReturn:
    raise CommandError(why)
