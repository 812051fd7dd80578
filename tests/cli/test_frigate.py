"""`vedette camera import-frigate`: what a Frigate configuration says is taken over, or told in a line."""

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from agent.config.credentials import read_credential
from agent.config.frigate.cameras import Imported, imported
from agent.config.frigate.words import parsed
from agent.config.load import load
from agent.errors import ConfigError
from tests.cli.conftest import Vedette

LABELS = ("person", "car", "dog")
WHOLE = """
mqtt: {host: broker.lan, user: frig, password: "{FRIGATE_MQTT}"}
ui: {timezone: Europe/Vienna}
detectors: {coral: {type: edgetpu}}
go2rtc:
  rtsp: {username: viewer, password: restreamed}
  streams:
    door: ["rtsp://admin:h%40nter@192.0.2.10/main#backchannel=0", "ffmpeg:door#audio=opus"]
    door_sub: "ffmpeg:rtsp://admin:h%40nter@192.0.2.10/sub#audio=copy"
    odd: exec:something
objects: {track: [person, car, dog], filters: {person: {threshold: 0.7}}}
.shared: &shared
  detect: {width: 1280, height: 720}
cameras:
  Door:
    <<: *shared
    friendly_name: Haustür
    ffmpeg:
      inputs:
        - {path: "rtsp://127.0.0.1:8554/door", roles: [record]}
        - {path: "rtsp://127.0.0.1:8554/door_sub", roles: [detect, audio]}
    review: {alerts: {required_zones: stoop}}
    motion: {mask: {sky: {coordinates: "0,0,1,0,1,0.1"}}}
    zones:
      stoop: {friendly_name: Vor der Tür, coordinates: "0.1,0.5,0.9,0.5,0.9,1.001", inertia: 3}
      walk: {coordinates: ["0,180", "1280,180", "1280,360"], loitering_time: 4, objects: person}
      road: {coordinates: "0,0,1,0,1,0.2", objects: [car, face]}
  yard:
    enabled: no
    ffmpeg:
      input_args: preset-rtsp-udp
      inputs: [{path: "rtsp://admin:p@ss/w#rd%41@192.0.2.12/sub", roles: [detect]}]
"""


def taken(text: str, **options: Any) -> Imported:
    environ = options.pop("environ", {"FRIGATE_MQTT": "brokered"})
    return imported(parsed(text, "config.yml"), environ=environ, known_labels=LABELS, **options)


def one(path: str, before: str = "", **options: Any) -> Imported:
    """A camera whose only input has this path."""
    inputs = f"cameras: {{cam: {{ffmpeg: {{inputs: [{{path: '{path}', roles: [detect]}}]}}}}}}"
    return taken(f"{before}\n{inputs}\n", **options)


def zone(text: str, **camera: str) -> tuple[dict[str, Any], list[str]]:
    """What a zone with this text becomes, and the notes."""
    more = "".join(f", {key}: {value}" for key, value in camera.items())
    inputs = "ffmpeg: {inputs: [{path: 'rtsp://h/x', roles: [detect]}]}"
    (found,) = taken(f"cameras: {{cam: {{{inputs}, zones: {{z: {text}}}{more}}}}}").cameras
    return found.zones.get("z", {}), found.notes


def test_restreams_are_taken_with_their_login_main_stream_for_snapshots() -> None:
    door, yard = taken(WHOLE, host="192.0.2.5").cameras
    assert door.identifier == "door"
    assert door.values == {
        "name": "Haustür",
        "url": "rtsp://192.0.2.5:8554/door_sub",
        "username": "viewer",
        "snapshot_url": "rtsp://192.0.2.5:8554/door",
    }
    assert door.credentials == {"camera-door": "restreamed"}
    assert not door.own
    assert taken(WHOLE).cameras[0].own
    assert taken(WHOLE).cameras[0].values["url"] == "rtsp://127.0.0.1:8554/door_sub"
    assert yard.values == {
        "url": "rtsp://192.0.2.12/sub",
        "username": "admin",
        "transport": "udp",
        "enabled": False,
    }


