"""What to hand to FFmpeg for each kind of source, and what of it a person may read.

The login goes into the URL only here, percent-encoded, because FFmpeg takes it no other way (RTSP digest
included). `Address.target` is therefore a secret; `Address.shown` never is.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import quote

from agent.errors import SourceError, redacted

Kind = Literal["file", "folder", "lavfi", "rtsp", "http", "v4l2"]

_PROBE_BYTES = "500000"
_PROBE_US = "500000"  # an RTSP camera describes its streams; FFmpeg's default would look at them for 5 s
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<rest>.*)", re.DOTALL)
_SCHEMES: dict[str, Kind] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}


class Wanted(Protocol):
    """What of a SourceSpec decides how it is opened."""

    @property
    def url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str | None: ...
    @property
    def transport(self) -> Literal["tcp", "udp"]: ...
    @property
    def fps(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`target`, `format` and `options` are FFmpeg's; `live` sources run on their own clock."""

    kind: Kind
    target: str = field(repr=False)
    shown: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether the source runs on its own clock; an HTTP source is known only once it is open."""
        return self.kind in ("rtsp", "v4l2")


def resolve(spec: Wanted) -> Address:
    """Return how to open `spec`. Raises SourceError (not_found, codec) where that can be said beforehand."""
    url = spec.url
    match = _URL.fullmatch(url)
    if url.startswith("lavfi:"):
        return Address(kind="lavfi", target=url.removeprefix("lavfi:"), shown=url, format="lavfi")
    if match and match["scheme"].lower() in _SCHEMES:
        return _network(spec, match["scheme"].lower(), match["rest"])
    if url.startswith("/dev/"):
        return _device(spec)
    if match and match["scheme"].lower() != "file":
        raise SourceError(
            f"{redacted(url)} cannot be read",
            fault="codec",
            why=f"{match['scheme']}:// is no source that Vedette knows",
            cure="Use rtsp(s)://, http(s)://, /dev/video0, a file, a folder of pictures, or lavfi:…",
        )
    return _local(Path(match["rest"] if match else url).expanduser())


def _network(spec: Wanted, scheme: str, rest: str) -> Address:
    login = ""
    if spec.username or spec.password:
        authority, slash, path = rest.partition("/")
        rest = authority.rpartition("@")[2] + slash + path
        login = f"{quote(spec.username, safe='')}:{quote(spec.password or '', safe='')}@"
    kind = _SCHEMES[scheme]
    options = {}
    if kind == "rtsp":
        options = {"rtsp_transport": spec.transport, "probesize": _PROBE_BYTES, "analyzeduration": _PROBE_US}
    return Address(kind=kind, target=f"{scheme}://{login}{rest}", shown=redacted(f"{scheme}://{rest}"), options=options)


def _device(spec: Wanted) -> Address:
    if not Path(spec.url).exists():
        raise SourceError(
            f"there is no {spec.url}", fault="not_found", cure="`ls /dev/video*` lists the cameras of this machine."
        )
    options = {"framerate": f"{spec.fps:g}"} if spec.fps else {}
    return Address(kind="v4l2", target=spec.url, shown=spec.url, format="v4l2", options=options)


def _local(path: Path) -> Address:
    if path.is_dir():
        return Address(kind="folder", target=str(path), shown=str(path))
    if not path.exists():
        raise SourceError(f"there is no file {path}", fault="not_found", cure="Check the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} cannot be read", fault="codec", why="the file is empty", cure="Record it again.")
    # `file:` keeps a colon or a percent sign in the name from meaning a protocol or a series of pictures, and
    # the whitelist keeps a hostile playlist from opening anything else.
    options = {"protocol_whitelist": "file", "pattern_type": "none"}
    return Address(kind="file", target=f"file:{path}", shown=str(path), options=options)
