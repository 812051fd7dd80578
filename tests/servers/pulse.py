"""A sound daemon without a sound card: what is played into its null sink is heard by PortAudio as `testmic`."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

DEVICE = "testmic"
RATE_HZ = 16_000


def require_pulse() -> None:
    """Skip the test where PulseAudio or PortAudio is not installed."""
    missing = [name for name in ("pulseaudio", "pacat", "pactl") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian packages pulseaudio, pulseaudio-utils)")
    if not any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("needs ALSA's pulse plugin (Debian package libasound2-plugins)")
    try:
        import sounddevice  # noqa: F401
    except OSError:
        pytest.skip("needs PortAudio (Debian package libportaudio2)")


class PulseServer:
    """A running daemon in `folder`; `environment` makes ALSA, and so PortAudio, find it."""

    def __init__(self, folder: Path) -> None:
        run, home = folder / "run", folder / "home"
        for path in (run, home):
            path.mkdir(mode=0o700)
        self._sound = folder / "sound.raw"
        self._script = folder / "pulse.pa"
        self._script.write_text(
            f"load-module module-native-protocol-unix socket={run}/pulse.sock auth-anonymous=1\n"
            f"load-module module-null-sink sink_name=mic rate={RATE_HZ} channels=1\n"
            "set-default-source mic.monitor\n"
        )
        alsa = folder / "alsa.conf"
        alsa.write_text(
            "</usr/share/alsa/alsa.conf>\n"
            f'pcm.{DEVICE} {{ type pulse device "mic.monitor" hint {{ show on description "test" }} }}\n'
            f"ctl.{DEVICE} {{ type pulse }}\n"
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        self.environment = {
            "XDG_RUNTIME_DIR": str(run),
            "HOME": str(home),
            "PULSE_SERVER": f"unix:{run}/pulse.sock",
            "ALSA_CONFIG_PATH": str(alsa),
        }
        self._daemon: subprocess.Popen[bytes] | None = None
        self._player: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon; return when it answers."""
        command = [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--disallow-exit=1",
            "--use-pid-file=no",
        ]
        self._daemon = subprocess.Popen(
            [*command, "-F", str(self._script)], env=self._env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + 60
        while subprocess.run(["pactl", "info"], env=self._env(), capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline_s, "the sound daemon did not start"
            time.sleep(0.05)

    def play(self, samples: bytes) -> None:
        """Play signed 16-bit mono samples, once, while the test goes on."""
        command = ["pacat", "--device=mic", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=20"]
        self._stop_player()
        self._sound.write_bytes(samples)  # a pipe would keep the test waiting as long as the sound lasts
        with self._sound.open("rb") as source:
            self._player = subprocess.Popen(
                command, env=self._env(), stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def hang(self) -> None:
        """Stop the daemon in its tracks."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a hung daemon go on."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the daemon."""
        self._stop_player()
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(timeout=60)
            self._daemon = None

    def _stop_player(self) -> None:
        if self._player is not None:
            self._player.kill()
            self._player.wait(timeout=60)
            self._player = None

    def _env(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
