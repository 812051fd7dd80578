import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.types import SOUND_RATE_HZ, Frame
from tests.capture.media import (
    MS,
    joined,
    plain,
    read_all,
    tone,
    write_film,
    write_picture,
    write_pictures,
    write_sound,
)


def test_a_film_gives_all_its_pictures_and_all_its_sound(tmp_path: Path) -> None:
    frames, blocks = read_all(write_film(tmp_path / "film.mp4", 2.0))
    assert [frame.at_ns // MS for frame in frames] == list(range(0, 2000, 100))
    assert [frame.index for frame in frames] == list(range(20))
    assert len(joined(blocks)) == pytest.approx(2 * SOUND_RATE_HZ, abs=1024)
    assert not any(block.gap_before for block in blocks)


def test_the_info_tells_what_is_in_a_film(tmp_path: Path) -> None:
    with open_media(SourceSpec(camera="c", url=str(write_film(tmp_path / "film.mp4", 1.0)))) as media:
        info = media.info
    assert (info.has_picture, info.has_sound, info.width_px, info.height_px) == (True, True, 64, 48)
    assert (info.video_codec, info.audio_codec, info.sample_rate_hz, info.live) == ("h264", "aac", 48_000, False)
    assert info.fps == pytest.approx(10)
    assert info.duration_s == pytest.approx(1.0, abs=0.05)


def test_badly_interleaved_streams_come_out_in_media_time_order(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 5.0, sound_first=True)
    with open_media(SourceSpec(camera="c", url=str(path))) as media:
        order = [type(item).__name__ for item in media.read()]
    frames, _ = read_all(path)  # asserts the order of time
    assert len(frames) == 50
    assert "Frame" in order[:3]
    assert "SoundBlock" in order[-3:]


def test_a_film_without_sound_and_a_sound_without_film_are_fine(tmp_path: Path) -> None:
    frames, blocks = read_all(write_pictures(tmp_path / "mute.mp4", [plain(64, 48)] * 5))
    assert (len(frames), len(blocks)) == (5, 0)
    frames, blocks = read_all(write_sound(tmp_path / "sound.wav", tone(1.0, 44_100), 44_100))
    assert (len(frames), len(joined(blocks))) == (0, SOUND_RATE_HZ)


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 1.0)
    assert read_all(path, want_picture=False)[0] == []
    assert read_all(path, want_sound=False)[1] == []
    with pytest.raises(SourceError, match="no picture") as caught:
        open_media(
            SourceSpec(camera="c", url=str(write_sound(tmp_path / "s.wav", tone(0.1, 8000), 8000)), want_sound=False)
        )
    assert caught.value.fault == "codec"


