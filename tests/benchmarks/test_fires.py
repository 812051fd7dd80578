"""The list of fires from elsewhere, and how a replay of them is counted."""

import hashlib
from pathlib import PurePosixPath

import pytest

from benchmarks import fires
from benchmarks.clips import SHARED, Clip
from models.vision.exclude import is_forbidden, load_never_train

NEVER = SHARED / "data" / "never_train.txt"


def clip(events: tuple[tuple[float, float], ...], *opened: tuple[float, str, str]) -> Clip:
    spans = tuple((start, end, fires.KINDS) for start, end in events)
    return Clip("a", ("fire" if events else "normal",), "g", 20.0, spans, list(opened))


def test_each_film_is_listed_once_with_a_fire_inside_it_or_none() -> None:
    rows = fires.listed()
    assert len({row.sha256 for row in rows}) == len(rows)
    for row in rows:
        spans = row.clip().events
        assert bool(spans) == (row.kind == "fire")
        assert all(0.0 <= start < end <= row.seconds + 0.5 for start, end, _ in spans)


def test_no_repository_is_looked_at_and_kept() -> None:
    halves = {half: {row.repository for row in fires.listed() if row.half == half} for half in fires.HALVES}
    assert all(len(mine) > 5 for mine in halves.values())
    assert not halves["looked"] & halves["kept"]


def test_a_film_that_is_never_to_be_used_is_noticed() -> None:
    row = fires.listed()[0]
    named = frozenset({hashlib.sha256(f"name:{PurePosixPath(row.path).name}".encode()).hexdigest()})
    assert is_forbidden(named, row.repository, row.path)


@pytest.mark.skipif(not NEVER.exists(), reason="needs ../shared/data")
def test_no_film_is_on_the_list_of_the_outside_tests() -> None:
    never = load_never_train(NEVER)
    assert [row.path for row in fires.listed() if is_forbidden(never, row.repository, row.path)] == []


def test_what_opened_long_before_the_fire_is_no_answer_to_it() -> None:
    early, smoke = (3.0, "fire", "critical"), (7.5, "smoke", "critical")
    assert fires.late_s(clip(((6.0, 20.0),), early, smoke)) == pytest.approx(1.5)
    assert fires.late_s(clip(((6.0, 20.0),), early)) is None
    assert fires.late_s(clip(((6.0, 20.0),), (5.7, "fire", "critical"))) == 0.0
    assert fires.late_s(clip(((6.0, 20.0),), (7.0, "fight", "critical"))) is None


def test_a_table_counts_found_in_time_and_false() -> None:
    told = fires.told([
        clip(((0.0, 20.0),), (2.0, "fire", "critical")),
        clip(((0.0, 20.0),), (15.0, "smoke", "critical")),
        clip(((0.0, 20.0),)),
        clip((), (4.0, "smoke", "critical")),
        clip((), (4.0, "fight", "critical")),
    ])  # fmt: skip
    assert told == "3 | 2 | 1 | 15.0 | 2 | 1 | 0.67"
