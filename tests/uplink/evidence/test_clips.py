"""Films on the disk: whole or not there, the oldest go first, and nothing but films is deleted."""

import os
import stat
from pathlib import Path

import pytest

from agent.types import NS_PER_S
from agent.uplink.evidence.clips import FOLDER, ClipFolder, clip_name, clip_path, film_of
from agent.uplink.messages.payload import unix_ms_of, uuid7

DAY_S = 86_400
NOW_S = 1_800_000_000


def identifier(age_s: float, number: int = 0) -> str:
    return uuid7(round((NOW_S - age_s) * 1000), bytes([number]) * 10)


def folder(state: Path, *, max_bytes: int = 1000, days: float = 30.0, now_s: float = NOW_S) -> ClipFolder:
    return ClipFolder(state, max_bytes=max_bytes, max_age_days=days, wall_ns=lambda: round(now_s * NS_PER_S))


def kept(state: Path) -> list[str]:
    return sorted(path.stem for path in (state / FOLDER).iterdir())


def test_the_time_of_an_id_is_the_one_it_was_made_with() -> None:
    assert unix_ms_of(identifier(0)) == NOW_S * 1000
    assert unix_ms_of("holiday") is None
    assert unix_ms_of("z" * 32) is None


def test_a_film_is_its_owners_alone_and_found_by_its_incident(tmp_path: Path) -> None:
    one = identifier(10)
    folder(tmp_path).keep(one, b"film")
    path = clip_path(tmp_path, one)
    assert path == tmp_path / clip_name(one)
    assert film_of(tmp_path, one) == b"film"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert film_of(tmp_path, identifier(11)) is None


@pytest.mark.parametrize(("max_bytes", "left"), [(29, 2), (30, 3), (10, 1)])
def test_the_oldest_films_make_room(tmp_path: Path, max_bytes: int, left: int) -> None:
    ids = [identifier(age_s) for age_s in (300, 200, 100)]
    for one in ids:
        folder(tmp_path, max_bytes=max_bytes).keep(one, b"0123456789")
    assert kept(tmp_path) == ids[-left:]


def test_a_film_too_large_for_the_folder_deletes_no_other(tmp_path: Path) -> None:
    one = identifier(5)
    folder(tmp_path, max_bytes=10).keep(one, b"0123456789")
    with pytest.raises(OSError, match=r"clips\.max_bytes"):
        folder(tmp_path, max_bytes=10).keep(identifier(1), b"01234567890")
    assert kept(tmp_path) == [one]


def test_what_is_too_old_goes_without_a_new_one_and_after_a_restart(tmp_path: Path) -> None:
    old, young = identifier(2 * DAY_S), identifier(DAY_S / 2)
    for one in (old, young):
        folder(tmp_path).keep(one, b"film")
    folder(tmp_path, days=1.0).tidy()
    assert kept(tmp_path) == [young]


def test_a_clock_that_nobody_set_deletes_nothing(tmp_path: Path) -> None:
    ids = [identifier(NOW_S - 100), identifier(DAY_S)]  # of a boot in 1970, and of yesterday
    for one in ids:
        folder(tmp_path).keep(one, b"film")
    ahead = ClipFolder(tmp_path, max_bytes=1000, max_age_days=30.0, wall_ns=lambda: None)
    ahead.tidy()
    folder(tmp_path).tidy()
    assert kept(tmp_path) == ids
    folder(tmp_path, now_s=NOW_S + 40 * DAY_S).tidy()
    assert kept(tmp_path) == ids[:1]
    folder(tmp_path, max_bytes=5).keep(identifier(0), b"film")
    assert kept(tmp_path) == [identifier(0)]


def test_what_a_person_put_there_stays(tmp_path: Path) -> None:
    folder(tmp_path).keep(identifier(3), b"film")
    (tmp_path / FOLDER / "the thief.mp4").write_bytes(b"x" * 5000)
    folder(tmp_path, max_bytes=4, now_s=NOW_S + 100 * DAY_S).tidy()
    assert kept(tmp_path) == ["the thief"]


def test_half_a_film_that_a_loss_of_power_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / f"{identifier(1)}.part").write_bytes(b"half")
    folder(tmp_path).tidy()
    assert kept(tmp_path) == []


def test_a_folder_that_is_not_there_needs_no_tidying(tmp_path: Path) -> None:
    folder(tmp_path).tidy()
    assert not (tmp_path / FOLDER).exists()


def test_a_disk_that_refuses_leaves_no_half_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder(tmp_path).keep(identifier(1), b"film")
    assert kept(tmp_path) == []
