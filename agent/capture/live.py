"""Sources that run for months: opened, paced, put on the machine's clock, watched, and opened again.

    source = LiveSource(spec, clock_ns=time.monotonic_ns, on_frame=…, on_sound=…, on_state=…)
    source.run(stop)                 # returns when `stop` is set, or at the end of a recording

All callbacks come from the thread of `run`. `at_ns` is on the axis of `clock_ns`: of a live source by its
own stamps, of a recording by its media time from the moment it was started.
"""

import dataclasses
import random
import threading
from collections.abc import Callable, Iterable

from agent.capture.decoding import Decoding, Hardware
from agent.capture.microphone import Microphone, MicrophoneInfo, MicrophoneSpec, list_microphones
from agent.capture.pictures import LazyPicture
from agent.capture.pump import Arrived, Opened, Over, Pump
from agent.capture.spec import MediaInfo, SourceSpec
from agent.capture.state import Backoff, Herald, Modality, SourceState
from agent.capture.timing import OnAxis, Paced, Placed, Timing
from agent.capture.watch import Watch, modalities_of
from agent.errors import SourceError
from agent.types import NS_PER_S, Frame, SoundBlock, Uint8Array

__all__ = ["LiveSource", "Microphone", "MicrophoneInfo", "MicrophoneSpec", "SourceState", "list_microphones"]

_POLL_S = 0.1
_HEALTHY_S = 10.0
"""A connection that lasted this long makes the next failure the first one."""
_HANGING_S = 30.0
"""FFmpeg's own timeouts are shorter: who hangs for longer does so in the driver of a device that decodes."""
_SEAM_NS = NS_PER_S // 50
"""The first picture of a new connection comes at least so much after the last of the old one."""