def test_a_varying_rate_keeps_its_stamps(tmp_path: Path) -> None:
    stamps_ms = [0, 40, 300, 310, 900, 1000]
    frames, _ = read_all(write_pictures(tmp_path / "vfr.mkv", [plain(64, 48)] * 6, stamps_ms=stamps_ms))
    assert [frame.at_ns // MS for frame in frames] == stamps_ms


def test_analysis_takes_the_pictures_nearest_to_its_ticks(tmp_path: Path) -> None:
    stamps_ms = [0, 40, 95, 160, 210, 290, 330, 410]
    path = write_pictures(tmp_path / "vfr.mkv", [plain(64, 48)] * 8, stamps_ms=stamps_ms)
    frames, _ = read_all(path, analysis_fps=10.0)
    assert [frame.at_ns // MS for frame in frames] == [0, 95, 210, 290, 410]
    assert [frame.index for frame in frames] == [0, 2, 4, 5, 7]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2, 2), (16, 16)),
        ((64, 48), (64, 48)),
        ((1920, 1080), (320, 180)),
        ((480, 640), (144, 192)),
        ((1000, 20), (320, 16)),
    ],
)
def test_pictures_fit_the_analysis_size(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    frames, _ = read_all(write_pictures(tmp_path / "film.mp4", [plain(*size)], fps=5))
    assert (frames[0].width_px, frames[0].height_px) == size
    assert frames[0].picture.shape == (expected[1], expected[0], 3)
    assert abs(float(frames[0].picture.mean()) - 128) < 8


def test_an_8k_picture_is_read(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mkv", [plain(7680, 4320, 200)], codec="mjpeg")
    frames, _ = read_all(path)
    assert (frames[0].width_px, frames[0].height_px) == (7680, 4320)
    assert frames[0].picture.shape == (180, 320, 3)


def test_a_picture_of_one_pixel_is_read(tmp_path: Path) -> None:
    frames, _ = read_all(write_picture(tmp_path / "dot.png", plain(1, 1, 90), "png"))
    assert (frames[0].width_px, frames[0].height_px) == (1, 1)
    assert int(frames[0].picture[8, 8, 0]) == pytest.approx(90, abs=3)


def test_stereo_is_as_loud_as_the_mean_of_its_channels(tmp_path: Path) -> None:
    _, blocks = read_all(write_sound(tmp_path / "stereo.wav", tone(1.0, 48_000, channels=2), 48_000))
    assert float(np.abs(joined(blocks)).max()) == pytest.approx(0.5, abs=0.01)


def test_the_newest_picture_is_that_of_the_last_frame(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mp4", [plain(640, 480, level) for level in (0, 120, 240)])
    with open_media(SourceSpec(camera="c", url=str(path))) as media:
        assert media.latest_picture() is None
        for item in media.read():
            full = media.latest_picture()
            assert isinstance(item, Frame)
            assert full is not None
            assert full.shape == (480, 640, 3)
            assert float(full.mean()) == pytest.approx(float(item.picture.mean()), abs=3)
    assert media.latest_picture() is not None


def test_masks_are_black_in_both_pictures(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mp4", [plain(640, 480, 250)])
    left_half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    with open_media(SourceSpec(camera="c", url=str(path), masks=(left_half,))) as media:
        frame = next(iter(media.read()))
        full = media.latest_picture()
    assert isinstance(frame, Frame)
    for picture in (frame.picture, full):
        assert picture is not None
        width_px = picture.shape[1]
        assert int(picture[:, : width_px // 2].max()) == 0
        assert int(picture[:, width_px // 2 + 3 :].min()) > 200


def test_a_recording_that_is_to_be_shown_turned_is_turned(tmp_path: Path) -> None:
    picture = plain(64, 48, 20)
    picture[:, :32] = 230  # the left half is bright
    path = write_pictures(tmp_path / "film.mp4", [picture] * 3)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix lies 40 bytes behind the type
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)  # 90° clockwise
    path.write_bytes(data)
    frames, _ = read_all(path)
    assert (frames[0].width_px, frames[0].height_px) == (48, 64)
    assert frames[0].picture.shape == (64, 48, 3)
    assert int(frames[0].picture[4, 24, 0]) > 200  # what was left is above
    assert int(frames[0].picture[60, 24, 0]) < 60


def test_a_sound_file_with_a_cover_picture_is_no_film(tmp_path: Path) -> None:
    import av

    path = tmp_path / "song.mp4"
    cover = write_picture(tmp_path / "cover.png", plain(32, 32), "png")
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        picture = container.add_stream("png", rate=1)
        picture.width = picture.height = 32
        picture.pix_fmt = "rgb24"
        picture.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(cover.read_bytes())
        packet.stream, packet.pts = picture, 0
        container.start_encoding()
        container.mux(packet)
        for start in range(0, 48_000, 1024):
            frame = av.AudioFrame.from_ndarray(tone(1.0, 48_000)[:, start : start + 1024].copy(), "fltp", "mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(sound.encode(frame))
    frames, blocks = read_all(path)
    assert frames == []
    assert len(blocks) > 5


@pytest.mark.parametrize("name", ["50%02d.mp4", "a:b.mp4", "ünï cödé.mp4", "-i.mp4"])
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    frames, _ = read_all(write_film(tmp_path / "film.mp4", 0.5).rename(tmp_path / name))
    assert len(frames) == 5


def test_reading_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 1.0)
    (frames, blocks), (again, sound_again) = read_all(path), read_all(path)
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(frames, again, strict=True))
    assert np.array_equal(joined(blocks), joined(sound_again))


def test_a_copy_of_a_film_can_be_deleted_after_closing(tmp_path: Path) -> None:
    path = shutil.copy(write_film(tmp_path / "film.mp4", 0.5), tmp_path / "copy.mp4")
    media = open_media(SourceSpec(camera="c", url=str(path)))
    next(iter(media.read()))
    media.close()
    assert media.latest_picture() is not None
