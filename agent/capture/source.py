"""One door for everything that can be seen or heard: files, folders, cameras, generators.

    spec = SourceSpec(camera="door", url="rtsp://192.0.2.10/stream1", username="admin", password=secret)
    with open_media(spec) as media:
        for item in media.read():          # Frame or SoundBlock, in media-time order, as fast as they come
            ...

Time is the medium's own, from its stamps (PTS), zero where it begins; `agent.capture.live` puts it on the
machine's monotonic clock. Whatever is damaged is skipped and counted; a medium of which nothing can be
decoded is a SourceError.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agent.capture.address import Address, resolve
from agent.capture.container import Reader
from agent.capture.decoding import Hardware, PictureDecoder
from agent.capture.faults import source_error
from agent.capture.folder import DEFAULT_FPS, FolderReader, decode_picture, numbered_pictures
from agent.capture.media import Media, Parts
from agent.capture.spec import MediaInfo, SourceSpec
from agent.capture.timeline import Ticks, Timeline
from agent.errors import SourceError
from agent.types import NS_PER_S

__all__ = ["Media", "MediaInfo", "SourceSpec", "open_media"]

_US_NS = 1_000
_MARGIN_S = 10.0
_REFUSED_FORMATS = frozenset({"tty"})
"""FFmpeg plays any text file as an ANSI film; nobody means that."""
_UNSTAMPED_FORMATS = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})
"""Over HTTP these carry no time; FFmpeg would pretend 25 pictures a second, or leave it out."""
_SOUND_WITHOUT_STAMPS = frozenset({"aac", "mp3"})
_IN_PIECES = frozenset({"hls", "dash"})
"""Come seconds at a time: live, but to be played at their own speed."""


def open_media(
    spec: SourceSpec, *, clock_ns: Callable[[], int] = time.monotonic_ns, hardware: Hardware | None = None
) -> Media:
    """Open a source. `clock_ns` stamps what has no stamps of its own. Raises SourceError.

    `hardware` decodes the pictures of a camera in the network, and knows what failed before (None: what `spec` says).
    """
    address = resolve(spec)
    hardware = hardware or Hardware(spec.camera, spec.decoder)
    if address.kind == "folder":
        return _folder(spec, address)
    with ExitStack() as opened:
        container = opened.enter_context(_open(spec, address))
        picture, sound = _streams(spec, address, container)
        info = _info(address, container, picture, sound)
        if address.kind != "file" or picture is None or sound is None:
            readers = [_reader(spec, info, container, picture, sound, _timeline(info, container))]
            if address.kind == "http" and container.format.name in _UNSTAMPED_FORMATS:
                readers[0].arrival_ns = clock_ns
            readers[0].lends = address.kind == "v4l2"
            if picture is not None and info.live and address.kind != "v4l2":
                readers[0].decoder = PictureDecoder(picture, hardware)
        else:
            # A file is opened once for each stream: however badly they are interleaved, each is read at its own
            # pace, and nothing has to wait in memory.
            again = opened.enter_context(_open(spec, address))
            timeline = _timeline(info, container)
            readers = [
                _reader(spec, info, container, picture, None, timeline),
                _reader(spec, info, again, None, _streams(spec, address, again)[1], timeline),
            ]
        return Media(spec, address, info, Parts(readers, opened.pop_all().close, hardware))


def _open(spec: SourceSpec, address: Address) -> InputContainer:
    started_s = time.monotonic()
    # FFmpeg's RTSP reader tries a second time, so a stall shows after twice the limit.
    read_timeout_s = spec.stall_timeout_s / 2 if address.kind == "rtsp" else spec.stall_timeout_s
    try:
        return av.open(
            address.target,
            format=address.format,
            options=address.options,
            timeout=(spec.open_timeout_s, read_timeout_s) if address.kind != "file" else None,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError, RuntimeError) as error:
        waited_s = time.monotonic() - started_s
        failed = source_error(error, address, waited_s=waited_s, limit_s=spec.open_timeout_s)
    raise failed  # outside of `except`: the exception that knows the password must not hang on


def _streams(
    spec: SourceSpec, address: Address, container: InputContainer
) -> tuple[VideoStream | None, AudioStream | None]:
    pictures = [stream for stream in container.streams.video if _can_be_decoded(stream)]
    sounds = [stream for stream in container.streams.audio if _can_be_decoded(stream)]
    picture = next(iter(pictures), None) if spec.want_picture else None
    sound = next(iter(sounds), None) if spec.want_sound else None
    if container.format.name in _REFUSED_FORMATS or (picture is None and sound is None):
        wanted = " or ".join(
            word for word, is_wanted in (("picture", spec.want_picture), ("sound", spec.want_sound)) if is_wanted
        )
        raise SourceError(
            f"{address.shown} cannot be read",
            fault="codec",
            why=f"there is no {wanted} in it that can be decoded",
            cure="`vedette camera probe` tells what comes.",
        )
    for stream in (picture, sound):
        if stream is not None:
            stream.codec_context.thread_count = 1  # more threads cost more, and delay what they decode
    return picture, sound


def _can_be_decoded(stream: VideoStream | AudioStream) -> bool:
    # PyAV leaves the codec context out where FFmpeg has no decoder; a cover picture is no film.
    return stream.codec_context is not None and not stream.disposition & Disposition.attached_pic


def _info(
    address: Address, container: InputContainer, picture: VideoStream | None, sound: AudioStream | None
) -> MediaInfo:
    duration_s = None
    if not address.live and container.duration is not None and container.duration > 0:
        duration_s = container.duration / 1e6
    return MediaInfo(
        has_picture=picture is not None,
        has_sound=sound is not None,
        width_px=picture.codec_context.width if picture else 0,
        height_px=picture.codec_context.height if picture else 0,
        fps=float(picture.average_rate or picture.guessed_rate or 0) if picture else 0.0,
        video_codec=picture.codec_context.name if picture else "",
        audio_codec=sound.codec_context.name if sound else "",
        sample_rate_hz=sound.codec_context.sample_rate if sound else 0,
        duration_s=duration_s,
        live=address.live or (address.kind == "http" and duration_s is None),
        in_pieces=container.format.name in _IN_PIECES,
    )


def _timeline(info: MediaInfo, container: InputContainer) -> Timeline:
    origin_ns = None if container.start_time is None else container.start_time * _US_NS
    if info.duration_s is None:
        return Timeline(origin_ns)
    return Timeline(origin_ns, longest_leap_ns=int((info.duration_s + _MARGIN_S) * NS_PER_S))


def _reader(
    spec: SourceSpec,
    info: MediaInfo,
    container: InputContainer,
    picture: VideoStream | None,
    sound: AudioStream | None,
    timeline: Timeline,
) -> Reader:
    return Reader(
        opened=container,
        picture=picture,
        sound=sound,
        timeline=timeline,
        ticks=Ticks(spec.analysis_fps, patient=not info.live),
        live=info.live,
        counts_sound=container.format.name in _SOUND_WITHOUT_STAMPS,
    )


def _folder(spec: SourceSpec, address: Address) -> Media:
    if not spec.want_picture:
        raise SourceError(f"{address.shown} has no sound", fault="codec", why="it is a folder of pictures")
    pictures = numbered_pictures(Path(address.target))
    fps = spec.fps or DEFAULT_FPS
    first = next((frame for frame in map(_picture_or_none, pictures) if frame is not None), None)
    if first is None:
        raise SourceError(
            f"{address.shown} cannot be read",
            fault="codec",
            why="no picture in it can be decoded",
            cure="Copy it again.",
        )
    info = MediaInfo(
        has_picture=True,
        has_sound=False,
        width_px=first.width,
        height_px=first.height,
        fps=fps,
        video_codec=pictures[0].suffix.lower().lstrip("."),
        duration_s=len(pictures) / fps,
    )
    reader = FolderReader(pictures=pictures, fps=fps, ticks=Ticks(spec.analysis_fps, patient=True))
    return Media(spec, address, info, Parts([reader], lambda: None))


def _picture_or_none(path: Path) -> VideoFrame | None:
    try:
        return decode_picture(path)
    except (av.error.FFmpegError, OSError):
        return None
