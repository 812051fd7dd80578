"""Microphones, each in a process of its own that is killed where it hangs.

Where a sound daemon dies, PortAudio's thread may loop for ever, with a core and gigabytes of complaints, or closing may
never return: nobody can end a thread, but anybody a process. Each also finds what was plugged in after another was
opened, which PortAudio does not tell a process that has an input open.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import IO, cast

import numpy as np

from agent.capture.portaudio import Captured, OpenInput
from agent.errors import SourceError
from agent.service.microphone_process import HEADER
from agent.service.telemetry.library_noise import FLOOD_BYTES, READ_BYTES, Lines
from agent.service.telemetry.loglimit import WINDOW_S, LogLimit

COMMAND = (sys.executable, "-P", "-m", "agent.service.microphone_process")
"""-P: what lies in the working folder is not run."""
OPEN_S = 20.0
CLOSE_S = 1.0
LONGEST_LINE = 4096

_LOG = logging.getLogger(__name__)


class SeparateInputs:
    """What `agent.capture.microphone.Microphone` opens its inputs by."""

    def __init__(self, command: Sequence[str] = COMMAND, open_s: float = OPEN_S) -> None:
        """`command` takes the device as its last word, and speaks as `microphone_process` does."""
        self._command = tuple(command)
        self._open_s = open_s
        self._limit = LogLimit(_LOG, "lines of libraries at a microphone")
        self._saying = threading.Lock()  # one that ends may still speak beside the next

    def open(self, device: str, on_samples: Callable[[Captured], None], on_finished: Callable[[], None]) -> OpenInput:
        """Open and start `device`. Raises SourceError."""
        process = _Process(self._command, device, on_samples, on_finished, self._say)
        try:
            process.rate_hz = process.opened.result(self._open_s)
        except FutureTimeoutError:
            process.close()
            raise SourceError(
                f"microphone {device} cannot be opened",
                fault="timeout",
                why=f"it took longer than {self._open_s:g} s",
                cure="Check that its sound daemon runs.",
            ) from None
        except SourceError:
            process.close()
            raise
        return cast(OpenInput, process)  # all that is asked of one is `rate_hz` and `close`

    def _say(self, device: str, line: str) -> None:
        """Log what a library wrote; ALSA has much to say at each try to open what is not there."""
        with self._saying:
            now_s = time.monotonic()
            self._limit.write(now_s, logging.WARNING, "a library says at microphone %s: %s", device, line)


class _Process:
    """One input, open in a process: `opened` says at which rate, or why not."""

    def __init__(
        self,
        command: Sequence[str],
        device: str,
        on_samples: Callable[[Captured], None],
        on_finished: Callable[[], None],
        say: Callable[[str, str], None],
    ) -> None:
        self.rate_hz = 0
        self.opened: Future[int] = Future()
        self._device = device
        self._on_samples = on_samples
        self._on_finished = on_finished
        self._say = say
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C is for the agent, which ends its microphones itself.
        self._process = subprocess.Popen(
            [*command, device], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=-1, start_new_session=True
        )
        for work in (self._hear, self._read_noise):
            threading.Thread(target=work, name=f"microphone {device}", daemon=True).start()

    def close(self) -> None:
        """End the process: at its stdin's end it goes by itself, if it still can."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as sound:
            self._tell_opened(sound.readline(LONGEST_LINE))
            while block := _block(sound):
                captured, at_ns = block
                late_ns = max(0, time.monotonic_ns() - at_ns)  # in the pipe, and waiting for a core
                self._on_samples(Captured(captured.samples, captured.age_ns + late_ns, captured.overflowed))
        self._on_finished()

    def _tell_opened(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            if "rate_hz" in told:
                self.opened.set_result(int(told["rate_hz"]))
            else:
                self.opened.set_exception(
                    SourceError(told["what"], fault=told["fault"], why=told["why"], cure=told["cure"])
                )
        except (ValueError, TypeError, KeyError):
            self.opened.set_exception(
                SourceError(
                    f"microphone {self._device} cannot be opened",
                    fault="refused",
                    why="its process ended without a word",
                    cure="Look at the log; `vedette mic probe` tries it.",
                )
            )

    def _read_noise(self) -> None:
        """Log what libraries in C write to stderr, a little of it; what floods loops, and is killed."""
        assert self._process.stderr is not None
        began_s, said_bytes, lines = time.monotonic(), 0, Lines()
        with self._process.stderr as noise:
            while chunk := os.read(noise.fileno(), READ_BYTES):
                now_s = time.monotonic()
                if now_s - began_s >= WINDOW_S:
                    began_s, said_bytes = now_s, 0
                said_bytes += len(chunk)
                for line in lines.take(chunk):
                    self._say(self._device, line)
                if said_bytes > FLOOD_BYTES:
                    _LOG.warning("microphone %s loops, its process is ended", self._device)
                    self._process.kill()
                    return


def _block(sound: IO[bytes]) -> tuple[Captured, int] | None:
    """Return the next block and the monotonic time of its callback, None at the end."""
    head = sound.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    count, channels, at_ns, age_ns, overflowed = HEADER.unpack(head)
    content = sound.read(4 * count * channels)
    if len(content) < 4 * count * channels:
        return None
    samples = np.frombuffer(content, "<f4").astype(np.float32).reshape(count, channels)
    return Captured(samples, age_ns, bool(overflowed)), at_ns
