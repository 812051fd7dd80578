"""`vedette status` and `vedette set` against a local socket that answers like a node."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.service.remote.local_socket import SOCKET, LocalSocket
from agent.uplink.control.commands import CommandError
from tests.cli.conftest import Vedette

MODEL = {"version": "1.0.0", "precision": "int8", "place": "ONNX Runtime on CPU", "run_ms": 7.5}
STATE: dict[str, Any] = {
    "node": "box",
    "version": "0.1.0",
    "uptime_s": 7_500,
    "status": "ok",
    "degraded_because": [],
    "cameras": {
        "hall": {
            "vision": {"status": "running", "for_s": 3, "reason": None, "why": "h264 640 × 360"},
            "sound": {"status": "lost", "for_s": 3, "reason": "login", "why": "401 Unauthorized"},
            "analysed_fps": 9.9,
            "looked_at_fps": 2.5,
            "level_dbfs": -40.1,
        },
    },
    "models": {"vision": MODEL},
    "outbox": {"depth": 3},
    "broker": {"protocol": "5", "refused_topics": []},
    "clock": "synchronised",
}


def setting(path: str, value: str, configured: str, until: str | None = None) -> dict[str, Any]:
    return {"setting": path, "value": value, "configured": configured, "until": until}


class Desk:
    def __init__(self) -> None:
        self.state = STATE
        self.stuck: list[str] = []
        self.names: dict[str, str] = {}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def describe(self) -> dict[str, Any]:
        settings = [setting("armed", "off", "on", "2026-11-21T12:00:00.000Z"), setting("yard/enabled", "off", "off")]
        return {"state": self.state, "settings": settings}

    def beside(self) -> dict[str, Any]:
        return {"broker_fault": "the broker x cannot be reached", "stuck": self.stuck, "names": self.names}

    def set(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if path == "war":
            raise CommandError("there is no setting 'war'")
        self.asked.append((path, payload))
        until = {"until": "2026-11-21T12:00:00.000Z"} if "for_s" in payload else {}
        return {"value": payload["value"], "kept": path != "unkept"} | until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk, stop = Desk(), threading.Event()
    local = LocalSocket(tmp_path, None, desk, desk.beside)  # type: ignore[arg-type]  # there are no drills here
    thread = threading.Thread(target=local.serve, args=(stop,))
    thread.start()
    deadline_s = time.monotonic() + 30
    while not (tmp_path / SOCKET).exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    time.sleep(0.1)
    yield desk
    stop.set()
    thread.join(30)


def test_the_status_tells_what_a_person_looks_for(vedette: Vedette, desk: Desk, tmp_path: Path) -> None:
    ended = vedette("status", "--state", str(tmp_path))
    for part in ("box, Vedette 0.1.0, up 2 h 5 min", "9.9 a second, 2.5 looked at", "lost (login)"):
        assert part in ended.out
    assert "connected with MQTT 5, 3 messages waiting" in ended.out
    assert "set: armed off until 2026-11-21" in ended.out
    assert ended.out.count("yard") == 1  # it is off, as configured


LOST = {"status": "lost", "for_s": 3, "reason": "refused", "why": "connection refused"}


def with_hall(**changes: Any) -> dict[str, Any]:
    return STATE | {"cameras": {"hall": STATE["cameras"]["hall"] | {"sound": None} | changes}}


def test_where_all_is_as_it_should_be_the_exit_code_is_zero(vedette: Vedette, desk: Desk, tmp_path: Path) -> None:
    desk.state = with_hall()
    ended = vedette("status", "--state", str(tmp_path))
    assert (ended.code, "warning" in ended.err) == (0, False)


def test_a_lost_camera_is_told_once_with_its_reason_and_ends_with_one(
    vedette: Vedette, desk: Desk, tmp_path: Path
) -> None:
    desk.state = with_hall(vision=LOST, sound=LOST)
    ended = vedette("status", "--state", str(tmp_path))
    assert ended.code == 1
    assert ended.err.count("hall: picture and sound lost: connection refused") == 1
    desk.state = with_hall(vision=LOST, sound=LOST | {"why": "silent"})
    ended = vedette("status", "--state", str(tmp_path))
    assert "hall: picture lost: connection refused" in ended.err
    assert "hall: sound lost: silent" in ended.err


def test_a_broker_that_is_away_is_told_with_its_reason_and_ends_with_one(
    vedette: Vedette, desk: Desk, tmp_path: Path
) -> None:
    desk.state = with_hall() | {"broker": {"protocol": "", "refused_topics": []}}
    ended = vedette("status", "--state", str(tmp_path))
    assert (ended.code, "the broker x cannot be reached" in ended.err) == (1, True)


def test_alive_is_an_agent_that_answers_and_goes_on_whatever_it_watches(
    vedette: Vedette, desk: Desk, tmp_path: Path
) -> None:
    desk.state = with_hall(vision=LOST) | {"broker": {"protocol": "", "refused_topics": []}, "status": "degraded"}
    ended = vedette("status", "--alive", "--state", str(tmp_path))
    assert (ended.code, ended.out) == (0, "box, Vedette 0.1.0, up 2 h 5 min\n")
    desk.stuck = ["see"]
    ended = vedette("status", "--alive", "--state", str(tmp_path))
    assert (ended.code, "no progress of see" in ended.err) == (1, True)
    assert vedette("status", "--state", str(tmp_path)).code == 1
    assert vedette("status", "--alive", "--state", str(tmp_path / "nobody")).code == 1


def test_a_degraded_box_says_why_and_ends_with_one(vedette: Vedette, desk: Desk, tmp_path: Path) -> None:
    desk.state = STATE | {"status": "degraded", "degraded_because": ["outbox: the disk is full"], "cameras": {}}
    ended = vedette("status", "--state", str(tmp_path))
    assert ended.code == 1
    assert "outbox: the disk is full" in ended.err
    assert "running" not in ended.out
    whole = vedette("status", "--json", "--state", str(tmp_path))
    assert (whole.code, json.loads(whole.out)["state"]["status"]) == (1, "degraded")


def test_a_setting_is_asked_for_as_it_was_typed(vedette: Vedette, desk: Desk, tmp_path: Path) -> None:
    assert vedette("set", "armed", "off", "--state", str(tmp_path)).out == "armed is off.\n"
    ended = vedette("set", "hall/enabled", "off", "--for", "2h", "--state", str(tmp_path))
    assert "hall/enabled is off until 2026-11-21" in ended.out
    assert desk.asked == [("armed", {"value": "off"}), ("hall/enabled", {"value": "off", "for_s": 7200.0})]
    assert "restart loses it" in vedette("set", "unkept", "off", "--state", str(tmp_path)).err
    assert "armed" in vedette("set", "--state", str(tmp_path)).out


def test_what_is_no_setting_or_no_while_is_refused(vedette: Vedette, desk: Desk, tmp_path: Path) -> None:
    refused = vedette("set", "war", "off", "--state", str(tmp_path))
    assert (refused.code, "there is no setting 'war'" in refused.err) == (1, True)
    assert vedette("set", "armed", "--state", str(tmp_path)).code == 2
    assert "not a span of time" in vedette("set", "armed", "off", "--for", "soon", "--state", str(tmp_path)).err
    assert not desk.asked


def test_where_no_agent_runs_there_is_a_cure(vedette: Vedette, tmp_path: Path) -> None:
    ended = vedette("status", "--state", str(tmp_path))
    assert (ended.code, "vedette run" in ended.err) == (1, True)


def test_cameras_are_called_as_people_call_them_with_what_they_are_set_by(
    vedette: Vedette, desk: Desk, tmp_path: Path
) -> None:
    desk.state = with_hall(vision=LOST, sound=LOST)
    desk.names = {"hall": "Eingang Süd", "yard": "Hof"}
    ended = vedette("status", "--state", str(tmp_path))
    assert "Eingang Süd (hall)" in ended.out
    assert "Hof (yard)" in ended.out  # it is off
    assert "Eingang Süd (hall): picture and sound lost" in ended.err
