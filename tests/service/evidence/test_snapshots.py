"""Which pictures may leave the box, what is taken out of them, and that nothing waits for a better one."""

import logging
import socket
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from agent.capture.pictures import LazyPicture
from agent.capture.source import SourceSpec, open_media
from agent.config.load import of_data
from agent.scene import Policy, Scene
from agent.service.evidence.snapshots import MAIN_PICTURE_S, Snapshots
from agent.service.senses import Senses
from agent.types import NS_PER_S, Box, Detection, Frame, Incident, PictureStats, Seen, Uint8Array
from tests.uplink.made import incident

WHITE = "lavfi:color=white:size=640x360:rate=5"
STATS = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)
SOMEBODY = Box(left_frac=0.4, top_frac=0.4, right_frac=0.6, bottom_frac=0.9)
PATIENCE_S = 60.0
SURE_PROB = 0.6


def slow_ns() -> int:
    """A clock that goes so slowly that no limit in seconds is met because the machine is busy."""
    return time.monotonic_ns() // 8


def settings(*, blur: bool = False, enabled: bool = True, **camera: object) -> Any:
    return of_data(
        {
            "snapshots": {"enabled": enabled},
            "privacy": {"blur_people": blur},
            "cameras": {"hall": {"url": WHITE, **camera}},
        }
    )


def snapshots(clock_ns: Callable[[], int] = slow_ns, **wanted: Any) -> Snapshots:
    return Snapshots(settings(**wanted), lambda name: None, clock_ns)


def lazy(url: str) -> LazyPicture:
    with open_media(SourceSpec(camera="hall", url=url)) as media:
        next(iter(media.read()))
        assert media.newest is not None
        return media.newest


def seen(at_ns: int, *boxes: Box) -> Seen:
    found = tuple(Detection(label="person", score_prob=0.9, box=box) for box in boxes)
    return Seen(camera="hall", at_ns=at_ns, aspect_ratio=16 / 9, stats=STATS, detections=found)


def nobody_followed(camera: str) -> tuple[()]:
    return ()


def look(shots: Snapshots, at_ns: int, picture: LazyPicture, *boxes: Box) -> None:
    shots.looking("hall", at_ns, picture)
    shots.note(seen(at_ns, *boxes), nobody_followed)


def better(shots: Snapshots, while_waiting: Callable[[], None] = lambda: None) -> list[tuple[Incident, Uint8Array]]:
    given_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < given_up_s:
        while_waiting()
        found = list(shots.arrived())
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("no better picture came")


def test_the_picture_is_the_newest_that_was_looked_at_and_judged() -> None:
    shots, first, second = snapshots(), lazy("lavfi:color=red:size=64x36"), lazy("lavfi:color=blue:size=64x36")
    assert shots.picture("hall") is None
    look(shots, 1, first)
    shots.looking("hall", 2, second)
    shown = shots.picture("hall")
    assert shown is not None
    assert shown[0, 0, 0] > 200  # red: of the other one it is not known yet who is in it
    shots.note(seen(2), nobody_followed)
    shown = shots.picture("hall")
    assert shown is not None
    assert shown[0, 0, 2] > 200


def test_a_judge_that_lags_behind_holds_few_pictures_and_still_gets_one() -> None:
    shots, picture = snapshots(), lazy("lavfi:color=red:size=64x36")
    for at_ns in range(1, 100):
        shots.looking("hall", at_ns, picture)
    shots.note(seen(1), nobody_followed)
    assert shots.picture("hall") is not None
    assert sum(len(held) for held in shots._looked_at.values()) < 4


def test_nothing_is_kept_or_opened_where_snapshots_are_off() -> None:
    shots = snapshots(enabled=False, snapshot_url=WHITE)
    look(shots, 1, lazy(WHITE))
    shots.seek(incident(1))
    assert shots.picture("hall") is None
    assert list(shots.arrived()) == []
    assert not shots._sought


def test_people_are_blurred_only_if_that_is_wanted() -> None:
    noise = lazy("lavfi:color=gray:size=320x180,noise=alls=100:all_seed=1")
    clear, blurred = snapshots(), snapshots(blur=True)
    for shots in (clear, blurred):
        look(shots, NS_PER_S, noise, SOMEBODY)
    shown, hidden = clear.picture("hall"), blurred.picture("hall")
    assert shown is not None
    assert hidden is not None
    assert np.array_equal(shown, noise.array())
    inside = np.s_[80:155, 135:185]
    assert hidden[inside].astype(float).std() < 0.3 * shown[inside].astype(float).std()
    assert np.array_equal(hidden[:, :90], shown[:, :90])


def test_the_main_streams_picture_comes_later_for_every_incident_that_waits() -> None:
    shots = snapshots(snapshot_url="lavfi:color=green:size=1280x720:rate=5")
    shots.seek(incident(1))
    shots.seek(incident(2))
    found = better(shots)
    assert [it.ordinal for it, _ in found] == [1, 2]
    assert {picture.shape for _, picture in found} == {(720, 1280, 3)}
    shots.seek(incident(3))  # opened a moment later: the same picture
    assert [it.ordinal for it, _ in shots.arrived()] == [3]


