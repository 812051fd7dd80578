"""The installer's page: one browser is let in, pictures and incidents come, drawings are kept or refused."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.config.load import load
from agent.errors import ConfigError, VedetteError
from agent.scene import Policy, Scene
from agent.service.viewing.page import Desk, Drawing, Live, Page
from agent.service.viewing.review import Review
from agent.service.viewing.run import run_view
from agent.service.viewing.screens import Screens
from agent.types import NS_PER_S, Blind, Box, Closer, Frame, PictureStats, Seen

CLIP = str(files("agent") / "service" / "clips" / "fall.mp4")
TRIANGLE = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]


class Browser:
    """Asks as a browser does, with its one cookie."""

    def __init__(self, url: str) -> None:
        self.host, self.entrance = url.removeprefix("http://").split("/", 1)
        self.cookie = ""

    def ask(self, path: str, content: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        usual = {"Host": self.host, "Origin": f"http://{self.host}", "Cookie": self.cookie}
        body = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        connection.request("GET" if body is None else "POST", path, body, usual | headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.getheader("Set-Cookie"):
            self.cookie = str(answer.getheader("Set-Cookie")).split(";")[0]
        connection.close()
        return answer.status, json.loads(text) if answer.getheader("Content-Type") == "application/json" else text

    def enter(self) -> int:
        return self.ask(f"/{self.entrance}")[0]


@pytest.fixture
def kept() -> list[Drawing]:
    return []


@pytest.fixture
def page(tmp_path: Path, kept: list[Drawing]) -> Iterator[Page]:
    config = tmp_path / "vedette.toml"
    config.write_text('[cameras.hall]\nurl = "rtsp://192.0.2.1/x"\n')

    def refuse(camera: str, table: str, name: str) -> None:
        raise ConfigError(f"{name} is not in the configuration", cure="Look at the list.")

    desk = Desk(parts=lambda camera: {"saves": True, "zones": {}}, keep=kept.append, remove=refuse)
    made = Page(Review(tmp_path), Live(Screens(load(config)), desk))
    made.start()
    yield made
    made.close()


def test_the_page_is_told_whether_there_is_a_picture_and_when_something_happened(tmp_path: Path) -> None:
    config = tmp_path / "vedette.toml"
    config.write_text('[cameras.hall]\nurl = "rtsp://192.0.2.1/x"\n')
    screens, scene = Screens(load(config)), Scene(Policy(), lateness_ns=0)
    assert screens.state("hall")["picture_age_s"] is None
    for at_s in range(5):
        lost = Blind(camera="hall", at_ns=at_s * NS_PER_S, modality="vision", reason="refused")
        screens.stepped(scene, lost, scene.step(lost))
    (line,) = screens.state("hall")["story"]
    assert line["kind"] == "source_lost"
    time.strptime(line["at"], "%H:%M:%S")
    stats = PictureStats(brightness_frac=0.5, contrast_frac=0.2, sharpness_frac=0.1, moving_frac=0.0)
    seen = Seen(camera="hall", at_ns=9 * NS_PER_S, aspect_ratio=1.5, stats=stats, detections=())
    screens.stepped(scene, seen, scene.step(seen))
    assert 0.0 <= screens.state("hall")["picture_age_s"] < 5.0


def test_the_address_lets_one_browser_in_once(page: Page) -> None:
    first, second = Browser(page.url), Browser(page.url)
    assert first.ask("/cameras")[0] == 403
    assert first.enter() == 303
    assert first.cookie.startswith(f"{page.cookie}=")
    assert second.enter() == 403
    assert first.ask("/cameras") == (200, [{"camera": "hall", "name": "hall"}])
    assert b"<title>Vedette</title>" in first.ask("/")[1]
    assert second.ask("/cameras")[0] == 403
    assert second.ask("/cameras", Cookie=f"{page.cookie}=guess")[0] == 403


def test_two_pages_of_one_machine_do_not_take_each_others_cookie(page: Page, tmp_path: Path) -> None:
    other = Page(Review(tmp_path))
    other.start()
    first, second = Browser(page.url), Browser(other.url)
    first.enter()
    second.enter()
    both = f"{first.cookie}; {second.cookie}"  # what a browser sends to either
    assert first.cookie.split("=")[0] != second.cookie.split("=")[0]
    assert first.ask("/cameras", Cookie=both)[0] == 200
    assert second.ask("/review/about", Cookie=both)[0] == 200
    other.close()


def test_a_wrong_key_does_not_use_the_right_one_up(page: Page) -> None:
    browser = Browser(page.url)
    assert browser.ask("/enter/guess")[0] == 403
    assert browser.ask("/enter/")[0] == 403
    assert browser.enter() == 303


def test_a_name_that_points_here_reaches_nothing(page: Page) -> None:
    browser = Browser(page.url)
    assert browser.enter() == 303
    assert browser.ask("/cameras", Host="evil.example")[0] == 403
    assert browser.ask("/cameras", Host=f"localhost:{page.port}")[0] == 200


def test_changes_come_from_the_page_itself(page: Page, kept: list[Drawing]) -> None:
    browser = Browser(page.url)
    browser.enter()
    drawing = {"camera": "hall", "table": "zones", "name": "yard", "points": TRIANGLE}
    assert browser.ask("/keep", drawing, Origin="http://evil.example")[0] == 403
    assert kept == []
    assert browser.ask("/keep", drawing) == (200, {})
    assert kept == [Drawing("hall", "zones", "yard", ((0.1, 0.2), (0.9, 0.2), (0.5, 0.9)))]


def test_what_a_refused_change_carries_is_not_taken_for_the_next_request(page: Page) -> None:
    browser = Browser(page.url)
    browser.enter()
    hidden = f"GET /cameras HTTP/1.1\r\nHost: {browser.host}\r\nCookie: {browser.cookie}\r\n\r\n"
    head = (
        f"POST /keep HTTP/1.1\r\nHost: {browser.host}\r\nOrigin: http://evil.example\r\nContent-Length: {len(hidden)}"
    )
    with socket.create_connection(("127.0.0.1", page.port), 30) as line:
        line.sendall(f"{head}\r\n\r\n{hidden}".encode())
        line.shutdown(socket.SHUT_WR)
        answers = b""
        while piece := line.recv(65_536):
            answers += piece
    assert answers.startswith(b"HTTP/1.1 403")
    assert answers.count(b"HTTP/1.1") == 1
    assert b"hall" not in answers


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"x" * 30_000, 413),
        ({"camera": "hall", "table": "zones", "name": "a"}, 400),
        ({"camera": "hall", "table": "zones", "name": "a", "points": [["x", 1]]}, 400),
        ({"camera": "moon", "table": "zones", "name": "a", "points": TRIANGLE}, 404),
    ],
)
def test_what_is_no_drawing_is_refused(page: Page, kept: list[Drawing], content: Any, status: int) -> None:
    browser = Browser(page.url)
    browser.enter()
    answer = browser.ask("/keep", content)
    assert answer[0] == status
    assert answer[1]["error"]
    assert kept == []


def test_what_the_configuration_refuses_is_told_with_its_cure(page: Page) -> None:
    browser = Browser(page.url)
    browser.enter()
    status, told = browser.ask("/remove", {"camera": "hall", "table": "zones", "name": "yard"})
    assert status == 400
    assert "Look at the list" in told["error"]


def test_a_port_that_is_taken_is_told(page: Page, tmp_path: Path) -> None:
    with pytest.raises(VedetteError, match="cannot be served"):
        Page(Review(tmp_path), port=page.port)


def test_past_incidents_can_be_reviewed_beside_the_live_cameras(page: Page) -> None:
    browser = Browser(page.url)
    browser.enter()
    assert b'href="/review"' in browser.ask("/")[1]
    assert b"<title>Vedette: review</title>" in browser.ask("/review")[1]
    assert browser.ask("/review/about")[1]["live"] is True


@pytest.mark.integration
@pytest.mark.parametrize("wanted", [False, True])
def test_the_parts_that_were_looked_at_closer_are_outlined_for_a_second_if_that_is_wanted(
    tmp_path: Path, wanted: bool
) -> None:
    config = tmp_path / "vedette.toml"
    config.write_text('[cameras.hall]\nurl = "rtsp://192.0.2.1/x"\n')
    screens, scene = Screens(load(config), shows_looks=wanted), Scene(Policy())
    frame = Frame(camera="hall", at_ns=0, picture=np.zeros((360, 640, 3), np.uint8), width_px=640, height_px=360)
    region = Box(left_frac=0.25, top_frac=0.25, right_frac=0.75, bottom_frac=0.75)
    shown: list[bool] = []
    screens._screens["hall"].watchers = 1
    for n in range(14):
        seen = Seen(
            camera="hall",
            at_ns=n * NS_PER_S // 10,
            aspect_ratio=16 / 9,
            stats=PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0),
            detections=(),
            closer=Closer(region=region, detections=()) if n == 1 else None,
        )
        screens.frame(frame, lambda: None)
        screens.stepped(scene, seen, ())
        drawn = cv2.imdecode(np.frombuffer(screens._screens["hall"].jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert drawn is not None
        shown.append(bool(drawn[90, 200:440].mean() > 60 and drawn[180, 200:440].mean() < 20))
    assert shown == [wanted and 1 <= n <= 11 for n in range(14)]


def test_pictures_come_and_a_drawn_zone_is_kept_and_watched(tmp_path: Path) -> None:
    config = tmp_path / "vedette.toml"
    config.write_text(f'# mine\n[cameras.home]\nurl = "{CLIP}"\nloop = true\n')
    stop, ready = threading.Event(), threading.Event()
    urls: list[str] = []

    def tell(url: str) -> None:
        urls.append(url)
        ready.set()

    def serve() -> None:
        run_view(
            load(config),
            config_path=config,
            history=tmp_path,
            saves=True,
            password=None,
            port=0,
            on_ready=tell,
            stop=stop,
        )

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        assert ready.wait(60)
        browser = Browser(urls[0])
        assert browser.enter() == 303
        assert first_jpeg(browser, "/picture/home").startswith(b"\xff\xd8")
        drawing = {"camera": "home", "table": "zones", "name": "floor", "points": TRIANGLE}
        assert browser.ask("/keep", drawing) == (200, {})
        assert [list(point) for point in load(config).cameras["home"].zones["floor"].polygon] == TRIANGLE
        assert "# mine" in config.read_text()
        assert browser.ask("/parts/home")[1]["zones"] == {"floor": TRIANGLE}
        assert browser.ask("/keep", drawing | {"name": "Tür 2"}) == (200, {})
        assert load(config).cameras["home"].zones["tuer-2"].name == "Tür 2"
        assert browser.ask("/parts/home")[1]["names"] == {"tuer-2": "Tür 2"}
        assert browser.ask("/remove", {"camera": "home", "table": "zones", "name": "tuer-2"}) == (200, {})
        for unreadable in ("", "A\tB", "x" * 65):
            status, told = browser.ask("/keep", drawing | {"name": unreadable})
            assert status == 400
            assert told["error"]
        assert browser.ask("/keep", drawing | {"table": "node"})[0] == 400
        assert browser.ask("/remove", {"camera": "home", "table": "zones", "name": "floor"}) == (200, {})
        assert load(config).cameras["home"].zones == {}
        assert browser.ask("/state/home")[1]["camera"] == "home"
    finally:
        stop.set()
        server.join(30)
    assert not server.is_alive()


def first_jpeg(browser: Browser, path: str) -> bytes:
    """The first picture of a stream."""
    connection = http.client.HTTPConnection(browser.host, timeout=60)
    connection.request("GET", path, headers={"Host": browser.host, "Cookie": browser.cookie})
    answer = connection.getresponse()
    assert answer.status == 200
    while not (line := answer.fp.readline().strip().lower()).startswith(b"content-length:"):
        assert line is not None
    answer.fp.readline()
    picture = answer.fp.read(int(line.split(b":")[1]))
    connection.close()
    return bytes(picture)
