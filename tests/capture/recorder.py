"""Collects what a live source delivers, and waits for conditions instead of sleeping."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from agent.capture.live import LiveSource, Microphone, MicrophoneSpec, SourceState
from agent.capture.microphone import Inputs
from agent.capture.portaudio import PORTAUDIO
from agent.capture.spec import SourceSpec
from agent.types import Frame, SoundBlock

PATIENCE_S = 60.0  # a busy machine may be slow; a wait that is not needed costs nothing


class Runnable(Protocol):
    def run(self, stop: threading.Event) -> None: ...


class Recorder:
    """Frames, blocks of sound and states, each with the monotonic time of the callback."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.frames: list[tuple[int, Frame]] = []
        self.sound: list[tuple[int, SoundBlock]] = []
        self.states: list[SourceState] = []
        self.thread: threading.Thread | None = None

    def on_frame(self, frame: Frame) -> None:
        with self._changed:
            self.frames.append((time.monotonic_ns(), frame))
            self._changed.notify_all()

    def on_sound(self, block: SoundBlock) -> None:
        with self._changed:
            self.sound.append((time.monotonic_ns(), block))
            self._changed.notify_all()

    def on_state(self, state: SourceState) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Return when `condition` holds; fail after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                told = [(state.status, state.modalities, state.reason, state.why) for state in self.states]
                raise AssertionError(f"no {what}; {len(self.frames)} frames, {len(self.sound)} blocks, states {told}")

    def wait_more(self, frames: int = 0, sound: int = 0) -> None:
        """Wait for so many more frames and blocks."""
        due = (len(self.frames) + frames, len(self.sound) + sound)
        self.wait(lambda: len(self.frames) >= due[0] and len(self.sound) >= due[1], "more media")

    def wait_lost(self, after: int) -> None:
        """Wait until the source is told lost, for whatever reason, after the first `after` states."""
        self.wait(lambda: any(state.status == "lost" for state in self.states[after:]), "state lost")

    def wait_state(self, status: str, reason: str | None, after: int = 0, timeout_s: float = PATIENCE_S) -> SourceState:
        """Wait for a state told after the first `after` ones; return it."""
        found: list[SourceState] = []

        def seen() -> bool:
            found[:] = [state for state in self.states[after:] if (state.status, state.reason) == (status, reason)]
            return bool(found)

        self.wait(seen, f"state {status} {reason}", timeout_s)
        return found[0]


@contextmanager
def _running(recorder: Recorder, source: Runnable) -> Iterator[Recorder]:
    stop = threading.Event()
    recorder.thread = threading.Thread(target=source.run, args=(stop,), daemon=True)
    recorder.thread.start()
    try:
        yield recorder
    finally:
        stop.set()
        recorder.thread.join(PATIENCE_S)
        assert not recorder.thread.is_alive(), "the source did not stop"


@contextmanager
def running(spec: SourceSpec) -> Iterator[Recorder]:
    """Run a LiveSource on the real clock, without jitter in its waits."""
    recorder = Recorder()
    source = LiveSource(
        spec,
        clock_ns=time.monotonic_ns,
        on_frame=recorder.on_frame,
        on_sound=recorder.on_sound,
        on_state=recorder.on_state,
        jitter=lambda: 0.0,
    )
    with _running(recorder, source):
        yield recorder


@contextmanager
def listening(spec: MicrophoneSpec, inputs: Inputs = PORTAUDIO) -> Iterator[Recorder]:
    """Run a Microphone on the real clock, without jitter in its waits."""
    recorder = Recorder()
    source = Microphone(
        spec,
        clock_ns=time.monotonic_ns,
        on_sound=recorder.on_sound,
        on_state=recorder.on_state,
        jitter=lambda: 0.0,
        inputs=inputs,
    )
    with _running(recorder, source):
        yield recorder
