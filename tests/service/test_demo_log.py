"""What the demo says of itself where the box was too slow for four cameras at once."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.service.demo_log import DemoLog
from agent.service.rendering.filming import Filming

EXPECTED = {"stairs": frozenset({"fall"}), "hall": frozenset[str]()}


@pytest.fixture
def log(tmp_path: Path) -> DemoLog:
    return DemoLog(lambda _topic, _message: None, tmp_path, EXPECTED)


def open_incident(log: DemoLog, camera: str, kind: str, seq: int) -> None:
    message = {"camera": camera, "kind": kind, "seq": seq, "phase": "open", "at": "2026-11-23T10:00:00.000+00:00"}
    log.take(f"vedette/demo/{camera}/incident", json.dumps(message).encode())


def filmed(looked_per_s: Callable[[str], float]) -> Filming:
    paths = {camera: Path(f"{camera}.mp4") for camera in EXPECTED}
    return cast("Filming", SimpleNamespace(paths=paths, looked_per_s=looked_per_s))


def verdicts(log: DemoLog) -> dict[str, dict[str, Any]]:
    return {camera["name"]: camera for camera in log.summary(EXPECTED, "mqtt://x", "models")["cameras"]}


def test_what_was_missed_while_too_few_pictures_were_looked_at_is_played_again(log: DemoLog) -> None:
    log.filmed(filmed(lambda _: 1.5))
    assert log.missed_for_load(10.0) == ["stairs"], "and not the hall, where nothing was to open"


def test_what_was_missed_although_the_box_kept_up_is_missed(log: DemoLog) -> None:
    log.filmed(filmed(lambda _: 9.0))
    assert log.missed_for_load(10.0) == []
    assert verdicts(log)["stairs"]["as_expected"] is False


def test_the_second_time_alone_is_judged(log: DemoLog) -> None:
    open_incident(log, "stairs", "smoke", 1)
    log.filmed(filmed(lambda _: 1.5))
    assert log.missed_for_load(10.0) == ["stairs"]
    log.begin_again("stairs")
    open_incident(log, "stairs", "fall", 2)
    log.filmed(filmed(lambda _: 9.0))
    stairs = verdicts(log)["stairs"]
    assert (stairs["kinds"], stairs["as_expected"], stairs["by_itself"]) == (["fall"], True, True)
    assert verdicts(log)["hall"]["by_itself"] is False
    assert log.summary(EXPECTED, "mqtt://x", "models")["sequence_complete"], "of all that was sent, both times"
