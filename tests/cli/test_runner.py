"""A command of the person's own for each incident: what it is told, when it is run, what happens where it fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli import runner
from agent.cli.runner import TRIES_AFTER_S, is_due, run_for

MESSAGE: dict[str, Any] = {
    "id": "01a2", "node": "stairs", "camera": "hall", "kind": "fall", "severity": "critical", "phase": "open",
    "summary": 'Person fell at hall; "$(touch pwned)" `touch pwned`', "drill": False, "delayed": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"phase": "update", "escalated": False}, False),
        ({"phase": "update", "escalated": True}, True),
        ({"phase": "close"}, False),
    ],
)
def test_somebody_is_told_where_an_incident_opens_or_becomes_critical(changes: dict[str, Any], due: bool) -> None:
    assert is_due(MESSAGE | changes) is due


def test_the_command_gets_the_message_and_nothing_of_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = 'cat >message; printf "%s|" "$VEDETTE_SUMMARY" "$VEDETTE_NODE" "$VEDETTE_DRILL" "$VEDETTE_DELAYED" >told'
    assert run_for(MESSAGE, command)
    assert json.loads((tmp_path / "message").read_text()) == MESSAGE
    assert (tmp_path / "told").read_text() == f"{MESSAGE['summary']}|stairs||yes|"
    assert not (tmp_path / "pwned").exists()


def test_a_command_that_fails_is_tried_again_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    waited: list[float] = []
    assert run_for(MESSAGE, 'echo x >>tries; test "$(wc -l <tries)" = 2', waited.append)
    assert waited == list(TRIES_AFTER_S[:2])
    assert not run_for(MESSAGE, "exit 7", waited.append)
    assert "fall at stairs failed 3 times: exit code 7" in capsys.readouterr().err


def test_a_command_that_hangs_does_not_hold_up_the_next_incident_for_ever(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "LONGEST_S", 0.2)
    assert not run_for(MESSAGE, "sleep 60 & wait", lambda _: None)
    assert "longer than 0.2 s" in capsys.readouterr().err
