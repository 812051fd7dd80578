"""`vedette camera` and `vedette mask`: what a person types becomes a right configuration, without secrets in it."""

import json
from pathlib import Path

import pytest
import typer

from agent.cli.address import sound_source, source_address
from agent.config.credentials import read_credential
from agent.config.load import load
from tests.cli.conftest import Vedette

URL = "rtsp://192.0.2.10/stream1"


@pytest.mark.parametrize(
    ("typed", "url", "username", "password"),
    [
        (URL, URL, "", ""),
        ("RTSP://192.0.2.10:554/a?b=c", "rtsp://192.0.2.10:554/a?b=c", "", ""),
        ("rtsp://admin:hunter2@192.0.2.10/a", "rtsp://192.0.2.10/a", "admin", "hunter2"),
        ("rtsp://admin:p%40ss%2F@192.0.2.10", "rtsp://192.0.2.10", "admin", "p@ss/"),
        ("rtsp://admin:p@ss@192.0.2.10/a", "rtsp://192.0.2.10/a", "admin", "p@ss"),
        ("http://admin@192.0.2.10/a@b", "http://192.0.2.10/a@b", "admin", ""),
        ("rtsp://[2001:db8::1]:554/a", "rtsp://[2001:db8::1]:554/a", "", ""),
        ("rtsp://[2001:db8::1]/a", "rtsp://[2001:db8::1]/a", "", ""),
        ("0", "/dev/video0", "", ""),
        ("/dev/video2", "/dev/video2", "", ""),
        ("v4l2:HD Webcam", "v4l2:HD Webcam", "", ""),
        ("/dev/v4l/by-id/usb-x-index0", "/dev/v4l/by-id/usb-x-index0", "", ""),
        ("lavfi:testsrc2=size=64x64", "lavfi:testsrc2=size=64x64", "", ""),
    ],
)
def test_an_address_is_taken_apart(typed: str, url: str, username: str, password: str) -> None:
    address = source_address(typed)
    assert (address.url, address.username, address.password) == (url, username, password)
    assert not password or password not in repr(address)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "gopher://x/",
        "rtsp://",
        "rtsp:///path",
        "rtsp://admin:hun/ter2@192.0.2.1/",
        "no-such-file",
        "x" * 5000,
        "~nobody-here/x",
        "file://nowhere",
        "a\nb",
        "ftp://h",
    ],
)
def test_what_is_no_address_is_refused_with_what_is(typed: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        source_address(typed)
    assert "hun" not in str(caught.value)


def test_a_file_becomes_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.mp4").touch()
    assert source_address("a b.mp4").url == str(tmp_path / "a b.mp4")
    assert source_address(f"file://{tmp_path}/a%20b.mp4").url == str(tmp_path / "a b.mp4")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("same", "same"), ("none", "none"), ("USB Mic", "device:USB Mic"), ("device:x", "device:x"), (URL, URL)],
)
def test_sound_is_a_word_a_url_or_a_microphone(typed: str, meant: str) -> None:
    assert sound_source(typed).url == meant


def test_an_added_camera_is_listed(vedette: Vedette, config: Path) -> None:
    assert vedette("camera", "add", "door", URL, "--sound", "none", "--transport", "udp").code == 0
    camera = load(config).cameras["door"]
    assert (camera.url, camera.sound, camera.transport) == (URL, "none", "udp")
    assert URL in vedette("camera", "list").out
    assert json.loads(vedette("camera", "list", "--json").out)[0]["camera"] == "door"


