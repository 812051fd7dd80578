"""Small recordings, made where a test needs them."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from agent.capture.source import SourceSpec, open_media
from agent.types import NS_PER_S, FloatArray, Frame, SoundBlock, Uint8Array

MS = NS_PER_S // 1000


def plain(width_px: int, height_px: int, level: int = 128) -> Uint8Array:
    """Return a picture of one grey."""
    return np.full((height_px, width_px, 3), level, np.uint8)


def tone(seconds: float, rate_hz: int, frequency_hz: float = 440.0, channels: int = 1) -> FloatArray:
    """Return a tone of amplitude 0.5: float32 [channels, samples]."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.tile(0.5 * np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32), (channels, 1))


def write_pictures(
    path: Path,
    pictures: Iterable[Uint8Array],
    *,
    fps: int = 10,
    stamps_ms: Sequence[int] | None = None,
    codec: str = "libx264",
) -> Path:
    """Write a film without sound; `stamps_ms` makes its rate vary."""
    with av.open(str(path), "w") as container:
        _add_pictures(container, list(pictures), fps, stamps_ms, codec)
    return path


def write_film(
    path: Path, seconds: float, *, fps: int = 10, sound_rate_hz: int = 48_000, sound_first: bool = False
) -> Path:
    """Write a film with a tone. `sound_first` puts all of the sound before the pictures: as badly as can be."""
    with av.open(str(path), "w", options={"max_interleave_delta": "1"} if sound_first else {}) as container:
        video = _picture_stream(container, 64, 48, fps, "libx264")
        sound = container.add_stream("aac", rate=sound_rate_hz, layout="mono")
        samples = tone(seconds, sound_rate_hz)
        levels = [plain(64, 48, (20 * n) % 256) for n in range(int(seconds * fps))]
        for packet in [*_encoded_sound(sound, samples, sound_rate_hz), *_encoded(video, levels, None)]:
            container.mux(packet)
    return path


def write_clip(path: Path, pictures: Sequence[Uint8Array], fps: int, samples: FloatArray, rate_hz: int) -> Path:
    """Write pictures with float32 [1, samples] of sound as a film."""
    height_px, width_px = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        video = _picture_stream(container, width_px, height_px, fps, "libx264")
        sound = container.add_stream("aac", rate=rate_hz, layout="mono")
        for packet in [*_encoded(video, pictures, None), *_encoded_sound(sound, samples, rate_hz)]:
            container.mux(packet)
    return path


def write_sound(path: Path, samples: FloatArray, rate_hz: int, codec: str = "pcm_s16le") -> Path:
    """Write float32 [channels, samples] as a sound file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="stereo" if len(samples) == 2 else "mono")
        for packet in _encoded_sound(stream, samples, rate_hz):
            container.mux(packet)
    return path


def write_picture(path: Path, picture: Uint8Array, codec: str) -> Path:
    """Write one picture file."""
    context = av.CodecContext.create(codec, "w")
    height_px, width_px = picture.shape[:2]
    pixel = {"mjpeg": "yuvj420p", "png": "rgb24", "bmp": "bgr24", "libwebp": "yuv420p"}[codec]
    context.width, context.height, context.pix_fmt, context.time_base = width_px, height_px, pixel, Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel)
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))
    return path


def read_all(path: Path | str, **wanted: object) -> tuple[list[Frame], list[SoundBlock]]:
    """Read a source to its end; assert that it comes in the order of media time."""
    frames: list[Frame] = []
    blocks: list[SoundBlock] = []
    last_ns = -1
    with open_media(SourceSpec(camera="test", url=str(path), **wanted)) as media:  # type: ignore[arg-type]
        for item in media.read():
            assert item.at_ns >= last_ns
            last_ns = item.at_ns
            frames.append(item) if isinstance(item, Frame) else blocks.append(item)
    return frames, blocks


def joined(blocks: Iterable[SoundBlock]) -> FloatArray:
    """Return the samples of all blocks."""
    return np.concatenate([block.samples for block in blocks])


def _picture_stream(container: "av.container.OutputContainer", width_px: int, height_px: int, fps: int, codec: str):
    stream = container.add_stream(codec, rate=fps)
    stream.width, stream.height = width_px, height_px
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    if codec == "libx264":
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "qp": "10"}
    return stream


def _add_pictures(container, pictures, fps, stamps_ms, codec) -> None:
    height_px, width_px = pictures[0].shape[:2]
    stream = _picture_stream(container, width_px, height_px, fps, codec)
    if stamps_ms is not None:
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
    for packet in _encoded(stream, pictures, stamps_ms):
        container.mux(packet)


def _encoded(stream, pictures, stamps_ms):
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        if stamps_ms is not None:
            frame.pts, frame.time_base = stamps_ms[number], Fraction(1, 1000)
        else:
            frame.pts, frame.time_base = number, 1 / Fraction(stream.average_rate or 10)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _encoded_sound(stream, samples, rate_hz):
    layout = "stereo" if len(samples) == 2 else "mono"
    for start in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[:, start : start + 1024]), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        yield from stream.encode(frame)
    yield from stream.encode(None)
