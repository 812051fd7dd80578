"""A broker that speaks MQTT 3.1.1 only, and the small parts of the loop."""

import contextlib
import gc
import logging
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from agent.config.schema import Broker, Config, Node, Snapshots
from agent.errors import ConfigError
from agent.service.broker import EmbeddedBroker
from agent.uplink.mqtt.connection import Connection, endpoint
from agent.uplink.mqtt.dispatch import is_late
from agent.uplink.mqtt.faults import BrokerError
from agent.uplink.mqtt.latest import Latest, LatestBoard
from agent.uplink.mqtt.refusals import PICTURE_TRIES, TOO_LARGE_FOR_S, Backoff, Patience, Refusals
from agent.uplink.outbox.queue import QueuedMessage
from agent.uplink.subscriber.subscriber import Subscriber
from tests.uplink.conftest import RunningNode, wait_for
from tests.uplink.made import STARTED_NS, Clock, life


def test_incidents_arrive_over_mqtt_3_1_1_where_the_broker_refuses_5(tmp_path: Path) -> None:
    received: list[tuple[str, bytes]] = []
    with EmbeddedBroker() as broker:
        config = Config(node=Node(name="box"), broker=Broker(url=broker.url), snapshots=Snapshots(enabled=True))
        with Subscriber(
            config.broker, topics=("vedette/#",), on_message=lambda topic, payload: received.append((topic, payload))
        ) as subscriber:
            subscriber.wait_ready(10)
            node = RunningNode(config, tmp_path, None, None)
            wait_for(lambda: node.uplink.health().protocol == "3.1.1")
            for change in life(1):
                node.uplink.raise_change(change, wall_offset_ns=time.time_ns() - STARTED_NS, clock_synchronised=True)
            wait_for(lambda: len([topic for topic, _ in received if topic.endswith("/incident")]) == 3)
            node.stop()
            wait_for(lambda: ("vedette/box/status", b"stopped") in received)


def test_what_a_broker_sends_unasked_is_not_handed_on(tmp_path: Path) -> None:
    """amqtt hands a client that comes back what it published itself; to the listener that would be commands."""
    taken: list[str] = []
    with EmbeddedBroker() as broker:
        config = Config(node=Node(name="box"), broker=Broker(url=broker.url))
        with Subscriber(config.broker, topics=("vedette/#",), on_message=lambda *_: None) as subscriber:
            subscriber.wait_ready(10)
            came = RunningNode(config, tmp_path, None, None)
            wait_for(lambda: came.uplink.health().protocol == "3.1.1")
            came.stop()
            again = RunningNode(config, tmp_path, None, None)
            again.uplink.listen(("vedette/box/set/#",), lambda received: taken.append(received.topic))
            wait_for(lambda: again.uplink.health().protocol == "3.1.1")
            asking = Connection(endpoint(config.broker, None, client_id="asking"), mqtt5=False)
            asking.open()
            asking.publish("vedette/box/set/armed", b"off")
            wait_for(lambda: taken)
            asking.close()
            again.stop()
    assert set(taken) == {"vedette/box/set/armed"}


def queued(run: str, *, wall_s: float = 0, monotonic_s: float = 0) -> QueuedMessage:
    clock = Clock()
    return QueuedMessage(
        id=1,
        seq=1,
        chain="a",
        role="incident",
        phase="open",
        topic="t",
        payload=b"",
        wall_ns=clock.wall_ns + int(wall_s * 1e9),
        synchronised=True,
        monotonic_ns=clock.monotonic_ns + int(monotonic_s * 1e9),
        run=run,
    )


@pytest.mark.parametrize(
    ("sent", "late"),
    [
        (queued("now", monotonic_s=-9.9), False),
        (queued("now", monotonic_s=-10.0), False),
        (queued("now", monotonic_s=-10.1), True),
        (queued("now", monotonic_s=-1, wall_s=-3600), False),  # the wall clock jumped
        (queued("before", wall_s=-9.9), False),
        (queued("before", wall_s=-10.1), True),
        (queued("before", wall_s=+1), True),  # the wall clock went backwards over the restart: nobody knows
    ],
)
def test_delayed_is_told_by_the_clock_that_can_be_trusted(sent: QueuedMessage, late: bool) -> None:
    assert is_late(sent, Clock().now(), "now") == late


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker", "broker", 1883, False),
        ("mqtts://broker", "broker", 8883, True),
        ("mqtts://broker:99", "broker", 99, True),
        ("mqtt://[::1]:1884", "::1", 1884, False),
    ],
)
def test_addresses_are_read(url: str, host: str, port: int, tls: bool) -> None:
    place = endpoint(Broker(url=url), None, "me")
    assert (place.host, place.port, place.tls) == (host, port, tls)