def test_a_password_of_an_input_is_as_it_stands_there_and_of_a_restream_percent_encoded() -> None:
    door, yard = taken(WHOLE, direct=True).cameras
    assert yard.credentials == {"camera-yard": "p@ss/w#rd%41"}  # Frigate encodes it before FFmpeg sees it
    assert door.credentials == {"camera-door": "h@nter"}
    assert (door.values["url"], door.values["snapshot_url"]) == ("rtsp://192.0.2.10/sub", "rtsp://192.0.2.10/main")


def test_a_source_that_vedette_cannot_read_stays_a_restream() -> None:
    whole = (
        "go2rtc: {streams: {odd: exec:x, ring: ffmpeg:ring2, ring2: [ffmpeg:ring], uni: 'rtspx://192.0.2.1:7441/a'}}"
    )
    for name in ("odd", "ring", "elsewhere"):
        (camera,) = one(f"rtsp://localhost:8554/{name}", whole, direct=True).cameras
        assert camera.values["url"] == f"rtsp://localhost:8554/{name}"
        assert any("restream is taken" in note for note in camera.notes)
    (camera,) = one("rtsp://localhost:8554/uni", whole, direct=True).cameras
    assert camera.values["url"] == "rtsps://192.0.2.1:7441/a"
    assert any("certificate" in note for note in camera.notes)


@pytest.mark.parametrize(
    "path", ["rtmp://h/x", "/media/clip.mp4", "rtsp://{FRIGATE_HOST}/x", "rtsp://{FRIGATE_U}:x@h/"]
)
def test_what_cannot_be_read_is_left_out_with_the_reason(path: str) -> None:
    found = one(path)
    assert found.cameras == []
    (note,) = [note for note in found.notes if note.startswith("camera cam")]
    assert "rtmp" in note or "container" in note or "export FRIGATE_" in note


@pytest.mark.parametrize(
    ("arguments", "decoder"),
    [
        ("preset-vaapi", "auto"),
        ("preset-intel-qsv-h265", "auto"),
        ("preset-nvidia", "auto"),
        ("[-hwaccel, cuda]", "auto"),
        ("auto", None),
        ("preset-rkmpp", None),
    ],
)
def test_a_device_that_decodes_for_frigate_may_decode_here(arguments: str, decoder: str | None) -> None:
    whole = f"ffmpeg: {{hwaccel_args: {arguments}}}"
    (camera,) = one("rtsp://h/x", whole).cameras
    assert camera.values.get("decoder") == decoder
    (elsewhere,) = one("rtsp://h/x", whole, host="192.0.2.5").cameras
    assert "decoder" not in elsewhere.values
    assert any("analysis.decoder" in note for note in elsewhere.notes) is (decoder is not None)
    (nearer,) = one("rtsp://h/x', hwaccel_args: 'preset-rkmpp", whole).cameras
    assert "decoder" not in nearer.values


def test_variables_come_from_the_environment_and_from_the_file_itself() -> None:
    path = "rtsp://u:{FRIGATE_PW}@h/{{x}}"
    (camera,) = one(path, environ={"FRIGATE_PW": "from outside"}).cameras
    assert camera.credentials == {"camera-cam": "from outside"}
    assert camera.values["url"] == "rtsp://h/{x}"
    (camera,) = one(path, "environment_vars: {FRIGATE_PW: 0123}").cameras
    assert camera.credentials == {"camera-cam": "0123"}  # not 83, as YAML would have it
    (camera,) = one(path).cameras
    assert (camera.credentials, camera.lacks_password) == ({}, True)
    assert any("set-password camera-cam" in note for note in camera.notes)


def test_the_broker_comes_with_its_login_and_the_time_zone() -> None:
    found = taken(WHOLE)
    assert found.broker == {"url": "mqtt://broker.lan:1883", "username": "frig"}
    assert (found.broker_password, found.timezone) == ("brokered", "Europe/Vienna")
    lost = taken(WHOLE.replace("Europe/Vienna", "Vienna"))
    assert lost.timezone == ""
    assert any("Vienna" in note for note in lost.notes)
    tls = taken("mqtt: {host: b, port: 8883, tls_ca_certs: /config/ca.crt}\n" + WHOLE.split("\n", 2)[2])
    assert tls.broker == {"url": "mqtts://b:8883"}
    assert any("ca_file" in note for note in tls.notes)
    assert taken(WHOLE.replace("{host", "{enabled: False, host")).broker == {}
    assert taken(WHOLE, environ={}).broker_password == ""


