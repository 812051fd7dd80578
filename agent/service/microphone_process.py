"""A microphone in a process of its own, as `microphones` starts it: python -m agent.service.microphone_process DEVICE.

It opens the input and writes to stdout, for its parent, a line of JSON and then blocks, each a header and samples.
It ends when its stdin does, not at a SIGTERM. What PortAudio and ALSA do to this process, they do to nobody else.
"""

import json
import os
import signal
import struct
import sys
import threading
import time
from typing import BinaryIO

from agent.capture.portaudio import PORTAUDIO, Captured
from agent.errors import SourceError

HEADER = struct.Struct("<IIQQB")
"""Samples, channels, CLOCK_MONOTONIC of the callback in ns, age of the first sample then, whether any were lost"""


class _Out:
    """Writes whole blocks; PortAudio's thread and the main one must not mix theirs."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._open = threading.Event()

    def first(self, line: dict[str, object]) -> None:
        with self._lock:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        self._open.set()

    def samples(self, captured: Captured) -> None:
        at_ns = time.monotonic_ns()
        if not self._open.is_set():
            return  # before the parent knows the rate: a tenth of a second of what nobody can read yet
        count, channels = captured.samples.shape
        head = HEADER.pack(count, channels, at_ns, captured.age_ns, captured.overflowed)
        with self._lock:
            self._file.write(head + captured.samples.astype("<f4").tobytes())
            self._file.flush()


def main(device: str) -> None:
    """Serve one input until stdin or the input ends."""
    # systemd sends SIGTERM to all processes of a service: the agent ends this one, in its turn, once it has heard all.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    out = _Out(os.fdopen(os.dup(1), "wb"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    finished = threading.Event()
    try:
        opened = PORTAUDIO.open(device, out.samples, finished.set)
    except SourceError as error:
        out.first({"what": error.what, "fault": error.fault, "why": error.why, "cure": error.cure})
        return
    out.first({"rate_hz": opened.rate_hz})
    finished.wait()


def _end_with_parent() -> None:
    """End at once: closing an input whose sound daemon is gone may take for ever."""
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