@pytest.mark.parametrize(
    "url", ["mqtt://broker:0", "mqtt://broker:70000", "mqtt://broker:x", "mqtt://:1883", "mqtt://b/x"]
)
def test_what_is_no_address_is_refused_with_its_cure(url: str) -> None:
    with pytest.raises(ConfigError, match="mqtt://host:1883"):
        endpoint(Broker(url=url), None, "me")


def test_the_wait_doubles_with_jitter_up_to_its_most() -> None:
    longest = Backoff(1.0, 30.0, lambda: 1.0)
    assert [longest.next_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    shortest = Backoff(1.0, 30.0, lambda: 0.0)
    assert [shortest.next_s() for _ in range(3)] == [0.5, 1, 2]


def test_a_refused_topic_is_logged_once_and_asked_more_and_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals(Patience())
    with caplog.at_level(logging.INFO):
        assert [refusals.note("t", "not authorized", "kept") for _ in range(7)] == [5, 10, 20, 40, 80, 120, 120]
        assert refusals.topics == ("t",)
        refusals.accepted("t")
        refusals.accepted("t")
    assert refusals.topics == ()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert refusals.note("t", "not authorized", "kept") == 5


def test_a_picture_on_which_the_broker_hangs_up_is_given_up_and_its_size_remembered_for_a_while() -> None:
    refusals = Refusals(Patience())
    assert [refusals.lost_with_picture("p", 1000, 0.0) for _ in range(PICTURE_TRIES)] == [False] * (
        PICTURE_TRIES - 1
    ) + [True]
    assert refusals.is_too_large(1000, 1.0)
    assert not refusals.is_too_large(999, 1.0)
    assert not refusals.is_too_large(1000, TOO_LARGE_FOR_S)


def test_a_picture_that_arrived_is_not_blamed_for_later_losses() -> None:
    refusals = Refusals(Patience())
    for _ in range(PICTURE_TRIES * 2):
        assert not refusals.lost_with_picture("p", 1000, 0.0)
        refusals.accepted("p")


def test_of_the_newest_contents_only_the_retained_are_sent_again() -> None:
    board = LatestBoard()
    kept, passing = Latest("kept", b"1", retain=True), Latest("passing", b"1", retain=False)
    for latest in (kept, passing):
        board.put(latest)
        board.acknowledged(latest)
    assert board.due((), 0.0) == []
    board.connected()
    assert board.due((), 0.0) == [kept]


def test_an_acknowledgement_of_an_older_content_leaves_the_newer_to_be_sent() -> None:
    board = LatestBoard()
    old, new = Latest("t", b"1", retain=True), Latest("t", b"2", retain=True)
    board.put(old)
    board.put(new)
    assert board.due({"t"}, 0.0) == []
    board.acknowledged(old)
    assert board.due((), 0.0) == [new]


def test_a_refused_content_waits_and_a_forgotten_one_never_comes_again() -> None:
    board = LatestBoard()
    latest = Latest("t", b"1", retain=True)
    board.put(latest)
    board.postpone("t", 10.0)
    assert board.due((), 9.9) == []
    assert board.due((), 10.0) == [latest]
    board.forget(latest)
    board.connected()
    assert board.due((), 10.0) == []


def test_a_broker_that_hangs_up_for_months_leaves_no_sockets_behind() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        place = endpoint(Broker(url=f"mqtt://127.0.0.1:{listening.getsockname()[1]}"), None, "box")

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listening.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        gc.collect()
        gc.disable()  # what waits for the collector may wait for long
        try:
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(20):
                with contextlib.suppress(BrokerError):
                    Connection(place, mqtt5=True).open(5.0)
            assert len(os.listdir("/proc/self/fd")) <= before + 4
        finally:
            gc.enable()
