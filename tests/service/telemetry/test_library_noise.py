"""What libraries write to stderr, past Python, reaches the log, and a flood of it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.service.telemetry.library_noise import Lines

BEGIN = """
import logging, os, sys, threading, time, faulthandler
from agent.service.telemetry.library_noise import held_back
faulthandler.enable()
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + body], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_library_that_says_something_is_heard_in_the_log_and_python_as_before() -> None:
    ended = run(
        """
with held_back():
    os.write(2, b"ALSA lib: no such device\\n")
    time.sleep(0.5)
    logging.warning("a line of ours")
    print("a remark", file=sys.stderr)
os.write(2, b"and later as ever\\n")
logging.warning("the log, too")
"""
    )
    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [
        "WARNING a library says: ALSA lib: no such device",
        "WARNING a line of ours",
        "a remark",
        "and later as ever",
        "WARNING the log, too",
    ]


@pytest.mark.parametrize("end", [r"\n", ""])
def test_a_thread_that_floods_stderr_does_not_fill_the_disk(end: str) -> None:
    ended = run(
        """
def flood():
    while True:
        os.write(2, b"Expression 'self->capture.ready || self->playback.ready' failedEND" * 50)
with held_back():
    threading.Thread(target=flood, daemon=True).start()
    time.sleep(2.0)
    logging.info("still here")
print("the end", file=sys.stderr)
""".replace("END", end)
    )
    assert ended.stderr.endswith("the end\n")
    assert ended.returncode == 0
    assert ended.stderr.count("Expression") <= 30
    assert "a library floods stderr" in ended.stderr
    assert "still here" in ended.stderr


def test_the_stacks_of_a_crash_still_go_to_the_journal() -> None:
    ended = run("with held_back():\n    os.abort()\n")
    assert ended.returncode < 0
    assert "Fatal Python error: Aborted" in ended.stderr


def test_nothing_is_left_open() -> None:
    ended = run(
        """
def count():
    return len(os.listdir("/proc/self/fd"))
before = count()
with held_back():
    pass
time.sleep(0.5)
print(count() - before)
"""
    )
    assert int(ended.stdout) == 0, ended.stderr
    assert os.name == "posix"


FFMPEG = """
import av, ctypes
# PyAV keeps FFmpeg silent, and nothing of ours lets it speak: here it writes to stderr by itself.
library = ctypes.CDLL(next(line.split()[-1] for line in open("/proc/self/maps") if "libavutil" in line))
library.av_log_set_callback(library.av_log_default_callback)
library.av_log_set_level(32)
with held_back():
    try:
        av.open(sys.argv[1], options={"allowed_extensions": "ALL", "protocol_whitelist": "file,http,tcp"})
    except av.error.FFmpegError:
        pass
    time.sleep(0.5)
"""


def test_an_address_that_ffmpeg_prints_reaches_the_log_without_its_login(tmp_path: Path) -> None:
    segments = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://admin:hunter2@127.0.0.1:9/a.ts?token=hunter3\n"
    (tmp_path / "list.m3u8").write_text(segments + "#EXT-X-ENDLIST\n")
    ended = subprocess.run(
        [sys.executable, "-c", BEGIN + FFMPEG, str(tmp_path / "list.m3u8")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "WARNING a library says: " in ended.stderr
    assert "http://…@127.0.0.1:9/a.ts?token=…" in ended.stderr
    assert "hunter" not in ended.stderr


def test_no_half_of_a_login_is_shown_where_a_line_is_too_long() -> None:
    login = b"rtsp://admin:" + b"hunter2" * 2000 + b"@192.0.2.1/ and more\n"
    assert Lines().take(b"Opening " + login) == ["Opening"]
    assert Lines().take(login) == []
    long = b"Opening rtsp://admin:hunter2@192.0.2.1/ " + b"x" * 9000
    (shown,) = Lines().take(long)
    assert shown == "Opening rtsp://…@192.0.2.1/"
    ended = run(
        """
with held_back():
    for piece in range(200):
        os.write(2, b"rtsp://admin:" + b"hunter2" * 3000 if piece == 0 else b"hunter2" * 100)
    os.write(2, b"@192.0.2.1/\\nthe next line\\n")
    time.sleep(0.5)
"""
    )
    assert ended.returncode == 0
    assert "the next line" in ended.stderr
    assert "hunter" not in ended.stderr


@given(st.binary(max_size=60), st.lists(st.integers(1, 40), max_size=12), st.integers(1, 3))
def test_lines_are_the_same_however_they_are_cut_into_chunks(text: bytes, cuts: list[int], times: int) -> None:
    whole, lines, at = text * times + b"\n", Lines(), 0
    told: list[str] = []
    for cut in (*cuts, len(whole)):
        told += lines.take(whole[at : at + cut])
        at += cut
    assert told == Lines().take(whole)
