"""What to open, and what an opened medium says of itself."""

from dataclasses import dataclass, field
from typing import Literal

from agent.capture.devices import DecoderChoice
from agent.capture.pictures import Polygons


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Which source, and how to read it.

    `url`: rtsp(s)://, http(s)://, /dev/video0, v4l2:…, a file, a folder of numbered pictures, or lavfi:…
    `tls_verify`: rtsps and https only from whom `tls_ca_file` (PEM; empty: the system's authorities) vouches for.
    `fps`: pictures per second of a folder (10 if None), or asked of a V4L2 camera; nothing else heeds it.
    `analysis_fps`: at most so many pictures a second are given, those nearest to each tick; None: every one.
    `decoder`: which device decodes the pictures of cameras in the network; all else is for the CPU.
    `width_px`, `height_px`: pictures are scaled down to fit into this. `masks`: polygons in fractions.
    """

    camera: str
    url: str = field(repr=False)
    username: str = ""
    password: str | None = field(default=None, repr=False)
    transport: Literal["tcp", "udp"] = "tcp"
    tls_verify: bool = True
    tls_ca_file: str = ""
    open_timeout_s: float = 10.0
    stall_timeout_s: float = 5.0
    fps: float | None = None
    loop: bool = False
    decoder: DecoderChoice = "cpu"
    width_px: int = 320
    height_px: int = 192
    analysis_fps: float | None = None
    want_picture: bool = True
    want_sound: bool = True
    masks: Polygons = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a medium says of itself; zero or empty where it does not say. `live`: it runs on its own clock.

    `in_pieces`: what it sends lasts for seconds and comes at once (HLS), so it has to be played at its own speed.

    Sizes are those of the stored picture; a recording that is to be shown turned has them swapped, and only
    its frames say so.
    """

    has_picture: bool
    has_sound: bool
    width_px: int = 0
    height_px: int = 0
    fps: float = 0.0
    video_codec: str = ""
    audio_codec: str = ""
    sample_rate_hz: int = 0
    duration_s: float | None = None
    live: bool = False
    in_pieces: bool = False

    @property
    def paced(self) -> bool:
        """Whether it would be read faster than it was recorded: recordings, and what comes in pieces."""
        return self.in_pieces or not self.live
