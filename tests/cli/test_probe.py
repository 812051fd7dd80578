"""`vedette camera probe`, `camera snapshot`, `zone draw`: looking through a camera for a moment."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from agent.cli.look import interruptibly
from tests.cli.conftest import Vedette

RED = "lavfi:color=red:size=64x48:rate=10:duration=3"
TONE = "lavfi:sine=frequency=440:duration=3"


def test_probe_tells_size_rate_and_that_there_is_no_sound(vedette: Vedette) -> None:
    ended = vedette("camera", "probe", RED, "--json", "--seconds", "1")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert (told["width_px"], told["height_px"], told["measured_fps"], told["sound"]) == (64, 48, 10.0, "none")


def test_probe_tells_what_decodes_and_refuses_what_there_is_not(vedette: Vedette) -> None:
    told = json.loads(vedette("camera", "probe", RED, "--decoder", "auto", "--json", "--seconds", "1").out)
    assert (told["decoder"], told["decoder_fault"]) == ("cpu", None)  # what is no camera of the network is for the CPU
    ended = vedette("camera", "probe", RED, "--decoder", "gpu")
    assert ended.code == 2
    assert "cpu, auto, cuda" in ended.err


def test_probe_tells_how_loud_the_sound_is(vedette: Vedette) -> None:
    told = json.loads(vedette("camera", "probe", TONE, "--json", "--seconds", "1").out)
    assert told["picture"] == "none"
    assert told["sound_peak_dbfs"] == pytest.approx(-18.1, abs=1.0)  # lavfi's sine has an amplitude of 1/8


def test_a_snapshot_is_a_jpeg_of_the_camera_with_its_masks(vedette: Vedette, tmp_path: Path) -> None:
    vedette("camera", "add", "door", RED)
    vedette("mask", "add", "door", "left", "--polygon", "0,0 0.5,0 0.5,1 0,1")
    ended = vedette("camera", "snapshot", "door")
    assert (ended.code, ended.out) == (0, "door.jpg\n"), ended.err
    picture = cv2.imread(str(tmp_path / "door.jpg"))
    assert picture.shape == (48, 64, 3)
    assert picture[24, 8].max() < 40
    assert picture[24, 56, 2] > 200


def test_a_snapshot_is_called_by_the_identifier_whatever_was_typed(vedette: Vedette, tmp_path: Path) -> None:
    assert vedette("camera", "add", "Hof/Süd", RED).code == 0
    for typed, written in (("Hof/Süd", "hof-sued.jpg"), ("hof-sued", "hof-sued.jpg"), (RED, "snapshot.jpg")):
        assert vedette("camera", "snapshot", typed).out.strip() == written
        (tmp_path / written).unlink()
    assert vedette("camera", "probe", "hof/süd").code == 0


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.jpeg", b"\xff\xd8"), ("a", b"\xff\xd8")])
def test_a_snapshot_is_what_its_name_says(vedette: Vedette, tmp_path: Path, name: str, begins: bytes) -> None:
    assert vedette("camera", "snapshot", RED, "--out", str(tmp_path / name)).code == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_snapshot_is_of_the_main_stream_where_there_is_one(vedette: Vedette, tmp_path: Path) -> None:
    vedette("camera", "add", "door", RED, "--snapshot-url", "lavfi:color=blue:size=128x96:rate=10")
    vedette("mask", "add", "door", "left", "--polygon", "0,0 0.5,0 0.5,1 0,1")
    assert vedette("camera", "snapshot", "door").code == 0
    picture = cv2.imread(str(tmp_path / "door.jpg"))
    assert picture.shape == (96, 128, 3)
    assert picture[48, 16].max() < 40
    assert picture[48, 112, 0] > 200


def test_zones_are_drawn_over_a_picture_taken_now(vedette: Vedette, tmp_path: Path) -> None:
    vedette("camera", "add", "door", RED)
    vedette("zone", "add", "door", "yard", "--polygon", "0.25,0.25 0.75,0.25 0.75,0.75 0.25,0.75")
    assert vedette("zone", "draw", "door", "-o", "yard.jpg").code == 0
    blue, green, red = (int(value) for value in cv2.imread(str(tmp_path / "yard.jpg"))[35, 30])
    assert green > red
    assert green > blue


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("probe", "nobody"), 2, "there is no camera named 'nobody'"),
        (("probe", "rtsp://admin:hunter2@127.0.0.1:1/x"), 4, "refused"),
        (("probe", "none.mp4"), 2, "no file or folder"),
        (("snapshot", TONE), 4, "camera probe"),
        (("snapshot", RED, "--out", "no/such/folder.jpg"), 1, "--out"),
    ],
)
def test_what_cannot_be_opened_or_written_ends_with_its_cure(
    arguments: tuple[str, ...], code: int, told: str, vedette: Vedette
) -> None:
    ended = vedette("camera", *arguments)
    assert ended.code == code
    assert told in ended.err
    assert "hunter2" not in ended.err


@pytest.mark.parametrize("content", [b"", b"\x00" * 2000, b"this is no film\n" * 40])
def test_a_file_that_is_no_medium_is_a_source_error(content: bytes, vedette: Vedette, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    ended = vedette("camera", "probe", "x.mp4")
    assert ended.code == 4
    assert "x.mp4" in ended.err


@pytest.mark.parametrize("arguments", [["camera", "probe"], ["camera", "snapshot"]])
def test_ctrl_c_is_heard_while_a_camera_does_not_answer(arguments: list[str], repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        command = [sys.executable, "-m", "agent.cli.main", *arguments, address]
        # A shell that runs tests in the background has them ignore Ctrl-C, and so whatever they start.
        heeds = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            asking = subprocess.Popen(command, cwd=repository, stderr=subprocess.DEVNULL)
        finally:
            signal.signal(signal.SIGINT, heeds)
        silent.settimeout(30)
        connection, _ = silent.accept()  # it waits for an answer now
        with connection:
            asking.send_signal(signal.SIGINT)
            assert asking.wait(5) == 130


def test_whatever_fails_in_the_other_thread_is_raised_in_this_one() -> None:
    with pytest.raises(ZeroDivisionError):
        interruptibly(lambda: 1 // 0)
    with pytest.raises(KeyError, match="x"):
        interruptibly(lambda: {}["x"])
    assert interruptibly(lambda: 7) == 7
