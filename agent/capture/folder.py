"""A folder of numbered pictures as a medium: natural order, a rate that somebody has to name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from agent.capture.container import Damage, Picture
from agent.capture.timeline import Ticks
from agent.errors import SourceError
from agent.types import NS_PER_S

DEFAULT_FPS = 10.0
"""Pictures per second where none is named: that of the usual anomaly recordings (UCSD Ped)."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})

_NUMBER = re.compile(r"(\d+)")
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8", "mjpeg"),
    (b"\x89PNG", "png"),
    (b"BM", "bmp"),
    (b"RIFF", "webp"),
)


def numbered_pictures(folder: Path) -> list[Path]:
    """Return the pictures of `folder` so that 2 comes before 10. Raises SourceError if there is none to see."""
    try:
        names = list(folder.iterdir())
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SourceError(f"{folder} cannot be read", fault="refused", why=why, cure="Check who may read it.") from None
    found = sorted(
        (path for path in names if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")), key=_natural
    )
    if not found:
        raise SourceError(
            f"there is no picture in {folder}",
            fault="not_found",
            cure=f"A folder of numbered pictures holds {', '.join(sorted(SUFFIXES))}.",
        )
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    # The name itself comes last, so that 1.png and 01.png keep one order on every machine.
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(path.name.lower())]
    return [*parts, (-1, path.name)]


def decode_picture(path: Path) -> VideoFrame:
    """Decode one picture file by its content, whatever its suffix; raises av.error.FFmpegError or OSError."""
    data = path.read_bytes()
    codec = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if codec is None:
        raise av.error.InvalidDataError(0, "not a picture")
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    frames = [*context.decode(Packet(data)), *context.decode(None)]
    if not frames:
        raise av.error.InvalidDataError(0, "no picture in it")
    return frames[0]


@dataclass(slots=True, kw_only=True)
class FolderReader:
    """Reads `pictures` one after the other, `fps` a second; damaged ones leave their place empty."""

    pictures: list[Path]
    fps: float
    ticks: Ticks[Picture]
    damage: Damage = field(default_factory=Damage)

    def read(self) -> Iterator[Picture]:
        """Yield the pictures that are to be analysed."""
        step_s = 1 / Fraction(self.fps).limit_denominator(100_000)
        for index, path in enumerate(self.pictures):
            try:
                frame = decode_picture(path)
            except (av.error.FFmpegError, OSError):
                self.damage.packets += 1
                continue
            self.damage.decoded += 1
            at_ns = int(index * step_s * NS_PER_S)
            yield from self.ticks.push(at_ns, Picture(at_ns, frame, index))
        yield from self.ticks.flush()
