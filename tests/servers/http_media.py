"""A small HTTP server for the tests: MPEG-TS that never ends, and MJPEG in parts as cheap cameras send it."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class HttpMedia:
    """Serves /live.ts (`transport_stream`, then nothing more, connection open), /mjpeg (`jpeg`, `fps` a second)
    and /still.jpg (`jpeg` once); `tls` makes it https. A test may replace `next_jpeg`, which /mjpeg asks, and put
    more into `files`, by name, which are sent without a length; then the connection is closed.
    """

    def __init__(self, transport_stream: bytes, jpeg: bytes, fps: float, tls: ssl.SSLContext | None = None) -> None:
        self.stop = threading.Event()
        self.next_jpeg = lambda: jpeg
        self.files: dict[str, bytes] = {}
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                if self.path == "/live.ts":
                    served._stream(self, transport_stream)
                elif self.path == "/mjpeg":
                    served._parts(self, fps)
                elif self.path == "/still.jpg":
                    served._still(self, jpeg)
                elif (data := served.files.get(self.path[1:])) is not None:
                    served._file(self, data)
                else:
                    self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]

    def url(self, path: str) -> str:
        """Return the address of `path`."""
        return f"{self._scheme}://127.0.0.1:{self.port}/{path}"

    def _stream(self, request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp2t")
        request.end_headers()
        request.wfile.write(data)
        request.wfile.flush()
        self.stop.wait(60)

    def _file(self, request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(data)

    def _still(self, request: BaseHTTPRequestHandler, jpeg: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "image/jpeg")
        request.send_header("Content-Length", str(len(jpeg)))
        request.end_headers()
        request.wfile.write(jpeg)

    def _parts(self, request: BaseHTTPRequestHandler, fps: float) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        try:
            while not self.stop.wait(1 / fps):
                jpeg = self.next_jpeg()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                request.wfile.write(head + jpeg + b"\r\n")
                request.wfile.flush()
        except OSError:
            """The reader has gone."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
