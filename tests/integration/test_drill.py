"""`vedette drill` against a running `vedette run` and Mosquitto: it arrives, marked; what is real is not marked."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from agent.uplink.subscriber.subscriber import Subscriber
from tests.servers.mosquitto import PASSWORD, Mosquitto

pytestmark = pytest.mark.integration

CONFIG = """
[node]
name = "box"
[broker]
url = "mqtt://127.0.0.1:{port}"
username = "vedette"
[cameras.lobby]
url = "{clip}"
loop = true
[cameras.lobby.zones.floor]
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
"""


class Box:
    """One box: its files, its `vedette run`, and other commands on it."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        folder.mkdir()
        clip = files("agent.service") / "clips" / "walkby.mp4"
        (folder / "vedette.toml").write_text(CONFIG.format(port=broker.port, clip=clip))
        (folder / "credentials").mkdir()
        (folder / "credentials" / "broker").write_text(PASSWORD)
        self._environment = {
            **os.environ,
            "STATE_DIRECTORY": str(folder / "state"),
            "VEDETTE_CONFIG": str(folder / "vedette.toml"),
        }
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command("run"), env=self._environment, stdout=log, stderr=log)

    def vedette(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*arguments), env=self._environment, capture_output=True, text=True, timeout=600, check=False
        )

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "agent.cli.main", *arguments]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(90)


class Messages:
    """Every incident message that an independent subscriber received."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def take(self, _: str, payload: bytes) -> None:
        self.all.append(json.loads(payload))

    def wait(self, what: str, found: Callable[[dict[str, Any]], bool], timeout_s: float = 240.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not any(found(message) for message in list(self.all)):
            if time.monotonic() > deadline_s:
                pytest.fail(f"waited {timeout_s:.0f} s for {what}")
            time.sleep(0.05)


def test_drills_arrive_marked_and_real_incidents_go_on_unmarked(broker: Mosquitto, tmp_path: Path) -> None:
    messages = Messages()
    with Subscriber(
        broker.broker(tls=False), topics=("vedette/box/+/incident",), password=PASSWORD, on_message=messages.take
    ) as subscriber:
        subscriber.wait_ready(60)
        box = Box(tmp_path / "box", broker)
        try:
            messages.wait("somebody who walks by", lambda m: m["kind"] == "intrusion" and m["phase"] == "open")
            reports = [_drilled(box, kind) for kind in ("fall", "alarm")]
            messages.wait("its end", lambda m: m["phase"] == "close" and m["id"] == reports[-1]["incident"])
        finally:
            box.stop()
    drills = {message["id"]: message for message in messages.all if message["drill"]}
    assert [drills[report["incident"]]["kind"] for report in reports] == ["fall", "alarm"]
    assert len(drills) == 2
    assert all(drill["summary"].startswith("Drill: ") for drill in drills.values())
    real = {message["kind"] for message in messages.all if not message["drill"]}
    assert real == {"intrusion"}, "nobody fell, and no alarm sounded"
    numbers = {message["seq"] for message in messages.all}
    assert numbers == set(range(1, max(numbers) + 1))
    log = box.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def _drilled(box: Box, kind: str) -> dict[str, Any]:
    ended = box.vedette("drill", kind, "--camera", "lobby", "--json", "--timeout", "300")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    report: dict[str, Any] = json.loads(ended.stdout)
    stages = {reached["stage"]: reached for reached in report["stages"]}
    sense = "seen" if kind == "fall" else "heard"
    assert set(stages) == {"injected", sense, "opened", "on disk", "published", "received"}
    assert not any(reached["fault"] for reached in report["stages"])
    in_order = [stages[stage]["at_s"] for stage in ("injected", sense, "opened", "on disk", "published")]
    assert in_order == sorted(in_order)
    assert stages["received"]["after_event_s"] < 60
    return report


def test_a_drill_says_what_it_needs_when_something_is_missing(broker: Mosquitto, tmp_path: Path) -> None:
    box = Box(tmp_path / "box", broker)
    try:
        deadline_s = time.monotonic() + 240
        while "running" not in box.log.read_text() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        broker.kill()
        away = box.vedette("drill", "fall", "--camera", "lobby")
        assert (away.returncode, away.stdout) == (5, "")
    finally:
        box.stop()
    stopped = box.vedette("drill", "fall", "--camera", "lobby")
    assert stopped.returncode == 1
    assert "vedette run" in stopped.stderr
    assert "Traceback" not in away.stderr + stopped.stderr
