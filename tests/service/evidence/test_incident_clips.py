"""Films of incidents: what is in them, what is not, and that trouble costs the film and nothing else."""

import io
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agent.capture.pictures import LazyPicture
from agent.config.load import of_data
from agent.errors import StoreError
from agent.service.evidence.darkroom import Still
from agent.service.evidence.footage import RING_MAX_BYTES, Ring
from agent.service.evidence.incident_clips import MOST_AT_ONCE, Clips
from agent.types import (
    NS_PER_S,
    Box,
    Closed,
    Detection,
    IncidentChange,
    Opened,
    PictureStats,
    Seen,
    SoundBlock,
    Updated,
)
from agent.uplink.evidence.clips import FOLDER, clip_name, film_of
from agent.uplink.messages.payload import uuid7
from tests.servers.disk import small_disk
from tests.uplink.made import incident

STATS = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)
STEP_NS = NS_PER_S // 10
T0 = 1_000  # seconds: where the story begins
MASK = {"polygon": [[0.0, 0.0], [0.25, 0.0], [0.25, 1.0], [0.0, 1.0]]}
SOMEBODY = Box(left_frac=0.4, top_frac=0.3, right_frac=0.7, bottom_frac=0.9)


def at(seconds: float) -> int:
    return round((T0 + seconds) * NS_PER_S)


class Stage:
    """A camera whose pictures get brighter by ten grey levels a second, and a clock that goes with it."""

    def __init__(
        self, folder: Path, *, blur: bool = False, masks: bool = False, camera: str = "", **clips: Any
    ) -> None:
        self.folder = folder
        self.now_ns = at(0)
        hall = {"url": "lavfi:x", "clips": camera, "masks": {"door": MASK} if masks else {}}
        settings = {"keep": "critical", "before_s": 2.0, "after_s": 1.0, "longest_s": 20.0} | clips
        config = of_data({"clips": settings, "privacy": {"blur_people": blur}, "cameras": {"hall": hall}})
        self.masks = [MASK["polygon"]] if masks else []
        self.clips = Clips(config, folder, lambda: self.now_ns, lambda: 1_800_000_000 * NS_PER_S)

    def picture(self, grey: int) -> LazyPicture:
        pixels = np.full((360, 640, 3), grey, np.uint8)
        pixels[::2, ::2] = min(255, grey + 60)  # a texture that blurring takes away
        return LazyPicture(av.VideoFrame.from_ndarray(pixels, format="rgb24"), self.masks)  # type: ignore[arg-type]

    def show(self, since_s: float, until_s: float, *, moving: bool = True, boxes: tuple[Box, ...] = ()) -> None:
        """Let the camera show pictures from one time to another, ten a second, and the worker work."""
        for n in range(round(since_s * 10), round(until_s * 10)):
            self.now_ns = at(n / 10)
            self.clips.looking("hall", self.now_ns, self.picture(20 + n % 200))
            found = tuple(Detection(label="person", score_prob=0.9, box=box) for box in boxes)
            self.clips.note(
                Seen(
                    camera="hall",
                    at_ns=self.now_ns,
                    aspect_ratio=16 / 9,
                    stats=STATS,
                    detections=found if moving else None,
                ),
                lambda _: (),
            )
            self.work()

    def work(self) -> None:
        while self.clips.work(0.0):
            pass

    def say(self, change: IncidentChange, number: int = 1) -> str | None:
        """Do what the judge does; return what the message calls the film."""
        named = self.clips.named(change)
        self.clips.follow(change, identifier(number))
        return named

    def later(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)
        self.work()

    def film(self, number: int = 1) -> bytes | None:
        return film_of(self.folder, identifier(number))


def identifier(number: int) -> str:
    return uuid7(1_800_000_000_000, bytes([number]) * 10)


def opened(started_s: float, at_s: float, number: int = 1, **more: Any) -> Opened:
    return Opened(incident=incident(number, started_ns=at(started_s), at_ns=at(at_s), **more))


