"""Starts our RTSP server as a process of its own, which tests may stop, kill and start again."""

import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("rtsp_server.py")
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def require_rtsp_server() -> None:
    """Skip the test where GStreamer's RTSP server is not installed."""
    try:
        probe = subprocess.run([SYSTEM_PYTHON, "-c", _PROBE], capture_output=True, timeout=120, check=False)
    except OSError:
        probe = None
    if probe is None or probe.returncode != 0:
        pytest.skip("needs python3-gi and gir1.2-gst-rtsp-server-1.0 (see tests/servers/rtsp_server.py)")


class RtspServer:
    """A running server. `port` stays the same when it is killed and started again."""

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        auth: str = "basic",
        clip: Path | None = None,
        tls: Path | None = None,
    ) -> None:
        self._options = ["--user", user, "--password", password, "--auth", auth] if user else []
        self._options += ["--clip", str(clip)] if clip else []
        self._options += ["--tls", str(tls)] if tls else []
        self._scheme = "rtsps" if tls else "rtsp"
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Start; return when it listens."""
        command = [SYSTEM_PYTHON, str(SCRIPT), str(self.port), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("port "), f"the RTSP server did not start: {line!r}"
        self.port = int(line.split()[1])

    def url(self, mount: str) -> str:
        """Return the address of `mount`, without a login."""
        return f"{self._scheme}://127.0.0.1:{self.port}/{mount}"

    def hang(self) -> None:
        """Stop the process in its tracks: connections stay, nothing comes."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a hung server go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; the port is free again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=60)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
