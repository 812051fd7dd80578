"""An opened medium: read it to its end, ask for its newest picture in full size, close it."""

import contextlib
import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from av import error as av_error

from agent.capture.address import Address
from agent.capture.container import Damage, Picture
from agent.capture.decoding import Decoding, Hardware
from agent.capture.faults import read_error
from agent.capture.merge import in_order
from agent.capture.pictures import LazyPicture, NativePicture, Scaler, upright_size
from agent.capture.sound import Sound
from agent.capture.spec import MediaInfo, SourceSpec
from agent.errors import SourceError
from agent.types import Frame, SoundBlock, Uint8Array

_LOG = logging.getLogger(__name__)


class Readable(Protocol):
    """One stream or container that is read from beginning to end."""

    damage: Damage

    def read(self) -> Iterator[Picture | Sound]:
        """Yield pictures and sound, each of them in order."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a medium is made of: `readers`, each already in the order of time if there are several."""

    readers: Sequence[Readable]
    close: Callable[[], None]
    hardware: Hardware | None = None


class Media:
    """An opened source. `read` once; `latest_picture` may be called from any thread.

    `newest` is the picture of the newest Frame, not yet turned into an array.
    """

    def __init__(self, spec: SourceSpec, address: Address, info: MediaInfo, parts: Parts) -> None:
        self.info = info
        self._spec = spec
        self._address = address
        self._parts = parts
        self._scaler = Scaler(spec.width_px, spec.height_px, spec.masks)
        self.newest: LazyPicture | None = None

    def read(self, *, ordered: bool = True) -> Iterator[Frame | SoundBlock]:
        """Yield frames and blocks of sound until the medium ends, unpaced, in media-time order.

        With `ordered` False nothing waits for the other stream: right for live sources.
        Raises SourceError when the medium fails, or when nothing of it could be decoded.
        """
        failed = None
        try:
            for item in self._items(ordered):
                if isinstance(item, Sound):
                    yield self._block(item)
                elif (frame := self._frame(item)) is not None:
                    yield frame
        except av_error.FFmpegError as error:
            failed = read_error(error, self._address, limit_s=self._spec.stall_timeout_s)
        if failed is not None:
            raise failed  # outside of `except`: the exception that knows the password must not hang on
        self._check_damage()

    def latest_picture(self) -> Uint8Array | None:
        """Return the picture of the newest Frame in full size, uint8 [H, W, 3] RGB, masks blackened."""
        newest = self.newest
        return newest.array() if newest is not None else None

    @property
    def decoding(self) -> Decoding:
        """What decodes its pictures now."""
        return self._parts.hardware.decoding if self._parts.hardware is not None else Decoding()

    @property
    def damaged_packets(self) -> int:
        """How many packets could not be decoded so far."""
        return sum(reader.damage.packets for reader in self._parts.readers)

    def close(self) -> None:
        """Let go of the source; the newest picture stays."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _items(self, ordered: bool) -> Iterator[Picture | Sound]:
        readers = [reader.read() for reader in self._parts.readers]
        with contextlib.ExitStack() as stack:
            for reader in readers:
                stack.callback(reader.close)  # type: ignore[attr-defined]  # all are generators
            if len(readers) > 1:
                yield from heapq.merge(*readers, key=lambda item: item.at_ns)
            elif ordered and self.info.has_picture and self.info.has_sound:
                yield from in_order(readers[0])
            else:
                yield from readers[0]

    def _frame(self, picture: Picture) -> Frame | None:
        try:
            scaled = self._scaler.scaled(picture.frame)
        except (av_error.FFmpegError, ValueError):  # a pixel format that nobody can convert
            self._parts.readers[0].damage.packets += 1
            return None
        width_px, height_px = upright_size(picture.frame)
        self.newest = LazyPicture(picture.frame, self._spec.masks)
        return Frame(
            camera=self._spec.camera,
            at_ns=max(0, picture.at_ns),
            picture=scaled,
            width_px=width_px,
            height_px=height_px,
            index=picture.index,
            native=NativePicture(picture.frame, self._spec.masks) if width_px > scaled.shape[1] else None,
        )

    def _block(self, sound: Sound) -> SoundBlock:
        return SoundBlock(
            camera=self._spec.camera,
            at_ns=max(0, sound.at_ns),
            samples=sound.samples,
            gap_before=sound.gap_before,
        )

    def _check_damage(self) -> None:
        decoded = sum(reader.damage.decoded for reader in self._parts.readers)
        if not decoded and not self.info.live:
            raise SourceError(
                f"{self._address.shown} cannot be read",
                fault="codec",
                why="nothing in it could be decoded",
                cure="Check that the recording is whole.",
            )
        if self.damaged_packets:
            _LOG.warning("%s: %d damaged packets were skipped", self._spec.camera, self.damaged_packets)
