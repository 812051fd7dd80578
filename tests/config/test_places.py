"""Where the configuration, the state and the passwords live."""

from pathlib import Path

import pytest

from agent.config import places
from agent.config.credentials import read_credential, remove_credential, write_credential
from agent.config.places import config_path, state_dir
from agent.errors import ConfigError


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A person who is not root, with a home of their own and no system-wide file."""
    monkeypatch.setattr(places.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(places, "SYSTEM_CONFIG", tmp_path / "etc" / "vedette.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_the_file_named_on_the_command_line_wins_over_the_environment(somebody: Path) -> None:
    assert config_path(Path("a.toml"), {"VEDETTE_CONFIG": "b.toml"}) == Path("a.toml")
    assert config_path(None, {"VEDETTE_CONFIG": "b.toml"}) == Path("b.toml")


def test_a_person_has_a_file_of_their_own(somebody: Path) -> None:
    assert config_path(None, {}) == somebody / "config" / "vedette" / "vedette.toml"
    assert state_dir({}) == somebody / "state" / "vedette"


def test_the_services_own_user_works_in_the_services_folder(somebody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SYSTEM_STATE", somebody / "var")
    (somebody / "var").mkdir()
    owner = (somebody / "var").stat().st_uid
    monkeypatch.setattr(places.os, "geteuid", lambda: owner + 1)
    assert state_dir({}) == somebody / "state" / "vedette", "it is another's"
    monkeypatch.setattr(places.os, "geteuid", lambda: owner)
    assert state_dir({}) == somebody / "var"


def test_the_system_wide_file_wins_where_it_exists(somebody: Path) -> None:
    places.SYSTEM_CONFIG.parent.mkdir()
    places.SYSTEM_CONFIG.touch()
    assert config_path(None, {}) == places.SYSTEM_CONFIG


def test_root_works_system_wide(somebody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.os, "geteuid", lambda: 0)
    assert config_path(None, {}) == places.SYSTEM_CONFIG
    assert state_dir({}) == Path("/var/lib/vedette")


def test_systemd_says_where_the_state_is() -> None:
    assert state_dir({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")


def test_a_password_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    path = write_credential("camera-door", " päss wörd=\"'$ ", tmp_path / "v.toml")
    assert read_credential("camera-door", tmp_path / "v.toml", {}) == " päss wörd=\"'$ "
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_what_was_never_kept_is_none(tmp_path: Path) -> None:
    assert read_credential("broker", tmp_path / "v.toml", {}) is None
    remove_credential("broker", tmp_path / "v.toml")


def test_a_removed_password_is_gone(tmp_path: Path) -> None:
    write_credential("broker", "x", tmp_path / "v.toml")
    remove_credential("broker", tmp_path / "v.toml")
    assert read_credential("broker", tmp_path / "v.toml", {}) is None


def test_the_password_of_systemd_wins(tmp_path: Path) -> None:
    write_credential("broker", "file", tmp_path / "v.toml")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "broker").write_text("systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "given")}
    assert read_credential("broker", tmp_path / "v.toml", environ) == "systemd"
    (tmp_path / "given" / "broker").unlink()
    assert read_credential("broker", tmp_path / "v.toml", environ) == "file"


@pytest.mark.parametrize("name", ["", "camera-", "../broker", "camera-../x", "camera-A", "other"])
def test_only_names_of_credentials_are_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the name of a credential"):
        read_credential(name, tmp_path / "v.toml", {})


@pytest.mark.parametrize("secret", ["", "a\nb", "a\0b"])
def test_a_password_without_a_line_is_not_kept(secret: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing was stored"):
        write_credential("broker", secret, tmp_path / "v.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_credential_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    write_credential("broker", "x", tmp_path / "v.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="set-password broker"):
        read_credential("broker", tmp_path / "v.toml", {})
