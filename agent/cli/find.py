"""`vedette camera find`: the cameras of this network, and what to type to add one."""

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent.cli.output import print_json, print_stories, remark, warn

if TYPE_CHECKING:
    from agent.capture.onvif import Login, NetworkCamera, Stream

ENOUGH_PX = 640 * 360
"""A stream of this size is enough to watch; larger ones cost decoding."""


def find_cameras(*, seconds: float, host: str, user: str, password: str, as_json: bool) -> None:
    """Find them, ask each for its streams, and tell. Raises SourceError where a named host does not answer."""
    from agent.capture.onvif import Login, NetworkCamera, found_on_network, service_of, streams_of
    from agent.errors import SourceError

    login = Login(user, password) if user else None
    if host:
        service = service_of(host)
        told = [(NetworkCamera(host=urlsplit(service).netloc, service=service), streams_of(service, login), "")]
    else:
        told = []
        for camera in found_on_network(seconds):
            try:
                told.append((camera, streams_of(camera.service, login), ""))
            except SourceError as error:
                told.append((camera, [], error.line()))
    if as_json:
        print_json([_as_json(*one) for one in told])
        return
    rows = [row for camera, streams, why in told for row in _rows(camera, streams, why)]
    print_stories(
        ("host", "camera", "stream", "url"),
        rows,
        empty="No camera answered. Is ONVIF switched on in it? In another network, name it: --host ADDRESS.",
    )
    for camera, _, why in told:
        if why:
            warn(f"{camera.host}: {why}")
    chosen = next((streams for _, streams, _ in told if streams), None)
    if chosen is not None:
        remark(f"Next: {command_for(chosen, login)}")


def is_http_host(text: str) -> bool:
    """Whether this is HOST, HOST:PORT or an http(s) URL without a login."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # half a bracket, a port that is none
        return False
    return named and parts.scheme in ("http", "https") and "@" not in text and not any(map(str.isspace, text))


def command_for(streams: "list[Stream]", login: "Login | None") -> str:
    """What to type to add the camera of these streams: the smallest that is large enough, pictures from the largest."""
    by_size = sorted(streams, key=lambda stream: stream.pixels)
    watched = next((stream for stream in by_size if stream.pixels >= ENOUGH_PX), by_size[-1])
    words = ["vedette", "camera", "add", "NAME", watched.url]
    if by_size[-1].pixels > watched.pixels:
        words += ["--snapshot-url", by_size[-1].url]
    if login is not None:
        words += ["--user", login.user, "--password-stdin"]
    return shlex.join(words)


def _rows(camera: "NetworkCamera", streams: "list[Stream]", why: str) -> list[tuple[str, str, str, str]]:
    called = " ".join(part for part in (camera.name, camera.model) if part) or "-"
    if not streams:
        return [(camera.host, called, "-", "-" if why else "it offers none")]
    return [(camera.host, called, _described(stream), stream.url) for stream in streams]


def _described(stream: "Stream") -> str:
    size = f"{stream.width_px}×{stream.height_px}" if stream.pixels else ""
    rate = f"{stream.fps:g}/s" if stream.fps else ""
    sound = "sound" if stream.has_sound else ""
    return " ".join(part for part in (stream.name, size, rate, stream.codec, sound) if part)


def _as_json(camera: "NetworkCamera", streams: "list[Stream]", why: str) -> dict[str, Any]:
    return {**asdict(camera), "streams": [asdict(stream) for stream in streams], "problem": why or None}
