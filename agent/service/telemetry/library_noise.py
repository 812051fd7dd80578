"""What libraries in C write to stderr, past Python: into the log, and nowhere once it is a flood.

A library that loops says so each time: PortAudio's thread did, where a sound daemon died under it, twenty million lines
a minute, gigabytes in the journal (decision 049: it has a process of its own now). Nobody can end such a thread. To let
it wait in a full pipe was tried: it held the C library's lock of stderr meanwhile, for which other threads, and the end
of the process, then waited in vain.

What they say may hold an address with a login (FFmpeg does, where somebody lets it speak), so it is redacted first.
"""

import contextlib
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from agent.errors import redacted
from agent.service.telemetry.loglimit import WINDOW_S, LogLimit

READ_BYTES = 4096
LONGEST_LINE_BYTES = 4096
SHOWN_CHARACTERS = 400
FLOOD_BYTES = 200_000
"""A minute. ALSA says some 2 kB each time it does not find a sound daemon."""

_STDERR = 2
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Have the file descriptor of stderr go to the log; Python's own `sys.stderr` stays where it was.

    Afterwards all is as before, unless there was a flood: then it is silent until the process ends.
    """
    sys.stderr.flush()
    before, own = sys.stderr, os.dup(_STDERR)
    reading, writing = os.pipe()
    os.dup2(writing, _STDERR)
    os.close(writing)
    stderr = open(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - see above
    _take_over(before, stderr)
    relay = _Relay(reading)
    threading.Thread(target=relay.run, name="library noise", daemon=True).start()
    try:
        yield
    finally:
        if not relay.flooded:
            os.dup2(own, _STDERR)
            _take_over(stderr, before)
            stderr.close()


def _take_over(before: object, now: TextIO) -> None:
    """Have Python write to `now` what it wrote to `before`: log, remarks, and the stacks of a crash."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(now)
    sys.stderr = now
    if faulthandler.is_enabled():
        faulthandler.enable(now)


class Lines:
    """Cuts what a library writes into lines that may be shown: without logins, and no more than their beginnings."""

    def __init__(self) -> None:
        self._rest = b""
        self._too_long = False  # the line that goes on was told already

    def take(self, chunk: bytes) -> list[str]:
        """Return the lines that are whole with `chunk`; of one without an end its beginning, once."""
        *ended, self._rest = (self._rest + chunk).split(b"\n")
        if ended and self._too_long:
            ended, self._too_long = ended[1:], False
        if len(self._rest) > LONGEST_LINE_BYTES:
            ended += [] if self._too_long else [self._rest]
            self._rest, self._too_long = b"", True
        return [shown for line in ended if (shown := _harmless(line))]


def _harmless(line: bytes) -> str:
    """Return the beginning of a line without logins; half an address is left out, for nobody would know it as one."""
    if len(line) > LONGEST_LINE_BYTES:
        line = line[:LONGEST_LINE_BYTES].rpartition(b" ")[0]
    return redacted(line.decode("utf-8", "replace").strip())[:SHOWN_CHARACTERS]


class _Relay:
    """Logs what comes, until everybody has closed the other end or it is too much."""

    def __init__(self, reading: int) -> None:
        self.flooded = False
        self._reading = reading

    def run(self) -> None:
        """Read; on a thread of its own."""
        limit = LogLimit(_LOG, "lines of libraries")
        began_s, said_bytes, lines = time.monotonic(), 0, Lines()
        while chunk := os.read(self._reading, READ_BYTES):
            now_s = time.monotonic()
            if now_s - began_s >= WINDOW_S:
                began_s, said_bytes = now_s, 0
            for line in lines.take(chunk):
                limit.write(now_s, logging.WARNING, "a library says: %s", line)
            said_bytes += len(chunk)
            if said_bytes > FLOOD_BYTES and not self.flooded:
                self._silence()
        os.close(self._reading)

    def _silence(self) -> None:
        self.flooded = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        _LOG.error("a library floods stderr: what libraries say is not logged any more until the next start")
