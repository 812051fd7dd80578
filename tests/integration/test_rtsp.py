"""Capture against a real RTSP server, which is also hung, killed and started again."""

import itertools
import logging
import socket
import traceback
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from agent.capture.devices import DEVICES, offer_of
from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.types import NS_PER_S, Frame, SoundBlock
from tests.capture.recorder import running
from tests.servers.rtsp import RtspServer, require_rtsp_server

pytestmark = pytest.mark.integration

PASSWORD = "s3cret/p@ss:w%rd"
MOUNTS = {
    "h264_aac": ("h264", "aac"),
    "h264_opus": ("h264", "opus"),
    "h264_pcma": ("h264", "pcm_alaw"),
    "h265_pcmu": ("hevc", "pcm_mulaw"),
    "mute": ("h264", ""),
    "sound_only": ("", "pcm_alaw"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    require_rtsp_server()
    with RtspServer() as running_server:
        yield running_server


def spec(server: RtspServer, mount: str, **changes: object) -> SourceSpec:
    wanted: dict[str, object] = {"open_timeout_s": 30.0, "stall_timeout_s": 10.0, **changes}
    return SourceSpec(camera="door", url=server.url(mount), **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("decoder", ["auto", *DEVICES])
@pytest.mark.parametrize("mount", ["h264_aac", "h265_pcmu"])
def test_a_device_that_is_not_there_costs_no_picture_and_no_connection(
    server: RtspServer, mount: str, decoder: str, caplog: pytest.LogCaptureFixture
) -> None:
    if any(offer_of(name).usable for name in DEVICES):
        pytest.skip("there may be one")
    with open_media(spec(server, mount, decoder=decoder)) as media:
        frames = [item for item in itertools.islice(media.read(), 60) if isinstance(item, Frame)]
        decoding = media.decoding
    assert len(frames) > 10
    assert decoding.by == "cpu"
    told = [record.getMessage() for record in caplog.records if "does not decode it" in record.getMessage()]
    assert len(told) == (decoder != "auto")
    assert all(decoding.cure in line for line in told)


def read(wanted: SourceSpec, seconds: float) -> tuple[list[Frame], list[SoundBlock], tuple[str, str]]:
    frames: list[Frame] = []
    blocks: list[SoundBlock] = []
    with open_media(wanted) as media:
        awaited = media.info.has_picture + media.info.has_sound
        begun_ns: dict[type, int] = {}  # a server on a busy machine may start its pictures a second after its sound
        for item in media.read():
            frames.append(item) if isinstance(item, Frame) else blocks.append(item)
            begun_ns.setdefault(type(item), item.at_ns)
            if len(begun_ns) == awaited and item.at_ns > max(begun_ns.values()) + seconds * NS_PER_S:
                break
        return frames, blocks, (media.info.video_codec, media.info.audio_codec)


def _is_whole(frames: list[Frame], blocks: list[SoundBlock]) -> bool:
    in_step = all(later.at_ns - earlier.at_ns < 80_000_000 for earlier, later in pairwise(frames))
    return in_step and not any(block.gap_before for block in blocks)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("mount", list(MOUNTS))
def test_every_codec_comes_over_both_transports(server: RtspServer, mount: str, transport: str) -> None:
    for _ in range(1 if transport == "tcp" else 4):  # UDP may lose something where a busy machine holds up the reader
        frames, blocks, codecs = read(spec(server, mount, transport=transport), 1.0)
        if _is_whole(frames, blocks):
            break
    assert codecs == MOUNTS[mount]
    if codecs[0]:
        assert len(frames) >= 12
        assert frames[-1].picture.shape == (180, 320, 3)
        steps_ns = {later.at_ns - earlier.at_ns for earlier, later in pairwise(frames)}
        assert max(steps_ns) < 80_000_000
    if codecs[1]:
        heard = np.concatenate([block.samples for block in blocks])
        assert len(heard) >= 0.8 * 16_000
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
        assert abs(int(spectrum.argmax()) * 16_000 / len(heard) - 1000) < 10
        assert not any(block.gap_before for block in blocks)


@pytest.mark.parametrize("method", ["basic", "digest"])
def test_both_logins_work_and_a_wrong_one_is_told_without_the_password(
    method: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    require_rtsp_server()
    caplog.set_level(logging.DEBUG)
    with RtspServer(user="viewer", password=PASSWORD, auth=method) as server:
        frames, _, _ = read(spec(server, "mute", username="viewer", password=PASSWORD), 0.3)
        assert frames
        for wrong in ("", f"{PASSWORD}x"):
            with pytest.raises(SourceError) as caught:
                open_media(spec(server, "mute", username="viewer", password=wrong))
            assert caught.value.fault == "login"
            assert not caught.value.transient
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
            assert "s3cret" not in shown
        with running(spec(server, "mute", username="viewer", password=f"{PASSWORD}x")) as seen:
            state = seen.wait_state("lost", "login")
    printed = capfd.readouterr()
    for text in (caplog.text, state.why, repr(state), printed.out, printed.err):
        assert "s3cret" not in text
        assert "p%40ss" not in text


def test_an_unknown_path_is_not_found(server: RtspServer) -> None:
    with pytest.raises(SourceError) as caught:
        open_media(spec(server, "nothing_here"))
    assert caught.value.fault == "not_found"


def test_a_closed_port_is_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"rtsp://u:{'s3cret'}@127.0.0.1:{closed.getsockname()[1]}/x"
    with pytest.raises(SourceError) as caught:
        open_media(SourceSpec(camera="door", url=url))
    assert caught.value.fault == "refused"
    assert "s3cret" not in caught.value.line()


def test_an_unknown_host_is_not_found() -> None:
    with pytest.raises(SourceError) as caught:
        open_media(SourceSpec(camera="door", url="rtsp://no-such-camera.invalid/x"))
    assert caught.value.fault == "not_found"


def test_a_server_that_says_nothing_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(SourceError) as caught:
            open_media(SourceSpec(camera="door", url=url, open_timeout_s=0.5))
    assert caught.value.fault == "timeout"


def test_live_time_is_the_machines_and_steady(server: RtspServer) -> None:
    with running(spec(server, "h264_pcma", analysis_fps=10.0)) as seen:
        seen.wait_more(frames=20, sound=20)
    lags_s = sorted((arrived_ns - frame.at_ns) / NS_PER_S for arrived_ns, frame in seen.frames)
    assert lags_s[0] >= 0
    assert lags_s[len(lags_s) // 2] < 1.5  # most of them: a busy machine may hold up some
    steps_ns = [later.at_ns - earlier.at_ns for (_, earlier), (_, later) in pairwise(seen.frames)]
    in_step = [40_000_000 < step < 160_000_000 for step in steps_ns]  # two or one of 15 a second
    assert sum(in_step) > 0.8 * len(in_step)
    for (_, before), (_, after) in pairwise(seen.sound):
        expected_ns = before.at_ns + len(before.samples) * 62_500
        assert after.gap_before or abs(after.at_ns - expected_ns) < 40_000_000


def test_a_hung_camera_is_a_stall_a_killed_one_an_end_and_both_come_back(caplog: pytest.LogCaptureFixture) -> None:
    require_rtsp_server()
    caplog.set_level(logging.INFO)
    with RtspServer() as server, running(spec(server, "h264_pcma", stall_timeout_s=4.0)) as seen:
        seen.wait_more(frames=5, sound=5)
        server.hang()
        state = seen.wait_state("lost", "timeout")
        assert state.modalities == ("vision", "sound")
        told = len(seen.states)
        server.go_on()
        seen.wait_state("running", None, after=told)
        blocks = len(seen.sound)
        seen.wait_more(sound=1)
        server.kill()
        seen.wait_state("lost", "ended", after=told)
        told = len(seen.states)
        server.start()
        seen.wait_state("running", None, after=told)
        blocks = len(seen.sound)
        seen.wait_more(frames=5, sound=2)
    times_ns = [frame.at_ns for _, frame in seen.frames]
    assert all(later > earlier for earlier, later in pairwise(times_ns))
    gaps = [n for n, (_, block) in enumerate(seen.sound) if block.gap_before]
    assert len(gaps) >= 2
    assert gaps[-1] <= blocks + 1
    lost = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(lost) == len([state for state in seen.states if state.status == "lost"])
