"""`vedette doctor`: stage by stage, each failure with its cure."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli import checks
from agent.cli.checks import Finding
from agent.config.load import load, of_data
from agent.config.schema import Config, Outbox
from agent.inference import installed
from agent.inference.card import load_card
from tests.cli.conftest import Vedette
from tests.inference import tiny

PICTURE = "lavfi:color=red:size=64x48:rate=10:duration=5"
DEAF_PORT = "mqtt://127.0.0.1:9"


def stages(vedette: Vedette, *arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    ended = vedette("doctor", "--json", "--seconds", "0.5", *arguments)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(ended.out):
        found.setdefault(row["stage"], []).append(row)
    return ended.code, found


def test_every_stage_is_looked_at_and_every_failure_has_a_cure(vedette: Vedette) -> None:
    vedette("init", "--yes", "--broker", DEAF_PORT)
    vedette("camera", "add", "door", PICTURE)
    code, found = stages(vedette)
    assert {"config", "source", "sound", "model", "clock", "disk", "dns", "tcp"} <= set(found)
    assert found["source"][0]["what"] == "wrapped_avframe 64×48, 10 pictures a second"
    assert found["sound"][0]["status"] == "warning"
    assert all(f"{name}: " in found["decoder"][0]["what"] for name in ("cuda", "vaapi", "qsv"))
    assert found["tcp"][0]["status"] == "failed"
    assert code != 0
    assert all(row["cure"] for rows in found.values() for row in rows if row["status"] == "failed")


def test_models_installed_before_an_upgrade_are_told_with_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    config = of_data({"models": {"device": "cpu", "runtime": "onnxruntime"}})

    def behind() -> list[Finding]:
        return [finding for finding in checks.models(config) if "older one" in finding.what]

    for version, cure in (("0.0.8", "vedette model rollback hearing"), ("0.0.9", "vedette model install ")):
        folder = tmp_path / version
        folder.mkdir()
        tiny.save_hearing_card(folder, version=version)
        installed.install(folder, tmp_path / "state")
        (finding,) = behind()
        assert (finding.subject, finding.status) == ("hearing", "warning")
        assert load_card("hearing").version in finding.what
        assert finding.cure.startswith(cure)
    installed.install(Path(finding.cure.removeprefix("vedette model install ")), tmp_path / "state")
    assert behind() == []


def test_a_camera_that_cannot_be_opened_fails_and_the_others_are_looked_at(vedette: Vedette) -> None:
    vedette("init", "--yes", "--broker", DEAF_PORT)
    vedette("config", "set", "models.folder", "/nonexistent")  # loading models takes longer than all the rest
    vedette("camera", "add", "gone", "rtsp://admin:hunter2@127.0.0.1:1/x")
    vedette("camera", "add", "door", PICTURE)
    ended = vedette("doctor", "--seconds", "0.5")
    assert ended.code == 4
    assert "✗ source" in ended.out
    assert "✓ source" in ended.out
    assert "hunter2" not in ended.out + ended.err


def test_the_main_stream_is_looked_at_where_there_is_one(vedette: Vedette) -> None:
    vedette("init", "--yes", "--broker", DEAF_PORT)
    vedette("config", "set", "models.folder", "/nonexistent")  # loading models takes longer than all the rest
    vedette("camera", "add", "door", PICTURE, "--snapshot-url", "lavfi:color=red:size=128x96:rate=10")
    vedette("camera", "add", "gate", PICTURE, "--snapshot-url", "rtsp://127.0.0.1:1/x")
    _, found = stages(vedette)
    assert [(row["subject"], row["status"]) for row in found["snapshot"]] == [("door", "ok"), ("gate", "failed")]
    assert found["snapshot"][0]["what"].startswith("128×96 ")
    assert found["snapshot"][1]["cure"]


def test_a_wrong_configuration_leaves_what_needs_it_out(vedette: Vedette, config: Path) -> None:
    config.parent.mkdir()
    config.write_text("[analysis]\nfsp = 1\n")
    code, found = stages(vedette)
    assert code == 3
    assert "Did you mean fps?" in found["config"][0]["cure"]
    assert [found[stage][0]["status"] for stage in ("source", "broker")] == ["skipped", "skipped"]
    assert "disk" in found


def test_a_login_without_a_password_is_told(vedette: Vedette, config: Path) -> None:
    def told() -> Finding:
        return next(checks.passwords(load(config), config))

    vedette("config", "set", "broker.username", "box1")
    assert told().cure == "vedette config set-password broker"
    vedette("config", "set-password", stdin="hunter2\n")
    assert told().status == "ok"
    (config.parent / "credentials" / "broker").chmod(0o644)
    assert "chmod 600" in told().cure


def test_a_disk_without_room_for_a_full_outbox_is_a_warning(tmp_path: Path) -> None:
    roomy = Config(outbox=Outbox(max_bytes=1_000_000))
    greedy = Config(outbox=Outbox(max_bytes=10**18))
    assert [finding.status for finding in checks.disk(roomy, tmp_path / "not" / "yet")] == ["ok"]
    assert [finding.status for finding in checks.disk(greedy, tmp_path)] == ["warning"]


@pytest.mark.parametrize(
    ("because", "told"),
    [
        (["metrics: taken"], [("ok", "the running agent keeps up with its cameras", "")]),
        (
            ["overload: fewer pictures are looked at. This box looked at 9 of 80: use a faster box"],
            [
                (
                    "warning",
                    "the box is overloaded: fewer pictures are looked at",
                    "This box looked at 9 of 80: use a faster box",
                )
            ],
        ),
        (None, []),
    ],
)
def test_an_overloaded_agent_is_told_with_its_cure_and_none_where_none_runs(
    because: list[str] | None, told: list[tuple[str, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(folder: Path, question: dict[str, str], *, timeout_s: float) -> dict[str, Any]:
        assert (folder, question) == (tmp_path, {"action": "status"})
        return {"state": {"degraded_because": because}}

    if because is not None:
        monkeypatch.setattr("agent.service.remote.local_socket.answer_of", answer)
    assert [(one.status, one.what, one.cure) for one in checks.load(tmp_path)] == told


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([("ok", 0), ("warning", 0), ("skipped", 0)], 0),
        ([("ok", 0), ("failed", 4), ("failed", 5)], 4),
        ([("failed", 0)], 1),
    ],
)
def test_the_exit_code_is_that_of_the_first_failure(found: list[tuple[checks.Status, int]], code: int) -> None:
    findings = [Finding(stage="s", subject="", status=status, what="", exit_code=own) for status, own in found]
    assert checks.exit_code_of(findings) == code


def test_what_is_found_stands_in_one_column_however_long_the_names_are(
    vedette: Vedette, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = ("hall", "camera-" + "x" * 32, "hall")
    found = [Finding(stage="source", subject=one, status="warning", what="WHAT", cure="CURE") for one in subjects]
    monkeypatch.setattr("agent.cli.doctor.examined", lambda file, seconds: iter(found))
    lines = vedette("doctor").out.splitlines()
    places = [line.index("WHAT" if "WHAT" in line else "CURE") for line in lines]
    assert places == [31, 31, 54, 54, 54, 54]


def test_a_device_that_does_not_decode_is_a_warning_with_its_cure() -> None:
    assert list(checks._decoder("door", "cpu", None, None)) == []
    (good,) = checks._decoder("door", "cuda", None, None)
    assert (good.stage, good.status, good.what) == ("decoder", "ok", "cuda")
    (bad,) = checks._decoder("door", "cpu", "cuda does not decode it: there is none", "Install it.")
    assert (bad.status, bad.cure) == ("warning", "Install it.")
