"""Writes an annotated video: pictures wait until the scene has understood them, then they are drawn and encoded."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from agent.errors import StoreError
from agent.service.evidence.clip_film import ENCODERS, Options, encoder_of
from agent.service.rendering.overlay import View, draw
from agent.types import NS_PER_S, SOUND_RATE_HZ, SoundBlock, Uint8Array

VIDEO_TIME_BASE = Fraction(1, 1000)
NOMINAL_FPS = 10
BIT_RATE = 900_000
# As of clips, but for x264, which has more time here than beside a running analysis.
FILM_ENCODERS: tuple[tuple[str, Options], ...] = (("libx264", {"preset": "veryfast"}), *ENCODERS[1:])


def _require_writable(path: Path) -> None:
    """Raise OSError now where the container, which is opened with its first picture, would later."""
    was_there = path.exists()
    with path.open("ab"):
        pass
    if not was_there:
        path.unlink()


class Film:
    """One MP4 (H.264 where this build of FFmpeg has it, AAC): `picture` and `sound` as they come, `develop` once the
    scene is past a moment."""

    def __init__(self, path: Path, *, with_sound: bool, encoder: tuple[str, Options] | None = None) -> None:
        try:
            _require_writable(path)
            self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        except OSError as error:
            raise StoreError(f"cannot write {path}", why=str(error.strerror), cure="Choose another file.") from error
        self._with_sound = with_sound
        self._encoder = encoder or encoder_of(FILM_ENCODERS)
        self._video: av.VideoStream | None = None
        self._audio: av.AudioStream | None = None
        self._waiting: deque[tuple[int, Uint8Array]] = deque()
        self._sound_waiting: list[SoundBlock] = []
        self._last_pts = -1
        self._sound_pts = 0  # where the sound written so far ends
        self._from_ns = self._end_ns = 0  # where the source at hand begins, where all so far ends

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def picture(self, at_ns: int, picture: Uint8Array) -> None:
        """Keep a full-size picture until `develop` reaches it."""
        self._waiting.append((at_ns, picture))

    def sound(self, block: SoundBlock) -> None:
        """Add sound; it is written once the first picture has fixed the streams."""
        if self._with_sound:
            at_ns = block.at_ns + self._from_ns
            self._sound_waiting.append(replace(block, at_ns=at_ns))
            self._end_ns = max(self._end_ns, at_ns + len(block.samples) * NS_PER_S // SOUND_RATE_HZ)

    def splice(self) -> None:
        """Another source begins, whose time starts anew: it follows what is there."""
        self._waiting.clear()
        self._from_ns = self._end_ns

    def develop(self, until_ns: int, view: Callable[[int], View]) -> None:
        """Draw and encode every waiting picture taken at or before `until_ns`."""
        while self._waiting and self._waiting[0][0] <= until_ns:
            at_ns, picture = self._waiting.popleft()
            self._encode(at_ns, draw(picture, view(at_ns)))

    def close(self) -> None:
        """Finish the file; pictures that were never developed are left out."""
        self._write_sound()
        for stream in (self._video, self._audio):
            if stream is not None:
                self._container.mux(stream.encode(None))
        self._container.close()

    def _encode(self, at_ns: int, drawn: Uint8Array) -> None:
        if self._video is None:
            self._open_streams(drawn.shape[1], drawn.shape[0])
        assert self._video is not None
        if drawn.shape[:2] != (self._video.height, self._video.width):
            drawn = _fitted(drawn, self._video.width, self._video.height)
        frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
        at_ns += self._from_ns
        self._end_ns = max(self._end_ns, at_ns + NS_PER_S // NOMINAL_FPS)
        frame.pts = max(at_ns * 1000 // NS_PER_S, self._last_pts + 1)
        frame.time_base = VIDEO_TIME_BASE
        self._last_pts = frame.pts
        self._container.mux(self._video.encode(frame))
        self._write_sound()

    def _open_streams(self, width_px: int, height_px: int) -> None:
        name, options = self._encoder
        video = self._container.add_stream(name, rate=NOMINAL_FPS, options=options)
        assert isinstance(video, av.VideoStream)  # encoders of pictures only
        video.width, video.height = width_px, height_px
        video.pix_fmt = "yuv420p"
        video.bit_rate = BIT_RATE
        video.codec_context.time_base = VIDEO_TIME_BASE
        self._video = video
        if self._with_sound:
            self._audio = self._container.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")

    def _write_sound(self) -> None:
        if self._audio is None:
            return
        for block in self._sound_waiting:
            frame = av.AudioFrame.from_ndarray(np.clip(block.samples, -1, 1)[None, :], format="fltp", layout="mono")
            frame.sample_rate = SOUND_RATE_HZ
            frame.pts = max(block.at_ns * SOUND_RATE_HZ // NS_PER_S, self._sound_pts)
            self._sound_pts = frame.pts + len(block.samples)
            frame.time_base = Fraction(1, SOUND_RATE_HZ)
            self._container.mux(self._audio.encode(frame))
        self._sound_waiting.clear()


def _fitted(picture: Uint8Array, width_px: int, height_px: int) -> Uint8Array:
    """Return `picture` cut or padded to the size of the film, for sources that change size half-way."""
    canvas = np.zeros((height_px, width_px, 3), dtype=np.uint8)
    height, width = min(height_px, picture.shape[0]), min(width_px, picture.shape[1])
    canvas[:height, :width] = picture[:height, :width]
    return canvas
