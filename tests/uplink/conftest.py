"""A broker, a node and an independent subscriber."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.config.schema import Broker, Config, Node, Outbox, Snapshots
from agent.uplink.mqtt.refusals import Patience
from agent.uplink.uplink import Uplink
from tests.servers.mosquitto import PASSWORD, READER, READER_PASSWORD, Mosquitto, find_mosquitto, mosquitto

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)")


def wait_for(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    """Return the first true value of `condition`; fail after so many seconds."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {seconds} s")


class Listener:
    """An independent client, paho as it is, with a persistent session."""

    def __init__(self, server: Mosquitto, *, topic: str = "vedette/#", name: str = "listener") -> None:
        self.messages: queue.SimpleQueue[paho.MQTTMessage] = queue.SimpleQueue()
        self.seen: list[paho.MQTTMessage] = []
        self.ready = threading.Event()
        self._topic = topic
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.username_pw_set(READER, READER_PASSWORD)
        self._client.tls_set(str(server.folder / "ca.pem"))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = lambda _c, _u, message: self.seen.append(message)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect("localhost", server.tls_port, 5, clean_start=False, properties=properties)
        self._client.loop_start()
        assert self.ready.wait(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def incidents(self) -> list[dict[str, Any]]:
        return [json.loads(m.payload) for m in list(self.seen) if m.topic.endswith("/incident")]

    def seqs(self) -> set[int]:
        return {message["seq"] for message in self.incidents()}

    def newest(self, topic: str) -> bytes | None:
        found = [message.payload for message in list(self.seen) if message.topic == topic]
        return found[-1] if found else None


class RunningNode:
    """An uplink with its thread."""

    def __init__(self, config: Config, folder: Path, password: str | None, patience: Patience | None) -> None:
        self.uplink = Uplink.open(config, folder, password=password, patience=patience)
        self.stop_event = threading.Event()
        self.thread = threading.Thread(target=self.uplink.run, args=(self.stop_event,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stop_event.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        self.uplink.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "mosquitto") as running:
        yield running


@pytest.fixture
def listener(server: Mosquitto) -> Iterator[Listener]:
    listening = Listener(server)
    yield listening
    listening.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningNode]]:
    """Start nodes; all are stopped at the end."""
    nodes: list[RunningNode] = []

    def make(broker: Broker, *, password: str | None = PASSWORD, folder: str = "state", **tables: Any) -> RunningNode:
        config = Config(
            node=Node(name="box"),
            broker=broker,
            snapshots=tables.get("snapshots", Snapshots()),
            outbox=tables.get("outbox", Outbox()),
        )
        nodes.append(RunningNode(config, tmp_path / folder, password, tables.get("patience")))
        return nodes[-1]

    yield make
    for node in nodes:
        if node.thread.is_alive():
            node.stop()
