"""Decoders in hardware: which there are, whether this machine seems to have one, and how FFmpeg is asked for it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

DeviceName = Literal["cuda", "vaapi", "qsv"]
DecoderName = Literal["cpu", "cuda", "vaapi", "qsv"]
DecoderChoice = Literal["cpu", "auto", "cuda", "vaapi", "qsv"]

REFUSALS = (av.error.FFmpegError, NotImplementedError, RuntimeError, ValueError)
"""What PyAV raises where a device, or a decoder of it, cannot be had."""


@dataclass(frozen=True, slots=True)
class _Kind:
    nodes: str  # its files below /dev
    decoder: str = "{}"  # FFmpeg's name of the decoder; {} stands for the codec
    built_with: tuple[str, ...] = ()  # what PyAV's FFmpeg needs
    options: dict[str, object] = field(default_factory=dict)


_KINDS: dict[DeviceName, _Kind] = {
    # All cameras share one context: each of its own takes a hundred MB and more of the GPU's memory.
    "cuda": _Kind("nvidia[0-9]*", built_with=("cuda",), options={"primary_ctx": "1"}),
    "vaapi": _Kind("dri/renderD*", built_with=("vaapi",)),
    "qsv": _Kind("dri/renderD*", decoder="{}_qsv", built_with=("qsv", "vaapi")),  # on Linux it stands on VA-API
}
DEVICES: tuple[DeviceName, ...] = tuple(_KINDS)


class Decodes(Protocol):
    """What a packet goes into, and pictures come out of."""

    def decode(self, packet: "Packet[Stream] | None" = None) -> Sequence[VideoFrame]:
        """Return what is ready. Raises av.error.FFmpegError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Whether a device seems to be there; where not, why, and what to do. Nothing of it was tried."""

    name: DeviceName
    usable: bool
    what: str
    cure: str = ""


def offer_of(
    name: DeviceName, dev: Path = Path("/dev"), built: Callable[[], Sequence[str]] = hwdevices_available
) -> Offer:
    """Return whether this machine, and the PyAV that runs, have what the device `name` needs."""
    kind = _KINDS[name]
    if missing := [need for need in kind.built_with if need not in built()]:
        return _not(
            name, f"this PyAV was built without {' and '.join(missing)}", "docs/install.md has how to build it."
        )
    nodes = sorted(dev.glob(kind.nodes))
    if not nodes:
        return _not(name, f"there is no {dev / kind.nodes}", "Install the GPU's driver; a container needs `--device`.")
    if not (open_to_us := [node for node in nodes if os.access(node, os.R_OK | os.W_OK)]):
        who = "sudo adduser $USER render" if "dri" in kind.nodes else f"ls -l {nodes[0]}"
        return _not(name, f"{nodes[0]} is not open to this user", f"`{who}`; a service: docs/service.md.")
    return Offer(name=name, usable=True, what=f"{open_to_us[0]} is there")


def _not(name: DeviceName, what: str, cure: str) -> Offer:
    return Offer(name=name, usable=False, what=what, cure=cure)


def open_decoder(stream: VideoStream, name: DeviceName) -> VideoCodecContext:
    """Return a decoder on the device `name` for the codec of `stream`; its pictures come to the system's memory.

    Raises one of REFUSALS.
    """
    kind, known = _KINDS[name], stream.codec_context
    codec = av.Codec(kind.decoder.format(known.codec.canonical_name), "r")
    device = HWAccel(name, allow_software_fallback=False, options=dict(kind.options))
    context = av.CodecContext.create(codec, "r", hwaccel=device)
    assert isinstance(context, VideoCodecContext)
    if not context.is_hwaccel:  # PyAV says so instead of raising where FFmpeg knows the device, but not for this codec
        raise NotImplementedError(f"{name} knows no {known.codec.canonical_name}")
    context.width, context.height, context.extradata = known.width, known.height, known.extradata
    context.reorder_depth = known.reorder_depth
    context.thread_count = 1
    return context
