"""One picture of a stream that is not watched: there in time, or not at all."""

import socket
import time
from pathlib import Path

import numpy as np
import pytest

from agent.capture.glimpse import Glimpse
from agent.capture.pictures import LazyPicture
from agent.capture.source import SourceSpec
from agent.errors import SourceError
from tests.capture.media import plain, tone, write_picture, write_sound
from tests.servers.http_media import HttpMedia

PATIENCE_S = 90.0


def answer(glimpse: Glimpse) -> LazyPicture | SourceError:
    given_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < given_up_s:
        found = glimpse.poll()
        if found is not None:
            return found
        time.sleep(0.01)
    raise AssertionError("no answer")


def glimpse(url: str, deadline_s: float = PATIENCE_S, **more: object) -> Glimpse:
    spec = SourceSpec(camera="c", url=url, width_px=64, height_px=36, **more)  # type: ignore[arg-type]
    return Glimpse(spec, clock_ns=time.monotonic_ns, deadline_s=deadline_s)


def test_the_picture_is_full_size_and_its_masks_are_black() -> None:
    found = answer(glimpse("lavfi:color=white:size=640x360:rate=5", masks=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),)))
    assert isinstance(found, LazyPicture)
    picture = found.array()
    assert picture.shape == (360, 640, 3)
    assert picture[:, :318].max() == 0
    assert picture[:, 324:].min() > 200


def test_asking_never_waits_and_a_silent_source_is_given_up_at_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/x"
        started_s = time.monotonic()
        asked = glimpse(url, deadline_s=4.0)
        assert asked.poll() is None
        assert time.monotonic() - started_s < 3.0  # it never waited for the deadline
        failed = answer(asked)
    assert isinstance(failed, SourceError)
    assert failed.fault == "timeout"
    assert "s3cret" not in failed.line()


def test_what_cannot_be_opened_says_why() -> None:
    failed = answer(glimpse("/nowhere/at/all.mp4"))
    assert isinstance(failed, SourceError)
    assert failed.fault == "not_found"


def test_sound_alone_is_no_picture(tmp_path: Path) -> None:
    failed = answer(glimpse(str(write_sound(tmp_path / "sound.wav", tone(0.5, 16_000), 16_000))))
    assert isinstance(failed, SourceError)


def test_the_source_is_closed_once_there_was_a_picture() -> None:
    asked = glimpse("lavfi:color=white:size=64x36:rate=5")
    answer(asked)
    given_up_s = time.monotonic() + PATIENCE_S
    while asked.hangs and time.monotonic() < given_up_s:
        time.sleep(0.01)
    assert not asked.hangs


@pytest.mark.integration
def test_a_camera_that_offers_a_jpeg_needs_no_stream(tmp_path: Path) -> None:
    jpeg = write_picture(tmp_path / "picture.jpg", plain(160, 90, 200), "mjpeg").read_bytes()
    with HttpMedia(b"", jpeg, fps=1.0) as server:
        found = answer(glimpse(server.url("still.jpg")))
    assert isinstance(found, LazyPicture)
    assert found.array().shape == (90, 160, 3)
    assert np.abs(found.array().astype(int) - 200).max() < 12
