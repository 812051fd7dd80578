"""`vedette run` as a process of its own, with a subscriber that remembers everything it says."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers.mosquitto import PASSWORD, READER, READER_PASSWORD, Mosquitto

PATIENCE_S = 240.0

CONFIG = """
[node]
name = "{node}"
[broker]
url = "mqtt://127.0.0.1:{port}"
username = "vedette"
keepalive_s = 5
"""


class Agent:
    """One box; `state` is its state folder."""

    def __init__(
        self, folder: Path, config: str, *, state: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state = state or folder / "state"
        self._log = folder / "log"
        self.config_file = folder / "vedette.toml"
        self.config_file.write_text(config)
        (folder / "credentials").mkdir(exist_ok=True)
        (folder / "credentials" / "broker").write_text(PASSWORD)
        settings = {"STATE_DIRECTORY": str(self.state), "CREDENTIALS_DIRECTORY": str(folder / "credentials")}
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start `vedette run`."""
        command = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(self.config_file), *arguments]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def vedette(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on this box."""
        command = [sys.executable, "-m", "agent.cli.main", *arguments, "--config", str(self.config_file)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=600, check=False)

    @property
    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)


@contextlib.contextmanager
def running(agent: Agent) -> Iterator[Agent]:
    """Start an agent, and end it however the test ends."""
    agent.start()
    try:
        yield agent
    finally:
        agent.kill()


class Ear:
    """A subscriber: every topic's newest content, every incident message, every gap."""

    def __init__(self, broker: Mosquitto, name: str = "ear") -> None:
        self.topics: dict[str, bytes] = {}
        self.incidents: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []
        self.everything: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(READER, READER_PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port, keepalive=60)
        self._client.loop_start()

    def wait(self, what: str, found: Callable[[], Any], timeout_s: float = PATIENCE_S) -> None:
        """Return once `found`; fail saying `what` was waited for."""
        with self._changed:
            if not self._changed.wait_for(found, timeout_s):
                kinds = [(m["seq"], m["kind"], m["phase"]) for m in self.incidents[-12:]]
                pytest.fail(f"waited {timeout_s:.0f} s for {what}; last: {kinds}; state: {self.state()}")

    def state(self, node: str = "box") -> dict[str, Any]:
        """Return the newest state of a node."""
        found: dict[str, Any] = json.loads(self.topics.get(f"vedette/{node}/state") or b"{}")
        return found

    def because(self, node: str = "box") -> str:
        """Return why a node is degraded, as one text."""
        return "; ".join(self.state(node).get("degraded_because", []))

    def vision(self, camera: str, node: str = "box") -> str:
        """Return how the picture of a camera is."""
        return str(self.state(node).get("cameras", {}).get(camera, {}).get("vision", {}).get("status", ""))

    def of(self, kind: str, phase: str) -> list[dict[str, Any]]:
        """Return the incident messages of a kind and phase."""
        return [m for m in list(self.incidents) if (m["kind"], m["phase"]) == (kind, phase)]

    def missing(self) -> set[int]:
        """Return the numbers that neither came nor were given up in a gap message."""
        told = {m["seq"] for m in [*self.incidents, *self.gaps]}
        given_up = {n for gap in self.gaps for first, last in gap["ranges"] for n in range(first, last + 1)}
        return set(range(1, max(told, default=0) + 1)) - told - given_up

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.topics[message.topic] = message.payload
            self.everything.append((message.topic, message.payload))
            levels = message.topic.split("/")
            if levels[-1] == "incident":
                self.incidents.append(json.loads(message.payload))
            elif levels[-1] == "gap":
                self.gaps.append(json.loads(message.payload))
            self._changed.notify_all()
