"""Cameras of this machine: found by asking each device, and named so that the name stays theirs."""

from pathlib import Path

import pytest

from agent.capture.v4l2 import device_path, found_cameras, name_of
from agent.errors import SourceError

NAMES = {"video0": "Webcam", "video2": "Twin", "video10": "Twin"}  # video1: the webcam's metadata


def ask(device: Path) -> str | None:
    return NAMES.get(device.name)


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    for name in ("video0", "video1", "video2", "video10", "videodrome"):
        (tmp_path / name).touch()
    for folder, link, target in (
        ("by-path", "pci-0:14.0-usb-0:1:1.0-index0", "video0"),
        ("by-id", "usb-Maker_Webcam_1234-video-index0", "video0"),
        ("by-id", "usb-Maker_Webcam_1234-video-index1", "video1"),
    ):
        (tmp_path / "v4l" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "v4l" / folder / link).symlink_to(f"../../{target}")
    return tmp_path


def test_what_gives_no_picture_is_no_camera_and_numbers_are_in_order(dev: Path) -> None:
    found = found_cameras(dev, ask)
    assert [Path(camera.device).name for camera in found] == ["video0", "video2", "video10"]
    assert [camera.name for camera in found] == ["Webcam", "Twin", "Twin"]


def test_the_name_that_goes_with_the_camera_comes_before_that_of_the_plug(dev: Path) -> None:
    webcam, twin, _ = found_cameras(dev, ask)
    assert [Path(name).parent.name for name in webcam.stable] == ["by-id", "by-path"]
    assert webcam.url == str(dev / "v4l/by-id/usb-Maker_Webcam_1234-video-index0")
    assert twin.url == twin.device


@pytest.mark.parametrize(
    ("url", "device"),
    [
        ("v4l2:0", "video0"),
        ("v4l2:10", "video10"),
        ("v4l2:by-id/usb-Maker_Webcam_1234-video-index0", "v4l/by-id/usb-Maker_Webcam_1234-video-index0"),
        ("v4l2:by-path/pci-0:14.0-usb-0:1:1.0-index0", "v4l/by-path/pci-0:14.0-usb-0:1:1.0-index0"),
        ("v4l2:Webcam", "video0"),
    ],
)
def test_a_camera_is_meant_by_number_link_or_name(dev: Path, url: str, device: str) -> None:
    assert device_path(url, dev, ask) == str(dev / device)


def test_a_device_is_meant_by_its_path(dev: Path) -> None:
    for prefix in ("", "v4l2:"):
        assert device_path(f"{prefix}{dev}/video1", dev, ask) == f"{dev}/video1"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("v4l2:9", "there is no"),
        ("v4l2:by-id/gone", "there is no"),
        ("v4l2:Nobody", "none is called that"),
        ("v4l2:Twin", "video2 and"),
        ("v4l2:", "none is called that"),
    ],
)
def test_a_camera_that_is_not_there_is_not_found_and_the_cure_is_named(dev: Path, url: str, why: str) -> None:
    with pytest.raises(SourceError) as caught:
        device_path(url, dev, ask)
    assert caught.value.fault == "not_found"
    assert why in caught.value.line()
    assert "--found" in caught.value.cure


def test_what_is_no_device_at_all_is_asked_without_harm(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert name_of(tmp_path / "video0") is None
    assert name_of(tmp_path / "video1") is None
    assert name_of(Path("/dev/null")) is None
