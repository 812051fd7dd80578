"""A real PortAudio microphone on a real sound daemon without a sound card, which is hung and killed."""

import contextlib
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from agent.capture.live import MicrophoneSpec, list_microphones
from agent.capture.portaudio import PortAudio
from agent.errors import SourceError
from agent.service.microphones import SeparateInputs
from agent.types import FloatArray
from tests.capture.recorder import Recorder, listening
from tests.servers.pulse import DEVICE, RATE_HZ, PulseServer, require_pulse

pytestmark = pytest.mark.integration


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    require_pulse()
    server = PulseServer(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with server:
        yield server


def tone(seconds: float, frequency_hz: float) -> bytes:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * 32767 * np.sin(2 * np.pi * frequency_hz * time_s)).astype("<i2").tobytes()


def loudest_hz(samples: FloatArray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * 16_000 / len(samples)


def hears(heard: Recorder, frequency_hz: float) -> bool:
    """Tell whether the newest half second is that tone."""
    newest = [block.samples for _, block in heard.sound[-5:]]
    if len(newest) < 5:
        return False
    samples = np.concatenate(newest)
    return bool(np.abs(samples).max() > 0.2) and abs(loudest_hz(samples) - frequency_hz) < 6


def processes() -> list[int]:
    """The processes of microphones that this one has started, and that live."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if "microphone_process" in Path(f"/proc/{child}/cmdline").read_text():
                    found.append(int(child))
    return found


def test_no_process_of_a_microphone_outlives_a_daemon_that_was_killed(daemon: PulseServer) -> None:
    """Nor burns a core for it: PortAudio's thread may loop for ever then, within a process that is ended."""
    daemon.play(tone(300, 440))
    with listening(MicrophoneSpec(camera="door", device=DEVICE, stall_timeout_s=3.0), SeparateInputs()) as heard:
        heard.wait(lambda: hears(heard, 440), "tone of 440 Hz")
        (first,) = processes()
        lags_ns = sorted(arrived_ns - block.at_ns for arrived_ns, block in heard.sound)
        assert lags_ns[0] >= 0
        assert lags_ns[len(lags_ns) // 2] < 1_500_000_000  # a busy machine may hold up some
        told = len(heard.states)
        daemon.kill()
        heard.wait_lost(after=told)
        deadline_s = time.monotonic() + 60
        while first in processes():
            assert time.monotonic() < deadline_s, "the process outlived its daemon"
            time.sleep(0.1)
        told = len(heard.states)
        daemon.start()
        daemon.play(tone(300, 1500))
        heard.wait_state("running", None, after=told, timeout_s=180.0)
        heard.wait(lambda: hears(heard, 1500), "tone of 1500 Hz after the daemon's return")
        assert len(processes()) == 1
        used_s, began_s = used_cpu_s(processes()[0]), time.monotonic()
        heard.wait_more(sound=30)
        assert used_cpu_s(processes()[0]) - used_s < 0.5 * (time.monotonic() - began_s)
    assert processes() == []


def used_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_tone_is_heard_through_hang_death_and_return(daemon: PulseServer) -> None:
    assert DEVICE in [microphone.name for microphone in list_microphones(PortAudio())]
    daemon.play(tone(300, 440))
    with listening(MicrophoneSpec(camera="door", device=DEVICE, stall_timeout_s=3.0)) as heard:
        heard.wait(lambda: hears(heard, 440), "tone of 440 Hz")
        lags_ns = sorted(arrived_ns - block.at_ns for arrived_ns, block in heard.sound)
        assert lags_ns[0] >= 0
        assert lags_ns[len(lags_ns) // 2] < 1_500_000_000  # a busy machine may hold up some
        in_step = [
            abs(after.at_ns - before.at_ns - len(before.samples) * 62_500) < 40_000_000
            for (_, before), (_, after) in pairwise(heard.sound)
            if not after.gap_before
        ]
        assert sum(in_step) >= 0.8 * len(in_step)

        told = len(heard.states)
        daemon.hang()
        heard.wait_state("lost", "silent", after=told)
        told = len(heard.states)
        daemon.go_on()
        heard.wait_state("running", None, after=told)

        told = len(heard.states)
        blocks = len(heard.sound)
        daemon.kill()
        # ALSA's plugin tells PortAudio of the death or, one time in ten, says nothing more for ever.
        heard.wait_lost(after=told)
        told = len(heard.states)
        daemon.start()
        daemon.play(tone(300, 1500))
        heard.wait_state("running", None, after=told, timeout_s=180.0)
        heard.wait(lambda: hears(heard, 1500), "tone of 1500 Hz after the daemon's return")
    after_death = [block.gap_before for _, block in heard.sound[blocks:]]
    assert True in after_death
    assert all(later.at_ns > earlier.at_ns for (_, earlier), (_, later) in pairwise(heard.sound))


def test_an_unknown_microphone_is_not_found(daemon: PulseServer) -> None:
    with pytest.raises(SourceError) as caught:
        PortAudio().open("no such microphone", lambda _: None, lambda: None)
    assert caught.value.fault == "not_found"
