"""Turns FFmpeg's many errors into the six faults that a person can act on.

PyAV's exception texts hold the whole URL, password included; only the class, the number and FFmpeg's own
plain sentence are looked at here, and the exception itself goes no further.
"""

import errno
import socket
from pathlib import Path
from urllib.parse import urlsplit

from av import error as av_error

from agent.capture.address import Address
from agent.capture.tls import refusal
from agent.capture.v4l2 import name_of
from agent.errors import SourceError, SourceFault

_BY_CLASS: tuple[tuple[tuple[type[Exception], ...], SourceFault], ...] = (
    ((av_error.HTTPUnauthorizedError, av_error.HTTPForbiddenError), "login"),
    ((av_error.HTTPNotFoundError, av_error.FileNotFoundError), "not_found"),
    ((av_error.HTTPError, av_error.HTTPClientError, av_error.ConnectionRefusedError), "refused"),
    ((av_error.ConnectionResetError, av_error.BrokenPipeError, av_error.PermissionError), "refused"),
    ((av_error.TimeoutError, av_error.ExitError), "timeout"),
    ((av_error.EOFError,), "ended"),
)
_BY_ERRNO: dict[int, SourceFault] = {
    errno.EHOSTUNREACH: "not_found",
    errno.ENETUNREACH: "not_found",
    errno.ENODEV: "not_found",
    errno.ENXIO: "not_found",
    errno.EBUSY: "refused",
    errno.ECONNABORTED: "refused",
    errno.EIO: "refused",
}
_CURES: dict[SourceFault, str] = {
    "not_found": "Check the address and that the source is switched on.",
    "refused": "Check the port and whether another program or the source itself refuses us.",
    "login": "Check the user name and the password.",
    "codec": "Check that it is a picture or sound recording that FFmpeg can read, and whole.",
    "timeout": "Check the network and whether the source is overloaded.",
    "ended": "",
}
_DEVICE_CURES: dict[SourceFault, str] = {
    "not_found": "`vedette camera list --found` lists the cameras of this machine.",
    "refused": "Another program may have it open (`fuser -v /dev/video*`), or you may not: `sudo adduser $USER video`.",
}

_SERVER_CURE = "Something answers there, but has no pictures: check its own source (a restream's camera) and its log."


def read_error(error: Exception, address: Address, *, limit_s: float) -> SourceError:
    """Return the SourceError for what PyAV raised while reading the open `address`, without secrets."""
    if address.kind in ("rtsp", "http") and _was_cut(error):
        return SourceError(f"{address.shown} ended", fault="ended", why="the connection was cut while it was read")
    return source_error(error, address, waited_s=0.0, limit_s=limit_s)


def _was_cut(error: Exception) -> bool:
    # FFmpeg calls an HTTP body that ends before its time an «input/output error»; nobody refused anything.
    cut = (av_error.ConnectionResetError, av_error.BrokenPipeError)
    return isinstance(error, cut) or getattr(error, "errno", None) == errno.EIO


def source_error(error: Exception, address: Address, *, waited_s: float, limit_s: float) -> SourceError:
    """Return the SourceError for what PyAV raised while opening `address`, without secrets."""
    what = f"{address.shown} cannot be read"
    refused = refusal(address.peer) if address.peer and getattr(error, "errno", None) == errno.EIO else None
    if refused is not None:
        return SourceError(what, fault="refused", why=refused.why, cure=refused.cure)
    fault = _fault(error, address, waited_s, limit_s)
    why = "nothing came in time" if fault == "timeout" else _sentence(error)
    if fault == "not_found" and _unknown_host(address):
        why = "no such host"
    return SourceError(what, fault=fault, why=why, cure=_cure(error, fault, address))


def _cure(error: Exception, fault: SourceFault, address: Address) -> str:
    if isinstance(error, av_error.HTTPServerError):
        return _SERVER_CURE
    return (_CURES | _DEVICE_CURES if address.kind == "v4l2" else _CURES)[fault]


def _fault(error: Exception, address: Address, waited_s: float, limit_s: float) -> SourceFault:
    for classes, fault in _BY_CLASS:
        if isinstance(error, classes):
            return "codec" if fault == "ended" and address.kind in ("file", "folder", "lavfi") else fault
    if address.kind in ("rtsp", "http") and waited_s >= 0.9 * limit_s:
        return "timeout"  # FFmpeg calls an RTSP server that never answers «invalid data»
    number = getattr(error, "errno", None)
    if address.kind == "v4l2" and number == errno.EINVAL:  # of a device that went away while it was read, too
        return "refused" if name_of(Path(address.target)) is not None else "not_found"
    if number == errno.EIO and _unknown_host(address):
        return "not_found"
    return _BY_ERRNO.get(number, "codec") if isinstance(number, int) else "codec"


def _sentence(error: Exception) -> str:
    text = getattr(error, "strerror", None) or type(error).__name__
    return str(text)[:1].lower() + str(text)[1:]


def _unknown_host(address: Address) -> bool:
    if address.kind not in ("rtsp", "http"):
        return False
    try:
        socket.getaddrinfo(urlsplit(address.target).hostname, None)
    except (OSError, ValueError):
        return True
    return False
