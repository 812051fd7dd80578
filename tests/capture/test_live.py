import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from agent.capture.decoding import Decoding
from agent.capture.devices import DecoderChoice
from agent.capture.live import LiveSource
from agent.capture.spec import MediaInfo, SourceSpec
from agent.capture.timing import Placed
from agent.capture.watch import Watch
from agent.types import NS_PER_S, Frame
from tests.capture.media import MS, plain, write_film, write_pictures
from tests.capture.recorder import running


def test_a_recording_runs_at_its_own_speed_and_ends(tmp_path: Path) -> None:
    with running(SourceSpec(camera="c", url=str(write_film(tmp_path / "film.mp4", 1.5)))) as seen:
        assert seen.wait_state("ended", "ended").modalities == ("vision", "sound")
        assert seen.thread is not None
        seen.thread.join(60)
        assert not seen.thread.is_alive()
    assert [frame.at_ns - seen.frames[0][1].at_ns for _, frame in seen.frames] == [n * 100 * MS for n in range(15)]
    picture_lags_ns = sorted(arrived_ns - frame.at_ns for arrived_ns, frame in seen.frames)
    assert picture_lags_ns[0] >= 90 * MS  # on the machine's clock, and not before it happened
    assert picture_lags_ns[len(picture_lags_ns) // 2] < 1500 * MS  # a busy machine may hold up some
    lags_ns = [arrived_ns - block.at_ns for arrived_ns, block in seen.sound if len(block.samples) == 1600]
    assert min(lags_ns) >= 99 * MS  # no sound before its last sample could be heard
    assert not any(block.gap_before for _, block in seen.sound)


def test_a_looping_recording_goes_on_in_time_and_marks_the_seam(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 0.6)
    with running(SourceSpec(camera="c", url=str(path), loop=True)) as seen:
        seen.wait_more(frames=14, sound=14)
    times_ns = [frame.at_ns for _, frame in seen.frames]
    assert all(later > earlier for earlier, later in pairwise(times_ns))
    gaps = [n for n, (_, block) in enumerate(seen.sound) if block.gap_before]
    assert gaps[0] in (6, 7)
    assert all(state.status != "ended" for state in seen.states)


def test_a_missing_file_is_told_once_and_found_when_it_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = write_film(tmp_path / "made.mp4", 0.5)
    with running(SourceSpec(camera="c", url=str(tmp_path / "late.mp4"))) as seen:
        seen.wait_state("lost", "not_found")
        made.rename(tmp_path / "late.mp4")
        seen.wait_state("ended", "ended")
    assert [state.reason for state in seen.states if state.status == "lost"] == ["not_found"]
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_a_recording_without_sound_says_that_it_has_none(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mp4", [plain(64, 48)] * 5)
    with running(SourceSpec(camera="c", url=str(path))) as seen:
        assert seen.wait_state("ended", "ended").modalities == ("vision",)
    absent = [state for state in seen.states if state.status == "absent"]
    assert [(state.modalities, state.blind_reason) for state in absent] == [(("sound",), None)]


def test_a_fault_in_reading_ends_the_worker_instead_of_hiding() -> None:
    class BrokenError(LookupError):
        """What nobody foresaw."""

    def clock_ns() -> int:
        if threading.current_thread().name.startswith("read"):
            raise BrokenError
        return time.monotonic_ns()

    def ignore(_: object) -> None:
        """Nobody listens."""

    spec = SourceSpec(camera="c", url="lavfi:testsrc2=size=64x48:rate=10")
    source = LiveSource(spec, clock_ns=clock_ns, on_frame=ignore, on_sound=ignore, on_state=ignore)
    with pytest.raises(BrokenError):
        source.run(threading.Event())


def test_a_generator_is_paced_whether_it_paces_itself_or_not() -> None:
    for filters in ("", ",realtime"):
        url = f"lavfi:testsrc2=size=64x48:rate=10{filters}[out0];sine=frequency=440[out1]"
        started_ns = time.monotonic_ns()
        with running(SourceSpec(camera="c", url=url)) as seen:
            seen.wait_more(frames=6, sound=6)
            (_, first), (last_ns, last) = seen.frames[0], seen.frames[5]
        assert last.at_ns - first.at_ns == NS_PER_S // 2
        assert last_ns - started_ns > 400 * MS


def test_stopping_does_not_wait_for_a_long_pause_in_a_recording(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mkv", [plain(64, 48)] * 2, stamps_ms=[0, 50_000])
    with running(SourceSpec(camera="c", url=str(path))) as seen:
        seen.wait_more(frames=1)
    # leaving the block asserts that the source stopped
    assert len(seen.frames) == 1


def test_a_device_that_hangs_in_its_driver_is_not_waited_for_for_ever() -> None:
    """FFmpeg hangs in a driver where no timeout reaches it: the next connection is decoded by the CPU."""
    now_s = iter(range(0, 1000, 20))

    class Hanging:
        hangs = True

    def waits(decoder: DecoderChoice) -> tuple[LiveSource, bool]:
        spec = SourceSpec(camera="c", url="rtsp://192.0.2.1/", decoder=decoder)
        source = LiveSource(
            spec,
            clock_ns=lambda: next(now_s) * NS_PER_S,
            on_frame=lambda _: None,
            on_sound=lambda _: None,
            on_state=lambda _: None,
        )
        if decoder != "cpu":
            source._hardware.decoding = Decoding("vaapi")
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        source._let_go(Hanging(), stop)  # type: ignore[arg-type]
        return source, stop.is_set()

    source, until_the_end = waits("vaapi")
    assert not until_the_end
    assert source.decoding.by == "cpu"
    assert "vaapi does not decode it" in source.decoding.fault
    assert waits("cpu")[1]


def test_a_new_connection_does_not_begin_within_moments_of_the_last_picture_of_the_old() -> None:
    """What is fast is told by pictures in a row: two of them 5 ms apart would make everybody run."""
    given: list[int] = []
    spec = SourceSpec(camera="c", url="rtsp://192.0.2.1/")
    info = MediaInfo(has_picture=True, has_sound=False, live=True)
    source = LiveSource(
        spec,
        clock_ns=lambda: 10 * NS_PER_S,
        on_frame=lambda frame: given.append(frame.at_ns // MS),
        on_sound=lambda _: None,
        on_state=lambda _: None,
    )

    def connected(*at_ms: int) -> None:
        source._opened(info)
        frames = [Frame(camera="c", at_ns=ms * MS, picture=plain(64, 48), width_px=64, height_px=48) for ms in at_ms]
        source._deliver([Placed(frame, None, 0) for frame in frames], Watch(spec, 0), threading.Event())

    connected(0, 10, 100)  # a camera of 100 pictures a second may have them so near
    connected(40, 100, 105, 120, 130)
    assert given == [0, 10, 100, 130]
