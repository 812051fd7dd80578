"""`vedette run` obeyed over a real Mosquitto: discovery, disarming, a camera off, what lasts, hostile messages."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.uplink.messages.payload import schema
from tests.servers.mosquitto import PASSWORD, READER, READER_PASSWORD, USERNAME, Mosquitto, find_mosquitto

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)"),
]

CLIP_S = 8.0  # somebody walks by once in it
CONFIG = """
[node]
name = "box"
[broker]
url = "mqtt://localhost:{port}"
username = "{username}"
keepalive_s = 5
[snapshots]
enabled = true
[cameras.hall]
url = "{clip}"
loop = true
[cameras.hall.zones.gate]
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
"""
SHED = """
[cameras.shed]
url = "{clip}"
enabled = false
"""
SHED_CONFIG = "homeassistant/device/vedette_box_CAM_shed/config"
HALL_CONFIG = "homeassistant/device/vedette_box_CAM_hall/config"
UNKNOWN = "01a1fdfa-4600-7a91-807b-e2d44f10a6b3"
HOSTILE: tuple[tuple[str, str | bytes, str], ...] = (
    ("request", "{", "not JSON"),
    ("request", b"\xff\xfe", "not UTF-8"),
    ("request", "[" * 9000, "nested"),
    ("request", b"x" * 20_000, "16384 are allowed"),
    ("request", '{"action": "reboot"}', "no action 'reboot'"),
    ("request", '{"action": "snapshot", "camera": "../../etc/passwd"}', "no camera '../../etc/passwd'"),
    ("request", '{"action": "snapshot", "camera": ["hall"]}', "camera has to be a text"),
    ("request", '{"action": "snapshot", "camera": "shed"}', "camera shed is off"),
    ("request", '{"action": "status", "at": "2026-01-01T00:00:00Z"}', "old"),
    ("request", json.dumps({"action": "verdict", "incident": UNKNOWN, "verdict": True}), "not in the history"),
    ("set/armed", "perhaps", "neither on nor off"),
    ("set/volume", "11", "no setting"),
    ("nowhere/set/armed", "off", "no camera 'nowhere'"),
    ("hall/set/zone/moon", "off", "no zone 'moon'"),
)


class House:
    """An automation of somebody's house: MQTT 5, sees retained messages apart, asks with correlation."""

    def __init__(self, broker: Mosquitto, name: str) -> None:
        self.retained: dict[str, bytes] = {}
        self.topics: dict[str, bytes] = {}
        self.incidents: list[dict[str, Any]] = []
        self.answers: dict[bytes, dict[str, Any]] = {}
        self.plain_answers: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._asked = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(READER, READER_PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = self._take
        self._client.connect("localhost", broker.port, keepalive=5)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait(self, what: str, found: Callable[[], Any], timeout_s: float = 240.0) -> None:
        with self._changed:
            if not self._changed.wait_for(found, timeout_s):
                lives = [(m["kind"], m["phase"], m["close_reason"]) for m in self.incidents[-6:]]
                pytest.fail(f"waited {timeout_s:.0f} s for {what}; topics: {sorted(self.topics)}; {lives}")

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def ask(self, topic: str, payload: bytes | str) -> dict[str, Any]:
        """Send with a response topic of our own and return the answer to exactly this message."""
        self._asked += 1
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = "house/answers"
        properties.CorrelationData = correlation = f"{self._asked}".encode()
        self._client.publish(f"vedette/box/{topic}", payload, qos=1, properties=properties)
        self.wait(f"the answer to {topic} {payload[:60]!r}", lambda: correlation in self.answers)
        answer = self.answers[correlation]
        jsonschema.Draft202012Validator(schema("response-1")).validate(answer)
        return answer

    def count(self, phase: str, reason: str | None = None) -> int:
        return sum((m["phase"], m["close_reason"]) == (phase, reason) for m in self.incidents)

    def is_open(self) -> bool:
        return bool(json.loads(self.topics["vedette/box/hall/active"])["incidents"])

    def hall(self, modality: str) -> str:
        state = json.loads(self.topics.get("vedette/box/state", b"{}"))
        return str(state.get("cameras", {}).get("hall", {}).get(modality, {}).get("status", ""))

    def _take(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            if message.retain:
                self.retained[message.topic] = message.payload
            self.topics[message.topic] = message.payload
            if message.topic.endswith("/incident"):
                self.incidents.append(json.loads(message.payload))
            elif message.topic == "house/answers":
                self.answers[message.properties.CorrelationData] = json.loads(message.payload)
            elif message.topic == "vedette/box/response":
                self.plain_answers.append(json.loads(message.payload))
            self._changed.notify_all()


class Agent:
    """`vedette run` as a process of its own; its state folder outlives it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "credentials").mkdir()
        (folder / "credentials" / "broker").write_text(PASSWORD)

    @property
    def log(self) -> str:
        return (self._folder / "agent.log").read_text()

    def start(self, config: str) -> None:
        (self._folder / "vedette.toml").write_text(config)
        places = {
            "STATE_DIRECTORY": str(self._folder / "state"),
            "CREDENTIALS_DIRECTORY": str(self._folder / "credentials"),
        }
        command = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(self._folder / "vedette.toml")]
        with (self._folder / "agent.log").open("ab") as log:
            self._process = subprocess.Popen(command, env={**os.environ, **places}, stdout=log, stderr=log)

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(90) == 0

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(60)


@pytest.fixture
def house(broker: Mosquitto) -> Iterator[House]:
    made = House(broker, "house")
    yield made
    made.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    (tmp_path / "agent").mkdir()
    made = Agent(tmp_path / "agent")
    yield made
    made.end()


def test_a_house_switches_the_box_over_mqtt_and_it_stays_so(broker: Mosquitto, house: House, agent: Agent) -> None:
    clip = files("agent.service") / "clips" / "walkby.mp4"
    config = CONFIG.format(port=broker.port, username=USERNAME, clip=clip)
    agent.start(config + SHED.format(clip=clip))
    house.wait("the box", lambda: house.topics.get("vedette/box/status") == b"online")
    house.wait("its discovery", lambda: SHED_CONFIG in house.topics)
    house.wait("an intrusion", lambda: house.count("open") >= 1)
    _what_it_says_of_itself_is_kept_by_the_broker(broker)
    _it_tells_what_it_hears(house)
    _it_answers(house)
    _it_refuses_what_is_hostile(house)
    _a_birth_brings_the_discovery_again(house)
    _disarming_closes_and_keeps_closed(house)
    _a_camera_goes_and_comes(house)
    agent.stop()
    _what_was_set_lasts_and_a_removed_camera_goes(house, agent, config)
    agent.stop()
    assert "Traceback" not in agent.log
    assert " died " not in agent.log
    assert agent.log.count("nested too deeply") == 1


def _what_it_says_of_itself_is_kept_by_the_broker(broker: Mosquitto) -> None:
    late = House(broker, "late")
    try:
        for topic in ("homeassistant/device/vedette_box/config", HALL_CONFIG, SHED_CONFIG):
            late.wait(topic, lambda topic=topic: late.retained.get(topic))
        for setting, value in (("armed", b"on"), ("sensitivity", b"normal")):
            late.wait(setting, lambda s=setting, v=value: late.retained.get(f"vedette/box/setting/{s}") == v)
        assert late.retained["vedette/box/hall/setting/zone/gate"] == b"on"
        assert late.retained["vedette/box/shed/setting/enabled"] == b"off"
    finally:
        late.close()


def _it_tells_what_it_hears(house: House) -> None:
    house.wait("the sound of the hall", lambda: "vedette/box/hall/sound" in house.topics)
    jsonschema.Draft202012Validator(schema("sound-1")).validate(json.loads(house.topics["vedette/box/hall/sound"]))
    assert "vedette/box/hall/sound" not in house.retained


def _it_answers(house: House) -> None:
    status = house.ask("request", '{"action": "status", "id": "7"}')
    assert (status["ok"], status["id"], status["about"]) == (True, "7", "status")
    assert status["result"]["cameras"]["hall"]["vision"]["status"] == "running"
    snapshot = house.ask("request", '{"action": "snapshot", "camera": "hall"}')
    assert snapshot["result"] == {"topic": "vedette/box/hall/snapshot"}
    assert house.topics["vedette/box/hall/snapshot"][:2] == b"\xff\xd8"
    incident = house.incidents[0]["id"]
    verdict = house.ask("request", json.dumps({"action": "verdict", "incident": incident, "verdict": False}))
    assert verdict["result"] == {"incident": incident, "verdict": False}
    house.publish("vedette/box/request", '{"action": "status", "id": "plain"}')  # as MQTT 3.1.1 asks
    house.wait("the plain answer", lambda: any(answer["id"] == "plain" for answer in house.plain_answers))


def _it_refuses_what_is_hostile(house: House) -> None:
    for topic, payload, why in HOSTILE:
        answer = house.ask(topic, payload)
        assert not answer["ok"]
        assert why in answer["reason"]


def _a_birth_brings_the_discovery_again(house: House) -> None:
    before = house.topics.pop(HALL_CONFIG)
    house.publish("homeassistant/status", "online")
    house.wait("the discovery again", lambda: house.topics.get(HALL_CONFIG) == before)


def _disarming_closes_and_keeps_closed(house: House) -> None:
    house.wait("somebody in the zone", house.is_open)
    assert house.ask("set/armed", "off")["result"] == {"value": "off", "kept": True}
    house.wait("the end of the incident", lambda: house.count("close", "disarmed") >= 1)
    opened = house.count("open")
    time.sleep(1.5 * CLIP_S)  # nothing tells of what does not open
    assert house.count("open") == opened
    assert house.ask("set/armed", "ON")["ok"]
    house.wait("the next intrusion", lambda: house.count("open") > opened)


def _a_camera_goes_and_comes(house: House) -> None:
    assert house.ask("hall/set/enabled", "off")["ok"]
    house.wait("its setting", lambda: house.topics["vedette/box/hall/setting/enabled"] == b"off")
    house.wait("its incident to close", lambda: not house.is_open())
    assert house.ask("request", '{"action": "status"}')["result"]["cameras"] == {}
    assert house.ask("hall/set/enabled", "default")["result"] == {"value": "on", "kept": True}
    house.wait("it to run again", lambda: house.hall("vision") == "running")


def _what_was_set_lasts_and_a_removed_camera_goes(house: House, agent: Agent, config: str) -> None:
    house.publish("vedette/box/set/armed", "off", retain=True)  # waits for the box at the broker: a replay
    house.wait("the stop", lambda: house.topics["vedette/box/status"] == b"stopped")
    agent.start(config)
    house.wait("the return", lambda: house.topics["vedette/box/status"] == b"online")
    house.wait("the removed camera to go", lambda: house.topics[SHED_CONFIG] == b"")
    house.wait("the refusal", lambda: any("retained" in (a["reason"] or "") for a in house.plain_answers))
    assert house.topics["vedette/box/setting/armed"] == b"on"
    assert house.ask("set/sensitivity", "high")["ok"]
    assert house.ask("hall/set/armed", "off")["ok"]
    opened = house.count("open")
    agent.stop()
    house.topics.pop("vedette/box/setting/sensitivity")
    agent.start(config)
    house.wait("what was set", lambda: house.topics.get("vedette/box/setting/sensitivity") == b"high")
    assert house.topics["vedette/box/hall/setting/armed"] == b"off"
    house.wait("the camera", lambda: house.hall("vision") == "running")
    time.sleep(1.5 * CLIP_S)  # nothing tells of what does not open
    assert house.count("open") == opened
