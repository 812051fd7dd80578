"""A person's verdict on an incident stays with it, and goes with it."""

import sqlite3
from pathlib import Path

from agent.config.schema import Config, Node
from agent.types import Opened
from agent.uplink.history import history
from agent.uplink.storage.store import MIGRATIONS, open_for_reading, open_store
from agent.uplink.uplink import Uplink
from tests.uplink.made import WALL_OFFSET_NS, incident
from tests.uplink.messages.test_payload import message

AT = "2026-11-21T12:00:00.000Z"


def test_a_verdict_is_kept_replaced_and_forgotten_with_its_incident(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state.db")
    said = message(Opened(incident=incident()))
    with store.transaction() as db:
        history.record(db, said, wall_offset_ns=WALL_OFFSET_NS)
        assert history.mark(db, said["id"], verdict=True, at=AT)
        assert history.mark(db, said["id"], verdict=False, at=AT)
        assert not history.verdicts(db)[said["id"]].true
        history.record(db, said | {"phase": "close", "seq": said["seq"] + 1}, wall_offset_ns=WALL_OFFSET_NS)
        assert not history.verdicts(db)[said["id"]].true
        history.forget_oldest(db, keep=0)
        assert history.verdicts(db) == {}
    store.close()


def test_an_incident_that_is_not_known_has_no_verdict(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state.db")
    with store.transaction() as db:
        assert not history.mark(db, "01a1fdfa-4600-7a91-807b-e2d44f10a6b3", verdict=True, at=AT)
        assert history.verdicts(db) == {}
    store.close()


def test_a_database_of_the_first_release_learns_verdicts_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(f"{MIGRATIONS[0]};PRAGMA user_version=1;")
    said = message(Opened(incident=incident()))
    history.record(old, said, wall_offset_ns=WALL_OFFSET_NS)
    old.close()
    store = open_store(path)
    with store.transaction() as db:
        assert history.mark(db, said["id"], verdict=True, at=AT)
    store.close()


def test_a_verdict_given_while_the_disk_refuses_reaches_it_when_it_heals(tmp_path: Path) -> None:
    uplink = Uplink.open(Config(node=Node(name="box")), tmp_path)
    disk = uplink._outbox._disk
    assert disk is not None
    with disk.reading() as db:
        db.execute("PRAGMA query_only = 1")
    said = uplink.raise_change(Opened(incident=incident()), wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True)
    assert uplink.mark(said, verdict=False)
    with disk.reading() as db:
        db.execute("PRAGMA query_only = 0")
    uplink.close()
    store = open_for_reading(tmp_path / "state.db")
    assert not history.all_verdicts(store)[said].true
    store.close()