def test_masks_are_burned_into_the_main_streams_picture_as_well() -> None:
    mask = {"polygon": [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]}
    shots = snapshots(snapshot_url="lavfi:color=white:size=1280x720:rate=5", masks={"door": mask})
    shots.seek(incident(1))
    ((_, picture),) = better(shots)
    assert picture[:, :638].max() == 0
    assert picture[:, 644:].min() > 200


def test_a_main_stream_that_hangs_costs_no_time_and_is_told_once_without_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now_ns = [0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/sub"
        config = settings(url=url, snapshot_url=url.replace("sub", "main"), username="u")
        shots = Snapshots(config, lambda name: "s3cret", lambda: now_ns[0])
        for ordinal in (1, 2):
            started_s = time.monotonic()
            shots.seek(incident(ordinal))
            assert list(shots.arrived()) == []
            assert time.monotonic() - started_s < 5.0  # a stream that is waited for hangs for 10 s
            now_ns[0] += int((MAIN_PICTURE_S + 0.1) * NS_PER_S)
            assert list(shots.arrived()) == []
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "analysed stream only" in told[0]
    assert "s3cret" not in caplog.text


def test_a_main_picture_is_blurred_wherever_somebody_was_while_it_was_fetched() -> None:
    noise = "lavfi:color=gray:size=1280x720:rate=5,noise=alls=100:all_seed=1"
    shots = snapshots(blur=True, snapshot_url=noise)
    places = iter([Box(left_frac=left, top_frac=0.3, right_frac=left + 0.1, bottom_frac=0.8) for left in (0.1, 0.5)])
    small = lazy(WHITE)
    look(shots, slow_ns(), small, next(places))
    shots.seek(incident(1))
    last = next(places)
    ((_, picture),) = better(shots, lambda: look(shots, slow_ns(), small, last))
    clear = picture[300:500, 1000:1100].astype(float).std()
    for left_px in (128, 640):
        assert picture[300:500, left_px : left_px + 128].astype(float).std() < 0.3 * clear


def test_a_main_picture_that_the_analysis_never_reached_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    shots = snapshots(lambda: slow_ns() * 4, blur=True, snapshot_url=WHITE)
    look(shots, slow_ns() * 4, lazy(WHITE), SOMEBODY)
    shots.seek(incident(1))
    given_up_s = time.monotonic() + PATIENCE_S
    while not caplog.records and time.monotonic() < given_up_s:
        assert list(shots.arrived()) == []
        time.sleep(0.02)
    assert "nobody could be blurred" in caplog.text


@pytest.fixture(scope="module")
def senses() -> Senses:
    return Senses.load(settings())


@pytest.mark.parametrize("clip", ["walkby", "fall"])
def test_nobody_is_found_any_more_in_a_blurred_scene(clip: str, senses: Senses) -> None:
    """A rendered person who walks or falls: the detector that found the person cannot find one in the snapshot."""
    seer, scene = senses.seer(), Scene(Policy.of(settings()))
    shots, scenes = snapshots(blur=True), []
    spec = SourceSpec(
        camera="hall", url=str(files("agent.service") / "clips" / f"{clip}.mp4"), want_sound=False, analysis_fps=5.0
    )
    with open_media(spec) as media:
        for frame in media.read():
            assert isinstance(frame, Frame)
            assert media.newest is not None
            shots.looking("hall", frame.at_ns, media.newest)
            looked = seer.see(frame)
            scene.step(looked)
            shots.note(looked, scene.tracks)
            hidden = shots.picture("hall")
            assert hidden is not None
            scenes.append((looked, media.newest.array(), hidden))
    clearly = [(it, shown, hidden) for it, shown, hidden in scenes if surest(it) > SURE_PROB]
    assert len(clearly) > 7
    found_again = [probability(senses, hidden) for _, _, hidden in clearly]
    assert np.median(found_again) < 0.3
    assert np.mean(np.array(found_again) > 0.5) < 0.1
    for looked, shown, hidden in clearly:
        for one in looked.detections or ():
            if one.label == "person" and one.score_prob > SURE_PROB:
                assert detail(hidden, one.box) < 0.35 * detail(shown, one.box)


def surest(looked: Seen) -> float:
    return max((it.score_prob for it in looked.detections or () if it.label == "person"), default=0.0)


def probability(senses: Senses, picture: Uint8Array) -> float:
    found = senses.vision.look(picture, min_score_prob=0.05).detections
    return max((it.score_prob for it in found if it.label == "person"), default=0.0)


def detail(picture: Uint8Array, box: Box) -> float:
    """Return the mean step between neighbouring pixels inside of `box`."""
    height_px, width_px = picture.shape[:2]
    top, bottom = max(0, round(box.top_frac * height_px)), round(box.bottom_frac * height_px)
    left, right = max(0, round(box.left_frac * width_px)), round(box.right_frac * width_px)
    part = picture[top:bottom, left:right].astype(float)
    return float(np.abs(np.diff(part, axis=0)).mean() + np.abs(np.diff(part, axis=1)).mean())