class LiveSource:
    """One camera, recording or generator, kept running. `info` is what it said when it was last opened."""

    def __init__(
        self,
        spec: SourceSpec,
        *,
        clock_ns: Callable[[], int],
        on_frame: Callable[[Frame], None],
        on_sound: Callable[[SoundBlock], None],
        on_state: Callable[[SourceState], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.info: MediaInfo | None = None
        self._spec = spec
        self._clock_ns = clock_ns
        self._on_frame = on_frame
        self._on_sound = on_sound
        self._hardware = Hardware(spec.camera, spec.decoder)
        self._herald = Herald(spec.camera, on_state)
        self._backoff = Backoff(jitter)
        self._newest: tuple[tuple[int, LazyPicture], ...] = ()  # replaced, never changed: other threads read it
        self._last_ns: dict[Modality, int] = {}
        self._gap_before = False
        self._anew = False  # whether no picture of this connection was handed on yet

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, or until a recording that does not loop is over."""
        self._herald.tell("opening", self._modalities())
        while not stop.is_set():
            pump, self._anew = Pump(self._spec, self._clock_ns, self._hardware), False
            try:
                error = self._follow(pump, stop)
            finally:
                pump.abandon()
            if error is not None and error.fault == "timeout" and self._anew:
                self._hardware.failed("no picture came in time")
            if stop.is_set() or (error is None and self._over()):
                return
            self._gap_before = "sound" in self._last_ns
            if error is not None or self._is_live():
                self._lost(error, stop)
            self._let_go(pump, stop)

    def _let_go(self, pump: Pump, stop: threading.Event) -> None:
        """Wait until `pump` has ended: a second reader beside one that hangs would only hang as well.

        One that decodes by the CPU would not, where it is a device that hangs.
        """
        gives_up_ns = self._clock_ns() + int(_HANGING_S * NS_PER_S)
        while pump.hangs and not stop.wait(_POLL_S):
            if self.decoding.by != "cpu" and self._clock_ns() >= gives_up_ns:
                self._hardware.failed("it hangs")
                return

    @property
    def decoding(self) -> Decoding:
        """What decodes the pictures now; from any thread."""
        return self._hardware.decoding

    def latest_picture(self) -> Uint8Array | None:
        """Return the newest delivered picture in full size, uint8 [H, W, 3] RGB; from any thread."""
        newest = self._newest
        return newest[-1][1].array() if newest else None

    def picture_of(self, at_ns: int) -> LazyPicture | None:
        """Return the full-size picture of the frame of `at_ns`, if it is one of the newest two; from any thread."""
        return dict(self._newest).get(at_ns)

    def _follow(self, pump: Pump, stop: threading.Event) -> SourceError | None:
        """Deliver what `pump` reads; return why it ended, None for an end of its own."""
        watch = Watch(self._spec, self._clock_ns())
        timing: Timing = Paced()
        while not stop.is_set():
            event = pump.take(_POLL_S)
            if isinstance(event, Over):
                self._deliver(timing.flush(), watch, stop)
                if event.error is not None and not isinstance(event.error, SourceError):
                    raise event.error
                return event.error
            if isinstance(event, Opened):
                self._opened(event.info)
                timing = Paced() if event.info.paced else OnAxis()
                watch.opened(event.info, self._clock_ns())
            arrived = event if isinstance(event, Arrived) else None
            if arrived is not None:
                watch.arrived(_modality(arrived.item), self._clock_ns())
            self._deliver(timing.place(arrived, self._clock_ns()), watch, stop)
            failure = watch.failure(self._clock_ns())
            if failure is not None:
                return failure
            if watch.sound_is_missing(self._clock_ns()):
                self._herald.tell("lost", ("sound",), "timeout", "the picture comes, but no sound")
        return None

    def _opened(self, info: MediaInfo) -> None:
        self.info, self._anew = info, True
        absent = tuple(modality for modality in self._wanted() if modality not in modalities_of(info))
        self._herald.tell("absent", absent)

    def _deliver(self, placed: Iterable[Placed], watch: Watch, stop: threading.Event) -> None:
        for one in placed:
            wait_ns = one.due_ns - self._clock_ns()
            if wait_ns > 0 and stop.wait(wait_ns / NS_PER_S):
                return
            modality = _modality(one.item)
            watch.arrived(modality, self._clock_ns())
            self._herald.tell("running", (modality,), why=_described(self.info, modality))
            self._give(one, modality)
            if watch.open_for_s(self._clock_ns()) > _HEALTHY_S:
                self._backoff.reset()

    def _give(self, one: Placed, modality: Modality) -> None:
        """Hand on one item; the time of a modality never stands still or runs back.

        A camera that begins with what it has kept shows again what was seen before the connection was lost: such
        pictures are left out, for squeezed into no time, or nearly none, everything in them would be fast.
        """
        last_ns = self._last_ns.get(modality)
        if isinstance(one.item, Frame):
            if last_ns is not None and one.item.at_ns <= last_ns + (_SEAM_NS if self._anew else 0):
                return
            self._anew = False
        at_ns = one.item.at_ns if last_ns is None else max(one.item.at_ns, last_ns + 1)
        self._last_ns[modality] = at_ns
        if isinstance(one.item, Frame):
            if one.full is not None:
                self._newest = (*self._newest[-1:], (at_ns, one.full))
            self._on_frame(dataclasses.replace(one.item, at_ns=at_ns))
            return
        gap_before, self._gap_before = one.item.gap_before or self._gap_before, False
        self._on_sound(dataclasses.replace(one.item, at_ns=at_ns, gap_before=gap_before))

    def _is_live(self) -> bool:
        return self.info is None or self.info.live

    def _over(self) -> bool:
        """Tell the end of a recording that does not start again; whether it is that."""
        if self._is_live() or self._spec.loop:
            return False
        self._herald.tell("ended", self._modalities(), "ended")
        return True

    def _lost(self, error: SourceError | None, stop: threading.Event) -> None:
        why = error.line() if error else "the source ended the connection"
        self._herald.tell("lost", self._modalities(), error.fault if error else "ended", why)
        stop.wait(self._backoff.wait_s(transient=error is None or error.transient))

    def _modalities(self) -> tuple[Modality, ...]:
        return self._wanted() if self.info is None else modalities_of(self.info)

    def _wanted(self) -> tuple[Modality, ...]:
        wanted: list[Modality] = ["vision"] if self._spec.want_picture else []
        return (*wanted, "sound") if self._spec.want_sound else tuple(wanted)


def _modality(item: Frame | SoundBlock) -> Modality:
    return "vision" if isinstance(item, Frame) else "sound"


def _described(info: MediaInfo | None, modality: Modality) -> str:
    if info is None:
        return ""
    if modality == "vision":
        return f"{info.video_codec} {info.width_px} × {info.height_px}"
    return f"{info.audio_codec} {info.sample_rate_hz} Hz"
