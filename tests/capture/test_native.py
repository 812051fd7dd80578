"""Parts of pictures in their own size: where they lie, what they show, turned and masked, and what is kept of them."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from agent.capture.pictures import NativePicture, full_picture
from agent.capture.source import SourceSpec, open_media
from agent.types import Frame
from tests.capture.media import write_pictures

ACROSS, DOWN = np.meshgrid(np.linspace(0, 255, 640), np.linspace(0, 255, 360))
SHADES = np.dstack([ACROSS, DOWN, np.full_like(DOWN, 90)]).astype(np.uint8)
FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuyv422", "nv12", "rgb24", "gray")


def frames_of(path: Path) -> Iterator[Frame]:
    """Frames one after the other, none of them kept."""
    with open_media(SourceSpec(camera="test", url=str(path))) as media:
        for item in media.read():
            assert isinstance(item, Frame)
            yield item


def frame(form: str = "yuv420p", shades: np.ndarray = SHADES) -> VideoFrame:
    return VideoFrame.from_ndarray(shades, "rgb24").reformat(format=form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_part_is_what_the_whole_picture_shows_there(form: str) -> None:
    picture = frame(form)
    part, (left, top, right, bottom) = NativePicture(picture, ()).cut((0.3, 0.2, 0.7, 0.6), 640, 360)
    whole = full_picture(picture)[round(top * 360) : round(bottom * 360), round(left * 640) : round(right * 640)]
    assert part.shape == whole.shape
    assert np.abs(part[2:-2, 2:-2].astype(int) - whole[2:-2, 2:-2]).max() <= 6  # coders share colours across the edges


def test_a_part_is_scaled_down_to_fit_and_never_enlarged() -> None:
    native = NativePicture(frame(), ())
    assert native.cut((0.0, 0.0, 1.0, 1.0), 320, 192)[0].shape == (180, 320, 3)
    assert native.cut((0.5, 0.5, 0.6, 0.6), 320, 192)[0].shape == (36, 64, 3)


@pytest.mark.parametrize("corners", [(0.0, 0.0, 0.001, 0.001), (0.999, 0.999, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)])
def test_corners_of_any_size_give_a_part_within_the_picture(corners) -> None:
    for shades in (SHADES, SHADES[:357, :639]):
        part, exact = NativePicture(frame("yuv444p", shades), ()).cut(corners, 320, 192)
        assert part.size > 0
        assert 0.0 <= exact[0] < exact[2] <= 1.0
        assert 0.0 <= exact[1] < exact[3] <= 1.0


def test_masks_are_black_in_parts_too() -> None:
    masked = ((0.45, 0.25), (0.55, 0.25), (0.55, 0.4), (0.45, 0.4))
    part, (left, top, right, bottom) = NativePicture(frame(), [masked]).cut((0.3, 0.2, 0.7, 0.6), 640, 360)
    rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
    x, y = left + columns / part.shape[1] * (right - left), top + rows / part.shape[0] * (bottom - top)
    inside = (x > 0.45) & (x < 0.55) & (y > 0.25) & (y < 0.4)
    assert (part[inside] == 0).all()
    assert part[~inside].any()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_parts_of_a_turned_picture_are_upright(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = frame("yuv444p")
    monkeypatch.setattr("agent.capture.pictures.quarter_turns", lambda _: turns)
    part, (left, top, right, bottom) = NativePicture(picture, ()).cut((0.1, 0.2, 0.4, 0.5), 640, 640)
    whole = full_picture(picture)
    high, wide = whole.shape[:2]
    expected = whole[round(top * high) : round(bottom * high), round(left * wide) : round(right * wide)]
    assert np.abs(part.astype(int) - expected).max() <= 6


def test_frames_bring_their_own_size_only_where_it_is_more(tmp_path) -> None:
    large = write_pictures(tmp_path / "large.mp4", [SHADES] * 3)
    small = write_pictures(tmp_path / "small.mp4", [np.ascontiguousarray(SHADES[:180, :320])] * 3)
    assert all(one.native is not None for one in frames_of(large))
    assert all(one.native is None for one in frames_of(small))


def test_a_decoded_picture_goes_with_its_frame(tmp_path) -> None:
    path = write_pictures(tmp_path / "large.mp4", [np.roll(SHADES, 9 * n, 1) for n in range(30)])
    alive: list[weakref.ref] = []
    most = 0
    for one in frames_of(path):
        alive.append(weakref.ref(one.native))
        del one
        gc.collect()
        most = max(most, sum(ref() is not None for ref in alive))
    assert most <= 2


def test_a_part_is_the_same_whatever_was_asked_for_before(tmp_path) -> None:
    with av.open(str(write_pictures(tmp_path / "one.mp4", [SHADES] * 2))) as container:
        picture = next(container.decode(video=0))
    native = NativePicture(picture, ())
    before = native.cut((0.2, 0.2, 0.6, 0.6), 320, 192)
    full_picture(picture)
    again = native.cut((0.2, 0.2, 0.6, 0.6), 320, 192)
    assert np.array_equal(before[0], again[0])
    assert before[1] == again[1]
