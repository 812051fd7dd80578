"""Opens and reads a source in a thread of its own, for FFmpeg can hang where no timeout reaches it."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from agent.capture.decoding import Hardware
from agent.capture.media import Media
from agent.capture.pictures import LazyPicture
from agent.capture.source import open_media
from agent.capture.spec import MediaInfo, SourceSpec
from agent.types import Frame, SoundBlock

_AHEAD = 4
_PUT_S = 0.2


@dataclass(frozen=True, slots=True)
class Opened:
    """The source is open."""

    info: MediaInfo


@dataclass(frozen=True, slots=True)
class Arrived:
    """Something came, at `arrived_ns` of the machine's clock; `full` belongs to a Frame."""

    item: Frame | SoundBlock
    arrived_ns: int
    full: LazyPicture | None


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing more comes: the source ended, or failed with `error`.

    An error that is no SourceError is a fault of ours, for whoever takes this to raise.
    """

    error: BaseException | None


Event = Opened | Arrived | Over


class Pump:
    """Reads `spec` as soon as it is made; `take` gives what came. `abandon` may leave a hanging thread behind.

    `hardware` decodes the pictures, as `open_media` says.
    """

    def __init__(self, spec: SourceSpec, clock_ns: Callable[[], int], hardware: Hardware | None = None) -> None:
        self._spec = spec
        self._clock_ns = clock_ns
        self._hardware = hardware
        self._events: queue.Queue[Event] = queue.Queue(_AHEAD)
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"read {spec.camera}", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Event | None:
        """Return the next event, or None after `timeout_s`."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def abandon(self) -> None:
        """Ask the thread to close the source and end; does not wait for it."""
        self._abandoned.set()

    @property
    def hangs(self) -> bool:
        """Whether the thread is still there."""
        return self._thread.is_alive()

    def _run(self) -> None:
        with (
            _HandOver(self._put),
            open_media(self._spec, clock_ns=self._clock_ns, hardware=self._hardware) as media,
        ):
            self._put(Opened(media.info))
            self._read(media)

    def _read(self, media: Media) -> None:
        # A recording is paced, and so may wait for the stream that is behind; live, nothing waits.
        for item in media.read(ordered=media.info.paced):
            full = media.newest if isinstance(item, Frame) else None
            if not self._put(Arrived(item, self._clock_ns(), full)):
                return

    def _put(self, event: Event) -> bool:
        while not self._abandoned.is_set():
            try:
                self._events.put(event, timeout=_PUT_S)
            except queue.Full:
                continue
            return True
        return False


class _HandOver:
    """Puts an Over with whatever ended the block: an error belongs to the thread that takes it, not to this one."""

    def __init__(self, put: Callable[[Event], bool]) -> None:
        self._put = put

    def __enter__(self) -> None:
        """Nothing is over yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> Literal[True]:
        self._put(Over(error))
        return True
