"""What to hand to FFmpeg for each kind of source, and what of it a person may read.

The login goes into the URL only here, percent-encoded, because FFmpeg takes it no other way (RTSP digest
included). `Address.target` is therefore a secret; `Address.shown` never is.
"""

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit

from agent.capture.tls import Peer, authorities
from agent.capture.v4l2 import DEVICE_FORMS, device_path
from agent.errors import SourceError, redacted

Kind = Literal["file", "folder", "lavfi", "rtsp", "http", "v4l2"]

_PROBE_BYTES = "500000"
_PROBE_US = "500000"  # an RTSP camera describes its streams; FFmpeg's default would look at them for 5 s
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<rest>.*)", re.DOTALL)
_TLS_PORTS = {"rtsps": 322, "https": 443}
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
    def tls_verify(self) -> bool: ...
    @property
    def tls_ca_file(self) -> str: ...
    @property
    def fps(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`target`, `format` and `options` are FFmpeg's; `peer` is who has to prove with a certificate who it is."""

    kind: Kind
    target: str = field(repr=False)
    shown: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    peer: Peer | None = None

    @property
    def live(self) -> bool:
        """Whether the source runs on its own clock; an HTTP source is known only once it is open."""
        return self.kind in ("rtsp", "v4l2")


def resolve(spec: Wanted) -> Address:
    """Return how to open `spec`. Raises SourceError (not_found, refused, codec) where that can be said beforehand."""
    url = spec.url
    match = _URL.fullmatch(url)
    if url.startswith("lavfi:"):
        return Address(kind="lavfi", target=url.removeprefix("lavfi:"), shown=url, format="lavfi")
    if match and match["scheme"].lower() in _SCHEMES:
        return _network(spec, match["scheme"].lower(), match["rest"])
    if url.startswith(DEVICE_FORMS):
        return _device(spec)
    if match and match["scheme"].lower() != "file":
        raise SourceError(
            f"{redacted(url)} cannot be read",
            fault="codec",
            why=f"{match['scheme']}:// is no source that Vedette knows",
            cure="Use rtsp(s)://, http(s)://, /dev/video0, v4l2:NAME, a file, a folder of pictures, or lavfi:…",
        )
    return _local(match["rest"] if match else url)


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
    elif rest.partition("?")[0].endswith(".m3u8"):
        options = {"live_start_index": "-2"}  # FFmpeg's default is a piece (some 6 s) later
    shown = redacted(f"{scheme}://{rest}")
    peer = _peer(spec, scheme, rest, shown)
    if peer is not None:
        options |= {"tls_verify": "1", "ca_file": peer.ca_file}
    return Address(kind=kind, target=f"{scheme}://{login}{rest}", shown=shown, options=options, peer=peer)


def _peer(spec: Wanted, scheme: str, rest: str, shown: str) -> Peer | None:
    if scheme not in _TLS_PORTS or not spec.tls_verify:
        return None
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "", parts.port or _TLS_PORTS[scheme]
    except ValueError:
        raise SourceError(
            f"{shown} cannot be read",
            fault="not_found",
            why="host and port in it cannot be told apart",
            cure="A port is a number, an IPv6 address stands in [ ].",
        ) from None
    return Peer(host=host, port=port, ca_file=authorities(spec.tls_ca_file, shown))


def _device(spec: Wanted) -> Address:
    options = {"framerate": f"{spec.fps:g}"} if spec.fps else {}
    return Address(kind="v4l2", target=device_path(spec.url), shown=spec.url, format="v4l2", options=options)


def _local(name: str) -> Address:
    try:
        path = Path(name).expanduser()
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"there is no file {name}", fault="not_found", cure="Check the path.") from None
    except (OSError, RuntimeError, ValueError) as error:  # nobody's home: RuntimeError; a NUL in it: ValueError
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        cure = "Check the path, and who may read it: a service sees no homes."
        raise SourceError(f"{name} cannot be read", fault="refused", why=why, cure=cure) from None
    if stat.S_ISDIR(status.st_mode):
        return Address(kind="folder", target=str(path), shown=str(path))
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise SourceError(f"{path} cannot be read", fault="codec", why="the file is empty", cure="Record it again.")
    # `file:` keeps a colon or a percent sign in the name from meaning a protocol or a series of pictures, and
    # the whitelist keeps a hostile playlist from opening anything else.
    options = {"protocol_whitelist": "file", "pattern_type": "none"}
    return Address(kind="file", target=f"file:{path}", shown=str(path), options=options)
