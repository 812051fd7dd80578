from agent.capture.spec import MediaInfo, SourceSpec
from agent.capture.watch import Watch
from agent.types import NS_PER_S

SPEC = SourceSpec(camera="c", url="rtsp://u:secret@192.0.2.1/s", open_timeout_s=4, stall_timeout_s=2)
BOTH = MediaInfo(has_picture=True, has_sound=True, live=True)


def watch(info: MediaInfo | None) -> Watch:
    made = Watch(SPEC, 0)
    if info is not None:
        made.opened(info, 0)
    return made


def fault_at(made: Watch, second: float) -> str | None:
    failure = made.failure(int(second * NS_PER_S))
    return failure.fault if failure else None


def test_opening_may_take_its_time_and_no_longer() -> None:
    assert fault_at(watch(None), 4.4) is None
    assert fault_at(watch(None), 4.6) == "timeout"


def test_a_source_is_stalled_just_after_its_limit() -> None:
    assert fault_at(watch(BOTH), 2.0) is None
    assert fault_at(watch(BOTH), 2.001) == "timeout"


def test_sound_without_picture_is_a_stall() -> None:
    made = watch(BOTH)
    made.arrived("sound", 3 * NS_PER_S)
    assert fault_at(made, 3.0) == "timeout"


def test_picture_without_sound_is_told_but_kept() -> None:
    made = watch(BOTH)
    made.arrived("vision", 3 * NS_PER_S)
    assert fault_at(made, 3.0) is None
    assert made.sound_is_missing(3 * NS_PER_S)


def test_when_everything_stands_still_it_is_not_the_sound_that_is_missing() -> None:
    made = watch(BOTH)
    made.arrived("vision", NS_PER_S)
    assert not made.sound_is_missing(int(2.1 * NS_PER_S))


def test_a_recording_whose_sound_is_shorter_is_not_stalled() -> None:
    made = watch(MediaInfo(has_picture=True, has_sound=True))
    made.arrived("vision", 9 * NS_PER_S)
    assert fault_at(made, 9.0) is None
    assert not made.sound_is_missing(9 * NS_PER_S)


def test_the_password_is_not_in_what_it_says() -> None:
    failure = watch(BOTH).failure(9 * NS_PER_S)
    assert failure is not None
    assert "secret" not in failure.line()