def closed(ended_s: float, number: int = 1, **more: Any) -> Closed:
    return Closed(incident=incident(number, at_ns=at(ended_s), ended_ns=at(ended_s), close_reason="quiet", **more))


def pictures(film: bytes | None) -> list[tuple[float, np.ndarray[Any, Any]]]:
    assert film
    with av.open(io.BytesIO(film)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def greys(film: bytes | None) -> list[float]:
    """Return the mean of the lower right corner of each picture, where nothing is masked or blurred."""
    return [float(picture[300:, 500:].mean()) for _, picture in pictures(film)]


def test_a_film_begins_before_the_incident_and_ends_after_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 6)
    assert stage.say(opened(5.0, 5.9)) is None  # there is none yet, so none is claimed
    stage.show(6, 8)
    assert stage.say(closed(8.0)) == clip_name(identifier(1))
    assert stage.film() is None
    stage.show(8, 12)
    shown = pictures(stage.film())
    assert shown[-1][0] == pytest.approx(5.0 + 1.0, abs=0.15)  # 2 s before, 3 s of it, 1 s after
    first, last = greys(stage.film())[0], greys(stage.film())[-1]
    assert first == pytest.approx(20 + 30 + 15, abs=8)  # what was 3 s after the beginning of the story
    assert last - first == pytest.approx(60, abs=8)


def test_where_a_film_is_not_wanted_nothing_is_kept_in_memory_or_on_the_disk(tmp_path: Path) -> None:
    for stage in (Stage(tmp_path, keep="off"), Stage(tmp_path, keep="all", camera="off")):
        stage.show(0, 1)
        assert stage.say(opened(0.5, 0.9)) is None
        assert stage.say(closed(1.0)) is None
        stage.show(1, 4)
        assert not stage.clips._cameras
        assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize(
    ("keep", "camera", "severity", "kept"),
    [
        ("critical", "", "critical", True),
        ("critical", "", "warning", False),
        ("warning", "", "critical", True),
        ("warning", "", "warning", True),
        ("warning", "", "notice", False),
        ("all", "", "notice", True),
        ("off", "all", "notice", True),
        ("all", "critical", "warning", False),
    ],
)
def test_severity_decides_and_a_camera_may_say_otherwise(
    keep: str, camera: str, severity: str, kept: bool, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, keep=keep, camera=camera)
    stage.show(0, 2)
    stage.say(opened(1.0, 1.9, severity=severity))
    assert (stage.say(closed(2.0, severity=severity)) is not None) is kept


def test_an_incident_that_becomes_worse_gets_its_film_from_then_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 2)
    assert stage.say(opened(1.0, 1.9, severity="warning")) is None
    stage.show(2, 3)
    stage.say(Updated(incident=incident(1, started_ns=at(1.0), at_ns=at(2.9), severity="critical")))
    assert stage.say(closed(3.0)) == clip_name(identifier(1))


def test_a_drill_gets_none(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 2)
    stage.say(opened(1.0, 1.9, drill=True))
    assert stage.say(closed(2.0, drill=True)) is None


def test_masks_are_black_in_every_picture_of_the_film(tmp_path: Path) -> None:
    stage = Stage(tmp_path, masks=True)
    stage.show(10, 13)
    stage.say(opened(12.0, 12.9))
    stage.say(closed(13.0))
    stage.show(13, 16)
    for _, picture in pictures(stage.film()):
        assert picture[:, :156].max() < 12
        assert picture[:, 176:].min() > 60


def test_people_are_blurred_and_the_rest_is_not_even_in_a_picture_in_which_they_were_overlooked(tmp_path: Path) -> None:
    stage = Stage(tmp_path, blur=True)
    stage.show(5, 5.7)
    stage.show(5.7, 6.0, boxes=(SOMEBODY,))
    stage.say(opened(5.0, 6.0))
    stage.show(6.0, 6.2)  # overlooked
    stage.show(6.2, 6.5, boxes=(SOMEBODY,))
    stage.say(closed(6.5))
    stage.show(6.5, 9.0)
    shown = pictures(stage.film())
    hidden = [at_s for at_s, picture in shown if picture[150:300, 280:430].astype(float).std() < 8.0]
    assert hidden[0] == pytest.approx(0.4, abs=0.05)  # 0.3 s before they were found
    assert hidden == pytest.approx([at_s for at_s, _ in shown if 0.39 < at_s < 1.75], abs=0.01)
    assert all(picture[:90, 500:].astype(float).std() > 15.0 for _, picture in shown)


