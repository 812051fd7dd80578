"""What is understood, what is refused and why, and where the answer goes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.uplink.control.commands import CommandError, Places, Request, Setting, command_topics, label_of
from agent.uplink.control.parsing import MAX_BRACKETS, MAX_BYTES, parse_command
from agent.uplink.control.replies import reply_to, response
from agent.uplink.messages.payload import encoded, rfc3339, schema
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.connection import Received
from tests.uplink.made import WALL_OFFSET_NS

TOPICS = Topics("site/vedette", "box")
CAMERAS = {"hall": Places(zone={"gate"}, line={"door"}), "set-up": Places()}
NOW_NS = WALL_OFFSET_NS
INCIDENT = "01a1fdfa-4600-7a91-807b-e2d44f10a6b3"


def message(topic: str, payload: Any, **more: Any) -> Received:
    raw = payload if isinstance(payload, bytes) else payload.encode() if isinstance(payload, str) else encoded(payload)
    values: dict[str, Any] = {"qos": 1, "retain": False} | more
    return Received(topic=f"site/vedette/box/{topic}", payload=raw, **values)


def understand(topic: str, payload: Any, **more: Any) -> Any:
    return parse_command(message(topic, payload, **more), TOPICS, CAMERAS, NOW_NS)


def refusal(topic: str, payload: Any, **more: Any) -> str:
    with pytest.raises(CommandError) as caught:
        understand(topic, payload, **more)
    return caught.value.what


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("set/armed", "off", Setting(name="armed", value=False)),
        ("set/armed", " ON\n", Setting(name="armed", value=True)),
        ("set/armed", "true", Setting(name="armed", value=True)),
        ("set/armed", "default", Setting(name="armed", value=None)),
        ("set/armed", {"value": False, "id": "a 1"}, Setting(name="armed", value=False, request_id="a 1")),
        ("set/sensitivity", "high", Setting(name="sensitivity", value="high")),
        ("set/sensitivity", '"low"', Setting(name="sensitivity", value="low")),
        ("set/sensitivity", "default", Setting(name="sensitivity", value=None)),
        ("set/profile", "night", Setting(name="profile", value="night")),
        ("set/profile", "default", Setting(name="profile", value=None)),
        ("hall/set/armed", "off", Setting(name="armed", value=False, camera="hall")),
        ("hall/set/enabled", "off", Setting(name="enabled", value=False, camera="hall")),
        ("set-up/set/enabled", "on", Setting(name="enabled", value=True, camera="set-up")),
        ("hall/set/zone/gate", {"value": "off"}, Setting(name="zone", value=False, camera="hall", place="gate")),
        ("hall/set/line/door", "on", Setting(name="line", value=True, camera="hall", place="door")),
    ],
)
def test_a_setting_is_understood_as_text_or_json(topic: str, payload: Any, expected: Setting) -> None:
    assert understand(topic, payload) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"action": "status"}, Request(action="status")),
        (
            {"action": "snapshot", "camera": "hall", "id": "x"},
            Request(action="snapshot", camera="hall", request_id="x"),
        ),
        (
            {"action": "verdict", "incident": INCIDENT, "verdict": True},
            Request(action="verdict", incident=INCIDENT, verdict=True),
        ),
        ({"action": "drill", "camera": "hall", "kind": "fall"}, Request(action="drill", camera="hall", kind="fall")),
    ],
)
def test_a_request_is_understood(payload: Any, expected: Request) -> None:
    assert understand("request", payload) == expected


@pytest.mark.parametrize(
    ("topic", "payload", "why"),
    [
        ("set/armed", "", "'' is neither on nor off"),
        ("set/armed", "1", "'1' is neither"),
        ("set/armed", {"value": 1}, "1 is neither"),
        ("set/armed", [True], "[True] is neither"),
        ("set/armed", {"value": "on", "user": "me"}, "'user' is not known"),
        ("set/armed", {"armed": True}, "value is missing"),
        ("set/armed", {"value": "on", "id": "ü"}, "printable ASCII"),
        ("set/armed", {"value": "on", "id": ""}, "1 to 64"),
        ("set/armed", {"value": "on", "id": None}, "id has to be a text"),
        ("set/sensitivity", "extreme", "none of low, normal, high"),
        ("set/sensitivity", {"value": ["low"]}, "none of low"),
        ("set/profile", "party", "none of home, away, night"),
        ("hall/set/profile", "home", "it has armed, enabled, zone"),
        ("set/zone/gate", "off", "no setting 'zone/gate'"),
        ("set", "off", "no setting ''"),
        ("hall/set/sensitivity", "high", "it has armed, enabled, zone"),
        ("hall/set/zone", "off", "no setting 'zone'"),
        ("hall/set/zone/gate/x", "off", "no setting 'zone/gate/x'"),
        ("hall/set/zone/yard", "off", "no zone 'yard'"),
        ("hall/set/line/gate", "off", "no line 'gate'"),
        ("..//set/armed", "off", "no camera '..'"),
        ("HALL/set/armed", "off", "no camera 'HALL'"),
        ("request", "status", "not JSON"),
        ("request", "[]", "has to be a JSON object"),
        ("request", "null", "has to be a JSON object"),
        ("request", {}, "no action None"),
        ("request", {"action": ["status"]}, "no action ['status']"),
        ("request", {"action": "snapshot"}, "camera is missing"),
        ("request", {"action": "snapshot", "camera": "/etc/passwd"}, "no camera '/etc/passwd'"),
        ("request", {"action": "snapshot", "camera": None}, "camera has to be a text, not None"),
        ("request", {"action": "status", "camera": "hall"}, "'camera' is not known"),
        ("request", {"action": "verdict", "incident": "../x", "verdict": True}, "not the id of an incident"),
        ("request", {"action": "verdict", "incident": INCIDENT, "verdict": "true"}, "true or false, not 'true'"),
        ("request", {"action": "drill", "camera": "hall", "kind": "war"}, "no kind 'war'"),
        ("request", '{"action": "status", "action": "drill"}', "stands twice"),
        ("request", '{"action": NaN}', "NaN is no number"),
        ("request", '{"action": %s}' % ("9" * 5000), "not JSON"),
        ("request", b"\xff", "not UTF-8"),
        ("request", "{" * 5000, "nested too deeply"),
        ("request", {"action": "\n\x1b[31mFATAL"}, r"'\n\x1b[31mFATAL'"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(topic: str, payload: Any, why: str) -> None:
    assert why in refusal(topic, payload)


def test_a_retained_command_is_refused_whatever_it_says() -> None:
    assert "retained" in refusal("set/armed", "off", retain=True)


@pytest.mark.parametrize(("size", "is_read"), [(MAX_BYTES - 1, True), (MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_a_message_may_have_16_kib(size: int, is_read: bool) -> None:
    payload = b'{"action": "status"}'.ljust(size)
    if is_read:
        assert understand("request", payload) == Request(action="status")
    else:
        assert "are too many" in refusal("request", payload)


def test_brackets_are_counted_before_anything_is_parsed() -> None:
    document = {"action": "status", "id": "["}
    assert understand("request", document) == Request(action="status", request_id="[")
    assert "nested" in refusal("request", {"action": "status", "id": "[" * MAX_BRACKETS})


@pytest.mark.parametrize(("age_s", "is_obeyed"), [(29, True), (30, True), (31, False), (-30, True), (-31, False)])
def test_a_message_that_says_when_it_was_sent_must_be_of_now(age_s: int, is_obeyed: bool) -> None:
    document = {"value": "off", "at": rfc3339(NOW_NS - age_s * 1_000_000_000)}
    if is_obeyed:
        assert understand("set/armed", document) == Setting(name="armed", value=False)
    else:
        assert f"{abs(age_s)} s " in refusal("set/armed", document)


@pytest.mark.parametrize("at", ["yesterday", "2026-11-21T12:00:00", 5, None, [], "9999-12-31T23:59:59-23:59"])
def test_a_time_that_is_none_is_refused(at: Any) -> None:
    assert "at " in refusal("set/armed", {"value": "off", "at": at}) or "ahead" in refusal(
        "set/armed", {"value": "off", "at": at}
    )


@given(st.sampled_from(["request", "set/armed", "hall/set/zone/gate"]), st.binary(max_size=200))
def test_no_bytes_do_anything_but_a_command_or_a_refusal(topic: str, payload: bytes) -> None:
    reason = "-"
    try:
        understand(topic, payload)
    except CommandError as error:
        reason = error.what
    assert reason
    assert reason.isascii()
    assert reason.isprintable()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["action", "camera", "incident", "verdict", "kind", "at", "id", "value"])
_VALUES = _JSON | st.sampled_from(["status", "snapshot", "verdict", "drill", "hall", INCIDENT, "on", "fall"])


@given(st.sampled_from(["request", "set/armed"]), st.dictionaries(_NAMES, _VALUES, max_size=5))
def test_no_json_does_anything_but_a_command_or_a_refusal_that_can_be_answered(
    topic: str, document: dict[str, Any]
) -> None:
    received = message(topic, json.dumps(document))
    command, reason = None, ""
    try:
        command = parse_command(received, TOPICS, CAMERAS, NOW_NS)
    except CommandError as error:
        reason = error.what
    said = response(received, node="box", at_wall_ns=NOW_NS, command=command, reason=reason)
    Draft202012Validator(schema("response-1")).validate(json.loads(encoded(said)))


def test_it_listens_to_settings_of_node_and_cameras_and_to_requests() -> None:
    assert command_topics(TOPICS) == ("site/vedette/box/set/#", "site/vedette/box/+/set/#", "site/vedette/box/request")


def test_an_answer_goes_to_who_asked_with_what_they_gave_to_know_it_by() -> None:
    received = message("request", "{}", response_topic="house/answers", correlation=b"42")
    answer = reply_to(received, {"ok": True}, TOPICS, ("homeassistant/",))
    assert (answer.topic, answer.correlation, answer.qos) == ("house/answers", b"42", 1)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "site/vedette/box/status",
        "site/vedette/box/hall/incident",
        "homeassistant/device/x/config",
        "$SYS/x",
        "a/#",
        "a/+/b",
        "a\nb",
        "x" * 257,
    ],
)
def test_nobody_makes_the_box_speak_in_its_own_or_another_name(topic: str) -> None:
    received = message("request", "{}", response_topic=topic, correlation=b"42")
    answer = reply_to(received, {"ok": True}, TOPICS, ("homeassistant/",))
    assert (answer.topic, answer.correlation) == ("site/vedette/box/response", b"")


def test_below_its_own_response_topic_everybody_may_have_one() -> None:
    received = message("request", "{}", response_topic="site/vedette/box/response/house")
    assert reply_to(received, {}, TOPICS, ()).topic == "site/vedette/box/response/house"


@pytest.mark.parametrize(
    ("topic", "payload", "about"),
    [
        ("set/armed", "on", "set/armed"),
        ("hall/set/zone/gate", "on", "hall/set/zone/gate"),
        ("request", {"action": "status"}, "status"),
    ],
)
def test_an_answer_says_what_it_is_about(topic: str, payload: Any, about: str) -> None:
    assert label_of(understand(topic, payload)) == about
