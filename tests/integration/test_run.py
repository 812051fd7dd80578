"""`vedette run` against real parts: an RTSP camera with a login, a PortAudio microphone, Mosquitto with TLS.

Everything is killed and hung in turn; an independent MQTT client must end up with every incident, numbered
without a hole, valid against the published schema.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.uplink.messages.payload import schema
from tests.servers.mosquitto import PASSWORD, READER, READER_PASSWORD, USERNAME, Mosquitto, find_mosquitto, mosquitto
from tests.servers.pulse import DEVICE, RATE_HZ, PulseServer, require_pulse
from tests.servers.rtsp import RtspServer, require_rtsp_server

pytestmark = pytest.mark.integration

CAMERA_PASSWORD = "c4mera-pw"
CONFIG = """
[node]
name = "box"
[broker]
url = "mqtts://localhost:{port}"
username = "{username}"
ca_file = "{ca}"
keepalive_s = 5
[snapshots]
enabled = true
[cameras.yard]
url = "{camera}"
username = "viewer"
sound = "device:{device}"
open_timeout_s = 10
stall_timeout_s = 4
[cameras.yard.zones.gate]
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
"""


class Client:
    """A subscriber of our own making: paho, MQTT 5, TLS, a session that survives the broker's death."""

    def __init__(self, broker: Mosquitto) -> None:
        self.messages: list[dict[str, Any]] = []
        self.topics: dict[str, bytes] = {}
        self.snapshots: list[str] = []
        self._changed = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="alarm-centre", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(READER, READER_PASSWORD)
        self._client.tls_set(str(broker.folder / "ca.pem"), cert_reqs=ssl.CERT_REQUIRED)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 2)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self._client.connect("localhost", broker.tls_port, keepalive=5, clean_start=False, properties=session)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait(self, what: str, found: Callable[["Client"], bool], timeout_s: float = 240.0) -> None:
        """Return once `found`; fail saying `what` was waited for."""
        with self._changed:
            if not self._changed.wait_for(lambda: found(self), timeout_s):
                kinds = [(m["seq"], m["kind"], m["phase"]) for m in self.messages[-12:]]
                pytest.fail(f"waited {timeout_s:.0f} s for {what}; {self.status!r}; last: {kinds}; state: {self.state}")

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.topics.get("vedette/box/state", b"{}"))

    @property
    def status(self) -> bytes:
        return self.topics.get("vedette/box/status", b"")

    def source(self, modality: str) -> str:
        return str(self.state.get("cameras", {}).get("yard", {}).get(modality, {}).get("status", ""))

    def count(self, kind: str, phase: str) -> int:
        return len({m["id"] for m in self.messages if (m["kind"], m["phase"]) == (kind, phase)})

    def ids(self, phase: str) -> set[str]:
        return {m["id"] for m in self.messages if m["phase"] == phase}

    def missing(self, ids: set[str]) -> set[int]:
        """Return the numbers that have not come of those up to the last message of these incidents."""
        last = max(m["seq"] for m in self.messages if m["id"] in ids)
        return set(range(1, last + 1)) - {m["seq"] for m in self.messages}

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("vedette/box/#", qos=1)

    def _take(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.topics[message.topic] = message.payload
            levels = message.topic.split("/")
            if levels[-1] == "incident":
                self.messages.append(json.loads(message.payload))
            elif len(levels) == 5:
                self.snapshots.append(levels[-1])
            self._changed.notify_all()


class Agent:
    """`vedette run` as a process of its own."""

    def __init__(self, folder: Path, config: str, environment: dict[str, str]) -> None:
        self.log = folder / "agent.log"
        self._config = folder / "vedette.toml"
        self._config.write_text(config)
        credentials = folder / "credentials"
        credentials.mkdir()
        (credentials / "broker").write_text(PASSWORD)
        (credentials / "camera-yard").write_text(CAMERA_PASSWORD)
        settings = {"STATE_DIRECTORY": str(folder / "state"), "CREDENTIALS_DIRECTORY": str(credentials)}
        self._environment = {**os.environ, **environment, **settings}
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent.cli.main", "run", "--config", str(self._config)],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> float:
        """SIGTERM; return the seconds it took."""
        started_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(90) == 0
        return time.monotonic() - started_s

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(60)


def smoke_alarm(seconds: float) -> bytes:
    """A T3 smoke alarm (ISO 8201): three tones of 0.5 s in a cycle of 4 s, at 3.1 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    beat_s = time_s % 4.0
    on = ((beat_s % 1.0) < 0.5) & (beat_s < 3.0)
    noise = np.random.default_rng(1).normal(0, 0.002, time_s.size)
    return ((0.3 * on * np.sin(2 * np.pi * 3100 * time_s) + noise) * 32767).astype("<i2").tobytes()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[RtspServer, PulseServer, Mosquitto]]:
    require_rtsp_server()
    require_pulse()
    if find_mosquitto() is None:
        pytest.skip("needs mosquitto (Debian package mosquitto)")
    clip = Path(str(files("agent.service") / "clips" / "walkby.mp4"))
    for name in ("pulse", "broker"):
        (tmp_path / name).mkdir()
    with (
        RtspServer(user="viewer", password=CAMERA_PASSWORD, auth="digest", clip=clip) as camera,
        PulseServer(tmp_path / "pulse") as microphone,
        mosquitto(tmp_path / "broker") as broker,
    ):
        yield camera, microphone, broker


def test_every_incident_arrives_although_everything_is_killed_and_hung_in_turn(
    parts: tuple[RtspServer, PulseServer, Mosquitto], tmp_path: Path
) -> None:
    camera, microphone, broker = parts
    config = CONFIG.format(
        port=broker.tls_port,
        username=USERNAME,
        ca=broker.folder / "ca.pem",
        camera=camera.url("clip"),
        device=DEVICE,
    )
    client = Client(broker)
    agent = Agent(tmp_path, config, microphone.environment)
    try:
        client.wait("the agent to be online", lambda c: c.status == b"online")
        client.wait("camera and microphone", lambda c: (c.source("vision"), c.source("sound")) == ("running",) * 2)
        client.wait("someone in the zone", lambda c: c.count("intrusion", "open") >= 1)
        microphone.play(smoke_alarm(120))
        client.wait("the smoke alarm", lambda c: c.count("alarm", "open") >= 1)
        _camera_dies_and_hangs(camera, client)
        _microphone_hangs_and_dies(microphone, client)
        _broker_dies_and_hangs(broker, client)
        assert agent.stop() < 20.0  # 5 s where nothing else runs: tests/integration/test_systemd.py prints it
        client.wait("the clean stop", lambda c: c.status == b"stopped")
        agent.start()  # a stop waits for nobody: what it had no time for comes now
        opened = client.ids("open")
        client.wait("the agent to be online again", lambda c: c.status == b"online")
        client.wait("the end of every incident", lambda c: opened <= c.ids("close") and not c.missing(opened))
        agent.stop()
    finally:
        agent.end()
        client.close()
    _everything_arrived(client, opened)
    log = agent.log.read_text()
    assert CAMERA_PASSWORD not in log
    assert PASSWORD not in log
    assert "Traceback" not in log


def _camera_dies_and_hangs(camera: RtspServer, client: Client) -> None:
    lost = client.count("source_lost", "open")
    camera.kill()
    client.wait("the loss of the camera", lambda c: c.count("source_lost", "open") > lost)
    camera.start()
    client.wait("the camera's return", lambda c: c.source("vision") == "running")
    client.wait("the end of the loss", lambda c: c.count("source_lost", "close") >= c.count("source_lost", "open"))
    camera.hang()
    client.wait("the camera to be found hanging", lambda c: c.source("vision") == "lost")
    camera.go_on()
    client.wait("the camera to go on", lambda c: c.source("vision") == "running")


def _microphone_hangs_and_dies(microphone: PulseServer, client: Client) -> None:
    microphone.hang()
    client.wait("the silent microphone", lambda c: c.source("sound") == "lost")
    microphone.go_on()
    client.wait("the microphone to go on", lambda c: c.source("sound") == "running")
    microphone.kill()
    client.wait("the loss of the microphone", lambda c: c.source("sound") == "lost")
    microphone.start()
    client.wait("the microphone's return", lambda c: c.source("sound") == "running")


def _broker_dies_and_hangs(broker: Mosquitto, client: Client) -> None:
    seen = client.count("intrusion", "open")
    broker.kill()
    time.sleep(30)  # longer than the clip and its reconnect, and then 10 s: what waited is told as delayed
    broker.start()
    client.wait("what happened while the broker was dead", lambda c: c.count("intrusion", "open") > seen)
    seen = client.count("intrusion", "open")
    broker.signal(signal.SIGSTOP)
    time.sleep(12)
    broker.signal(signal.SIGCONT)
    gone_on = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))
    client.wait("what happened while the broker hung", lambda c: c.count("intrusion", "open") > seen)
    client.wait("the agent's return to the broker", lambda c: str(c.state.get("at", "")) > gone_on)


def _everything_arrived(client: Client, opened: set[str]) -> None:
    validator = jsonschema.Draft202012Validator(schema("incident-1"))
    for message in client.messages:
        validator.validate(message)
    jsonschema.Draft202012Validator(schema("state-1")).validate(client.state)
    assert not client.missing(opened), "the sequence has a hole"
    assert opened <= set(client.snapshots) | {m["id"] for m in client.messages if m["snapshot"] is None}
    assert any(message["delayed"] for message in client.messages)
