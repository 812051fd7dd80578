"""The door without a broker: what stands in the outbox and in the history after each change."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent.config.schema import Config, Node
from agent.types import NS_PER_S, Closed, Opened, Updated
from agent.uplink.history.history import KEEP_IN_MEMORY, Query, find, phases
from agent.uplink.messages.payload import rfc3339, schema
from agent.uplink.storage.store import open_for_reading
from agent.uplink.uplink import Uplink
from tests.uplink.made import STARTED_NS, WALL_OFFSET_NS, incident, life

CONFIG = Config(node=Node(name="box"))


def waiting(folder: Path) -> list[dict[str, Any]]:
    """Return the messages in the outbox of the state folder, as a second process sees them."""
    db = sqlite3.connect(f"file:{folder}/state.db?mode=ro", uri=True)
    rows = db.execute("SELECT payload FROM outbox WHERE role = 'incident' ORDER BY id").fetchall()
    db.close()
    messages = [json.loads(payload) for (payload,) in rows]
    for message in messages:
        Draft202012Validator(schema("incident-1")).validate(message)
    return messages


def raise_change(uplink: Uplink, change: Any, *, offset_ns: int = WALL_OFFSET_NS, synchronised: bool = True) -> str:
    return uplink.raise_change(change, wall_offset_ns=offset_ns, clock_synchronised=synchronised)


def test_what_was_raised_is_on_the_disk_at_once(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    uplink.describe_models({"vision": "0123456789ab"})
    for change in life(1):
        raise_change(uplink, change)
    got = waiting(tmp_path)
    assert [(message["seq"], message["phase"]) for message in got] == [(1, "open"), (2, "update"), (3, "close")]
    assert {message["models"]["vision"] for message in got} == {"0123456789ab"}
    uplink.close()


def test_an_incident_keeps_its_id_and_another_gets_another(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    assert raise_change(uplink, life(1)[0]) == raise_change(uplink, life(1)[1])
    assert raise_change(uplink, life(2)[0]) != raise_change(uplink, life(1)[1])
    uplink.close()


def test_a_fight_names_the_scream_it_absorbs(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    scream = raise_change(uplink, Opened(incident=incident(1, kind="scream")))
    raise_change(uplink, Opened(incident=incident(2, kind="fight", absorbs=(1,))))
    end = {"ended_ns": STARTED_NS + 3 * NS_PER_S, "close_reason": "absorbed"}
    raise_change(uplink, Closed(incident=incident(1, kind="scream", **end)))
    assert [message["absorbs"] for message in waiting(tmp_path)] == [[], [scream], []]
    uplink.close()


def test_an_incident_keeps_its_wall_time_when_the_clock_jumps(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    raise_change(uplink, life(1)[0])
    raise_change(uplink, life(1)[1], offset_ns=WALL_OFFSET_NS + 3_600 * NS_PER_S)
    first, second = waiting(tmp_path)
    assert first["started_at"] == second["started_at"] == rfc3339(STARTED_NS + WALL_OFFSET_NS)
    assert first["at"] == second["at"]
    uplink.close()


def test_a_clock_that_becomes_right_replaces_one_that_was_not(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    raise_change(uplink, life(1)[0], offset_ns=-STARTED_NS, synchronised=False)
    raise_change(uplink, life(1)[1])
    raise_change(uplink, life(1)[2], offset_ns=0, synchronised=False)
    first, second, third = waiting(tmp_path)
    assert (first["clock"], first["started_at"]) == ("unsynchronised", rfc3339(0))
    assert (second["clock"], second["started_at"]) == ("synchronised", rfc3339(STARTED_NS + WALL_OFFSET_NS))
    assert (third["clock"], third["started_at"]) == ("synchronised", second["started_at"])
    uplink.close()


def test_what_a_crash_left_open_is_closed_by_the_next_run(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    raise_change(uplink, life(1)[0])
    uplink.close()
    Uplink.open(CONFIG, tmp_path).close()
    Uplink.open(CONFIG, tmp_path).close()
    opened, closed = waiting(tmp_path)
    assert (closed["phase"], closed["close_reason"], closed["ended_at"]) == ("close", "stopped", opened["at"])
    assert (closed["id"], closed["seq"]) == (opened["id"], 2)


def test_the_history_holds_the_newest_message_and_every_phase(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    incident_id = raise_change(uplink, life(1)[0])
    for change in life(1)[1:]:
        raise_change(uplink, change)
    store = open_for_reading(tmp_path / "state.db")
    (newest,) = find(store, Query())
    assert (newest["id"], newest["phase"]) == (incident_id, "close")
    assert [message["phase"] for message in phases(store, incident_id)] == ["open", "update", "close"]
    store.close()
    uplink.close()


@pytest.mark.parametrize(
    ("query", "ordinals"),
    [
        (Query(), [3, 2, 1]),
        (Query(limit=2), [3, 2]),
        (Query(kinds=["fall"]), [1]),
        (Query(kinds=["fall", "alarm"]), [2, 1]),
        (Query(cameras=["yard"]), [3, 2]),
        (Query(cameras=["hall"]), [2, 1]),
        (Query(severities=["warning"]), [3, 2]),
        (Query(text="STAIRS fell"), [1]),
        (Query(text="beeping"), [2]),
        (Query(text="100%"), []),
        (Query(text="loitering"), [3]),
        (Query(only_open=True), [3]),
        (Query(since=rfc3339(WALL_OFFSET_NS + 200 * NS_PER_S)), [3, 2]),
        (Query(until=rfc3339(WALL_OFFSET_NS + 200 * NS_PER_S)), [1]),
        (Query(since=rfc3339(WALL_OFFSET_NS + 300 * NS_PER_S), kinds=["alarm"]), []),
    ],
)
def test_the_history_answers_by_time_kind_camera_severity_and_text(
    tmp_path: Path, query: Query, ordinals: list[int]
) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    ids = {}
    for ordinal, changes in (
        (1, life(1)),
        (
            2,
            life(
                2,
                kind="alarm",
                severity="warning",
                cameras=("hall", "yard"),
                started_ns=200 * NS_PER_S,
                summary="Something keeps beeping.",
                zones=(),
                evidence=(),
            ),
        ),
        (
            3,
            life(
                3,
                kind="loitering",
                severity="warning",
                camera="yard",
                cameras=("yard",),
                started_ns=300 * NS_PER_S,
                summary="Somebody stays.",
                zones=(),
                evidence=(),
            )[:2],
        ),
    ):
        for change in changes:
            ids[raise_change(uplink, change)] = ordinal
    store = open_for_reading(tmp_path / "state.db")
    assert [ids[message["id"]] for message in find(store, query)] == ordinals
    store.close()
    uplink.close()


def test_an_update_in_memory_reaches_the_history_when_the_disk_heals(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    incident_id = raise_change(uplink, life(1)[0])
    disk = uplink._outbox._disk
    assert disk is not None
    with disk.reading() as db:
        db.execute("PRAGMA query_only = 1")
    raise_change(uplink, Updated(incident=incident(1, confidence=0.99)))
    assert uplink.outbox_state().degraded
    with disk.reading() as db:
        db.execute("PRAGMA query_only = 0")
    uplink.close()
    store = open_for_reading(tmp_path / "state.db")
    assert [message["confidence"] for message in phases(store, incident_id)] == [0.93, 0.99]
    store.close()


def test_no_secret_is_in_what_the_uplink_says_of_itself(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path, password="t0p-secret")
    assert "t0p-secret" not in repr(uplink._mqtt._place)
    uplink.close()


def test_a_run_of_months_forgets_the_oldest_incidents_but_none_that_is_open(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path, keep_incidents=5)
    still_open = raise_change(uplink, Opened(incident=incident(1)))
    for ordinal in range(2, 30):
        at_ns = STARTED_NS + ordinal * NS_PER_S
        for change in life(ordinal, started_ns=at_ns):
            newest = raise_change(uplink, change)
    uplink.close()
    store = open_for_reading(tmp_path / "state.db")
    kept = {message["id"] for message in find(store, Query())}
    store.close()
    assert {still_open, newest} < kept
    assert len(kept) <= 7


def test_while_the_disk_refuses_the_history_in_memory_is_bounded(tmp_path: Path) -> None:
    uplink = Uplink.open(CONFIG, tmp_path)
    outbox = uplink._outbox
    assert outbox._disk is not None
    with outbox._disk.reading() as db:
        db.execute("PRAGMA query_only = 1")
    for ordinal in range(1, KEEP_IN_MEMORY + 20):
        for change in life(ordinal, updates=0, started_ns=STARTED_NS + ordinal):
            raise_change(uplink, change)
    with outbox._memory.reading() as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("incident", "phase")]
    assert counts == [KEEP_IN_MEMORY, 2 * KEEP_IN_MEMORY]
    uplink.close()
