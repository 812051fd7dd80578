"""The process's one PortAudio: finding and opening inputs, one thread at a time.

PortAudio is global to the process, is not made for several threads, and looks for devices only when it is
initialised; initialising again kills every open stream. All of that is kept behind one lock here. What the
ALSA library writes to stderr when a device is gone is its own and cannot be turned off from here.
"""

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.errors import SourceError, SourceFault
from agent.types import NS_PER_S, SOUND_RATE_HZ, FloatArray

_BLOCK_S = 0.1
_LONGEST_AGE_S = 5.0
_INVALID_RATE, _UNAVAILABLE, _ILLEGAL_DEVICES = -9997, -9985, -9993
_FAULTS: dict[int, SourceFault] = {_INVALID_RATE: "codec", _UNAVAILABLE: "refused", _ILLEGAL_DEVICES: "refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneInfo:
    """One input of this machine; `name` is what `device:` takes."""

    name: str
    host_api: str
    channels: int
    sample_rate_hz: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class Captured:
    """What one callback brought: float32 [samples, channels], and when its first sample was converted."""

    samples: FloatArray
    age_ns: int  # between the conversion of the first sample and the callback
    overflowed: bool


class PortAudio:
    """Opens inputs of this machine. One instance serves the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open_streams = 0

    def microphones(self) -> tuple[MicrophoneInfo, ...]:
        """Return the inputs of this machine. Raises SourceError where PortAudio is not installed."""
        with self._lock:
            sounddevice = self._library(look_again=True)
            default = sounddevice.default.device[0]
            apis = sounddevice.query_hostapis()
            return tuple(
                MicrophoneInfo(
                    name=device["name"],
                    host_api=apis[device["hostapi"]]["name"],
                    channels=device["max_input_channels"],
                    sample_rate_hz=round(device["default_samplerate"]),
                    is_default=index == default,
                )
                for index, device in enumerate(sounddevice.query_devices())
                if device["max_input_channels"] > 0
            )

    def open(self, device: str, on_samples: Callable[[Captured], None], on_finished: Callable[[], None]) -> "OpenInput":
        """Open and start `device` ("default": the system's). Raises SourceError."""
        with self._lock:
            sounddevice = self._library(look_again=not self._known(device))
            try:
                stream, rate_hz = self._started(sounddevice, device, on_samples, on_finished)
            except (sounddevice.PortAudioError, ValueError) as error:
                raise _source_error(device, error) from None
            self._open_streams += 1
            return OpenInput(self, stream, rate_hz)

    def close(self, stream: Any) -> None:
        """Close a stream; may take as long as its sound daemon hangs."""
        sounddevice = self._library(look_again=False)
        try:
            stream.close(ignore_errors=True)
        except sounddevice.PortAudioError:
            pass
        finally:
            with self._lock:
                self._open_streams -= 1

    def _library(self, *, look_again: bool) -> Any:
        try:
            import sounddevice  # noqa: PLC0415  # needs libportaudio2, which a box without a microphone lacks
        except OSError:
            raise SourceError(
                "microphones cannot be used",
                fault="not_found",
                why="PortAudio is not installed",
                cure="sudo apt-get install libportaudio2",
            ) from None
        # At the interpreter's end it would end PortAudio below a stream that is still being closed, and crash.
        atexit.unregister(sounddevice._exit_handler)
        if look_again and not self._open_streams:
            sounddevice._terminate()  # the only way to see devices that came later
            sounddevice._initialize()
        return sounddevice

    def _known(self, device: str) -> bool:
        sounddevice = self._library(look_again=False)
        try:
            sounddevice.query_devices(None if device == "default" else device, "input")
        except (sounddevice.PortAudioError, ValueError):
            return False
        return True

    def _started(
        self, sounddevice: Any, device: str, on_samples: Callable[[Captured], None], on_finished: Callable[[], None]
    ) -> tuple[Any, int]:
        name = None if device == "default" else device
        found = sounddevice.query_devices(name, "input")
        rate_hz, channels = _settings(sounddevice, name, found)
        stream = sounddevice.InputStream(
            device=name,
            channels=channels,
            samplerate=rate_hz,
            blocksize=round(rate_hz * _BLOCK_S),
            dtype="float32",
            callback=_callback(on_samples),
            finished_callback=on_finished,
        )
        try:
            stream.start()
        except sounddevice.PortAudioError:
            stream.close(ignore_errors=True)
            raise
        return stream, rate_hz


@dataclass(slots=True)
class OpenInput:
    """A running input."""

    _portaudio: PortAudio
    _stream: Any
    rate_hz: int

    def close(self) -> None:
        """Stop and close it."""
        self._portaudio.close(self._stream)


def _settings(sounddevice: Any, name: str | None, found: Any) -> tuple[int, int]:
    """Return rate and channels that the device takes: ours if it can, its own otherwise."""
    own_hz, channels = round(found["default_samplerate"]), found["max_input_channels"]
    choices = [(rate, count) for rate in (SOUND_RATE_HZ, own_hz) for count in sorted({1, min(2, channels), channels})]
    for rate_hz, count in choices:
        try:
            sounddevice.check_input_settings(device=name, channels=count, samplerate=rate_hz, dtype="float32")
        except (sounddevice.PortAudioError, ValueError):
            continue
        return rate_hz, count
    return own_hz, channels  # opening it says what is wrong


def _callback(on_samples: Callable[[Captured], None]) -> Callable[..., None]:
    def callback(data: FloatArray, frames: int, times: Any, status: Any) -> None:
        # Both times are of PortAudio's clock, whichever that is (ALSA: the wall's); only their distance is used.
        age_s = times.currentTime - times.inputBufferAdcTime
        plausible = times.inputBufferAdcTime > 0 and 0 <= age_s <= _LONGEST_AGE_S
        age_ns = int(age_s * NS_PER_S) if plausible else 0
        on_samples(Captured(np.array(data, np.float32), age_ns, bool(status.input_overflow)))

    return callback


def _source_error(device: str, error: Exception) -> SourceError:
    number = error.args[1] if len(error.args) > 1 else None
    fault: SourceFault = _FAULTS.get(number, "refused") if isinstance(number, int) else "not_found"
    sentence = str(error.args[0]) if error.args else type(error).__name__
    return SourceError(
        f"microphone {device} cannot be opened",
        fault=fault,
        why=" ".join(sentence.split()),
        cure="`vedette mic list` shows the microphones; check that it is plugged in and its sound daemon runs.",
    )


PORTAUDIO = PortAudio()
"""The library's state is one for the process, and so is this."""


def list_microphones(portaudio: PortAudio = PORTAUDIO) -> tuple[MicrophoneInfo, ...]:
    """Return the inputs of this machine. Raises SourceError where PortAudio is not installed."""
    return portaudio.microphones()
