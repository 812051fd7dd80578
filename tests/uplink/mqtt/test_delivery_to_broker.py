"""The uplink against a real Mosquitto with TLS, passwords and persistence, and an independent subscriber."""

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from agent.config.schema import Broker, Snapshots
from agent.types import Closed, IncidentChange, Opened
from agent.uplink.messages.payload import schema
from agent.uplink.mqtt.check import check
from agent.uplink.mqtt.refusals import Patience
from agent.uplink.uplink import Uplink
from tests.servers.mosquitto import PASSWORD, USERNAME, Mosquitto, free_port, mosquitto
from tests.servers.relay import Relay
from tests.uplink.conftest import Listener, RunningNode, needs_mosquitto, wait_for
from tests.uplink.made import STARTED_NS, incident, life

pytestmark = [pytest.mark.integration, needs_mosquitto]

Start = Callable[..., RunningNode]

IMPATIENT = Patience(connect_first_s=0.1, connect_most_s=0.2, refused_first_s=0.3, refused_most_s=0.6)


def raise_all(uplink: Uplink, changes: list[IncidentChange], picture: Any = None) -> None:
    for change in changes:
        uplink.raise_change(
            change, wall_offset_ns=time.time_ns() - STARTED_NS, clock_synchronised=True, picture=picture
        )


def test_an_incident_arrives_whole_over_tls(server: Mosquitto, listener: Listener, start: Start) -> None:
    node = start(server.broker())
    wait_for(lambda: listener.newest("vedette/box/status") == b"online")
    raise_all(node.uplink, life(1))
    wait_for(lambda: listener.seqs() == {1, 2, 3})
    for message in listener.incidents():
        Draft202012Validator(schema("incident-1")).validate(message)
    assert [message["phase"] for message in listener.incidents()] == ["open", "update", "close"]
    assert {message["id"] for message in listener.incidents()} == {listener.incidents()[0]["id"]}
    assert not any(message["delayed"] for message in listener.incidents())
    wait_for(lambda: node.uplink.outbox_state().depth == 0)
    assert node.uplink.health().connected
    assert node.uplink.health().protocol == "5"


def test_with_mqtt_5_the_cloud_events_attributes_travel_along(
    server: Mosquitto, listener: Listener, start: Start
) -> None:
    node = start(server.broker())
    raise_all(node.uplink, life(1)[:1])
    (raw,) = wait_for(lambda: [m for m in listener.seen if m.topic.endswith("/incident")])
    message = json.loads(raw.payload)
    assert raw.properties.ContentType == "application/json"
    assert dict(raw.properties.UserProperty) == {
        "specversion": "1.0",
        "id": f"{message['id']}-1",
        "source": "/vedette/box/hall",
        "type": "vedette.incident.open",
        "subject": "hall",
        "time": message["at"],
        "dataschema": "urn:vedette:incident:1",
    }


def test_the_picture_comes_before_the_message_that_names_it(
    server: Mosquitto, listener: Listener, start: Start
) -> None:
    node = start(server.broker(), snapshots=Snapshots(enabled=True, retain=True, max_width_px=160))
    raise_all(node.uplink, life(1), picture=np.full((120, 320, 3), 200, np.uint8))
    wait_for(lambda: listener.seqs() == {1, 2, 3})
    topics = [m.topic for m in listener.seen]
    named = listener.incidents()[0]["snapshot"]
    assert named == f"vedette/box/hall/snapshot/{listener.incidents()[0]['id']}"
    assert topics.index(named) < topics.index("vedette/box/hall/incident")
    assert listener.newest(named)[:3] == b"\xff\xd8\xff"
    assert all(message["snapshot"] == named for message in listener.incidents())
    late = Listener(server, topic="vedette/box/hall/snapshot/#", name="late")
    wait_for(lambda: late.seen)
    assert [m.topic for m in late.seen] == ["vedette/box/hall/snapshot"]
    late.close()


def test_pictures_stay_in_the_box_unless_asked_for(server: Mosquitto, listener: Listener, start: Start) -> None:
    node = start(server.broker())
    raise_all(node.uplink, life(1), picture=np.zeros((120, 320, 3), np.uint8))
    wait_for(lambda: listener.seqs() == {1, 2, 3})
    assert not [m for m in listener.seen if "snapshot" in m.topic]
    assert all(message["snapshot"] is None for message in listener.incidents())


