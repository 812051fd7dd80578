"""What a person types as the address of a camera, made plain; the password taken out of it."""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import typer

SCHEMES = ("rtsp", "rtsps", "http", "https")
_ALLOWED = "Allowed: rtsp(s)://, http(s)://, /dev/video0 or 0, v4l2:NAME, a file, a folder of pictures, lavfi:…"
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the media comes from; `url` holds no login."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)


def source_address(text: str) -> Address:
    """Return the address in `text`: a URL, a device (also just its number), a file, a folder or lavfi:…

    Raises typer.BadParameter, without the text where it may hold a password.
    """
    if not text.strip() or "\n" in text or "\0" in text:
        raise typer.BadParameter(f"the address is empty or has a line break in it. {_ALLOWED}.")
    if text.isdecimal():
        return Address(url=f"/dev/video{text}")
    if text.startswith(("lavfi:", "/dev/", "v4l2:")):
        return Address(url=text)
    match = _URL.fullmatch(text)
    if match is None:
        return Address(url=_existing(text))
    if match["scheme"].lower() == "file":
        return Address(url=_existing(unquote(match["authority"] + match["rest"])))
    if match["scheme"].lower() not in SCHEMES:
        raise typer.BadParameter(f"{match['scheme']}:// is no source that Vedette reads. {_ALLOWED}.")
    return _without_login(match)


def _without_login(match: re.Match[str]) -> Address:
    login, at, host = match["authority"].rpartition("@")
    if not host or re.search(r":(?!\d{1,5}$)[^\]]*$", host):
        # Most likely user:pass/word@host: what looks like a host is the beginning of a login.
        raise typer.BadParameter(
            "the URL names no host that can be used; if its password has / ? # in it, "
            "leave the login out and give --user NAME --password-stdin."
        )
    username, _, password = login.partition(":")
    url = f"{match['scheme'].lower()}://{host}{match['rest']}"
    return Address(url=url, username=unquote(username), password=unquote(password)) if at else Address(url=url)


def _existing(text: str) -> str:
    path = os.path.expanduser(text)
    if not os.path.exists(path):
        raise typer.BadParameter(f"there is no file or folder {text}. {_ALLOWED}.")
    return os.path.realpath(path)


def sound_source(text: str) -> Address:
    """Return what --sound means: same, none, a URL, a file, or else the name of a microphone."""
    if text in ("same", "none") or text.startswith("device:"):
        return Address(url=text)
    if "://" in text or text.startswith("lavfi:") or os.path.isfile(os.path.expanduser(text)):
        return source_address(text)
    return Address(url=f"device:{text}")
