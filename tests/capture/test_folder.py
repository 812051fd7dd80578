from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.types import NS_PER_S
from tests.capture.media import plain, read_all, write_picture


def levels(frames: list) -> list[int]:
    return [round(float(frame.picture.mean()) / 10) for frame in frames]


def test_two_comes_before_ten(tmp_path: Path) -> None:
    for number in (10, 2, 1, 9):
        write_picture(tmp_path / f"frame{number}.png", plain(32, 32, 10 * number), "png")
    frames, _ = read_all(tmp_path, fps=5.0)
    assert levels(frames) == [1, 2, 9, 10]
    assert [frame.at_ns for frame in frames] == [n * NS_PER_S // 5 for n in range(4)]


@pytest.mark.parametrize(("codec", "suffix"), [("mjpeg", "jpg"), ("png", "PNG"), ("bmp", "bmp"), ("libwebp", "webp")])
def test_every_usual_format_is_read(tmp_path: Path, codec: str, suffix: str) -> None:
    write_picture(tmp_path / f"001.{suffix}", plain(64, 32, 100), codec)
    frames, _ = read_all(tmp_path)
    assert (frames[0].width_px, frames[0].height_px) == (64, 32)
    assert levels(frames) == [10]


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    write_picture(tmp_path / "001.jpg", plain(64, 32, 100), "png")
    assert levels(read_all(tmp_path)[0]) == [10]


def test_pictures_may_differ_in_size(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", plain(1, 1), "png")
    write_picture(tmp_path / "2.png", plain(640, 480), "png")
    frames, _ = read_all(tmp_path)
    assert [(frame.width_px, frame.height_px) for frame in frames] == [(1, 1), (640, 480)]


def test_a_damaged_picture_leaves_its_place_empty(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_picture(tmp_path / f"{number}.png", plain(32, 32), "png")
    (tmp_path / "2.png").write_bytes(b"not a picture")
    frames, _ = read_all(tmp_path, fps=10.0)
    assert [(frame.index, frame.at_ns) for frame in frames] == [(0, 0), (2, NS_PER_S // 5)]


def test_without_a_rate_there_are_ten_a_second(tmp_path: Path) -> None:
    for number in (1, 2):
        write_picture(tmp_path / f"{number}.bmp", plain(32, 32), "bmp")
    assert [frame.at_ns for frame in read_all(tmp_path)[0]] == [0, NS_PER_S // 10]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", plain(32, 32), "png")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "._2.png").write_bytes(b"what other systems leave behind")
    assert len(read_all(tmp_path)[0]) == 1


def test_a_folder_without_pictures_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_all(tmp_path)
    assert caught.value.fault == "not_found"


def test_a_folder_of_broken_pictures_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"broken")
    with pytest.raises(SourceError) as caught:
        read_all(tmp_path)
    assert caught.value.fault == "codec"


def test_a_folder_has_no_sound(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", plain(32, 32), "png")
    with pytest.raises(SourceError, match="no sound"):
        read_all(tmp_path, want_picture=False)