def test_zones_keep_who_counts_and_are_reported_where_a_review_requires_them() -> None:
    door = taken(WHOLE).cameras[0]
    assert door.zones == {
        "stoop": {
            "name": "Vor der Tür",
            "polygon": [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0]],
            "rules": ["intrusion"],
            "labels": ["person", "car"],  # no dog: Frigate alerts of persons and cars
        },
        "walk": {
            "polygon": [[0.0, 0.25], [1.0, 0.25], [1.0, 0.5]],
            "rules": ["loitering"],
            "loitering_dwell_s": 4.0,
        },
        "road": {"polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 0.2]], "rules": [], "labels": ["car"]},
    }
    told = "\n".join(door.notes)
    for part in ("inertia", "no face", "only counted in, for no review requires it: road", "1 motion mask left out"):
        assert part in told


def test_a_zone_of_detections_counts_all_that_is_tracked() -> None:
    review = "{detections: {required_zones: [z]}}"
    found, _ = zone("{coordinates: '0,0,1,0,1,1'}", review=review, objects="{track: [person, dog]}")
    assert (found["labels"], found["rules"]) == (["person", "dog"], ["intrusion"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{coordinates: '0,0,1,0'}", "3 to 64"),
        ("{coordinates: '0,0,1,0,1'}", "3 to 64"),
        ("{coordinates: 'a,b,c,d,e,f'}", "no numbers"),
        ("{coordinates: 'nan,0,1,0,1,1'}", "no numbers"),
        ("{objects: person}", "no numbers"),
        ("{coordinates: '0,0,640,0,640,360'}", "picture size"),
        ("{coordinates: '0,0,1,0,1,1', objects: [package]}", "known"),
    ],
)
def test_a_zone_that_cannot_be_one_is_left_out_with_the_reason(text: str, why: str) -> None:
    found, notes = zone(text)
    assert found == {}
    assert any("left out" in note and why in note for note in notes)


def test_what_makes_no_camera_leaves_the_others() -> None:
    inputs = "{ffmpeg: {inputs: [{path: 'rtsp://h/x', roles: [detect]}]}}"
    found = taken(f"cameras: {{state: {inputs}, a: {inputs}, A: {inputs}, b: {{}}, c: , d: {inputs}}}")
    assert [camera.identifier for camera in found.cameras] == ["a", "d"]
    told = "\n".join(found.notes)
    for part in ("state is a topic", "camera A is left out", "camera b is left out", "camera c is left out"):
        assert part in told


