"""Capture against the kernel's own cameras and sound cards, in a virtual machine: about a minute and a half.

Left out unless asked for: `python -m pytest -m slow tests/integration/test_v4l2.py`
"""

import json
from typing import Any

import pytest

from tests.guest.guest import HERE, ROOT, require_guest, run_guest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STABLE = "/dev/v4l/by-path/platform-vivid.0-video-index0"


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    folder = ROOT / "build" / "guest"
    require_guest(folder)
    printed = run_guest(folder, HERE / "look.py")
    line = next((line for line in printed.splitlines() if line.startswith("guest: saw ")), None)
    assert line is not None, printed[-4000:]
    answer: dict[str, Any] = json.loads(line.removeprefix("guest: saw "))
    return answer


def test_only_what_gives_pictures_is_found_with_its_stable_name(seen: dict[str, Any]) -> None:
    assert seen["nodes"] == ["video0", "video1"]  # the second one takes pictures, it does not give them
    assert seen["found"] == [{"device": "/dev/video0", "name": "vivid", "stable": [STABLE]}]


def test_a_camera_is_read_by_number_by_stable_name_and_by_the_drivers_name(seen: dict[str, Any]) -> None:
    assert [look["url"] for look in seen["looks"]] == ["/dev/video0", STABLE, "v4l2:vivid"]
    for look in seen["looks"]:
        assert look["live"]
        assert look["pictures"] == 20
        assert look["full"] == [360, 640, 3]
        assert look["bright"] > 100
        assert look["step_ms"] == pytest.approx(1000 / 15, rel=0.05)


def test_a_camera_that_somebody_else_reads_is_refused_with_its_own_cure(seen: dict[str, Any]) -> None:
    assert seen["busy"].startswith("refused:")
    assert "fuser" in seen["busy"]


def test_a_missing_camera_is_not_found(seen: dict[str, Any]) -> None:
    assert seen["missing"].startswith("not_found:")


def test_an_unplugged_camera_is_lost_and_back_when_it_is_plugged_in_again(seen: dict[str, Any]) -> None:
    *states, kept = seen["unplugged"]
    told = [line.split()[0] for line in states]
    assert told[:3] == ["opening", "running", "lost"]
    assert told[-1] == "running"
    assert states[2].split()[1] in ("not_found", "refused")  # which of them is a race with the driver
    assert int(kept.split()[-1]) > 100  # the last picture outlives the device


def test_the_sound_card_is_listed(seen: dict[str, Any]) -> None:
    assert "Loopback: PCM (hw:0,0)" in seen["microphones"]
