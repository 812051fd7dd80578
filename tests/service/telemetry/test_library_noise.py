"""What libraries write to stderr, past Python, reaches the log, and a flood of it does not."""

import os
import subprocess
import sys

import pytest

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
