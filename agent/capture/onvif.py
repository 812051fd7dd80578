"""The cameras of this network that speak ONVIF: who answers, and where their streams are.

    for camera in found_on_network(3.0):
        for stream in streams_of(camera.service, Login("admin", "…")): print(stream.url)

Who is there is asked by multicast (WS-Discovery 1.0, OASIS/SOAP-over-UDP; ONVIF Core Specification, chapter 7), the
streams of one camera by its device and media services (ONVIF Media Service Specification, version 1, which every
camera of profile S has). The password never leaves this machine as it is: what is sent is its digest, with a nonce and
the camera's own time (WS-UsernameToken 1.0), or HTTP's.
"""

import base64
import hashlib
import http.client
import secrets
import selectors
import socket
import struct
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from agent.errors import SourceError

GROUP = ("239.255.255.250", 3702)
_ASK_AGAIN_S = 0.7  # UDP loses messages
_ANSWER_S = 6.0
_MOST_BYTES = 1_000_000
_SERVICE = "/onvif/device_service"
"""Where nearly every camera has its device service (the specification: shall)."""

_SOAP, _DEVICE, _MEDIA, _SCHEMA = (
    "http://www.w3.org/2003/05/soap-envelope",
    "http://www.onvif.org/ver10/device/wsdl",
    "http://www.onvif.org/ver10/media/wsdl",
    "http://www.onvif.org/ver10/schema",
)
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_PROBE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<s:Envelope xmlns:s="{_SOAP}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
    '<s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>'
    "<a:MessageID>urn:uuid:{message}</a:MessageID>"
    '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>'
    "<s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCamera:
    """A camera that answered: `service` is where to ask further, `name` and `model` are what it says of itself."""

    host: str
    service: str
    name: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One of a camera's streams; its size and rate as configured in the camera, None where it does not say."""

    name: str
    url: str
    codec: str = ""
    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = None
    has_sound: bool = False

    @property
    def pixels(self) -> int:
        """Its size, 0 where that is not known."""
        return (self.width_px or 0) * (self.height_px or 0)


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks."""

    user: str
    password: str = field(repr=False)


def service_of(host: str) -> str:
    """The address of the device service of HOST or HOST:PORT; of what names a path, as it is."""
    url = host if "://" in host else f"http://{host}"
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + _SERVICE


def found_on_network(seconds: float, group: tuple[str, int] = GROUP) -> list[NetworkCamera]:
    """Ask all networks of this machine, and return who answered within so many seconds, by host.

    Raises SourceError where there is no network to ask.
    """
    found: dict[str, NetworkCamera] = {}
    with ExitStack() as open_sockets, selectors.DefaultSelector() as ready:
        asked = [open_sockets.enter_context(one) for one in _sockets()]
        reached = [_asks(one, group) for one in asked]
        if not any(reached):
            raise SourceError(
                "No network could be asked for cameras", fault="not_found", cure="Name one: --host 192.0.2.10."
            )
        for one in asked:
            ready.register(one, selectors.EVENT_READ)
        ends_s, again_s = time.monotonic() + seconds, time.monotonic() + _ASK_AGAIN_S
        while (now_s := time.monotonic()) < ends_s:
            if now_s >= again_s:
                again_s = ends_s
                for one in asked:
                    _asks(one, group)
            for key, _ in ready.select(min(again_s, ends_s) - now_s):
                for camera in _answers(key.fileobj):  # type: ignore[arg-type]
                    found.setdefault(camera.service, camera)
    return sorted(found.values(), key=lambda camera: (socket.inet_aton(camera.host), camera.service))


def _sockets() -> Iterator[socket.socket]:
    """One for each interface; which one is the right one only whoever plugged them in knows."""
    for number, _ in socket.if_nameindex():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        with suppress(OSError):
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"", b"", number))
        yield one


def _asks(one: socket.socket, group: tuple[str, int]) -> bool:
    try:
        one.sendto(_PROBE.format(message=uuid.uuid4()).encode(), group)
    except OSError:  # an interface that is down, or without an address
        return False
    return True


def _answers(one: socket.socket) -> Iterator[NetworkCamera]:
    with suppress(OSError):
        answer, (host, _) = one.recvfrom(65_535)
        try:
            told = _parsed(answer)
        except ValueError:
            return
        for match in told.iter("{http://schemas.xmlsoap.org/ws/2005/04/discovery}ProbeMatch"):
            services = [url for url in _text(match, "XAddrs").split() if url.startswith(("http://", "https://"))]
            if services:
                service = next((url for url in services if urlsplit(url).hostname == host), services[0])
                scopes = _text(match, "Scopes").split()
                yield NetworkCamera(
                    host=host, service=service, name=_scope(scopes, "name"), model=_scope(scopes, "hardware")
                )


def _scope(scopes: Iterable[str], wanted: str) -> str:
    """What a camera says of itself: onvif://www.onvif.org/hardware/IPC-1234."""
    for scope in scopes:
        parts = urlsplit(scope)
        if parts.scheme == "onvif" and parts.path.startswith(f"/{wanted}/"):
            return unquote(parts.path.removeprefix(f"/{wanted}/")).strip()
    return ""


