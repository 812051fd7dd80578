"""Capture over HTTP: a live transport stream, and MJPEG that carries no time."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.types import NS_PER_S, Frame
from tests.capture.media import plain, write_film, write_picture, write_pictures
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


def test_a_connection_that_is_cut_is_an_end_and_nobody_refused_anything(server: HttpMedia, tmp_path: Path) -> None:
    server.files["cut.ts"] = write_film(tmp_path / "short.ts", 3.0).read_bytes()
    with running(SourceSpec(camera="c", url=server.url("cut.ts"), open_timeout_s=30.0)) as seen:
        state = seen.wait_state("lost", "ended")
    assert len(seen.frames) > 20
    assert "refuse" not in state.why


def test_what_is_shown_again_after_a_lost_connection_is_not_squeezed_into_no_time(
    server: HttpMedia, tmp_path: Path
) -> None:
    server.files["kept.ts"] = write_film(tmp_path / "kept.ts", 3.0).read_bytes()  # 3 s that come at once, each time
    with running(SourceSpec(camera="c", url=server.url("kept.ts"), open_timeout_s=30.0)) as seen:
        seen.wait_state("lost", "ended")
        seen.wait_more(frames=5)
    at_ns = [frame.at_ns for _, frame in seen.frames]
    assert min(later - earlier for earlier, later in pairwise(at_ns)) > NS_PER_S / 50


def test_bare_h264_without_stamps_gets_the_time_of_its_arrival(server: HttpMedia, tmp_path: Path) -> None:
    film = write_pictures(tmp_path / "bare.h264", [plain(64, 48, 10 * n) for n in range(20)])
    server.files["bare.h264"] = film.read_bytes()
    with running(SourceSpec(camera="c", url=server.url("bare.h264"), open_timeout_s=30.0)) as seen:
        seen.wait_more(frames=15)


def test_what_comes_in_pieces_is_played_at_its_own_speed(server: HttpMedia, tmp_path: Path) -> None:
    film, playlist = write_film(tmp_path / "film.ts", 6.0), str(tmp_path / "live.m3u8")
    with av.open(playlist, "w", format="hls", options={"hls_time": "2"}) as pieces, av.open(str(film)) as whole:
        copies = {stream.index: pieces.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                pieces.mux(packet)
    server.files |= {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # without its end mark the list is a live one, whose newest piece was recorded just now
    server.files["live.m3u8"] = server.files["live.m3u8"].replace(b"#EXT-X-ENDLIST", b"")
    with running(SourceSpec(camera="c", url=server.url("live.m3u8"), open_timeout_s=30.0)) as seen:
        seen.wait(lambda: bool(seen.frames) and seen.frames[-1][1].at_ns - seen.frames[0][1].at_ns > NS_PER_S, "second")
    came_ns, at_ns = ([pair[0] for pair in seen.frames], [frame.at_ns for _, frame in seen.frames])
    assert came_ns[-1] - came_ns[0] > 0.8 * (at_ns[-1] - at_ns[0])
    steps_ns = sorted(later - earlier for earlier, later in pairwise(at_ns))
    assert steps_ns[len(steps_ns) // 2] == pytest.approx(NS_PER_S / 10, rel=0.2)


def test_a_missing_page_is_not_found(server: HttpMedia) -> None:
    with pytest.raises(SourceError) as caught:
        open_media(SourceSpec(camera="c", url=server.url("nothing"), username="u", password="s3cret"))
    assert caught.value.fault == "not_found"
    assert "s3cret" not in caught.value.line()
