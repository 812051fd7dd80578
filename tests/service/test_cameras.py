"""Cameras start and stop one by one, and die and come back like any worker."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agent.capture.decoding import Decoding
from agent.capture.live import LiveSource
from agent.capture.spec import SourceSpec
from agent.errors import WorkerError
from agent.service.cameras import Cameras
from agent.service.workers import RESTARTS_ALLOWED
from tests.uplink.conftest import wait_for


class Reader:
    """A source that only waits for its end."""

    def __init__(self, body: Callable[[threading.Event], None] | None = None) -> None:
        self.runs = 0
        self._body = body

    def run(self, stop: threading.Event) -> None:
        self.runs += 1
        if self._body is not None:
            self._body(stop)
        stop.wait(120)


class Studio:
    """Makes the sources of cameras and remembers them."""

    def __init__(self, body: Callable[[threading.Event], None] | None = None) -> None:
        self.made: dict[str, Reader] = {}
        self._body = body

    def __call__(self, name: str) -> Mapping[str, Any]:
        self.made[name] = Reader(self._body)
        return {"picture": self.made[name]}


def cameras_of(studio: Studio, stop_step_s: float = 60.0) -> Cameras:
    return Cameras(studio, lambda: 0.0, stop_step_s)


def test_one_camera_stops_while_the_other_goes_on() -> None:
    studio = Studio()
    cameras = cameras_of(studio)
    for name in ("hall", "yard"):
        cameras.start(name)
    hall, yard = studio.made["hall"], studio.made["yard"]
    wait_for(lambda: hall.runs == yard.runs == 1)
    assert cameras.stop("hall")
    cameras.tend()
    assert hall.runs == yard.runs == 1
    cameras.start("hall")
    assert studio.made["hall"] is not hall
    assert cameras.end() == []


def test_starting_a_running_camera_changes_nothing_and_stopping_a_stopped_one_neither() -> None:
    studio = Studio()
    cameras = cameras_of(studio)
    cameras.start("hall")
    first = studio.made["hall"]
    cameras.start("hall")
    assert studio.made["hall"] is first
    assert cameras.stop("hall")
    assert cameras.stop("hall")


def test_a_camera_that_hangs_is_named_at_the_end() -> None:
    go_on = threading.Event()
    studio = Studio(lambda _: bool(go_on.wait(120)) or None)
    cameras = cameras_of(studio, stop_step_s=0.05)
    cameras.start("hall")
    wait_for(lambda: studio.made["hall"].runs)
    assert cameras.end() == ["capture hall picture"]
    go_on.set()


def test_a_camera_that_keeps_dying_ends_the_agent() -> None:
    def dying(_: threading.Event) -> None:
        raise OSError("gone")

    studio = Studio(dying)
    cameras = cameras_of(studio)
    cameras.start("hall")

    def until_it_is_given_up() -> None:
        for runs in range(1, RESTARTS_ALLOWED + 1):
            wait_for(lambda runs=runs: studio.made["hall"].runs == runs and not _alive("capture hall picture"))
            cameras.tend()

    with pytest.raises(WorkerError, match="capture hall"):
        until_it_is_given_up()


def _alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_only_a_camera_that_shows_pictures_has_some() -> None:
    cameras = cameras_of(Studio())
    cameras.start("hall")
    assert cameras.picture_of("hall") is None
    assert cameras.picture_of("yard") is None
    cameras.end()


def test_a_camera_that_is_not_decoded_by_what_was_asked_for_is_told_while_it_is_read() -> None:
    def ignore(_: object) -> None: ...

    def made(name: str) -> Mapping[str, Any]:
        spec = SourceSpec(camera=name, url="rtsp://127.0.0.1:1/", decoder="auto" if name == "yard" else "vaapi")
        source = LiveSource(spec, clock_ns=lambda: 0, on_frame=ignore, on_sound=ignore, on_state=ignore)
        source.run = lambda stop: stop.wait(120)  # type: ignore[method-assign, assignment]
        source._hardware.decoding = Decoding("vaapi")
        return {"picture": source}

    cameras = Cameras(made, lambda: 0.0, 30.0)
    cameras.start("hall")
    cameras.start("yard")
    assert (cameras.reading_of("hall"), cameras.remarks()) == ({"decoder": "vaapi"}, [])
    for name in ("hall", "yard"):
        source = cameras.picture_of(name)
        assert source is not None
        source._hardware.failed("it burns")
    assert cameras.reading_of("hall") == cameras.reading_of("nobody") == {"decoder": "cpu"}
    (remark,) = cameras.remarks()  # `auto` promised nothing
    assert remark.startswith("hall: vaapi does not decode it: ")
    assert cameras.end() == []
    assert cameras.remarks() == []
