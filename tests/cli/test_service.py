"""`vedette service` shows what it would do; `vedette support-bundle` holds neither a secret nor a picture."""

import json
import tarfile
from pathlib import Path

import pytest

from agent.cli import service as command
from agent.config.credentials import write_credential
from agent.errors import VedetteError
from agent.service.installation import machine as machines
from agent.service.installation.status import describe_status, service_status
from agent.service.installation.support_bundle import Scrubber
from agent.uplink.uplink import Uplink
from tests.cli.conftest import Vedette
from tests.service.installation.machines import NotedMachine, plain_python, tiny_wheel

SECRETS = ("hunter2hunter2", "kämera \"pw'", "q?ery&tok", "pa55 word")


class Shown(NotedMachine):
    """Answers `systemctl show` and `journalctl`."""

    def __init__(self, shown: str = "LoadState=not-found\n", log: str = "") -> None:
        super().__init__()
        self.shown, self.log = shown, log

    def run(self, *command: str | Path) -> str:
        super().run(*command)
        if "show" in command:
            return self.shown
        return self.log if command[0] == "journalctl" else "systemd 252 (252.39)\n"


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shown:
    """A computer whose root is a folder; `vedette service` finds it instead of this one."""
    shown = Shown()
    monkeypatch.setattr(machines, "ThisMachine", lambda: shown)
    monkeypatch.setattr(machines, "Places", lambda root=tmp_path / "root": _RealPlaces(root=root))
    monkeypatch.setattr(machines, "SYSTEMD_RUNS", tmp_path)
    monkeypatch.setattr("agent.service.installation.install.require_fit", lambda *_, **__: None)
    return shown


_RealPlaces = machines.Places


