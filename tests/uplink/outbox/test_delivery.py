"""How far the broker has an incident, as a second process reads it beside the agent."""

from pathlib import Path

import pytest

from agent.config.schema import Config, Node, Outbox
from agent.types import Closed, IncidentChange
from agent.uplink.outbox.delivery import Delivery, deliveries, depth
from agent.uplink.storage.store import Store, open_for_reading
from agent.uplink.uplink import Uplink
from tests.uplink.made import WALL_OFFSET_NS, life, take

NOTICE = {"kind": "unusual", "severity": "notice", "summary": "x" * 4000}


def raised(uplink: Uplink, changes: list[IncidentChange]) -> str:
    for change in changes:
        incident_id = uplink.raise_change(change, wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True)
    return incident_id


def read(folder: Path, incident_id: str) -> Delivery:
    store: Store = open_for_reading(folder / "state.db")
    try:
        return deliveries(store, [incident_id])[incident_id]
    finally:
        store.close()


def test_messages_wait_until_the_broker_has_acknowledged_each(tmp_path: Path) -> None:
    uplink = Uplink.open(Config(node=Node(name="box")), tmp_path)
    fall = raised(uplink, life(1))
    assert read(tmp_path, fall) == Delivery(waiting=3)
    uplink._outbox.delivered([queued.id for queued in take(uplink._outbox)])
    assert read(tmp_path, fall) == Delivery(waiting=2)
    while messages := take(uplink._outbox):
        uplink._outbox.delivered([queued.id for queued in messages])
    assert read(tmp_path, fall).words() == "acknowledged by the broker"
    store = open_for_reading(tmp_path / "state.db")
    assert depth(store) == 0
    store.close()
    uplink.close()


@pytest.mark.parametrize("refuses", [False, True], ids=["disk", "memory"])
def test_what_was_given_up_was_not_acknowledged_also_where_the_disk_refused_meanwhile(
    tmp_path: Path, refuses: bool
) -> None:
    config = Config(node=Node(name="box"), outbox=Outbox(max_bytes=1_000_000))
    uplink = Uplink.open(config, tmp_path)
    disk = uplink._outbox._disk
    assert disk is not None
    if refuses:
        uplink._outbox._limits = type(uplink._outbox._limits)(max_bytes=10**9, memory_max_bytes=1_000_000, max_age_ns=1)
        with disk.reading() as db:
            db.execute("PRAGMA query_only = 1")
    first = raised(uplink, life(0, **NOTICE))
    for n in range(1, 120):
        last = raised(uplink, life(n, **NOTICE))
    if refuses:
        with disk.reading() as db:
            db.execute("PRAGMA query_only = 0")
        uplink._outbox._heal_at_ns = 0
        last = raised(uplink, [Closed(incident=life(200)[-1].incident)])
    assert read(tmp_path, first).given_up == 3
    assert "given up" in read(tmp_path, first).words()
    assert read(tmp_path, last).given_up == 0
    assert read(tmp_path, last).waiting > 0
    while messages := take(uplink._outbox):
        uplink._outbox.delivered([queued.id for queued in messages])
    assert read(tmp_path, first) == Delivery(given_up=3), "also when the gap was told"
    uplink.close()
