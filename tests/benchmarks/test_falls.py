"""The falls of rooms that nothing is learned from: what is listed, and how it is counted."""

import pytest

from benchmarks.clips import SHARED
from benchmarks.falls import Row, listed, table
from models.hearing.exclude import hits, read_never_train


def row(name: str, falls: str) -> Row:
    return Row(name, "a room", "video", falls, 10.0, 0, "o/r", "c", "p.mp4", "unstated")


def test_every_row_is_of_its_own_and_says_where_the_fall_is() -> None:
    rows = listed()
    assert len({one.sha256 for one in rows}) == len(rows)
    assert all(one.falls in ("", "somewhere") or one.finds(float(one.falls.split("-")[0])) for one in rows)


def test_nothing_is_listed_that_is_kept_for_outside_tests() -> None:
    never = SHARED / "data" / "never_train.txt"
    if not never.exists():
        pytest.skip("the shared data is not here")
    assert not [one.path for one in listed() if hits(read_never_train(never), one.repository, one.path)]


def test_a_fall_is_found_within_ten_seconds_and_what_opens_elsewhere_is_false() -> None:
    rows = [row("a", "2.0-3.0"), row("b", "20.0-21.0"), row("c", "somewhere"), row("d", "")]
    told = table(rows, {"a": [2.5], "b": [3.0], "c": [9.0], "d": [1.0]}).splitlines()[-1]
    assert told == "| all | 4 | 3 | 2 | 2 | 0.50 | 0.67 | 0.57 |"