def test_a_camera_may_be_called_anything_that_can_be_read(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "Eingang Süd", URL, "--user", "admin", "--password-stdin", stdin="hunter2\n")
    assert ended.code == 0
    assert "Eingang Süd (eingang-sued) is in" in ended.out
    assert "vedette camera probe eingang-sued" in ended.out
    assert load(config).cameras["eingang-sued"].name == "Eingang Süd"
    assert read_credential("camera-eingang-sued", config, {}) == "hunter2"
    assert "Eingang Süd" in vedette("camera", "list").out
    again = vedette("camera", "add", "Eingang Süd", URL)
    assert again.code == 2
    assert "--replace" in again.err
    assert vedette("camera", "add", "eingang-sued", f"{URL}9", "--replace").code == 0
    changed = load(config).cameras["eingang-sued"]
    assert (changed.name, changed.url) == ("Eingang Süd", f"{URL}9")
    assert vedette("camera", "remove", "EINGANG SÜD").code == 0
    assert load(config).cameras == {}
    assert read_credential("camera-eingang-sued", config, {}) is None


@pytest.mark.parametrize("typed", ["", " ", "a\tb", "a\x1b[2Jb", "x" * 65, "x\u202ey"])
def test_a_name_that_nobody_could_read_is_refused_and_shown_harmlessly(
    vedette: Vedette, config: Path, typed: str
) -> None:
    ended = vedette("camera", "add", typed, URL)
    assert ended.code == 2
    assert "name" in ended.err
    assert not {"\x1b", "\u202e"} & set(ended.err)
    assert not config.exists()


def test_a_camera_is_found_by_the_name_that_it_was_given_by_hand(vedette: Vedette, config: Path) -> None:
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'[cameras.cam7]\nname = "Garage door"\nurl = "{URL}"\n')
    corners = "0,0 1,0 1,1"
    assert vedette("zone", "add", "garage door", "Vor dem Tor", "--polygon", corners).code == 0
    assert load(config).cameras["cam7"].zones["vor-dem-tor"].name == "Vor dem Tor"
    assert "Vor dem Tor" in vedette("zone", "list", "Garage door").out
    assert vedette("mask", "add", "Garage door", "wall", "--polygon", corners).code == 0
    unknown = vedette("zone", "list", "Attic")
    assert unknown.code == 2
    assert "there are cam7 (Garage door)" in unknown.err
    assert vedette("zone", "remove", "Garage door", "vor dem tor").code == 0
    assert load(config).cameras["cam7"].zones == {}


def test_a_password_in_the_url_is_warned_of_and_kept_elsewhere(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "door", "rtsp://admin:hunter2@192.0.2.10/")
    assert ended.code == 0
    assert "warning" in ended.err
    assert "hunter2" not in ended.out + ended.err + config.read_text()
    assert load(config).cameras["door"].username == "admin"
    assert read_credential("camera-door", config, {}) == "hunter2"


def test_the_password_of_a_sound_url_is_kept_apart(vedette: Vedette, config: Path) -> None:
    sound = "rtsp://admin:hunter3@192.0.2.11/sound"
    ended = vedette("camera", "add", "door", "rtsp://admin:hunter2@192.0.2.10/", "--sound", sound)
    assert ended.code == 0
    assert "hunter" not in ended.out + ended.err + config.read_text()
    assert load(config).cameras["door"].sound == "rtsp://192.0.2.11/sound"
    assert read_credential("camera-door", config, {}) == "hunter2"
    assert read_credential("sound-door", config, {}) == "hunter3"
    vedette("camera", "remove", "door")
    assert read_credential("sound-door", config, {}) is None


def test_a_main_stream_is_kept_beside_the_sub_stream_without_its_login(vedette: Vedette, config: Path) -> None:
    streams = [f"rtsp://admin:hunter2@192.0.2.10/{name}" for name in ("sub", "main")]
    ended = vedette("camera", "add", "door", streams[0], "--snapshot-url", streams[1])
    assert ended.code == 0
    assert "hunter2" not in ended.out + ended.err + config.read_text()
    camera = load(config).cameras["door"]
    assert (camera.url, camera.snapshot_url) == ("rtsp://192.0.2.10/sub", "rtsp://192.0.2.10/main")
    assert read_credential("camera-door", config, {}) == "hunter2"