def test_a_late_subscriber_learns_the_truth_from_what_is_retained(
    server: Mosquitto, listener: Listener, start: Start
) -> None:
    node = start(server.broker())
    raise_all(node.uplink, [*life(1), *life(2)[:2]])
    node.uplink.publish_state({"version": "x"})
    wait_for(lambda: listener.seqs() == {1, 2, 3, 4, 5})
    wait_for(lambda: json.loads(listener.newest("vedette/box/hall/active") or b"{}").get("incidents"))
    late = Listener(server, name="late")
    wait_for(lambda: late.newest("vedette/box/hall/active") and late.newest("vedette/box/state"))
    active = json.loads(late.newest("vedette/box/hall/active") or b"")
    Draft202012Validator(schema("active-1")).validate(active)
    assert [entry["seq"] for entry in active["incidents"]] == [5]
    assert late.newest("vedette/box/status") == b"online"
    assert late.incidents() == [], "incident messages are not retained"
    late.close()


def test_status_says_stopped_after_a_clean_stop(server: Mosquitto, listener: Listener, start: Start) -> None:
    node = start(server.broker())
    wait_for(lambda: listener.newest("vedette/box/status") == b"online")
    began_s = time.monotonic()
    node.stop()
    assert time.monotonic() - began_s < 20  # it waits for nobody (the limits inside are below 1 s)
    wait_for(lambda: listener.newest("vedette/box/status") == b"stopped")


def test_status_says_stopped_although_the_broker_acknowledges_nothing_in_time(
    server: Mosquitto, listener: Listener, start: Start
) -> None:
    with Relay(server.port) as relay:
        node = start(Broker(url=f"mqtt://127.0.0.1:{relay.port}", username=USERNAME))
        wait_for(lambda: listener.newest("vedette/box/status") == b"online")
        relay.mute()
        for ordinal in range(1, 21):  # more than may be on its way at once
            raise_all(node.uplink, life(ordinal))
        wait_for(listener.seqs)
        node.stop()
        wait_for(lambda: listener.newest("vedette/box/status") == b"stopped")


def test_status_says_stopped_although_the_stop_came_between_two_connections(
    server: Mosquitto, listener: Listener, start: Start
) -> None:
    with Relay(server.port) as relay:
        patient = Patience(connect_first_s=60.0, connect_most_s=60.0)
        node = start(Broker(url=f"mqtt://127.0.0.1:{relay.port}", username=USERNAME), patience=patient)
        wait_for(lambda: listener.newest("vedette/box/status") == b"online")
        relay.cut()
        wait_for(lambda: listener.newest("vedette/box/status") == b"offline")
        wait_for(lambda: not node.uplink.health().connected)
        node.stop()
        wait_for(lambda: listener.newest("vedette/box/status") == b"stopped")


def test_kill_9_of_the_broker_loses_nothing(server: Mosquitto, listener: Listener, start: Start) -> None:
    node = start(server.broker())
    wait_for(lambda: node.uplink.health().connected)
    for ordinal in range(1, 41):
        raise_all(node.uplink, life(ordinal))
        if ordinal == 15:
            wait_for(lambda: len(listener.seqs()) > 5)
            server.kill()
    wait_for(lambda: not node.uplink.health().connected)
    assert node.uplink.outbox_state().depth > 0
    server.start()
    wait_for(lambda: listener.seqs() == set(range(1, 121)))
    wait_for(lambda: node.uplink.outbox_state().depth == 0)
    for ordinal_messages in by_incident(listener.incidents()).values():
        first_seen = list(dict.fromkeys(message["seq"] for message in ordinal_messages))
        assert first_seen == sorted(first_seen)


