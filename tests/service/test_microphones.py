"""A microphone in a process of its own: what that process does to itself, it does to nobody else."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from agent.capture.portaudio import Captured
from agent.errors import SourceError
from agent.service.microphones import FLOOD_BYTES, SeparateInputs
from agent.service.telemetry.loglimit import MOST_LINES

SPEAK = """
import json, os, sys, time
import numpy as np
from agent.service.microphone_process import HEADER
out = sys.stdout.buffer
open(sys.argv[-1], "w").write(str(os.getpid()))
def begin(**told):
    out.write(json.dumps(told).encode() + b"\\n"); out.flush()
def block(samples, age_ns=0, overflowed=0):
    samples = np.asarray(samples, "<f4")
    out.write(HEADER.pack(*samples.shape, time.monotonic_ns(), age_ns, overflowed) + samples.tobytes()); out.flush()
"""


@dataclass
class Heard:
    """What came of one input."""

    blocks: list[Captured] = field(default_factory=list)
    finished: threading.Event = field(default_factory=threading.Event)


def wait(found: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.01)


def speaking(script: str, open_s: float = 60.0) -> SeparateInputs:
    """Inputs whose process runs `script`; the device is the file that it writes its process id to."""
    return SeparateInputs((sys.executable, "-c", SPEAK + script), open_s)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_samples_come_as_they_were_captured_and_the_process_ends_with_its_input(tmp_path: Path) -> None:
    heard, place = Heard(), tmp_path / "pid"
    script = "begin(rate_hz=48000)\nblock([[0.5, -0.5], [0.25, 0.0]], 1000, 1)\nblock([[0.125, 1.0]])\nos.read(0, 1)"
    opened = speaking(script).open(str(place), heard.blocks.append, heard.finished.set)
    assert opened.rate_hz == 48000
    wait(lambda: len(heard.blocks) == 2, "two blocks")
    first, second = heard.blocks
    assert np.array_equal(first.samples, np.array([[0.5, -0.5], [0.25, 0.0]], np.float32))
    assert np.array_equal(second.samples, np.array([[0.125, 1.0]], np.float32))
    assert (first.overflowed, second.overflowed) == (True, False)
    assert first.age_ns >= 1000  # and what it waited in the pipe
    opened.close()
    assert not is_alive(int(place.read_text()))
    assert heard.finished.wait(60)


@pytest.mark.parametrize(
    ("script", "fault", "why"),
    [
        ('begin(what="microphone x", fault="not_found", why="no such", cure="Plug it in.")', "not_found", "no such"),
        ("raise SystemExit(3)", "refused", "without a word"),
        ("begin(rate=1)", "refused", "without a word"),
        ("print('ALSA is here', flush=True)", "refused", "without a word"),
    ],
)
def test_what_cannot_be_opened_says_why_and_leaves_no_process(
    tmp_path: Path, script: str, fault: str, why: str
) -> None:
    with pytest.raises(SourceError) as caught:
        speaking(script).open(str(tmp_path / "pid"), lambda _: None, lambda: None)
    assert caught.value.fault == fault
    assert why in caught.value.why
    assert caught.value.cure
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_an_input_that_hangs_while_it_is_opened_is_killed(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    with pytest.raises(SourceError) as caught:
        speaking("time.sleep(600)", open_s=3.0).open(str(place), lambda _: None, lambda: None)
    assert caught.value.fault == "timeout"
    assert not is_alive(int(place.read_text()))


def test_an_input_that_hangs_while_it_is_closed_is_killed(tmp_path: Path) -> None:
    heard, place = Heard(), tmp_path / "pid"
    script = "begin(rate_hz=16000)\nwhile True:\n    pass"  # deaf to its stdin, and a core burns
    opened = speaking(script).open(str(place), heard.blocks.append, heard.finished.set)
    assert is_alive(int(place.read_text()))
    opened.close()
    assert not is_alive(int(place.read_text()))


def test_a_library_that_loops_and_complains_for_ever_is_ended_with_few_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard, place = Heard(), tmp_path / "pid"
    line = "Expression 'alsa_snd_pcm_poll_descriptors' failed in 'pa_linux_alsa.c'"
    script = f'begin(rate_hz=16000)\nwhile True:\n    sys.stderr.write("{line}\\n")'
    with caplog.at_level(logging.WARNING):
        opened = speaking(script).open(str(place), heard.blocks.append, heard.finished.set)
        assert heard.finished.wait(60)
        opened.close()
    assert not is_alive(int(place.read_text()))
    said = [record.getMessage() for record in caplog.records]
    assert any(line in one for one in said)
    assert any("loops" in one for one in said)
    assert sum(map(len, said)) < FLOOD_BYTES / 10


def test_many_tries_to_open_what_is_not_there_do_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = speaking("sys.stderr.write('ALSA lib: unknown\\n' * 15); sys.stderr.flush(); raise SystemExit(1)")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(SourceError):
                inputs.open(str(tmp_path / "pid"), lambda _: None, lambda: None)
        wait(lambda: len(caplog.records) >= MOST_LINES, "the first lines")
        time.sleep(0.5)
    assert len(caplog.records) == MOST_LINES


def test_the_process_ends_when_the_agent_is_gone(tmp_path: Path) -> None:
    """Killed as hard as can be: nobody closed anything."""

    place = tmp_path / "pid"
    agent = (
        "import os, sys, time\n"
        "from agent.service.microphones import SeparateInputs\n"
        f"speak = {SPEAK + 'begin(rate_hz=16000)' + chr(10) + 'os.read(0, 1)'!r}\n"
        "SeparateInputs((sys.executable, '-c', speak)).open(sys.argv[1], lambda _: None, lambda: None)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", agent, str(place)], check=False, timeout=60)
    pid = int(place.read_text())
    wait(lambda: not is_alive(pid) or _is_zombie(pid), "the end of the process")


QUIET = """
import sys, types
from agent.service import microphone_process as it
opened = types.SimpleNamespace(rate_hz=48000, close=lambda: None)
it.PORTAUDIO = types.SimpleNamespace(open=lambda device, on_samples, on_finished: opened)
it.main("any")
"""


def test_a_sigterm_to_the_whole_service_leaves_the_process_to_the_agent() -> None:
    with subprocess.Popen([sys.executable, "-c", QUIET], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert b"48000" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.stdin.close()
        assert process.wait(60) == 0


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