def test_both_streams_have_one_login(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "door", "rtsp://a:b@192.0.2.10/", "--snapshot-url", "rtsp://c:d@192.0.2.10/x")
    assert ended.code == 2
    assert not config.exists()


def test_what_is_plugged_in_is_listed_even_if_that_is_nothing(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "list", "--found", "--json")
    assert ended.code == 0
    assert all(set(camera) == {"device", "name", "stable", "url"} for camera in json.loads(ended.out))
    assert vedette("camera", "list", "--found").code == 0


def test_a_login_that_was_written_into_the_file_is_not_listed(vedette: Vedette, config: Path) -> None:
    keys = ("url", "sound", "snapshot_url")
    config.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{key} = "rtsp://u:hunter2@192.0.2.10/{key}"' for key in keys]
    config.write_text("\n".join(["[cameras.door]", *lines]) + "\n")
    for more in ((), ("--json",)):
        ended = vedette("camera", "list", *more)
        assert ended.code == 0
        assert "hunter2" not in ended.out + ended.err
    assert "door" in vedette("config", "check").err


def test_picture_and_sound_have_one_user_name(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "door", "rtsp://a:b@192.0.2.10/", "--sound", "rtsp://c:d@192.0.2.11/")
    assert ended.code == 2
    assert not config.exists()


def test_a_password_on_stdin_needs_no_warning(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "door", URL, "--user", "admin", "--password-stdin", stdin="hunter2\n")
    assert (ended.code, ended.err) == (0, "")
    assert read_credential("camera-door", config, {}) == "hunter2"


def test_an_empty_stdin_is_no_password_and_adds_nothing(vedette: Vedette, config: Path) -> None:
    assert vedette("camera", "add", "door", URL, "--password-stdin").code == 2
    assert not config.exists()


def test_a_topic_of_vedette_cannot_name_a_camera(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "state", URL)
    assert ended.code == 3
    assert "topic" in ended.err
    assert not config.exists()


def test_a_wrong_transport_is_told_with_those_that_are_right(vedette: Vedette, config: Path) -> None:
    ended = vedette("camera", "add", "door", URL, "--transport", "tcpp")
    assert ended.code != 0
    assert "tcp" in ended.err
    assert not config.exists()


def test_a_second_camera_of_the_same_name_needs_replace_and_keeps_zones(vedette: Vedette, config: Path) -> None:
    vedette("camera", "add", "door", URL)
    vedette("zone", "add", "door", "yard", "--polygon", "0,0 1,0 1,1")
    assert vedette("camera", "add", "door", "rtsp://192.0.2.11/").code == 2
    assert vedette("camera", "add", "door", "rtsp://192.0.2.11/", "--replace").code == 0
    camera = load(config).cameras["door"]
    assert camera.url == "rtsp://192.0.2.11/"
    assert "yard" in camera.zones


def test_a_removed_camera_takes_its_password_along(vedette: Vedette, config: Path) -> None:
    vedette("camera", "add", "door", "rtsp://admin:hunter2@192.0.2.10/")
    assert vedette("camera", "remove", "door").code == 0
    assert load(config).cameras == {}
    assert read_credential("camera-door", config, {}) is None
    ended = vedette("camera", "remove", "door")
    assert ended.code == 2
    assert "there is none yet" in ended.err


def test_masks_are_added_listed_and_removed(vedette: Vedette, config: Path) -> None:
    vedette("camera", "add", "door", URL)
    assert vedette("mask", "add", "door", "neighbour", "--polygon", "0,0 0.3,0 0.3,0.4").code == 0
    assert load(config).cameras["door"].masks["neighbour"].polygon == ((0, 0), (0.3, 0), (0.3, 0.4))
    assert "0,0 0.3,0 0.3,0.4" in vedette("mask", "list").out
    assert vedette("mask", "remove", "door", "neighbour").code == 0
    assert json.loads(vedette("mask", "list", "--json").out) == []
