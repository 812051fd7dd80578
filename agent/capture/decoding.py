"""Pictures out of packets: by the CPU, or by a device for as long as it does it well.

A device is asked from a key frame on. At its first fault the CPU takes over with all that came since the last key
frame, so that no more is missing than it had held back before that, and this source does not ask the device again.
Nothing that a device does costs more: it may refuse to open, refuse the stream, fail later, keep silent, or give
pictures that lie in memory of its own.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from av import error as av_error
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agent.capture.devices import (
    DEVICES,
    REFUSALS,
    DecoderChoice,
    DecoderName,
    Decodes,
    DeviceName,
    Offer,
    offer_of,
    open_decoder,
)

_LOG = logging.getLogger(__name__)

SILENT_PACKETS = 30  # more than a device holds back to put pictures in order
DAMAGED_PACKETS = 10
"""So many in a row that a device cannot decode are its fault; a single one may have been damaged on the way."""
_KEPT_PACKETS = 600
_IN_SYSTEM_MEMORY = frozenset(
    {"nv12", "nv21", "nv16", "p010le", "p016le", "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p",
     "yuv420p10le", "gray"}
)  # fmt: skip
"""What devices give that anybody can scale: nearly always the first of them."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """What decodes the pictures of a source; `fault` says why not a device, `cure` what to do.

    `promised`: that very device was asked for, not whichever works.
    """

    by: DecoderName = "cpu"
    fault: str = ""
    cure: str = ""
    promised: bool = False


class Hardware:
    """The device that decodes one source, over all its connections: what failed once is not asked again.

    `decoding` is replaced, never changed: it may be read from any thread.
    """

    def __init__(
        self,
        camera: str,
        choice: DecoderChoice,
        *,
        create: Callable[[VideoStream, DeviceName], Decodes] = open_decoder,
        offer: Callable[[DeviceName], Offer] = offer_of,
    ) -> None:
        self.decoding = Decoding()
        self._camera = camera
        self._create = create
        self._offer = offer
        self._promised = choice not in ("cpu", "auto")
        self._left: list[DeviceName] = []
        if choice == "auto":
            self._left = [name for name in DEVICES if offer(name).usable]
        elif choice != "cpu":
            self._left = [choice]

    def opened(self, stream: VideoStream) -> Decodes | None:
        """Return a decoder on the first device that takes `stream`; None where that is for the CPU."""
        while self._left:
            self.decoding = Decoding(self._left[0])
            try:
                return self._create(stream, self._left[0])
            except REFUSALS as error:
                self.failed(_sentence(error))
        return None

    def failed(self, why: str) -> None:
        """The device that is in use is no good for this source."""
        if self.decoding.by == "cpu":
            return
        name = self.decoding.by
        self._left = [device for device in self._left if device != name]
        offer = self._offer(name)
        fault = f"{name} does not decode it: {why if offer.usable else offer.what}"
        cure = offer.cure or f"Check the driver of {name} (docs/install.md), or set `decoder` to cpu."
        self.decoding = Decoding("cpu", fault, cure, self._promised)
        _LOG.warning("%s: %s. The CPU does. %s", self._camera, fault, cure)


class PictureDecoder:
    """Decodes the packets of one stream of pictures, in the order in which they come."""

    def __init__(self, stream: VideoStream, hardware: Hardware | None = None) -> None:
        self._stream = stream
        self._hardware = hardware
        self._device = hardware.opened(stream) if hardware is not None else None
        self._asked = False
        self._since_key: list[Packet[Stream]] = []
        self._whole = True  # whether nothing since the last key frame was let go of
        self._waits = False
        self._given_pts: int | None = None
        self._silent = self._damaged = 0

    def decode(self, packet: "Packet[Stream]") -> Sequence[VideoFrame]:
        """Return the pictures that are ready. Raises av.error.FFmpegError, ValueError of a packet that is damaged."""
        if self._device is None:
            return self._by_cpu(packet)
        if packet.is_keyframe:
            self._asked, self._whole = True, True
            self._since_key.clear()
        if not self._asked:  # in the midst of a group of pictures some devices fail for good, where the CPU makes do
            return self._by_cpu(packet)
        self._keep(packet)
        return self._by_device(self._device, packet)

    def _by_cpu(self, packet: "Packet[Stream]") -> Sequence[VideoFrame]:
        if self._waits and packet.size and not packet.is_keyframe:
            return []
        self._waits = False
        return self._stream.codec_context.decode(packet)

    def _by_device(self, device: Decodes, packet: "Packet[Stream]") -> Sequence[VideoFrame]:
        try:
            frames = device.decode(packet)
        except av_error.EOFError:
            raise
        except REFUSALS as error:
            self._damaged += 1
            was_good = self._given_pts is not None and self._damaged < DAMAGED_PACKETS
            if was_good and isinstance(error, av_error.InvalidDataError):
                raise
            return self._taken_over(_sentence(error))
        foreign = next((frame.format.name for frame in frames if frame.format.name not in _IN_SYSTEM_MEMORY), None)
        if foreign is not None:
            return self._taken_over(f"its pictures come as {foreign}")
        if not frames:
            self._silent += 1
            return self._taken_over(f"{self._silent} packets gave no picture") if self._silent > SILENT_PACKETS else []
        self._silent = self._damaged = 0
        self._given_pts = frames[-1].pts
        return frames

    def _keep(self, packet: "Packet[Stream]") -> None:
        self._whole = self._whole and len(self._since_key) < _KEPT_PACKETS
        if self._whole:
            self._since_key.append(packet)
        else:
            self._since_key.clear()

    def _taken_over(self, why: str) -> Sequence[VideoFrame]:
        """Leave the device, and return what the CPU makes of the packets of which it gave no picture."""
        assert self._hardware is not None
        self._hardware.failed(why)
        self._device = None
        self._stream.codec_context.flush_buffers()  # it may have begun in the midst of the group before
        self._waits = not self._whole
        frames: list[VideoFrame] = []
        for packet in self._since_key:
            try:
                frames += self._by_cpu(packet)
            except (av_error.FFmpegError, ValueError):  # the one that was damaged
                continue
        self._since_key.clear()
        newest = self._given_pts
        return [frame for frame in frames if newest is None or frame.pts is None or frame.pts > newest]


def _sentence(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:1].lower() + str(text)[1:]