def by_incident(messages: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        found.setdefault(message["id"], []).append(message)
    return found


def test_a_hung_broker_is_noticed_and_everything_arrives_afterwards(
    server: Mosquitto, listener: Listener, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(server.broker(keepalive_s=5))
    wait_for(lambda: node.uplink.health().connected)
    raise_all(node.uplink, life(1))
    wait_for(lambda: listener.seqs() == {1, 2, 3})
    server.signal(signal.SIGSTOP)
    raise_all(node.uplink, life(2))
    wait_for(lambda: not node.uplink.health().connected)
    assert node.uplink.health().fault == "timeout"
    raise_all(node.uplink, life(3))
    server.signal(signal.SIGCONT)
    wait_for(lambda: listener.seqs() == set(range(1, 10)))
    wait_for(lambda: node.uplink.outbox_state().depth == 0)
    assert len([record for record in caplog.records if "acknowledges nothing" in record.message]) <= 1


def test_the_will_says_offline_when_the_process_dies_and_the_next_run_delivers(
    server: Mosquitto, listener: Listener, start: Start, tmp_path: Path
) -> None:
    program = """
import os, signal, sys, threading, time
from pathlib import Path
from agent.config.schema import Config, Node
from agent.uplink.uplink import Uplink
from agent.uplink.mqtt.refusals import Patience
from tests.servers.mosquitto import PASSWORD, Mosquitto
from tests.uplink.made import STARTED_NS, life
server = Mosquitto(Path(sys.argv[1]), tls_port=int(sys.argv[2]))
uplink = Uplink.open(Config(node=Node(name="box"), broker=server.broker()), Path(sys.argv[3]), password=PASSWORD)
threading.Thread(target=uplink.run, args=(threading.Event(),), daemon=True).start()
while not uplink.health().connected:
    time.sleep(0.01)
for ordinal in range(1, 31):
    for change in life(ordinal)[: 2 if ordinal == 30 else 3]:
        uplink.raise_change(change, wall_offset_ns=time.time_ns() - STARTED_NS, clock_synchronised=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    state = tmp_path / "state"
    arguments = [sys.executable, "-c", program, str(server.folder), str(server.tls_port), str(state)]
    died = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    wait_for(lambda: listener.newest("vedette/box/status") == b"offline")
    node = start(server.broker())
    wait_for(lambda: listener.seqs() == set(range(1, 91)))
    (last,) = [message for message in listener.incidents() if message["seq"] == 90]
    assert (last["phase"], last["close_reason"]) == ("close", "stopped"), "what the crash left open is closed"
    Draft202012Validator(schema("incident-1")).validate(last)
    wait_for(lambda: node.uplink.outbox_state().depth == 0)
    wait_for(lambda: json.loads(listener.newest("vedette/box/hall/active") or b"{}").get("incidents") == [])


def test_a_live_critical_incident_overtakes_a_backlog(server: Mosquitto, listener: Listener, start: Start) -> None:
    server.signal(signal.SIGSTOP)
    node = start(server.broker())
    for ordinal in range(1, 41):
        raise_all(node.uplink, life(ordinal, kind="loitering", severity="warning"))
    raise_all(node.uplink, life(999)[:1])
    server.signal(signal.SIGCONT)
    wait_for(lambda: len(listener.seqs()) == 121)
    assert listener.incidents()[0]["seq"] == 121


def test_messages_that_waited_are_marked_delayed(server: Mosquitto, listener: Listener, start: Start) -> None:
    node = start(server.broker())
    old_ns = time.time_ns() - 3_600 * 10**9
    node.stop()
    config_folder = "state"
    server.kill()
    node = start(server.broker(), folder=config_folder)
    node.uplink.raise_change(Opened(incident=incident(1)), wall_offset_ns=old_ns - STARTED_NS, clock_synchronised=True)
    node.stop()
    server.start()
    start(server.broker(), folder=config_folder)
    wait_for(lambda: listener.seqs() == {1, 2})
    assert all(message["delayed"] for message in listener.incidents())


def test_a_refusal_by_acl_is_told_once_kept_and_delivered_when_allowed(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    acl = (
        "user reader",
        "topic read #",
        "user vedette",
        "topic write vedette/box/status",
        "topic write vedette/box/yard/#",
    )
    with mosquitto(tmp_path / "mosquitto", acl) as server:
        listener = Listener(server)
        with caplog.at_level(logging.WARNING):
            node = start(server.broker(), patience=IMPATIENT)
            raise_all(node.uplink, [*life(1), *life(2, camera="yard", cameras=("yard",))])
            wait_for(lambda: listener.seqs() == {4, 5, 6})
            refusals = node.uplink._mqtt._refusals
            wait_for(lambda: refusals._counts.get("vedette/box/hall/incident", 0) >= 3)  # several attempts
        wait_for(lambda: node.uplink.outbox_state().depth == 3)
        told = [r for r in caplog.records if "vedette/box/hall/incident" in r.getMessage()]
        assert len(told) == 1
        assert "not authorized" in told[0].getMessage()
        (server.folder / "acl").write_text("user reader\ntopic read #\nuser vedette\ntopic write vedette/box/#\n")
        server.signal(signal.SIGHUP)
        wait_for(lambda: listener.seqs() == {1, 2, 3, 4, 5, 6})
        wait_for(lambda: node.uplink.outbox_state().depth == 0)
        wait_for(lambda: node.uplink.health().refused_topics == ())
        listener.close()


def test_a_picture_that_the_broker_refuses_does_not_hold_up_its_incident(tmp_path: Path, start: Start) -> None:
    with mosquitto(tmp_path / "mosquitto", more=("message_size_limit 20000",)) as server:
        listener = Listener(server)
        node = start(server.broker(), snapshots=Snapshots(enabled=True, quality=95), patience=IMPATIENT)
        noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
        raise_all(node.uplink, life(1), picture=noise)
        wait_for(lambda: listener.seqs() == {1, 2, 3})
        wait_for(lambda: node.uplink.outbox_state().depth == 0)
        listener.close()


def test_two_boxes_of_one_name_are_told(server: Mosquitto, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    first = start(server.broker(), folder="one", patience=IMPATIENT)
    wait_for(lambda: first.uplink.health().connected)
    start(server.broker(), folder="two", patience=IMPATIENT)
    wait_for(lambda: "another box uses the same node name" in caplog.text)


@pytest.mark.parametrize(
    ("spoil", "stage", "words"),
    [
        (lambda s: (s.broker(), "wrong"), "login", "refuses the user 'vedette'"),
        (lambda s: (s.broker(username=""), None), "login", "refuses a client without login"),
        (lambda s: (s.broker(ca_file=""), PASSWORD), "tls", "is not trusted"),
        (lambda s: (s.broker(url=f"mqtts://127.0.0.1:{s.tls_port}"), PASSWORD), "tls", "is not trusted"),
        (lambda s: (s.broker(ca_file="/nowhere.pem"), PASSWORD), "tls", "/nowhere.pem"),
        (lambda s: (s.broker(url=f"mqtts://localhost:{s.port}"), PASSWORD), "tls", "hangs up"),
        (lambda s: (s.broker(url=f"mqtt://127.0.0.1:{s.tls_port}"), PASSWORD), "login", "hangs up"),
        (lambda s: (s.broker(url=f"mqtt://127.0.0.1:{free_port()}"), PASSWORD), "tcp", "nothing listens"),
        (lambda s: (s.broker(url="mqtt://no-such-host.invalid"), PASSWORD), "dns", "its name is unknown"),
        (lambda s: (s.broker(url="mqtt://can..be.no.name"), PASSWORD), "dns", "its name is unknown"),
    ],
)
def test_each_way_to_miss_the_broker_has_its_stage_and_its_cure(
    server: Mosquitto, spoil: Callable[[Mosquitto], tuple[Broker, str | None]], stage: str, words: str
) -> None:
    broker, password = spoil(server)
    *passed, failed = check(broker, password, node="box")
    assert all(result.ok for result in passed)
    assert (failed.stage, failed.ok) == (stage, False)
    assert words in failed.detail
    assert failed.cure
    assert "wrong" not in failed.detail.replace("wrong version", "")
    assert PASSWORD not in failed.detail + failed.cure


def test_a_usable_broker_passes_every_stage(server: Mosquitto) -> None:
    results = check(server.broker(), PASSWORD, node="box")
    assert [(result.stage, result.ok) for result in results] == [
        ("dns", True),
        ("tcp", True),
        ("tls", True),
        ("login", True),
        ("publish", True),
    ]


def test_a_client_certificate_is_shown_where_the_broker_asks_for_one(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "mosquitto", more=()) as server:
        text = (server.folder / "mosquitto.conf").read_text() + "require_certificate true\n"
        (server.folder / "mosquitto.conf").write_text(text)
        server.stop()
        server.start()
        assert not all(result.ok for result in check(server.broker(), PASSWORD, node="box"))
        files = {
            "client_cert_file": str(server.folder / "client.pem"),
            "client_key_file": str(server.folder / "client.key"),
        }
        assert all(result.ok for result in check(server.broker(**files), PASSWORD, node="box"))


def test_check_tells_that_publishing_is_not_allowed(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "mosquitto", ("user vedette", "topic read #")) as server:
        failed = check(server.broker(), PASSWORD, node="box")[-1]
        assert (failed.stage, failed.ok) == ("publish", False)
        assert "vedette/box/#" in failed.cure


def test_a_wrong_password_is_logged_once_and_healed_by_nothing_but_the_right_one(
    server: Mosquitto, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        node = start(server.broker(), password="wr0ng-secret", patience=IMPATIENT)
        wait_for(lambda: node.uplink.health().fault == "login")
        wait_for(lambda: node.uplink._mqtt._backoff.failures >= 4)  # several attempts
        raise_all(node.uplink, [Closed(incident=incident(1, ended_ns=STARTED_NS, close_reason="quiet"))])
    assert len([record for record in caplog.records if "refuses the user" in record.getMessage()]) == 1
    assert "wr0ng-secret" not in caplog.text
    assert "set-password" in node.uplink.health().why
    assert node.uplink.outbox_state().depth == 1
