"""A microphone that runs for months: watched, because a dead one says nothing, and opened again.

PortAudio calls back from a thread of its own; when the sound daemon hangs, it simply calls no more, and even
closing hangs. So opening and closing have a thread as well, and `run` only looks at what arrived.
"""

import queue
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from av.audio.frame import AudioFrame

from agent.capture.portaudio import PORTAUDIO, Captured, MicrophoneInfo, OpenInput, list_microphones
from agent.capture.sound import Sound, SoundCutter
from agent.capture.state import Backoff, Herald, SourceState
from agent.errors import SourceError
from agent.types import NS_PER_S, SoundBlock

__all__ = ["Microphone", "MicrophoneInfo", "MicrophoneSpec", "list_microphones"]

_CLOSE_S = 1.0
_POLL_S = 0.1
_HEALTHY_NS = 10 * NS_PER_S
_HUNG_MOST = 3
"""So many inputs may hang in closing for ever (libpulse can lock itself up when its daemon dies) beside a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneSpec:
    """Which microphone, and to which camera its sound belongs.

    So long as `reopen_timeout_s` a silent one may come back by itself (a hung daemon does); then it is opened again.
    """

    camera: str
    device: str = "default"
    open_timeout_s: float = 10.0
    stall_timeout_s: float = 5.0
    reopen_timeout_s: float = 10.0


class Inputs(Protocol):
    """Where microphones are opened: PortAudio, or a stand-in of a test."""

    def open(self, device: str, on_samples: Callable[[Captured], None], on_finished: Callable[[], None]) -> OpenInput:
        """Open and start `device`. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class _Samples:
    captured: Captured
    rate_hz: int
    at_ns: int  # of the callback


_Event = _Samples | SourceError | None


