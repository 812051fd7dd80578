"""The page on loopback: whoever holds the token that the terminal showed gets in, once; nobody else.

The token is good for one visit and becomes a cookie. The Host of every request has to be loopback's, so that no
page of another site can reach it through a name that points here (DNS rebinding); what changes something has to come
from the page itself. Scripts run only as they stand in our own pages, known by their sha256.
"""

import base64
import hashlib
import hmac
import json
import logging
import os
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from agent.errors import ConfigError, VedetteError
from agent.service.viewing.ranges import UnsatisfiableError, asked_part
from agent.service.viewing.review import Review
from agent.service.viewing.screens import Screens
from agent.uplink.evidence.clips import FILM_TYPE

COOKIE = "vedette_view"
LONGEST_BODY = 20_000
BOUNDARY = "vedette-picture"
PIECE_BYTES = 65_536  # of a film, at a time
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_POLICY = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; connect-src 'self'; style-src 'unsafe-inline';"
    " script-src {scripts}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What somebody drew with the mouse: a zone, a line or a mask, in fractions of the picture."""

    camera: str
    table: str
    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page may do: tell what is drawn, keep a drawing (None to take it away). Both raise VedetteError."""

    parts: Callable[[str], Mapping[str, Any]]
    keep: Callable[[Drawing], None]
    remove: Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class Live:
    """Cameras that are being watched for the page, and what may be drawn in their pictures."""

    screens: Screens
    desk: Desk


class Page:
    """A running page; `url` lets one browser in."""

    def __init__(self, review: Review, live: Live | None = None, port: int = 0) -> None:
        """Without `live` there are past incidents only. Raises VedetteError where the port is taken."""
        self.stop = threading.Event()
        self._token, self._session = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        try:
            self._server = _Server(("127.0.0.1", port), review, live, self)
        except OSError as error:
            raise VedetteError(
                f"The page cannot be served on port {port}",
                why=error.strerror or str(error),
                cure="Name another port with --port, or none.",
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address with the token."""
        return f"http://127.0.0.1:{self.port}/enter/{self._token}"

    @property
    def cookie(self) -> str:
        """The name of its cookie: browsers tell sites of one machine apart by name, not by port."""
        return f"{COOKIE}_{self.port}"

    def start(self) -> None:
        """Serve until `close`."""
        self._thread.start()

    def close(self) -> None:
        """End every picture stream and the server."""
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()

    def admit(self, token: str) -> str | None:
        """The session of whoever brings the token, the first time; None otherwise."""
        with self._lock:
            if not self._token or not hmac.compare_digest(token.encode(), self._token.encode()):
                return None
            self._token = ""
            return self._session

    def knows(self, session: str) -> bool:
        """Whether this is the session that was let in."""
        return not self._token and hmac.compare_digest(session.encode(), self._session.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], review: Review, live: Live | None, page: Page) -> None:
        self.review, self.live, self.page = review, live, page
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """No traceback in the terminal: a browser that hangs up is nothing, a mistake of ours one line."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            _LOG.warning("the page could not answer a request: %r", error)


class _RefusalError(Exception):
    """What is answered instead; `status` and a sentence."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Vedette", ""
    timeout = 30.0

    def do_GET(self) -> None:
        self._answered(self._get)

    def do_POST(self) -> None:
        self._answered(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the address of the first request holds the token."""

    def _answered(self, answer: Callable[[], None]) -> None:
        try:
            self._require_loopback()
            answer()
        except _RefusalError as refused:
            # What was refused unread must not be taken for the next request.
            self.close_connection = self.close_connection or self.command == "POST"
            self._send(refused.status, {"error": refused.why})
        except VedetteError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": error.line()})
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the browser went away

    def _require_loopback(self) -> None:
        port = self.server.page.port
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            raise _RefusalError(HTTPStatus.FORBIDDEN, "this page answers on 127.0.0.1 only")

    def _get(self) -> None:
        levels = [unquote(level) for level in urlsplit(self.path).path.strip("/").split("/")]
        if len(levels) == 2 and levels[0] == "enter":
            self._let_in(levels[1])
            return
        self._require_session()
        if levels[0] == "review":
            self._get_review(levels[1:])
        elif levels == [""] and self.server.live is None:
            self._go_to("/review")
        elif levels == [""]:
            self._send_page("page.html")
        elif levels == ["cameras"]:
            self._send(
                HTTPStatus.OK, [{"camera": camera, "name": name} for camera, name in self._live.screens.names.items()]
            )
        elif len(levels) == 2 and levels[0] in ("picture", "state", "parts"):
            getattr(self, f"_get_{levels[0]}")(self._camera(levels[1]))
        else:
            raise _nothing_here()

    def _get_review(self, levels: list[str]) -> None:
        review = self.server.review
        match levels:
            case []:
                self._send_page("review.html")
            case ["about"]:
                self._send(HTTPStatus.OK, review.about() | {"live": self.server.live is not None})
            case ["incidents"]:
                self._send(HTTPStatus.OK, review.incidents(dict(parse_qsl(urlsplit(self.path).query))))
            case ["incident", incident_id]:
                self._send(HTTPStatus.OK, review.incident(incident_id))
            case ["picture", incident_id]:
                jpeg = review.picture(incident_id)
                if jpeg is None:
                    raise _nothing_here()
                self._send_bytes(HTTPStatus.OK, "image/jpeg", jpeg)
            case ["clip", incident_id]:
                film = review.film(incident_id)
                if film is None:
                    raise _nothing_here()
                self._send_film(film)
            case _:
                raise _nothing_here()

    def _post(self) -> None:
        self._require_session()
        if self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            raise _RefusalError(HTTPStatus.FORBIDDEN, "changes come from the page itself")
        content = self._body()
        if self.path == "/review/mark":
            self._send(HTTPStatus.OK, self._mark(content))
            return
        if self.path == "/keep":
            self._live.desk.keep(self._drawing(content))
        elif self.path == "/remove":
            camera = self._camera(str(content.get("camera")))
            self._live.desk.remove(camera, str(content.get("table")), str(content.get("name")))
        else:
            raise _nothing_here()
        self._send(HTTPStatus.OK, {})

    @property
    def _live(self) -> Live:
        if self.server.live is None:
            raise _nothing_here()
        return self.server.live

    def _let_in(self, token: str) -> None:
        session = self.server.page.admit(token)
        if session is None:
            raise _RefusalError(HTTPStatus.FORBIDDEN, "this address was used before; the command shows a new one")
        self._go_to("/", f"{self.server.page.cookie}={session}; HttpOnly; SameSite=Strict; Path=/")

    def _go_to(self, path: str, cookie: str | None = None) -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", path)
        if cookie is not None:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _require_session(self) -> None:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.page.cookie)
        except CookieError:
            cookie = None
        if cookie is None or not self.server.page.knows(cookie.value):
            raise _RefusalError(HTTPStatus.FORBIDDEN, "open the address that the terminal shows")

    def _camera(self, name: str) -> str:
        if name not in self._live.screens.cameras:
            raise _RefusalError(HTTPStatus.NOT_FOUND, f"no camera {name!r}")
        return name

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LONGEST_BODY:
            self.close_connection = True
            raise _RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too much")
        try:
            content = json.loads(self.rfile.read(int(length)))
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "that is no JSON object")
        return content

    def _drawing(self, content: Mapping[str, Any]) -> Drawing:
        try:
            points = tuple((round(float(x), 4), round(float(y), 4)) for x, y in content["points"])
            return Drawing(self._camera(str(content["camera"])), str(content["table"]), str(content["name"]), points)
        except (KeyError, TypeError, ValueError):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "that is no drawing") from None

    def _mark(self, content: Mapping[str, Any]) -> dict[str, Any]:
        incident_id, true, note = content.get("id"), content.get("true"), content.get("note", "")
        if not isinstance(incident_id, str) or not isinstance(true, bool) or not isinstance(note, str):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "that is no verdict")
        return self.server.review.mark(incident_id, true=true, note=note)

    def _get_picture(self, camera: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self._plain_headers()
        self.close_connection = True
        for jpeg in self._live.screens.pictures(camera, self.server.page.stop):
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def _get_state(self, camera: str) -> None:
        self._send(HTTPStatus.OK, self._live.screens.state(camera))

    def _get_parts(self, camera: str) -> None:
        self._send(HTTPStatus.OK, self._live.desk.parts(camera))

    def _send_page(self, name: str) -> None:
        page, scripts = _page(name)
        self._send_bytes(HTTPStatus.OK, "text/html; charset=utf-8", page, scripts)

    def _send(self, status: HTTPStatus, content: Any) -> None:
        self._send_bytes(status, "application/json", json.dumps(content).encode())

    def _send_bytes(self, status: HTTPStatus, content_type: str, content: bytes, scripts: str = "'none'") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self._plain_headers(scripts)
        self.wfile.write(content)

    def _send_film(self, film: Path) -> None:
        """Send the film, or the part of it that was asked for: without parts no browser lets anybody seek."""
        try:
            file = film.open("rb")
        except OSError:  # newer ones took its place just now
            raise _nothing_here() from None
        with file:
            size_bytes = os.fstat(file.fileno()).st_size
            try:
                part = asked_part(self.headers.get("Range"), size_bytes)
            except UnsatisfiableError:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size_bytes}")
                self.send_header("Content-Length", "0")
                self._plain_headers()
                return
            first, last = part or (0, size_bytes - 1)
            self.send_response(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT)
            if part is not None:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size_bytes}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", FILM_TYPE)
            self.send_header("Content-Length", str(last - first + 1))
            self._plain_headers()
            file.seek(first)
            left_bytes = last - first + 1
            while left_bytes and (piece := file.read(min(PIECE_BYTES, left_bytes))):
                self.wfile.write(piece)
                left_bytes -= len(piece)

    def _plain_headers(self, scripts: str = "'none'") -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", _POLICY.format(scripts=scripts))
        self.end_headers()


def _nothing_here() -> _RefusalError:
    return _RefusalError(HTTPStatus.NOT_FOUND, "there is nothing here")


@cache
def _page(name: str) -> tuple[bytes, str]:
    """Return a page of the package, and which script may run in it: its own, by sha256."""
    page = (files("agent.service.viewing") / name).read_bytes()
    script = page.split(b"<script>")[1].split(b"</script>")[0]
    return page, f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def refuse_saving(_: Drawing) -> None:
    """Where the source is in no configuration."""
    raise ConfigError(
        "this source is in no configuration", cure="Add it with `vedette camera add`, then `vedette view NAME`."
    )
