import logging
import socket
import threading
from urllib.parse import urlsplit

import pytest

from agent.config.schema import Broker
from agent.service.broker import EmbeddedBroker
from agent.uplink.mqtt.check import check
from agent.uplink.subscriber.subscriber import Subscriber


def test_it_serves_on_loopback_and_is_gone_afterwards() -> None:
    before = threading.active_count()
    with EmbeddedBroker() as broker:
        results = check(Broker(url=broker.url), None)
        assert [result.ok for result in results] == [True] * 4
        assert "MQTT 3.1.1" in results[2].detail
        url = urlsplit(broker.url)
        assert url.hostname == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((url.hostname, url.port or 0), 1)
    assert threading.active_count() <= before


def test_two_at_once_do_not_meet() -> None:
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        assert first.url != second.url


def test_it_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), EmbeddedBroker() as broker:
        received = threading.Event()
        with Subscriber(Broker(url=broker.url), topics=("#",), on_message=lambda *_: received.set()) as subscriber:
            subscriber.wait_ready(10)
            check(Broker(url=broker.url), None)
            assert received.wait(60)
    assert not [record for record in caplog.records if record.name.startswith(("amqtt", "transitions"))]
