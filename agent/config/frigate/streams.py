"""The addresses of Frigate's inputs: its own restreams (go2rtc) or the cameras behind them, logins taken out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from agent.config.frigate.words import missing, put_in, table

# As Frigate does: a password in an input stands there as it is, up to the last @ (frigate/util/builtin.py).
_PLAIN_LOGIN = re.compile(r"(?P<scheme>rtsps?)://(?P<user>[a-zA-Z0-9_-]+):(?P<password>\S+)@(?P<rest>[^@]*)")
_CODED_LOGIN = re.compile(r"(?P<scheme>[a-z]+)://(?P<user>[^:@/?#]*):?(?P<password>[^@/?#]*)@(?P<rest>.*)")
_OWN = re.compile(r"rtsp://(?:127\.0\.0\.1|localhost|\[::1\])(?P<port>:\d+)?/(?P<name>[^/?#]*)(?P<rest>.*)")
_READABLE = ("rtsp://", "rtsps://", "http://", "https://", "/dev/")


class UnreadableError(ValueError):
    """An input that Vedette cannot take; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Where a stream comes from; `url` holds no login. `own`: by its address it is on this very machine."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    own: bool = False
    restream: bool = False
    lacks: str = ""  # the variable of the password, where that is not known here


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Finds the streams that inputs name; `host` stands for Frigate's 127.0.0.1, `direct` passes its restreams by."""

    go2rtc: dict[str, Any]
    variables: Mapping[str, str]
    host: str = ""
    direct: bool = False

    def of(self, path: str) -> Stream:
        """Return the stream at the `path` of an input. Raises UnreadableError."""
        path = put_in(path.strip(), self.variables)
        own = _OWN.fullmatch(path)
        if own is None:
            return _readable(_login_out(path, _PLAIN_LOGIN))
        if self.direct:
            for source in self._sources(own["name"], set()):
                return _readable(_login_out(source, _CODED_LOGIN))
        url = f"rtsp://{self.host}{own['port'] or ''}/{own['name']}{own['rest']}" if self.host else path
        login = table(self.go2rtc, "rtsp")
        username, password = (put_in(str(login.get(key) or ""), self.variables) for key in ("username", "password"))
        return _known(Stream(url=url, username=username, password=password, own=not self.host, restream=True))

    def _sources(self, name: str, seen: set[str]) -> Iterator[str]:
        """Yield what of a restream's sources Vedette can read by itself."""
        if name in seen:
            return
        seen.add(name)
        found = table(self.go2rtc, "streams").get(name)
        for source in found if isinstance(found, list) else [found]:
            if not isinstance(source, str):
                continue
            url = put_in(source, self.variables).removeprefix("ffmpeg:").partition("#")[0]
            if url.startswith("rtspx://"):
                url = url.replace("rtspx://", "rtsps://", 1)
            if url.startswith(_READABLE):
                yield url
            elif "://" not in url:
                yield from self._sources(url, seen)


def _login_out(path: str, pattern: re.Pattern[str]) -> Stream:
    plain = pattern.fullmatch(path)
    match = plain or _CODED_LOGIN.fullmatch(path)
    if match is None:
        return Stream(url=path)
    username, password = match["user"], match["password"]
    if match.re is _CODED_LOGIN:
        username, password = unquote(username), unquote(password)
    return Stream(url=f"{match['scheme']}://{match['rest']}", username=username, password=password)


def _readable(stream: Stream) -> Stream:
    if not stream.url.startswith(_READABLE):
        scheme = stream.url.partition("://")[0] if "://" in stream.url else "a path within Frigate's container"
        raise UnreadableError(f"Vedette does not read {scheme}")
    return _known(stream)


def _known(stream: Stream) -> Stream:
    """Return `stream` without a password that is still a variable. Raises UnreadableError where more is unknown."""
    lacking = missing(stream.url) or missing(stream.username)
    if lacking:
        raise UnreadableError(f"{lacking} is not set here; `export {lacking}=…` before this command")
    lacks = missing(stream.password)
    return replace(stream, password="", lacks=lacks) if lacks else stream
