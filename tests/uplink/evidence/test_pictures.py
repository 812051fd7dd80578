import os
import stat
from pathlib import Path

import numpy as np
import pytest

from agent.config.schema import Config, Node, Snapshots
from agent.uplink.evidence.pictures import FOLDER, EvidenceFolder, picture_of
from agent.uplink.uplink import Uplink
from tests.uplink.made import WALL_OFFSET_NS, life


def test_a_picture_is_kept_for_its_owner_and_read_again(tmp_path: Path) -> None:
    EvidenceFolder(tmp_path).keep("01a", b"jpeg")
    assert picture_of(tmp_path, "01a") == b"jpeg"
    assert picture_of(tmp_path, "01b") is None
    assert stat.S_IMODE((tmp_path / FOLDER / "01a.jpg").stat().st_mode) == 0o600


@pytest.mark.parametrize(("max_bytes", "left"), [(29, ["02", "03"]), (30, ["01", "02", "03"]), (10, ["03"])])
def test_the_oldest_pictures_make_room(tmp_path: Path, max_bytes: int, left: list[str]) -> None:
    folder = EvidenceFolder(tmp_path, max_bytes)
    for name in ("01", "02", "03"):
        folder.keep(name, b"0123456789")
    assert sorted(path.stem for path in (tmp_path / FOLDER).iterdir()) == left


def test_a_disk_that_refuses_costs_the_picture_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    folder = EvidenceFolder(tmp_path)
    folder.keep("01", b"jpeg")
    folder.keep("02", b"jpeg")
    assert len(caplog.records) == 1, "said once"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_moment_of_the_opening_is_kept_only_where_snapshots_are_on(tmp_path: Path, enabled: bool) -> None:
    uplink = Uplink.open(Config(node=Node(name="box"), snapshots=Snapshots(enabled=enabled)), tmp_path)
    picture = np.zeros((8, 8, 3), np.uint8)
    for change in life(1):
        incident_id = uplink.raise_change(
            change, wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True, picture=picture
        )
    uplink.close()
    kept = picture_of(tmp_path, incident_id)
    assert (kept is not None) is enabled


def test_half_a_picture_that_a_full_disk_or_a_loss_of_power_left_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "00.part").write_bytes(b"hal")
    folder = EvidenceFolder(tmp_path)
    folder.keep("01", b"jpeg")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    folder.keep("02", b"jpeg")
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["01.jpg"]
