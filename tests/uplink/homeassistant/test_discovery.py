"""Discovery messages: judged by Home Assistant itself where it is installed, and by us, key by key, value by value."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.config.schema import Broker, Camera, Config, Control, HomeAssistant, Line, Node, Snapshots, Zone
from agent.kinds import KINDS
from agent.types import Closed, Opened, Updated
from agent.uplink.homeassistant.discovery import discovery, status_topic
from agent.uplink.homeassistant.groups import GROUPS, UNGROUPED
from agent.uplink.messages.payload import Message, active_message, incident_message
from tests.uplink.made import WALL_OFFSET_NS, incident

GATE = Zone(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
CAMERAS = {
    "hall": Camera(url="rtsp://camera/1", zones={"gate": GATE}),
    "back-yard_2": Camera(url="/dev/video0", sound="none"),
}
CONFIG = Config(node=Node(name="box"), cameras=CAMERAS, snapshots=Snapshots(enabled=True))
HALL = "homeassistant/device/vedette_box_CAM_hall/config"


@pytest.fixture(scope="module")
def known_keys() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / "homeassistant_keys.json").read_text())
    return loaded


def told(config: Config = CONFIG) -> dict[str, Message]:
    return discovery(config, version="0.1.0")


def part(name: str, topic: str = HALL, config: Config = CONFIG) -> Message:
    """Return a component by the end of its unique id."""
    message = told(config)[topic]
    (found,) = [one for one in message["components"].values() if one["unique_id"].endswith(f"_{name}")]
    return dict(found)


def rendered(template: str, payload: Any) -> str:
    sandbox = pytest.importorskip("jinja2.sandbox", reason="needs Jinja2, which Home Assistant's templates are made of")
    text = payload if isinstance(payload, str) else json.dumps(payload)
    value = {} if isinstance(payload, str) else {"value_json": json.loads(text)}
    return str(sandbox.ImmutableSandboxedEnvironment().from_string(template).render(value=text, **value)).strip()


def opened(change: Any = None, **changes: Any) -> Message:
    return incident_message(
        change or Opened(incident=incident(**changes)),
        incident_id="01a1fdfa-4600-7a91-807b-e2d44f10a6b3",
        seq=1,
        node="box",
        wall_offset_ns=WALL_OFFSET_NS,
        clock_synchronised=True,
        models={},
    )


@pytest.mark.parametrize("snapshots", [True, False])
@pytest.mark.parametrize("controlled", [True, False])
def test_home_assistant_itself_accepts_every_message(repository: Path, snapshots: bool, controlled: bool) -> None:
    folder = Path(os.environ.get("VEDETTE_HOMEASSISTANT", repository / "build" / "homeassistant"))
    if not (folder / "bin" / "python").exists():
        pytest.skip(
            f"needs Home Assistant in {folder}: see judge_homeassistant.py (VEDETTE_HOMEASSISTANT names another)"
        )
    config = CONFIG.model_copy(
        update={"snapshots": Snapshots(enabled=snapshots), "control": Control(enabled=controlled)}
    )
    judged = subprocess.run(
        [folder / "bin" / "python", Path(__file__).parent / "judge_homeassistant.py", folder],
        input=json.dumps(told(config)),
        capture_output=True,
        text=True,
        check=True,
    )
    verdict = json.loads(judged.stdout)
    assert verdict["faults"] == []
    assert verdict["components"] == sum(len(message["components"]) for message in told(config).values()) > 20


def test_every_key_is_one_that_home_assistant_knows(known_keys: dict[str, Any]) -> None:
    for topic, message in told().items():
        assert message.keys() <= set(known_keys["message"]), topic
        assert message["device"].keys() <= set(known_keys["device"])
        assert message["origin"].keys() <= set(known_keys["origin"])
        for key, one in message["components"].items():
            assert one.keys() <= set(known_keys["components"][one["platform"]]), key
            for availability in one["availability"]:
                assert availability.keys() <= set(known_keys["availability"])


def test_there_is_one_device_for_the_box_and_one_for_each_camera_behind_it() -> None:
    messages = told()
    assert list(messages) == [
        "homeassistant/device/vedette_box/config",
        HALL,
        "homeassistant/device/vedette_box_CAM_back-yard_2/config",
    ]
    box, *cameras = [message["device"] for message in messages.values()]
    assert "via_device" not in box
    assert {device["via_device"] for device in cameras} == set(box["identifiers"])
    assert all(message["origin"]["name"] == "Vedette" for message in messages.values())


def test_no_two_devices_or_entities_of_any_boxes_share_an_id() -> None:
    first = Config(node=Node(name="a"), cameras={"b": Camera(url="x"), "b_armed": Camera(url="x")})
    second = Config(node=Node(name="a_b"), cameras={"b": Camera(url="x")})
    messages = [*told(first).values(), *told(second).values()]
    ids = [one["unique_id"] for message in messages for one in message["components"].values()]
    assert len(ids) == len(set(ids))
    assert len({message["device"]["identifiers"][0] for message in messages}) == 5


def test_lines_that_are_named_like_each_others_counters_are_all_there() -> None:
    line = Line(line=((0.0, 0.5), (1.0, 0.5)))
    config = Config(cameras={"a": Camera(url="x", lines={"door": line, "door_in": line, "on": line})})
    (camera,) = [message for topic, message in told(config).items() if "CAM" in topic]
    platforms = [one["platform"] for one in camera["components"].values() if "_line_" in one["unique_id"]]
    assert (platforms.count("switch"), platforms.count("sensor")) == (3, 6)


def test_it_is_silent_where_it_is_switched_off_and_speaks_below_the_prefix_that_was_chosen() -> None:
    off = CONFIG.model_copy(update={"homeassistant": HomeAssistant(enabled=False)})
    assert told(off) == {}
    other = CONFIG.model_copy(update={"homeassistant": HomeAssistant(discovery_prefix="ha/discovery")})
    assert all(topic.startswith("ha/discovery/device/") for topic in told(other))
    assert status_topic(other) == "ha/discovery/status"


def test_topics_follow_the_base_and_the_node() -> None:
    config = CONFIG.model_copy(update={"broker": Broker(base_topic="site/7"), "node": Node(name="attic")})
    text = json.dumps(told(config))
    assert "site/7/attic/hall/active" in text
    assert "vedette/" not in text


def test_what_is_not_there_is_not_announced() -> None:
    plain = CONFIG.model_copy(update={"snapshots": Snapshots(), "control": Control(enabled=False)})
    platforms = {one["platform"] for message in told(plain).values() for one in message["components"].values()}
    assert platforms == {"binary_sensor", "event", "sensor"}
    deaf = told()["homeassistant/device/vedette_box_CAM_back-yard_2/config"]["components"].values()
    assert not any("sound" in one.get("state_topic", "") for one in deaf)


def test_every_kind_belongs_to_one_group_or_is_said_to_belong_to_none() -> None:
    grouped = [kind for group in GROUPS for kind in group.kinds]
    assert sorted([*grouped, *UNGROUPED]) == sorted(KINDS)


def test_the_event_fires_once_when_an_incident_opens_and_says_what_happened() -> None:
    event = part("incident")
    assert event["event_types"] == list(KINDS)
    fired = json.loads(rendered(event["value_template"], opened(summary='He said "fire" & <left>')))
    assert (fired["event_type"], fired["summary"]) == ("fall", 'He said "fire" & <left>')
    assert (fired["severity"], fired["drill"]) == ("critical", False)
    for later in (Updated(incident=incident()), Closed(incident=incident(close_reason="quiet"))):
        assert rendered(event["value_template"], opened(later)) == ""


def test_the_event_fires_again_where_an_incident_becomes_critical() -> None:
    fired = json.loads(rendered(part("incident")["value_template"], opened(Updated(incident=incident(escalated=True)))))
    assert (fired["event_type"], fired["severity"]) == ("fall", "critical")


def test_a_binary_sensor_is_on_while_an_incident_of_its_group_is_open() -> None:
    active = active_message("hall", [opened()], at_wall_ns=0, node="box")
    none = active_message("hall", [], at_wall_ns=0, node="box")
    for group in GROUPS:
        template = part(group.key)["value_template"]
        assert rendered(template, active) == ("ON" if group.key == "fall" else "OFF")
        assert rendered(template, none) == "OFF"


def test_a_drill_switches_no_binary_sensor_on() -> None:
    drill, real = opened(drill=True), opened()
    template = part("fall")["value_template"]
    for messages, expected in (([drill], "OFF"), ([drill, real], "ON")):
        assert rendered(template, active_message("hall", messages, at_wall_ns=0, node="box")) == expected


@pytest.mark.parametrize(("severity", "expected"), [("warning", "OFF"), ("critical", "ON")])
def test_a_possible_fight_is_no_danger_yet(severity: str, expected: str) -> None:
    fight = opened(kind="fight", severity=severity)
    active = active_message("hall", [fight], at_wall_ns=0, node="box")
    assert rendered(part("danger")["value_template"], active) == expected


STATES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "OFF"),
    ({"hall": {"vision": {"status": "running"}, "sound": {"status": "absent"}}}, "OFF"),
    ({"hall": {"vision": {"status": "lost"}}}, "ON"),
    ({"hall": {"vision": {"status": "running"}, "sound": {"status": "lost"}}}, "ON"),
    ({"yard": {"vision": {"status": "lost"}}}, "OFF"),
)


@pytest.mark.parametrize(("cameras", "expected"), STATES)
def test_a_lost_source_is_a_problem_armed_or_not(cameras: dict[str, Any], expected: str) -> None:
    assert rendered(part("lost")["value_template"], {"cameras": cameras}) == expected


def test_a_box_that_stopped_or_vanished_is_unavailable_and_so_is_a_camera_that_is_off() -> None:
    (online, watching) = part("fall")["availability"]
    assert part("fall")["availability_mode"] == "all"
    for status, expected in (("online", "online"), ("stopped", "offline"), ("offline", "offline")):
        assert rendered(online["value_template"], status) == expected
    assert watching["topic"] == "vedette/box/hall/setting/enabled"
    assert part("CAM_hall_enabled")["availability"] == [online]


def test_switches_set_and_follow_what_the_box_says_of_itself() -> None:
    zone = part("zone_gate")
    assert zone["command_topic"] == "vedette/box/hall/set/zone/gate"
    assert zone["state_topic"] == "vedette/box/hall/setting/zone/gate"
    armed = part("armed", "homeassistant/device/vedette_box/config")
    assert (armed["command_topic"], armed["payload_off"]) == ("vedette/box/set/armed", "off")


def test_measurements_are_read_from_the_topics_that_carry_them() -> None:
    assert rendered(part("people")["value_template"], {"things": {"person": 3}}) == "3"
    assert rendered(part("people")["value_template"], {"things": {}}) == "0"
    assert rendered(part("people")["value_template"], {"things": None}) == "None"  # Home Assistant: unknown


@pytest.mark.parametrize(
    ("things", "zones", "person", "gate"),
    [
        ({"person": 1}, {"gate": {}}, "ON", "OFF"),
        ({"car": 1}, {"gate": {"car": 1}}, "OFF", "ON"),
        ({}, {}, "OFF", "None"),  # kept from before the zone was drawn
        (None, None, "None", "None"),
    ],
)
def test_the_picture_and_each_zone_are_occupied_or_not_or_nobody_knows(
    things: object, zones: object, person: str, gate: str
) -> None:
    presence = {"things": things, "zones": zones}
    assert rendered(part("person")["value_template"], presence) == person
    assert rendered(part("inside_gate")["value_template"], presence) == gate
    assert json.loads(rendered(part("person")["json_attributes_template"], presence)) == presence
    assert part("inside_gate")["device_class"] == "occupancy"


def test_a_line_is_two_sensors_that_only_grow() -> None:
    hall = Camera(url="rtsp://192.0.2.1/", lines={"front-door": Line(line=((0.1, 0.5), (0.9, 0.5)))})
    config = CONFIG.model_copy(update={"cameras": {"hall": hall}})
    stats = {"lines": {"front-door": {"in": 1, "out": 0, "in_total": 7, "out_total": 5}}}
    for way, count in (("in", "7"), ("out", "5")):
        sensor = part(f"line_front-door_{way}", config=config)
        assert rendered(sensor["value_template"], stats) == count
        assert sensor["state_class"] == "total_increasing"
    assert rendered(part("level")["value_template"], {"level_dbfs": -41.5}) == "-41.5"
    assert rendered(part("heard")["value_template"], {"labels": [{"label": "scream", "prob": 0.9}]}) == "scream"
    assert rendered(part("heard")["value_template"], {"labels": []}) == "nothing"
    assert len(rendered(part("last")["value_template"], opened(summary="x" * 400))) == 255
    box = "homeassistant/device/vedette_box/config"
    state = {"status": "degraded", "degraded_because": ["outbox: full"], "outbox": {"depth": 4}}
    assert rendered(part("problem", box)["value_template"], state) == "ON"
    assert json.loads(rendered(part("problem", box)["json_attributes_template"], state)) == {
        "because": ["outbox: full"]
    }
    assert rendered(part("waiting", box)["value_template"], state) == "4"


def test_people_read_names_and_topics_keep_identifiers() -> None:
    hall = Camera(
        url="rtsp://camera/1",
        name="Eingang Süd",
        zones={"gate": GATE.model_copy(update={"name": "Garage door"})},
        lines={"sill": Line(name="Türschwelle", line=((0.0, 0.5), (1.0, 0.5)))},
    )
    config = CONFIG.model_copy(update={"cameras": {"hall": hall}})
    message = told(config)[HALL]
    plain = told(CONFIG.model_copy(update={"cameras": {"hall": Camera.model_validate(_nameless(hall))}}))[HALL]
    assert message["device"]["name"] == "Eingang Süd"
    assert part("inside_gate", config=config)["name"] == "Garage door occupied"
    assert part("zone_gate", config=config)["name"] == "Zone Garage door"
    assert part("line_ON_sill", config=config)["name"] == "Line Türschwelle"
    assert part("line_sill_in", config=config)["name"] == "Türschwelle in"
    assert _without_names(message) == _without_names(plain)


def _nameless(camera: Camera) -> Any:
    content = camera.model_dump()
    parts = {key: {id: its | {"name": ""} for id, its in content[key].items()} for key in ("zones", "lines")}
    return content | parts | {"name": ""}


def _without_names(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_names(value) for key, value in content.items() if key != "name"}
    return content
