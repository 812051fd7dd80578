"""A short film in memory: JPEGs and sound in, MP4 out. One thread, the frugal settings: it runs beside the analysis.

Nothing is written to a disk here, so a disk that refuses can be met in one place, and a film is whole or not there.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec import Codec
from av.video.stream import VideoStream

from agent.errors import StoreError
from agent.service.evidence.fragments import FRAGMENTED, in_one_piece
from agent.types import NS_PER_S, SOUND_RATE_HZ, Uint8Array

TIME_BASE = Fraction(1, 1000)
NOMINAL_FPS = 10
# Never more than this, so a film's size is known beforehand: a minute is 9 MB at most, and mostly a third of it.
MOST_BITS_PER_S = 1_200_000
_NS_PER_MS = NS_PER_S // 1000
_HOLD_NS = NS_PER_S // NOMINAL_FPS

Options = dict[str, str]

# The first that this build of FFmpeg has. H.264 plays everywhere; MPEG-4 in most players, in few browsers.
ENCODERS: tuple[tuple[str, Options], ...] = (
    (
        "libx264",
        {"preset": "superfast", "crf": "26", "maxrate": str(MOST_BITS_PER_S), "bufsize": str(2 * MOST_BITS_PER_S)},
    ),
    ("libopenh264", {"rc_mode": "bitrate", "allow_skip_frames": "0"}),
    ("mpeg4", {}),
)


def encoder_of(wanted: tuple[tuple[str, Options], ...] = ENCODERS) -> tuple[str, Options]:
    """Return the name and the options of the first encoder there is. The last always is."""
    return next(((name, options) for name, options in wanted if _is_there(name)), wanted[-1])


def _is_there(name: str) -> bool:
    try:
        return bool(Codec(name, "w").is_encoder)
    except ValueError:
        return False


@contextmanager
def _coding() -> Iterator[None]:
    """Say in our words what the coder says."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise StoreError("a film cannot be coded", why=str(error), cure="Look for another build of PyAV.") from error


class ClipFilm:
    """One film: `picture` and `sound` in the order of their times, then `finish`. Times are nanoseconds on one axis.

    All may raise StoreError: the coder refuses.
    """

    def __init__(self, *, with_sound: bool, encoder: tuple[str, Options] | None = None) -> None:
        self._with_sound = with_sound
        self._encoder = encoder or encoder_of()
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="mp4", options=FRAGMENTED)
        self._handed_bytes = 0
        self._video: VideoStream | None = None
        self._audio: av.AudioStream | None = None
        self._from_ns = 0
        self._last: Uint8Array | None = None
        self._pts = -1
        self._sound_pts = 0  # where the sound so far ends

    @property
    def from_ns(self) -> int | None:
        """When the first picture was taken."""
        return None if self._video is None else self._from_ns

    def fresh(self) -> bytes:
        """Return what was made since the last call: all of it together is the film in fragments, as far as it goes."""
        with self._file.getbuffer() as made:
            fresh = bytes(made[self._handed_bytes :])
        self._handed_bytes += len(fresh)
        return fresh

    @_coding()
    def picture(self, at_ns: int, jpeg: bytes) -> None:
        """Add a picture; one that cannot be read is left out."""
        decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        if decoded is None:
            return
        picture = np.asarray(decoded, np.uint8)
        if self._video is None:
            self._open(at_ns, picture.shape[1], picture.shape[0])
        assert self._video is not None
        size = self._video.width, self._video.height
        if picture.shape[1::-1] != size:  # the camera changed its own size
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._encode(at_ns, picture)
        self._last = picture

    @_coding()
    def sound(self, at_ns: int, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
        """Add mono sound at 16 kHz, int16; what comes before the first picture is left out."""
        if self._audio is None:
            return
        pts = (at_ns - self._from_ns) * SOUND_RATE_HZ // NS_PER_S
        early = max(0, self._sound_pts - pts)
        if early >= len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples[None, early:], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SOUND_RATE_HZ, Fraction(1, SOUND_RATE_HZ), pts + early
        self._sound_pts = pts + len(samples)
        self._container.mux(self._audio.encode(frame))

    @_coding()
    def finish(self, until_ns: int) -> bytes:
        """Return the film; its last picture stays on until `until_ns`. Empty where there was no picture."""
        if self._video is None or self._last is None:
            self._container.close()
            return b""
        if until_ns > self._from_ns + self._pts * _NS_PER_MS + _HOLD_NS:
            self._encode(until_ns, self._last)
        for stream in (self._video, self._audio):
            if stream is not None:
                self._container.mux(stream.encode(None))
        self._container.close()
        return in_one_piece(self._file.getvalue())

    def _open(self, at_ns: int, width_px: int, height_px: int) -> None:
        name, options = self._encoder
        self._from_ns = at_ns
        video = self._container.add_stream(name, rate=NOMINAL_FPS, options=options)
        assert isinstance(video, VideoStream)  # encoders of pictures only
        video.width, video.height = width_px, height_px
        video.pix_fmt = "yuv420p"
        if "crf" not in options:
            video.bit_rate = MOST_BITS_PER_S
        self._video = video
        context = video.codec_context
        context.time_base = TIME_BASE
        context.thread_count = 1
        context.gop_size = 5 * NOMINAL_FPS  # a player can jump by seconds
        if self._with_sound:
            self._audio = self._container.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")

    def _encode(self, at_ns: int, picture: Uint8Array) -> None:
        assert self._video is not None
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        self._pts = max((at_ns - self._from_ns) // _NS_PER_MS, self._pts + 1)
        frame.pts, frame.time_base = self._pts, TIME_BASE
        self._container.mux(self._video.encode(frame))
