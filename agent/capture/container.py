"""One open FFmpeg container: packets in, decoded pictures and cut sound out, damaged ones skipped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agent.capture.decoding import PictureDecoder
from agent.capture.sound import Sound, SoundCutter
from agent.capture.timeline import StreamName, Ticks, Timeline, to_ns
from agent.types import NS_PER_S

_HOPELESS = 1_000
"""So many failed reads in a row, and the rest of the medium is given up."""
_GUESSED_FPS = 25
_LEAST_STEP_NS = 1_000  # two pictures with one stamp are still one after the other

ClockNs = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture; `index` counts all pictures of the source."""

    at_ns: int
    frame: VideoFrame
    index: int


@dataclass(slots=True)
class Damage:
    """What could not be decoded, and what could."""

    packets: int = 0
    decoded: int = 0


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads the chosen streams of `opened` until it ends; `read` may be used once.

    `live`: pictures without a stamp are dropped (the first ones of an RTSP stream), otherwise they get one
    from the rate. `arrival_ns` replaces the stamps where the format has none of its own (MJPEG over HTTP).
    `counts_sound`: the format has no stamps, and those that FFmpeg makes up go by the first sample rate; after a change
    of rate the samples are counted.
    `lends`: what comes lies in memory of the device, which goes when it is closed (V4L2), so it is copied first: a
    picture may be kept for longer. `decoder` makes the pictures where that is not FFmpeg's own for the stream.
    Raises av.error.FFmpegError where the medium itself fails.
    """

    opened: InputContainer
    picture: VideoStream | None
    sound: AudioStream | None
    timeline: Timeline
    ticks: Ticks[Picture]
    live: bool
    lends: bool = False
    counts_sound: bool = False
    arrival_ns: ClockNs | None = None
    decoder: PictureDecoder | None = None
    damage: Damage = field(default_factory=Damage)
    _cutter: SoundCutter = field(default_factory=SoundCutter)
    _index: int = -1
    _last_picture_ns: int = -NS_PER_S
    _first_rate_hz: int = 0
    _rate_changed: bool = False
    _next_stamp_ns: dict[StreamName, int] = field(default_factory=dict)

    def read(self) -> Iterator[Picture | Sound]:
        """Yield what is decoded, in the order in which it lies in the container."""
        for packet in self._packets():
            for frame in self._decoded(packet):
                if isinstance(frame, VideoFrame):
                    yield from self._took_picture(frame)
                elif isinstance(frame, AudioFrame):
                    yield from self._took_sound(frame)
        yield from self._cutter.flush()
        yield from self.ticks.flush()

    def _packets(self) -> Iterator["Packet[Stream]"]:
        """Yield packets; a damaged stretch is stepped over, a medium that only fails is at its end."""
        streams = [stream for stream in (self.picture, self.sound) if stream is not None]
        failed = 0
        while failed < _HOPELESS:
            try:
                for packet in self.opened.demux(streams):
                    failed = 0
                    yield packet
                return
            except (av.error.InvalidDataError, av.error.BlockingIOError):
                failed += 1
                self.damage.packets += 1

    def _decoded(self, packet: "Packet[Stream]") -> list[VideoFrame | AudioFrame]:
        try:
            frames = self._frames(_owned(packet) if self.lends and packet.size else packet)
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, ValueError):  # ValueError: PyAV, of a picture without a usable format
            self.damage.packets += 1
            return []
        self.damage.decoded += len(frames)
        return [frame for frame in frames if isinstance(frame, VideoFrame | AudioFrame)]

    def _frames(self, packet: "Packet[Stream]") -> Sequence[object]:
        if self.decoder is not None and packet.stream is self.picture:
            return self.decoder.decode(packet)
        return packet.decode()

    def _took_picture(self, frame: VideoFrame) -> Iterator[Picture]:
        rate = self.picture.average_rate if self.picture is not None else None
        at_ns = self._stamped("picture", frame, Fraction(1) / (rate or _GUESSED_FPS))
        if at_ns is None:
            return
        self._index += 1
        yield from self.ticks.push(at_ns, Picture(at_ns, frame, self._index))

    def _took_sound(self, frame: AudioFrame) -> Iterator[Sound]:
        self._first_rate_hz = self._first_rate_hz or frame.sample_rate
        self._rate_changed |= frame.sample_rate != self._first_rate_hz
        at_ns = self._stamped("sound", frame, Fraction(frame.samples, frame.sample_rate or 1))
        if at_ns is not None:
            yield from self._cutter.push(frame, at_ns)

    def _stamped(self, stream: StreamName, frame: VideoFrame | AudioFrame, lasts_s: Fraction) -> int | None:
        """Return where `frame` lies on the timeline, after what came before; None if nobody can know."""
        stamp_ns = self._stamp_ns(stream, frame)
        if stamp_ns is None:
            return None
        self._next_stamp_ns[stream] = stamp_ns + int(lasts_s * NS_PER_S)
        at_ns = self.timeline.at_ns(stream, stamp_ns)
        if stream == "picture":
            at_ns = self._last_picture_ns = max(at_ns, self._last_picture_ns + _LEAST_STEP_NS)
        return at_ns

    def _stamp_ns(self, stream: StreamName, frame: VideoFrame | AudioFrame) -> int | None:
        if self.arrival_ns is not None:
            return self.arrival_ns()
        if stream == "sound" and self.counts_sound and self._rate_changed and stream in self._next_stamp_ns:
            return self._next_stamp_ns[stream]
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is not None and frame.time_base is not None:
            return to_ns(stamp, frame.time_base)
        return None if self.live else self._next_stamp_ns.get(stream, 0)


def _owned(packet: "Packet[Stream]") -> "Packet[Stream]":
    copy: Packet[Stream] = Packet(bytes(packet))
    copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, packet.stream
    return copy
