"""A camera that speaks ONVIF, as far as finding it and its streams needs: for tests, on loopback."""

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree

USER, PASSWORD = "watcher", "s3cret <&>"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
SCHEMA = "http://www.onvif.org/ver10/schema"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
NO = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault>'
)
CLOCK = (
    f'<GetSystemDateAndTimeResponse xmlns="{DEVICE}"><SystemDateAndTime xmlns:tt="{SCHEMA}"><tt:UTCDateTime><tt:Time>'
    "<tt:Hour>1</tt:Hour><tt:Minute>2</tt:Minute><tt:Second>3</tt:Second></tt:Time><tt:Date><tt:Year>2001</tt:Year>"
    "<tt:Month>2</tt:Month><tt:Day>3</tt:Day></tt:Date></tt:UTCDateTime></SystemDateAndTime>"
    "</GetSystemDateAndTimeResponse>"
)
"""The camera's clock was never set."""


def _profile(token: str, name: str, width: int, height: int, *, sound: bool) -> str:
    ear = "<tt:AudioEncoderConfiguration token='a'/>" if sound else ""
    return (
        f'<Profiles token="{token}"><tt:Name>{name}</tt:Name><tt:VideoEncoderConfiguration token="v">'
        f"<tt:Name>v</tt:Name><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width>"
        f"<tt:Height>{height}</tt:Height></tt:Resolution><tt:RateControl><tt:FrameRateLimit>15</tt:FrameRateLimit>"
        f"</tt:RateControl></tt:VideoEncoderConfiguration>{ear}</Profiles>"
    )


class _Asked(BaseHTTPRequestHandler):
    server: "OnvifCamera"

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        asked = ElementTree.fromstring(text)
        code, body = self.server.answer(self.path, asked)
        if isinstance(body, str):
            body = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        """Nothing: tests read what commands print."""


class OnvifCamera(ThreadingHTTPServer):
    """Two streams, told to USER only; a digest counts if it is new, of PASSWORD, and of the camera's own time."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.host = f"127.0.0.1:{self.server_port}"
        self.service = f"http://{self.host}/onvif/device_service"
        self.says: bytes | None = None  # instead of any answer
        self.nonces: set[str] = set()
        self.heard: list[str] = []

    def answer(self, path: str, asked: ElementTree.Element) -> tuple[int, str | bytes]:
        body = asked.find(f"{{{SOAP}}}Body")
        assert body is not None
        (request,) = body
        self.heard.append(ElementTree.tostring(asked, "unicode"))
        if self.says is not None:
            return 200, self.says
        if request.tag == f"{{{DEVICE}}}GetSystemDateAndTime":
            return 200, CLOCK
        if not self._knows(asked):
            return 400, NO
        if request.tag == f"{{{DEVICE}}}GetCapabilities":
            media = "<tt:Media><tt:XAddr>http://192.0.2.1/onvif/media</tt:XAddr></tt:Media>"
            return 200, f'<r><Capabilities xmlns:tt="{SCHEMA}">{media}</Capabilities></r>'
        assert path == "/onvif/media", "on the host that was asked, whatever address the camera takes for its own"
        if request.tag == f"{{{MEDIA}}}GetProfiles":
            main, sub = _profile("p<1>".replace("<", "&lt;"), "main", 1920, 1080, sound=True), ""
            sub = _profile("p2", "sub", 640, 360, sound=False)
            return 200, f'<GetProfilesResponse xmlns="{MEDIA}" xmlns:tt="{SCHEMA}">{main}{sub}</GetProfilesResponse>'
        assert request.tag == f"{{{MEDIA}}}GetStreamUri"
        token = request.findtext(f"{{{MEDIA}}}ProfileToken")
        number = {"p<1>": 1, "p2": 2}[str(token)]
        uri = f"<MediaUri><tt:Uri>rtsp://192.0.2.1:554/stream{number}?a=1&amp;b=2</tt:Uri></MediaUri>"
        return (
            200,
            f'<GetStreamUriResponse xmlns="{MEDIA}" xmlns:tt="{SCHEMA}">{uri}</GetStreamUriResponse>',
        )

    def _knows(self, asked: ElementTree.Element) -> bool:
        told = {element.tag.rpartition("}")[2]: element.text or "" for element in asked.iter()}
        if "Nonce" not in told or told["Nonce"] in self.nonces:
            return False
        self.nonces.add(told["Nonce"])
        whole = base64.b64decode(told["Nonce"]) + told["Created"].encode() + PASSWORD.encode()
        right = told["Password"] == base64.b64encode(hashlib.sha1(whole).digest()).decode()
        return right and told["Username"] == USER and told["Created"].startswith("2001-02-03T01:02:0")


@contextmanager
def onvif_camera() -> Iterator[OnvifCamera]:
    """A camera for as long as the block runs."""
    camera = OnvifCamera()
    thread = threading.Thread(target=camera.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        camera.shutdown()
        thread.join()
        camera.server_close()


MATCH = (
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Body><d:ProbeMatches><d:ProbeMatch>'
    "<d:Types>dn:NetworkVideoTransmitter</d:Types>"
    "<d:Scopes>onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/IPC-1 other:scope</d:Scopes>"
    "<d:XAddrs>{addresses}</d:XAddrs></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"
)


@contextmanager
def answering_probes(group: tuple[str, int], answers: list[bytes]) -> Iterator[list[bytes]]:
    """Somebody on loopback who answers each probe with all of `answers`; yields what was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(group)
        joined = struct.pack("4s4s", socket.inet_aton(group[0]), socket.inet_aton("127.0.0.1"))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        ear.settimeout(0.05)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    question, who = ear.recvfrom(65_535)
                except TimeoutError:
                    continue
                asked.append(question)
                for answer in answers:
                    ear.sendto(answer, who)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            over.set()
            thread.join()
