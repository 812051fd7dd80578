"""The cameras of this machine (Video4Linux): which there are, and names that stay theirs.

/dev/video0 is whichever camera was found first. The names below /dev/v4l stay: by-id for the same camera at any
plug, by-path for whatever camera at the same plug. Those are what belongs into a configuration.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import SourceError

DEVICE_FORMS = ("/dev/", "v4l2:")
"""How the address of a camera of this machine begins: v4l2:0, v4l2:by-id/…, v4l2:/dev/video0, v4l2:ITS NAME."""

_FORM = "v4l2:"
_QUERYCAP = 0x80685600  # VIDIOC_QUERYCAP of linux/videodev2.h
_CAPABILITY = struct.Struct("16s32s32s6I")  # driver, card, bus, version, capabilities, device_caps, three spare
_VIDEO_CAPTURE = 0x1
_DEVICE_CAPS = 0x80000000
_CURE = "`vedette camera list --found` lists the cameras of this machine."


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCamera:
    """A device that gives pictures; `name` is the driver's, `stable` its names below /dev/v4l, by-id first."""

    device: str
    name: str
    stable: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The address to configure: the most lasting one."""
        return self.stable[0] if self.stable else self.device


Ask = Callable[[Path], str | None]


def name_of(device: Path) -> str | None:
    """Return the driver's name of a device that gives pictures; None for any other, and where we may not ask."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = bytearray(_CAPABILITY.size)
        fcntl.ioctl(descriptor, _QUERYCAP, answer)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    _, card, _, _, capabilities, device_caps, *_ = _CAPABILITY.unpack(answer)
    offered = device_caps if capabilities & _DEVICE_CAPS else capabilities
    return card.split(b"\0")[0].decode("utf-8", "replace") if offered & _VIDEO_CAPTURE else None


def found_cameras(dev: Path = Path("/dev"), ask: Ask = name_of) -> tuple[FoundCamera, ...]:
    """Return the cameras below `dev`, by number."""
    links = [*_links(dev / "v4l" / "by-id"), *_links(dev / "v4l" / "by-path")]
    devices = sorted(
        (path for path in dev.glob("video*") if path.name.removeprefix("video").isdecimal()),
        key=lambda path: int(path.name.removeprefix("video")),
    )
    named = ((device, ask(device)) for device in devices)
    return tuple(
        FoundCamera(device=str(device), name=name, stable=_leading_to(device, links))
        for device, name in named
        if name is not None
    )


def _links(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _leading_to(device: Path, links: Sequence[Path]) -> tuple[str, ...]:
    return tuple(str(link) for link in links if link.resolve() == device.resolve())


def device_path(url: str, dev: Path = Path("/dev"), ask: Ask = name_of) -> str:
    """Return the device that `url` (see DEVICE_FORMS) means. Raises SourceError (not_found)."""
    rest = url.removeprefix(_FORM)
    if rest.isdecimal():
        path = dev / f"video{rest}"
    elif rest.startswith(("by-id/", "by-path/")):
        path = dev / "v4l" / rest
    elif rest.startswith("/"):
        path = Path(rest)
    else:
        return _named(rest, found_cameras(dev, ask))
    if not os.path.exists(path):  # not Path.exists(): what cannot be looked at counts as not there
        raise SourceError(f"there is no {path}", fault="not_found", cure=_CURE)
    return str(path)


def _named(name: str, found: Sequence[FoundCamera]) -> str:
    devices = [camera.device for camera in found if camera.name == name]
    if len(devices) == 1:
        return devices[0]
    why = f"{' and '.join(devices)} are called that" if devices else "none is called that"
    raise SourceError(f"{_FORM}{name} is no camera of this machine", fault="not_found", why=why, cure=_CURE)