def streams_of(service: str, login: Login | None = None) -> list[Stream]:
    """The streams that a camera offers, as it lists them. Raises SourceError, its fault `login` if it wants a login."""
    camera = _Camera(service, login)
    media = camera.media_service()
    found = []
    for profile in camera.ask(media, f'<GetProfiles xmlns="{_MEDIA}"/>').iter(f"{{{_MEDIA}}}Profiles"):
        token = escape(profile.get("token", ""), {'"': "&quot;"})
        setup = (
            f'<StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        )
        asked = f'<GetStreamUri xmlns="{_MEDIA}">{setup}<ProfileToken>{token}</ProfileToken></GetStreamUri>'
        url = _text(camera.ask(media, asked), "Uri")
        if url:
            found.append(_stream(profile, url))
    return found


def _stream(profile: ElementTree.Element, url: str) -> Stream:
    video = profile.find(f"{{{_SCHEMA}}}VideoEncoderConfiguration")
    wanted = {} if video is None else {key: _text(video, key) for key in ("Encoding", "Width", "Height")}
    return Stream(
        name=_text(profile, "Name") or profile.get("token", ""),
        url=url,
        codec=wanted.get("Encoding", ""),
        width_px=_whole(wanted.get("Width", "")),
        height_px=_whole(wanted.get("Height", "")),
        fps=None if video is None else _whole(_text(video, "FrameRateLimit")),
        has_sound=profile.find(f"{{{_SCHEMA}}}AudioEncoderConfiguration") is not None,
    )


class _Camera:
    """One camera's services."""

    def __init__(self, service: str, login: Login | None) -> None:
        self._service, self._login = service, login
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _NoRedirect()]
        if login is not None:
            known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            known.add_password(None, service, login.user, login.password)
            handlers.append(urllib.request.HTTPDigestAuthHandler(known))
        self._opener = urllib.request.build_opener(*handlers)
        self._ahead = timedelta()
        if login is not None:
            self._ahead = self._clock() - datetime.now(UTC)

    def media_service(self) -> str:
        """Where its media service is, on the host that was asked: behind a router a camera names its own address."""
        asked = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
        for media in self.ask(self._service, asked).iter(f"{{{_SCHEMA}}}Media"):
            told, asked_at = urlsplit(_text(media, "XAddr")), urlsplit(self._service)
            if told.hostname == asked_at.hostname:
                return told.geturl()
            if told.path:
                return asked_at._replace(path=told.path, query="").geturl()
        return self._service

    def ask(self, service: str, body: str, *, named: bool = True) -> ElementTree.Element:
        """Send one request and return the answer. Raises SourceError."""
        header = self._security() if named else ""
        text = f'<s:Envelope xmlns:s="{_SOAP}">{header}<s:Body>{body}</s:Body></s:Envelope>'
        headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
        request = urllib.request.Request(service, text.encode(), headers)
        host = urlsplit(service).netloc
        try:
            with self._opener.open(request, timeout=_ANSWER_S) as answer:
                return _parsed(answer.read(_MOST_BYTES + 1))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(host, error.code, error.read(_MOST_BYTES)) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise SourceError(
                f"{host} does not answer to ONVIF",
                why=str(getattr(why, "strerror", None) or why),
                fault="timeout" if isinstance(why, TimeoutError) else "refused",
                cure="Is ONVIF switched on in the camera, and this its port?",
            ) from None
        except ValueError as error:
            raise SourceError(f"{host} answers in what is no ONVIF", why=str(error), fault="codec") from None

    def _clock(self) -> datetime:
        """The camera's time: a digest that is older than seconds there is refused. Ours, where it does not tell."""
        told = self.ask(self._service, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>', named=False)
        universal = told.find(f".//{{{_SCHEMA}}}UTCDateTime")
        if universal is not None:
            names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
            with suppress(ValueError):
                year, month, day, hour, minute, second = (int(_text(universal, name)) for name in names)
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return datetime.now(UTC)

    def _security(self) -> str:
        if self._login is None:
            return ""
        nonce = secrets.token_bytes(16)
        created = (datetime.now(UTC) + self._ahead).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        # What the specification prescribes; the nonce makes it good for one request.
        digest = hashlib.sha1(nonce + created.encode() + self._login.password.encode(), usedforsecurity=False).digest()
        return (
            f'<s:Header><Security s:mustUnderstand="1" xmlns="{_WSSE}"><UsernameToken>'
            f"<Username>{escape(self._login.user)}</Username>"
            f'<Password Type="{_DIGEST}">{base64.b64encode(digest).decode()}</Password>'
            f'<Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</Nonce>'
            f'<Created xmlns="{_WSU}">{created}</Created></UsernameToken></Security></s:Header>'
        )

    def _refused(self, host: str, code: int, answer: bytes) -> SourceError:
        """What a fault means (ONVIF Core Specification, 5.11.2)."""
        told, why = b"", f"HTTP {code}"
        with suppress(ValueError):
            fault = _parsed(answer)
            told, why = answer, _text(fault, "Text") or why
        if code in (401, 403) or b"NotAuthorized" in told or b"FailedAuthentication" in told:
            cure = (
                "Give one with --user NAME --password-stdin; many cameras keep users for ONVIF of their own."
                if self._login is None
                else "Many cameras keep users for ONVIF of their own: look into its settings."
            )
            what = f"{host} wants a login" if self._login is None else f"{host} refuses the login"
            return SourceError(what, fault="login", cure=cure)
        return SourceError(f"{host} refuses to tell its streams", why=why, fault="refused")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A login is for the host that was named."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""
        return None


def _parsed(answer: bytes) -> ElementTree.Element:
    """An answer as XML. Raises ValueError where it is none, or declares what no answer needs."""
    if len(answer) > _MOST_BYTES:
        raise ValueError("more than a megabyte")
    if b"<!DOCTYPE" in answer or b"<!ENTITY" in answer:  # the way to make a small text a large one
        raise ValueError("a document type")
    try:
        return ElementTree.fromstring(answer)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error


def _text(element: ElementTree.Element, name: str) -> str:
    """The text of the first element of this name, in whatever namespace; empty where there is none."""
    found = element.find(f".//{{*}}{name}")
    return "" if found is None or found.text is None else found.text.strip()


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