@pytest.mark.parametrize(
    ("text", "why"),
    [("a: [", "config.yml:"), ("cameras: [1]", "no cameras"), ("", "no cameras"), ("x: &x [*x]\n", "circle")],
)
def test_what_is_no_configuration_of_frigate_is_said_in_one_line(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(text, "config.yml")
    assert why in caught.value.line()
    assert "\n" not in caught.value.line()


def test_an_anchor_used_a_million_times_is_read_once() -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert "cameras" in parsed("a0: &a0 [x]\n" + "\n".join(rows) + "\ncameras: {}\n", "config.yml")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRIGATE_MQTT", "brokered")
    path = tmp_path / "config.yml"
    path.write_text(WHOLE)
    return path


def test_it_is_shown_first_and_nothing_is_written(vedette: Vedette, config: Path, file: Path) -> None:
    ended = vedette("camera", "import-frigate", str(file))
    assert ended.code == 0
    assert not config.parent.exists()
    assert "door (Haustür)" in ended.out
    assert "--write" in ended.out
    assert "--frigate ADDRESS" in ended.err
    assert "detectors" in ended.err
    for secret in ("restreamed", "p@ss", "h@nter", "h%40nter", "brokered"):
        assert secret not in ended.out + ended.err


def test_with_write_it_goes_into_the_configuration_at_once(vedette: Vedette, config: Path, file: Path) -> None:
    ended = vedette("camera", "import-frigate", str(file), "--write", "--frigate", "192.0.2.5")
    assert ended.code == 0
    written = load(config)
    assert list(written.cameras) == ["door", "yard"]
    assert written.cameras["door"].zones["stoop"].labels == ("person", "car")
    assert (written.broker.username, written.node.timezone) == ("frig", "Europe/Vienna")
    kept = {name: read_credential(name, config, {}) for name in ("camera-door", "camera-yard", "broker")}
    assert kept == {"camera-door": "restreamed", "camera-yard": "p@ss/w#rd%41", "broker": "brokered"}
    assert not set(kept.values()) & set(config.read_text().split('"'))


def test_a_second_time_only_what_is_named_and_replaced_changes(vedette: Vedette, config: Path, file: Path) -> None:
    vedette("config", "set", "broker.url", "mqtt://mine:1883")
    vedette("camera", "import-frigate", str(file), "--write")
    vedette("config", "set", "cameras.yard.name", "Mine")
    before = config.read_text()
    again = vedette("camera", "import-frigate", str(file), "--write")
    assert config.read_text() == before
    assert "is there already" in again.out
    assert "No camera to take over" in again.out
    changed = vedette("camera", "import-frigate", str(file), "--write", "--replace", "--direct", "--only", "door")
    assert changed.code == 0
    assert vedette("camera", "import-frigate", str(file), "--write", "--replace", "--only", "yard").code == 0
    door, yard = (load(config).cameras[name] for name in ("door", "yard"))
    assert (door.name, door.url, door.username) == ("Haustür", "rtsp://192.0.2.10/sub", "admin")
    assert (yard.name, yard.url) == ("Mine", "rtsp://192.0.2.12/sub")
    assert load(config).broker.url == "mqtt://mine:1883"
    assert read_credential("broker", config, {}) is None


def test_a_login_of_before_is_not_shown_to_another_machine(vedette: Vedette, config: Path, file: Path) -> None:
    vedette("camera", "import-frigate", str(file), "--write", "--only", "door")
    file.write_text("cameras: {door: {ffmpeg: {inputs: [{path: 'rtsp://192.0.2.99/x', roles: [detect]}]}}}")
    vedette("camera", "import-frigate", str(file), "--write", "--replace")
    door = load(config).cameras["door"]
    assert (door.username, door.snapshot_url) == ("", "")
    assert read_credential("camera-door", config, {}) is None


def test_a_sound_of_its_own_keeps_its_password(vedette: Vedette, config: Path, file: Path) -> None:
    inputs = "{path: 'rtsp://u:a@h/sub', roles: [detect]}, {path: 'rtsp://u:b@h/loud', roles: [audio]}"
    file.write_text(f"cameras: {{door: {{ffmpeg: {{inputs: [{inputs}]}}}}}}")
    vedette("camera", "import-frigate", str(file), "--write")
    assert load(config).cameras["door"].sound == "rtsp://h/loud"
    assert read_credential("sound-door", config, {}) == "b"


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--frigate", "http://x"], 2), (["--only", "attic"], 2), (["nowhere.yml"], 2)]
)
def test_what_cannot_be_is_refused(vedette: Vedette, config: Path, file: Path, arguments: list[str], code: int) -> None:
    files = [] if arguments[0].endswith(".yml") else [str(file)]
    assert vedette("camera", "import-frigate", *files, *arguments, "--write").code == code
    assert not config.exists()


def test_a_file_that_is_no_text_is_told(vedette: Vedette, config: Path, file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    ended = vedette("camera", "import-frigate", str(file))
    assert ended.code == 3
    assert "UTF-8" in ended.err


def test_zones_drawn_here_stay_when_a_camera_is_replaced(vedette: Vedette, config: Path, file: Path) -> None:
    vedette("camera", "import-frigate", str(file), "--write")
    vedette("zone", "add", "door", "own", "--polygon", "0,0 1,0 1,1")
    vedette("camera", "import-frigate", str(file), "--write", "--replace")
    assert set(load(config).cameras["door"].zones) == {"stoop", "walk", "road", "own"}
    assert tomlkit.parse(config.read_text())
