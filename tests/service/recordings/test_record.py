"""Same observations, same incidents: also where somebody switched the box over MQTT while it was recorded."""

import json
import sqlite3
import threading
import time
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.cli.main import main
from agent.config.load import of_data
from agent.service.node import Node
from agent.service.options import Options
from agent.uplink.mqtt.connection import Received

CONFIG = """
[node]
name = "box"
[broker]
url = "mqtt://127.0.0.1:9"
[cameras.hall]
url = "lavfi:smptebars=size=320x180:rate=5,hue=s=0:b='if(lt(mod(t,10),5),0,-10)'"
sound = "none"
"""
SAME = ("kind", "phase", "severity", "confidence", "summary", "tracks", "zones", "close_reason", "cameras")
PATIENCE_S = 240.0


def messages(state: Path) -> list[dict[str, Any]]:
    try:
        with closing(sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT payload FROM outbox WHERE role = 'incident' ORDER BY id").fetchall()
    except sqlite3.OperationalError:  # not made yet
        return []
    return [json.loads(payload) for (payload,) in rows]


def wait(found: Callable[[], object]) -> None:
    given_up_s = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < given_up_s
        time.sleep(0.1)


def test_a_replay_closes_what_was_disarmed_and_opens_nothing_until_it_was_armed_again(tmp_path: Path) -> None:
    state, record = tmp_path / "state", tmp_path / "record"
    options = Options(credentials=lambda _: None, state_folder=state, record_folder=record, config_toml=CONFIG)
    node, stop = Node(of_data(tomllib.loads(CONFIG)), options), threading.Event()
    thread = threading.Thread(target=node.run, args=(stop,), daemon=True)
    thread.start()

    def send(topic: str, value: bytes) -> None:
        node._control.take(Received(topic=f"vedette/box/{topic}", payload=value, qos=1, retain=False))

    def count(phase: str, reason: str | None = None) -> int:
        wanted = ("camera_covered", phase, reason)
        return len([m for m in messages(state) if (m["kind"], m["phase"], m["close_reason"]) == wanted])

    try:
        wait(lambda: count("open") >= 1)
        send("set/armed", b"off")
        wait(lambda: count("close", "disarmed") == 1)
        opened = count("open")
        time.sleep(11)  # nothing tells of what does not open
        assert count("open") == opened
        send("set/armed", b"on")
        send("set/sensitivity", b"high")
        wait(lambda: count("close", "quiet") >= 1)
    finally:
        stop.set()
        thread.join(60)
    live = [m for m in messages(state) if m["close_reason"] != "stopped"]
    assert main(["replay", str(record), "--json-lines", str(tmp_path / "out")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    replayed = [m for m in lines if m["close_reason"] != "source_ended"]
    assert [[m[name] for name in SAME] for m in replayed] == [[m[name] for name in SAME] for m in live]
    assert [len(m["evidence"]) for m in replayed] == [len(m["evidence"]) for m in live]