class Microphone:
    """One PortAudio input, kept running; blocks of 0.1 s, mono, 16 kHz, stamped when they were converted."""

    def __init__(
        self,
        spec: MicrophoneSpec,
        *,
        clock_ns: Callable[[], int],
        on_sound: Callable[[SoundBlock], None],
        on_state: Callable[[SourceState], None],
        jitter: Callable[[], float] = random.random,
        inputs: "Inputs" = PORTAUDIO,
    ) -> None:
        self._spec = spec
        self._clock_ns = clock_ns
        self._on_sound = on_sound
        self._herald = Herald(spec.camera, on_state)
        self._backoff = Backoff(jitter)
        self._inputs = inputs
        self._reopen_ns = int(spec.reopen_timeout_s * NS_PER_S)
        self._last_ns: int | None = None
        self._gap_before = False

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set."""
        self._herald.tell("opening", ("sound",))
        sessions: list[_Session] = []
        while not stop.is_set():
            session = _Session(self._spec.device, self._inputs, self._clock_ns)
            sessions.append(session)
            try:
                error = self._follow(session, stop)
            finally:
                session.abandon()
            if stop.is_set():
                session.wait_closed(_CLOSE_S)
                return
            if error is not None:
                self._herald.tell("lost", ("sound",), error.fault, error.line())
            stop.wait(self._backoff.wait_s(transient=error is None or error.transient))
            self._wait_closed(session, stop)
            while len(sessions := [one for one in sessions if one.hangs]) > _HUNG_MOST and not stop.wait(_POLL_S):
                """Each holds a thread and a connection: no more of them."""

    def _wait_closed(self, session: "_Session", stop: threading.Event) -> None:
        """Give `session` time to close: a daemon that only hung for a while lets go of it."""
        given_up_ns = self._clock_ns() + self._reopen_ns
        while session.hangs and self._clock_ns() < given_up_ns and not stop.wait(_POLL_S):
            """PortAudio opens and closes well one after the other."""

    def _follow(self, session: "_Session", stop: threading.Event) -> SourceError | None:
        """Deliver what `session` hears; return why it is to be given up, None if only to try it again."""
        cutter = SoundCutter()
        started_ns = heard_ns = self._clock_ns()
        self._gap_before = self._last_ns is not None
        while not stop.is_set():
            event = session.take(_POLL_S)
            now_ns = self._clock_ns()
            if isinstance(event, SourceError):
                self._give(cutter.flush())
                return event
            if isinstance(event, _Samples):
                heard_ns = now_ns
                self._herald.tell("running", ("sound",), why=f"microphone {self._spec.device}")
                self._give(cutter.push(_frame(event), _start_ns(event), broken=event.captured.overflowed))
                if now_ns - started_ns > _HEALTHY_NS:
                    self._backoff.reset()
            elif now_ns - heard_ns > self._patience_ns(heard_ns == started_ns):
                self._silent()
                # An input that never spoke was opened into a daemon that was just starting: open it again.
                if heard_ns == started_ns or now_ns - heard_ns > self._reopen_ns:
                    return None
        return None

    def _patience_ns(self, unheard: bool) -> int:
        patience_s = self._spec.open_timeout_s if unheard else self._spec.stall_timeout_s
        return int(patience_s * NS_PER_S)

    def _silent(self) -> None:
        self._gap_before = self._last_ns is not None
        self._herald.tell("lost", ("sound",), "silent", f"microphone {self._spec.device} delivers nothing")

    def _give(self, sounds: Iterator[Sound]) -> None:
        for sound in sounds:
            at_ns = max(sound.at_ns, self._last_ns + 1) if self._last_ns is not None else sound.at_ns
            self._last_ns = at_ns
            block = SoundBlock(
                camera=self._spec.camera, at_ns=at_ns, samples=sound.samples, gap_before=sound.gap_before
            )
            self._on_sound(replace(block, gap_before=True) if self._gap_before else block)
            self._gap_before = False


class _Session:
    """Opens the input in a thread, and closes it there once it is abandoned or has finished."""

    def __init__(self, device: str, inputs: Inputs, clock_ns: Callable[[], int]) -> None:
        self._device = device
        self._inputs = inputs
        self._clock_ns = clock_ns
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._waiting: list[tuple[Captured, int]] = []
        self._rate_hz = 0
        self._done = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"microphone {device}", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> _Event:
        """Return what came, a SourceError when it is over, or None after `timeout_s`."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def abandon(self) -> None:
        """Let the thread close the input; does not wait for it."""
        self._abandoned = True
        self._done.set()

    def wait_closed(self, timeout_s: float) -> None:
        """Wait for the thread: a process that ends while PortAudio closes an input may crash."""
        self._thread.join(timeout_s)

    @property
    def hangs(self) -> bool:
        """Whether the input is still being opened or closed."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            opened = self._inputs.open(self._device, self._took, self._done.set)
        except SourceError as error:
            self._events.put(error)
            return
        self._rate_hz = opened.rate_hz
        self._done.wait()
        if not self._abandoned:
            self._events.put(
                SourceError(
                    f"microphone {self._device} stopped",
                    fault="ended",
                    cure="Check that it is plugged in and its sound daemon runs.",
                )
            )
        opened.close()

    def _took(self, captured: Captured) -> None:
        """Called by PortAudio; the first call may come before `open` has returned."""
        now_ns = self._clock_ns()
        if not self._rate_hz:
            self._waiting.append((captured, now_ns))
            return
        for early, at_ns in self._waiting:
            self._events.put(_Samples(early, self._rate_hz, at_ns))
        self._waiting.clear()
        self._events.put(_Samples(captured, self._rate_hz, now_ns))


def _frame(event: _Samples) -> AudioFrame:
    mono = event.captured.samples.mean(axis=1, dtype=np.float32)[np.newaxis]
    frame = AudioFrame.from_ndarray(mono, format="flt", layout="mono")
    frame.sample_rate = event.rate_hz
    return frame


def _start_ns(event: _Samples) -> int:
    lasts_ns = len(event.captured.samples) * NS_PER_S // event.rate_hz
    return event.at_ns - max(event.captured.age_ns, lasts_ns)
