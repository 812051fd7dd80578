"""Capture over HTTP: a live transport stream, and MJPEG that carries no time."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.types import NS_PER_S, Frame
from tests.capture.media import plain, write_film, write_picture
from tests.capture.recorder import running
from tests.servers.http_media import HttpMedia

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpMedia]:
    stream = write_film(tmp_path / "film.ts", 3.0).read_bytes()
    jpeg = write_picture(tmp_path / "picture.jpg", plain(64, 48), "mjpeg").read_bytes()
    with HttpMedia(stream, jpeg, fps=8.0) as running_server:
        yield running_server


def test_a_transport_stream_is_read_and_its_silence_is_a_stall(server: HttpMedia) -> None:
    with running(SourceSpec(camera="c", url=server.url("live.ts"), open_timeout_s=30.0, stall_timeout_s=2.0)) as seen:
        state = seen.wait_state("lost", "timeout")
    assert state.modalities == ("vision", "sound")
    assert len(seen.frames) > 20
    assert len(seen.sound) > 20


def test_mjpeg_without_stamps_gets_the_time_of_its_arrival(server: HttpMedia) -> None:
    at_ns = []
    with open_media(SourceSpec(camera="c", url=server.url("mjpeg"), stall_timeout_s=20.0)) as media:
        assert media.info.live
        for item in media.read(ordered=False):
            assert isinstance(item, Frame)
            at_ns.append(item.at_ns)
            if len(at_ns) == 40:
                break
    late_ns = at_ns[-25:]  # the first ones waited in FFmpeg while it was opening
    mean_ns = (late_ns[-1] - late_ns[0]) / 24
    # 8 a second as they were sent, perhaps held up by a busy machine; not the 25 a second that FFmpeg makes up
    assert NS_PER_S / 14 < mean_ns < NS_PER_S / 2
    assert all(later > earlier for earlier, later in pairwise(at_ns))


def test_a_missing_page_is_not_found(server: HttpMedia) -> None:
    with pytest.raises(SourceError) as caught:
        open_media(SourceSpec(camera="c", url=server.url("nothing"), username="u", password="s3cret"))
    assert caught.value.fault == "not_found"
    assert "s3cret" not in caught.value.line()