def test_a_still_picture_is_kept_twice_a_second_and_the_film_lasts_as_long(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 4, moving=False)
    stage.say(opened(3.5, 3.9))
    stage.show(4, 5, moving=False)
    stage.say(closed(5.0))
    stage.show(5, 8, moving=False)
    shown = pictures(stage.film())
    assert len(shown) <= 12
    assert shown[-1][0] == pytest.approx(4.5, abs=0.6)


def test_under_overload_two_pictures_a_second_have_to_do(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    for n in range(40):
        stage.clips.looking("hall", at(n / 10), stage.picture(50), sparsely=n >= 20)
        stage.clips.note(
            Seen(camera="hall", at_ns=at(n / 10), aspect_ratio=1.8, stats=STATS, detections=()), lambda _: ()
        )
        stage.work()
    kept = [still.at_ns for still in stage.clips._cameras["hall"].ring.stills]
    assert len([at_ns for at_ns in kept if at_ns < at(2)]) == 20
    assert len([at_ns for at_ns in kept if at_ns >= at(2)]) == 4


def test_a_long_incident_is_cut_and_its_film_named_by_an_update(tmp_path: Path) -> None:
    stage = Stage(tmp_path, longest_s=5.0)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.show(3, 12)
    assert pictures(stage.film())[-1][0] == pytest.approx(5.0, abs=0.2)
    assert stage.say(Updated(incident=incident(1, at_ns=at(12)))) == clip_name(identifier(1))
    stage.show(12, 13)
    assert stage.say(closed(13.0)) == clip_name(identifier(1))
    assert not stage.clips._recordings


def test_one_that_began_long_ago_has_what_is_still_there(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 20)
    stage.say(opened(1.0, 19.9))  # loitering, for example
    stage.say(closed(20.0))
    stage.show(20, 22.5)
    assert pictures(stage.film())[-1][0] == pytest.approx(12.0 + 1.0, abs=0.3)


def test_an_incident_shorter_than_a_picture_has_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path, before_s=0.0, after_s=0.0)
    stage.show(0, 2)
    stage.say(opened(1.93, 1.94))
    assert stage.say(closed(1.95)) is not None
    stage.later(10.0)
    assert len(pictures(stage.film())) >= 1


def test_several_at_once_have_a_film_each_and_share_the_memory(tmp_path: Path) -> None:
    stage = Stage(tmp_path, keep="all")
    stage.show(0, 3)
    for number in (1, 2, 3):
        stage.say(opened(2.0 + 0.1 * number, 2.9, number), number)
    held = [recording.stills[-1].jpeg for recording in stage.clips._recordings.values()]
    assert all(one is held[0] for one in held)
    stage.show(3, 4)
    for number in (1, 2, 3):
        stage.say(closed(4.0, number), number)
    stage.show(4, 7)
    assert len(list((tmp_path / FOLDER).iterdir())) == 3
    assert greys(stage.film(2))[-1] == pytest.approx(greys(stage.film(1))[-1], abs=3)


def test_beyond_the_most_at_once_only_critical_ones_get_a_film(tmp_path: Path) -> None:
    stage = Stage(tmp_path, keep="all")
    stage.show(0, 3)
    for number in range(1, MOST_AT_ONCE + 2):
        stage.say(opened(2.0, 2.9, number, severity="notice"), number)
    assert len(stage.clips._recordings) == MOST_AT_ONCE
    stage.say(opened(2.0, 2.9, 40), 40)
    assert 40 in stage.clips._recordings


