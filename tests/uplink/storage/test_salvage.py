"""A broken database: what is sound in it is delivered and remembered all the same, and the rest is told as a gap."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.config.schema import Config, Node
from agent.types import NS_PER_S, Opened
from agent.uplink.history.history import Query, find
from agent.uplink.outbox.outbox import HEAL_EVERY_NS
from agent.uplink.storage.store import BrokenError, open_for_reading
from agent.uplink.uplink import Uplink
from tests.uplink.made import WALL_OFFSET_NS, Clock, incident, life, outbox, seqs, take_everything

CONFIG = Config(node=Node(name="box"))
MANY = 40


def filled(folder: Path) -> list[str]:
    """Raise many incidents, the last one left open; return their ids."""
    uplink = Uplink.open(CONFIG, folder)
    ids = []
    for ordinal in range(1, MANY + 1):
        changes = life(ordinal)[: 1 if ordinal == MANY else 3]
        ids += [uplink.raise_change(c, wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True) for c in changes][:1]
    uplink.mark(ids[0], verdict=False)
    uplink.close()
    return ids


def damage(folder: Path, *, table: str = "", page: int | None = None, byte: int = 0xA5) -> None:
    """Overwrite a page: the root of a table, or by its number."""
    with closing(sqlite3.connect(folder / "state.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")
        (size,) = db.execute("PRAGMA page_size").fetchone()
        if table:
            (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    assert page is not None
    with (folder / "state.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes([byte]) * size)


def delivered(folder: Path) -> tuple[set[int], set[int]]:
    """Return the numbers that are delivered after all, and those that are given up."""
    box = outbox(folder, Clock(), run="second")
    messages = take_everything(box)
    assert box.state().remark
    box.close()
    gaps = [json.loads(queued.payload) for queued in messages if queued.role == "gap"]
    given_up = {n for gap in gaps for first, last in gap["ranges"] for n in range(first, last + 1)}
    return set(seqs(messages)), given_up


@pytest.mark.parametrize("table", ["phase", "incident", "verdict", "counter", "incident_time"])
def test_where_the_history_is_damaged_everything_that_waits_is_delivered(tmp_path: Path, table: str) -> None:
    filled(tmp_path)
    damage(tmp_path, table=table)
    came, given_up = delivered(tmp_path)
    everything = set(range(1, 3 * MANY - 1))
    assert everything <= came
    assert not everything & given_up, "nothing that comes is given up"


def test_where_what_waits_is_damaged_the_history_stays_and_every_number_is_accounted_for(tmp_path: Path) -> None:
    ids = filled(tmp_path)
    damage(tmp_path, table="outbox")
    came, given_up = delivered(tmp_path)
    assert set(range(1, max(came) + 1)) <= came | given_up
    store = open_for_reading(tmp_path / "state.db")
    assert {found["id"] for found in find(store, Query())} == set(ids)
    store.close()


def test_a_damaged_leaf_costs_only_what_is_in_it(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
    damage(tmp_path, page=pages // 2)
    came, given_up = delivered(tmp_path)
    assert set(range(1, max(came) + 1)) <= came | given_up
    assert len(came) > MANY


def test_an_incident_that_was_open_is_closed_by_the_next_run_and_verdicts_stay(tmp_path: Path) -> None:
    ids = filled(tmp_path)
    damage(tmp_path, table="counter")
    uplink = Uplink.open(CONFIG, tmp_path)
    assert "broken" in uplink.outbox_state().remark
    uplink.close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        (message,) = db.execute("SELECT message FROM incident WHERE id = ?", (ids[-1],)).fetchone()
        assert json.loads(message)["close_reason"] == "stopped"
        assert db.execute("SELECT incident_id, verdict FROM verdict").fetchall() == [(ids[0], 0)]


def test_a_message_that_does_not_hang_together_is_not_sent(tmp_path: Path) -> None:
    filled(tmp_path)
    forged: dict[int, Any] = {1: b"\xff\xfe", 2: b'{"seq": 99, "id": "x"}', 3: b"[" * 5000}
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        for seq, payload in forged.items():
            db.execute("UPDATE outbox SET payload = ? WHERE seq = ?", (payload, seq))
        db.commit()
    damage(tmp_path, table="counter")
    came, given_up = delivered(tmp_path)
    assert not came & forged.keys()
    assert forged.keys() <= given_up


def test_numbers_go_on_after_a_salvage(tmp_path: Path) -> None:
    filled(tmp_path)
    damage(tmp_path, table="phase")
    uplink = Uplink.open(CONFIG, tmp_path)
    uplink.raise_change(Opened(incident=incident(999)), wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True)
    uplink.close()
    numbers = seqs(take_everything(outbox(tmp_path, Clock(), run="third")))
    assert len(numbers) == len(set(numbers))
    assert max(numbers) > 3 * MANY


def test_where_all_that_was_ever_raised_is_salvaged_no_gap_is_told(tmp_path: Path) -> None:
    clock = Clock()
    filled(tmp_path)
    box = outbox(tmp_path, clock, run="second")
    box._lose_disk(BrokenError("the database breaks while the agent runs"))
    damage(tmp_path, table="incident_time")  # an index: nothing of what waits is in it
    clock.advance(HEAL_EVERY_NS / NS_PER_S)
    messages = take_everything(box)
    assert [queued.role for queued in messages if queued.role == "gap"] == []
    assert sorted(seqs(messages)) == list(range(1, 3 * MANY - 1))


def test_what_only_shows_when_it_is_read_costs_its_message_and_no_other(tmp_path: Path) -> None:
    """A bit that turned in a topic: no check of SQLite's finds it, and it stood in the way of all that waited."""
    clock = Clock()
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("UPDATE outbox SET topic = CAST(x'766564657474652f626f782f68e16c6c' AS TEXT) WHERE seq = 5")
        db.commit()
    box = outbox(tmp_path, clock, run="second")
    messages = take_everything(box)
    clock.advance(HEAL_EVERY_NS / NS_PER_S)
    messages += take_everything(box)
    gaps = [json.loads(queued.payload) for queued in messages if queued.role == "gap"]
    given_up = {n for gap in gaps for first, last in gap["ranges"] for n in range(first, last + 1)}
    assert set(range(1, 3 * MANY - 1)) - set(seqs(messages)) == {5}
    assert 5 in given_up
    assert (tmp_path / "state.db.broken-1").exists()
    assert "broken" in box.state().remark


def test_a_format_that_sqlite_does_not_know_is_a_broken_file(tmp_path: Path) -> None:
    filled(tmp_path)
    with (tmp_path / "state.db").open("r+b") as file:
        file.seek(44)  # the schema format number, 1 to 4
        file.write(b"\x05\x05\x05\x05")
    came, given_up = delivered(tmp_path)
    assert set(range(1, max(came) + 1)) <= came | given_up