def test_a_dry_run_shows_every_step_and_does_none(vedette: Vedette, computer: Shown, tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    ended = vedette("service", "install", "--dry-run", "--from", str(wheel), "--python", str(plain_python()))
    assert ended.code == 0
    for step in ("add the user vedette", f"install {wheel}", "write ", "start it at every boot"):
        assert step in ended.out
    assert not (tmp_path / "root").exists()
    assert computer.noted == []


def test_a_person_who_is_not_root_gets_the_line_to_type(
    vedette: Vedette, computer: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(command.sys, "argv", ["/home/me/v/bin/vedette", "service", "install", "--yes"])
    ended = vedette("service", "install", "--yes", "--from", str(tiny_wheel(tmp_path)))
    assert ended.code == 1
    assert "error this needs root. Type: sudo /home/me/v/bin/vedette service install --yes" in ended.err
    assert computer.noted == []


def test_without_a_terminal_nobody_is_asked_and_nothing_is_done(
    vedette: Vedette, computer: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.os, "geteuid", lambda: 0)
    ended = vedette("service", "install", "--from", str(tiny_wheel(tmp_path)))
    assert ended.code == 1
    assert "Add --yes" in ended.err
    assert computer.noted == []


def test_a_removal_where_nothing_is_installed_says_so(vedette: Vedette, computer: Shown) -> None:
    ended = vedette("service", "uninstall", "--yes")
    assert (ended.code, ended.out) == (0, "There is no service to remove.\n")


@pytest.mark.parametrize(("option", "kept"), [("--purge", False), ("--keep-state", True), (None, True)])
def test_state_goes_only_when_somebody_says_so(
    option: str | None, kept: bool, vedette: Vedette, computer: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.os, "geteuid", lambda: 0)
    places = _RealPlaces(root=tmp_path / "root")
    places.state.mkdir(parents=True)
    places.unit.parent.mkdir(parents=True)
    places.unit.write_text("")
    options = [option] if option else []
    assert vedette("service", "uninstall", "--yes", *options).code == 0
    assert places.state.exists() is kept
    assert not places.unit.exists()


def test_status_of_a_service_that_is_not_there(vedette: Vedette, computer: Shown) -> None:
    ended = vedette("service", "status")
    assert ended.code == 1
    assert "the service is not installed. sudo vedette service install" in ended.err


RUNNING = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nStatusText=1 of 1 cameras = fine\nResult=success\nExecMainStatus=0\nMainPID=7\nNRestarts=2\nStateChangeTimestamp=Sat 2026-11-21 12:00:00 UTC\n"  # noqa: E501
FAILED = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3\nMainPID=0\n"


def test_status_tells_a_person_how_it_is(vedette: Vedette, computer: Shown) -> None:
    computer.shown = RUNNING
    ended = vedette("service", "status")
    assert ended.code == 0
    assert "active (running) since Sat 2026-11-21 12:00:00 UTC, restarted 2 times" in ended.out
    assert "1 of 1 cameras = fine" in ended.out
    computer.shown = FAILED
    told = json.loads(vedette("service", "status", "--json").out)
    assert (told["active"], told["exit_code"], told["pid"]) == ("failed", 3, 0)
    assert "ended by exit-code, exit code 3 (configuration)" in "\n".join(describe_status(told))


def test_status_without_systemd_is_an_error_of_one_line(computer: Shown) -> None:
    computer.refused = {"x"}
    with pytest.raises(VedetteError, match="not installed"):
        service_status(computer)


def test_status_where_systemd_did_not_start_the_computer_says_so(
    vedette: Vedette, computer: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computer.refused = {"systemctl"}
    monkeypatch.setattr("agent.service.installation.machine.SYSTEMD_RUNS", tmp_path / "none")
    ended = vedette("service", "status")
    assert ended.code == 1
    assert "not started by systemd" in ended.err
    assert "systemctl" not in ended.err


def _content(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        members = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name.removeprefix("vedette-support/"): file.read().decode() for name, file in members.items() if file}


def _log_with_every_secret() -> str:
    lines = [f"box vedette[7]: something failed for {secret} and {secret!r} {json.dumps(secret)}" for secret in SECRETS]
    return "\n".join([*lines, 'x password = "never kept" token: abc123', "rtsp://u:other@h/x"])


@pytest.fixture
def telling(vedette: Vedette, computer: Shown, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration, credentials, a log and a state full of secrets; returns where the bundle goes."""
    assert vedette("init", "--yes").code == 0
    url = f"http://viewer:{SECRETS[0]}@127.0.0.1:9/a?token=q%3Fery%26tok"
    config.write_text(config.read_text() + f'\n[cameras.door]\nurl = "{url}"\nsound = "none"\nopen_timeout_s = 1\n')
    write_credential("camera-door", SECRETS[1])
    write_credential("broker", SECRETS[3])
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    from agent.config.load import load

    Uplink.open(load(), tmp_path / "state").close()
    (tmp_path / "state" / "evidence").mkdir()
    (tmp_path / "state" / "evidence" / "1.jpg").write_bytes(b"\xff\xd8\xff\xe0PICTURE")
    computer.shown, computer.log = RUNNING, _log_with_every_secret()
    return tmp_path / "b.tar.gz"


def test_a_bundle_holds_everything_that_helps_and_no_secret_and_no_picture(vedette: Vedette, telling: Path) -> None:
    ended = vedette("support-bundle", str(telling))
    assert ended.code == 0, ended.err
    content = _content(telling)
    assert set(content) == {
        "versions.json", "config.json", "service.json", "state.json", "models.json", "unit.txt", "log.txt",
        "doctor.json",
    }  # fmt: skip
    whole = "\n".join(content.values()) + ended.out + ended.err
    for secret in (*SECRETS, "q%3Fery", "never kept", "abc123", "other@", "PICTURE"):
        assert secret not in whole, secret
    assert json.loads(content["config.json"])["config"]["cameras"]["door"]["url"].startswith("http://…@127.0.0.1:9/a")
    assert json.loads(content["versions.json"])["packages"]["numpy"] != "not installed"
    assert json.loads(content["service.json"])["active"] == "active"
    assert json.loads(content["state.json"])["file_bytes"]["evidence/1.jpg"] == 11
    assert {card["name"] for card in json.loads(content["models.json"])} == {
        "vision", "hearing", "hearing-verifier", "fusion",
    }  # fmt: skip
    assert {finding["stage"] for finding in json.loads(content["doctor.json"])} >= {"config", "source", "model", "disk"}
    assert "something failed for … and" in content["log.txt"]
    assert telling.stat().st_mode & 0o777 == 0o600


def test_a_bundle_of_a_broken_configuration_shows_its_lines_without_passwords_and_remarks(
    vedette: Vedette, telling: Path, config: Path
) -> None:
    config.write_text('password = "hunter7"  # was hunter6\n[[[\nkey = 1 # hunter5\nmqtt_password = "open\n')
    assert vedette("support-bundle", str(telling), "--no-doctor").code == 0
    content = _content(telling)
    told = json.loads(content["config.json"])
    assert told["lines"] == ["password = …", "[[[", "key = 1", "mqtt_password = …"]
    assert "line 2" in told["error"]
    assert "hunter" not in content["config.json"]
    assert "doctor.json" not in content


def test_a_bundle_that_cannot_be_written_says_so(vedette: Vedette, telling: Path) -> None:
    ended = vedette("support-bundle", str(telling.parent / "none" / "b.tar.gz"), "--no-doctor")
    assert ended.code == 1
    assert "cannot be written: No such file or directory" in ended.err


def test_a_short_password_is_taken_out_only_where_it_stands_alone() -> None:
    assert Scrubber(["pass"]).clean("pass the compass; door=pass.") == "… the compass; door=…."
    assert Scrubber([]).clean("nothing to hide") == "nothing to hide"