def test_a_camera_that_is_lost_ends_the_film_and_its_last_picture_does_not_stay_for_long(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.now_ns = at(9.0)
    assert stage.say(closed(9.0)) is not None
    stage.later(3.0)
    assert stage.film() is None  # a picture may still come
    stage.later(4.0)
    assert pictures(stage.film())[-1][0] == pytest.approx(2.5 + 0.9, abs=0.2)


def test_without_a_picture_no_film_is_claimed_and_none_is_made(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.say(opened(0.5, 0.9))
    assert stage.say(closed(1.0)) is None
    stage.later(20.0)
    assert stage.film() is None
    assert stage.clips.remarks() == []
    assert not stage.clips._recordings


def test_a_camera_that_is_switched_off_is_forgotten(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.clips.forget("hall")
    stage.say(opened(2.5, 3.0))
    assert stage.say(closed(3.0)) is None


def test_the_sound_is_in_the_film_only_where_that_is_wanted(tmp_path: Path) -> None:
    for wanted in (True, False):
        stage = Stage(tmp_path, sound=wanted)
        for n in range(30):
            samples = np.sin(np.arange(1600) / 3).astype(np.float32)
            stage.clips.sound(SoundBlock(camera="hall", at_ns=at(n / 10), samples=samples))
            stage.clips.sound(SoundBlock(camera="hall", at_ns=at(n / 10), samples=samples, drill=True))
        stage.show(0, 3)
        stage.say(opened(2.0, 2.9), 1 + wanted)
        stage.say(closed(3.0), 1 + wanted)
        stage.show(3, 6)
        with av.open(io.BytesIO(stage.film(1 + wanted) or b"")) as film:
            assert bool(film.streams.audio) is wanted
            if wanted:
                heard_s = sum(frame.samples for frame in film.decode(audio=0)) / 16_000
                assert heard_s == pytest.approx(3.0, abs=0.3)


def test_a_full_disk_costs_the_film_is_told_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr(stage.clips._folder, "keep", full)
        for number in (1, 2):
            stage.say(opened(2.5, 2.9, number), number)
            named = stage.say(closed(3.0, number), number)
            stage.show(3 + number, 6 + number)
            assert (named is None) is (number == 2)  # once it is known, no film is promised
    assert stage.film(1) is None
    assert stage.clips.remarks() == ["clips: No space left on device"]
    assert len([one for one in caplog.records if "no film is kept" in one.getMessage()]) == 1
    stage.say(opened(8.5, 8.9, 3), 3)
    stage.say(closed(9.0, 3), 3)
    stage.show(9, 12)
    assert stage.film(3)
    assert stage.clips.remarks() == []


@pytest.mark.parametrize("cut_bytes", [0, 1000])
def test_what_there_was_when_the_power_went_is_a_film_after_the_next_start(tmp_path: Path, cut_bytes: int) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.show(3, 12)
    assert stage.film() is None
    (growing,) = (tmp_path / FOLDER).iterdir()
    assert growing.stat().st_mode & 0o777 == 0o600
    growing.write_bytes(growing.read_bytes()[: growing.stat().st_size - cut_bytes])
    stop = threading.Event()
    stop.set()
    Stage(tmp_path).clips.run(stop)  # the agent was killed; another one begins
    times_s = [time_s for time_s, _ in pictures(stage.film())]
    assert times_s[0] == 0
    assert 7 <= times_s[-1] <= 12
    assert [path.suffix for path in (tmp_path / FOLDER).iterdir()] == [".mp4"]


def test_a_disk_that_is_full_for_a_moment_costs_what_was_saved_and_not_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.show(3, 6)
    with monkeypatch.context() as patched:

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr("agent.uplink.evidence.clips.os.fsync", full)
        stage.show(6, 9)
    stage.show(9, 12)
    assert list((tmp_path / FOLDER).iterdir()) == []
    stage.say(closed(12.0))
    stage.show(12, 20)
    assert len(pictures(stage.film())) > 100
    assert stage.clips.remarks() == []


def test_what_was_left_and_is_no_film_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for number, content in enumerate((b"", b"\0\0\0\x10mdatnothing!", b"garbage" * 100)):
        (tmp_path / FOLDER / f"{identifier(number)}.growing").write_bytes(content)
    stop = threading.Event()
    stop.set()
    Stage(tmp_path).clips.run(stop)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_film_that_is_written_leaves_nothing_beside_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.say(closed(3.0))
    stage.show(3, 10)
    assert [path.suffix for path in (tmp_path / FOLDER).iterdir()] == [".mp4"]


def test_a_coder_that_fails_after_the_incident_is_over_leaves_nothing_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.say(closed(3.0))

    def refuse(*_: object) -> None:
        raise StoreError("a film cannot be coded", why="the coder is broken")

    monkeypatch.setattr("agent.service.evidence.clip_film.ClipFilm.picture", refuse)
    stage.show(3, 10)
    assert stage.film() is None
    assert stage.clips.remarks()
    assert stage.clips._recordings == {}


def test_at_a_stop_what_was_begun_is_written(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.show(0, 3)
    stage.say(opened(2.5, 2.9))
    stage.say(closed(3.0))
    stop = threading.Event()
    stop.set()
    stage.clips.run(stop)
    assert pictures(stage.film())[-1][0] == pytest.approx(2.4, abs=0.2)


def test_where_developing_does_not_keep_up_pictures_are_left_out_and_memory_stays(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    for n in range(100):
        stage.clips.looking("hall", at(n / 10), stage.picture(50))
        stage.clips.note(
            Seen(camera="hall", at_ns=at(n / 10), aspect_ratio=1.8, stats=STATS, detections=()), lambda _: ()
        )
    noted = stage.clips._cameras["hall"].noted
    assert sum(one.picture is not None for one in noted) == 6
    assert noted[-1].picture is not None  # the newest ones are the ones that are kept


def test_a_judge_that_lags_behind_holds_few_pictures(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    for n in range(100):
        stage.clips.looking("hall", at(n / 10), stage.picture(50))
    assert len(stage.clips._cameras["hall"].unjudged) == 3


def test_the_ring_is_bounded_in_time_and_in_bytes() -> None:
    ring = Ring(keep_ns=5 * NS_PER_S)
    for n in range(100):
        ring.add(Still(n * STEP_NS, b"x" * 1000))
    assert len(ring.stills) == 51
    assert ring.size_bytes == 51_000
    for n in range(100, 110):
        ring.add(Still(n * STEP_NS, b"x" * (RING_MAX_BYTES // 4)))
    assert ring.size_bytes <= RING_MAX_BYTES
    assert len(ring.stills) == 4
    ring.add(Still(200 * STEP_NS, b"x" * (RING_MAX_BYTES + 1)))
    assert (len(ring.stills), ring.size_bytes) == (0, 0)


@pytest.mark.parametrize(("since", "first"), [(0, 10), (10, 10), (15, 10), (20, 20), (29, 20), (31, 30)])
def test_the_picture_that_stood_then_is_the_first(since: int, first: int) -> None:
    ring = Ring(keep_ns=5 * NS_PER_S)
    for n in (10, 20, 30):
        ring.add(Still(n * STEP_NS // 10, b"x"))
    assert ring.since(since * STEP_NS // 10)[0].at_ns == first * STEP_NS // 10


@pytest.mark.integration
def test_a_disk_that_is_really_full_costs_the_film_and_a_read_only_one_too_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        stage = Stage(disk.folder)
        number = 0

        def happens() -> int:
            nonlocal number
            number += 1
            began = 10 * number
            stage.show(began, began + 2)
            stage.say(opened(began + 1.0, began + 1.5, number), number)
            stage.say(closed(began + 2.0, number), number)
            stage.show(began + 2, began + 5)
            return number

        disk.fill()
        assert stage.film(happens()) is None
        assert stage.clips.remarks() == ["clips: No space left on device"]
        disk.make_room()
        assert stage.film(happens())
        assert stage.clips.remarks() == []
        disk.read_only(True)
        assert stage.film(happens()) is None
        assert stage.clips.remarks() == ["clips: Read-only file system"]
        disk.read_only(False)
        assert stage.film(happens())
        assert list((disk.folder / FOLDER).glob("*.part")) == []
