"""Whatever happens, in whatever order: every number arrives or is named in a gap; order holds in an incident."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from agent.types import NS_PER_S
from agent.uplink.outbox.outbox import HEAL_EVERY_NS
from tests.uplink.made import Clock, outbox, put, put_snapshot, take

# Thousands of synced writes: on a disk of memory where there is one. Power is not what these laws are about.
MEMORY_FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None
CHAINS = st.integers(0, 4)
SEVERITIES = st.sampled_from(["notice", "warning", "critical"])
LIMITS = {"max_bytes": 6_000, "memory_max_bytes": 4_000, "max_age_ns": 60 * NS_PER_S}


class OutboxLaws(RuleBasedStateMachine):
    """A subscriber that sees what a broker would, over losses of connection, power and disk."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-", dir=MEMORY_FOLDER))
        self.clock = Clock()
        self.runs = 0
        self.box = outbox(self.folder, self.clock, run="0", **LIMITS)
        self.raised: dict[int, tuple[int, str]] = {}  # seq → chain, severity
        self.received: dict[int, bytes] = {}
        self.order: dict[str, list[int]] = {}
        self.in_flight: list[Any] = []

    @rule(chain=CHAINS, severity=SEVERITIES, size=st.integers(0, 1500))
    def raise_message(self, chain: int, severity: str, size: int) -> None:
        seq = put(self.box, self.clock, f"i{chain}", severity=severity, size=size)
        assert seq not in self.raised, "a number was used twice"
        assert seq not in self.received, "a number of a gap was used again"
        self.raised[seq] = (chain, severity)

    @rule(chain=CHAINS, severity=SEVERITIES, size=st.integers(0, 3000))
    def raise_picture(self, chain: int, severity: str, size: int) -> None:
        put_snapshot(self.box, self.clock, f"i{chain}", severity=severity, size=size)

    @rule(limit=st.integers(1, 6))
    def send(self, limit: int) -> None:
        for queued in take(self.box, limit):
            self.in_flight.append(queued)
            if queued.seq is None:
                continue
            if queued.seq in self.received:
                assert self.received[queued.seq] == queued.payload, "a repeated message says something else"
            else:
                self.order.setdefault(queued.chain, []).append(queued.seq)
            self.received[queued.seq] = queued.payload

    @rule(count=st.integers(1, 6))
    def acknowledge(self, count: int) -> None:
        self.box.delivered([queued.id for queued in self.in_flight[:count]])
        del self.in_flight[:count]

    @rule(data=st.data())
    def acknowledge_out_of_order(self, data: st.DataObject) -> None:
        if self.in_flight:
            queued = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
            self.box.delivered([queued.id])

    @rule(wait_s=st.integers(1, 30))
    def refuse(self, wait_s: int) -> None:
        if self.in_flight:
            self.box.refused(self.in_flight.pop(), wait_s * NS_PER_S)

    @rule()
    def lose_connection(self) -> None:
        self.box.release()
        self.in_flight.clear()

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.box.evict_old()

    @rule(pragma=st.sampled_from(["query_only = 1", "max_page_count = 1"]))
    def disk_refuses(self, pragma: str) -> None:
        if self.box._disk is not None:
            with self.box._disk.reading() as db:
                db.execute(f"PRAGMA {pragma}")

    @rule()
    def disk_heals(self) -> None:
        if self.box._disk is not None:
            with self.box._disk.reading() as db:
                db.execute("PRAGMA query_only = 0")
                db.execute("PRAGMA max_page_count = 1000000")
        self.clock.advance(HEAL_EVERY_NS / NS_PER_S)

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.in_flight.clear()
        if clean:
            self.box.close()
        elif self.box._disk is not None:
            self.box._disk.close()
        self.runs += 1
        self.box = outbox(self.folder, self.clock, run=str(self.runs), **LIMITS)

    @invariant()
    def an_incident_arrives_in_order(self) -> None:
        for chain, numbers in self.order.items():
            assert numbers == sorted(numbers), f"{chain} was overtaken"

    def teardown(self) -> None:
        try:
            self.disk_heals()
            self.lose_connection()
            self.clock.advance(100)
            while messages := take(self.box):
                for queued in messages:
                    if queued.seq is not None:
                        self.received[queued.seq] = queued.payload
                self.box.delivered([queued.id for queued in messages])
            assert self.box.state().depth == 0
            assert self.box.state().size_bytes == 0, "the count of bytes went wrong"
            self.everything_is_accounted_for()
        finally:
            self.box.close()
            shutil.rmtree(self.folder)

    def everything_is_accounted_for(self) -> None:
        gaps = [json.loads(payload) for payload in self.received.values() if payload.startswith(b"{")]
        given_up = {
            seq: gap["reason"] for gap in gaps for first, last in gap["ranges"] for seq in range(first, last + 1)
        }
        numbers = self.raised.keys() | self.received.keys()
        assert set(range(1, max(numbers, default=0) + 1)) == set(self.received) | (
            set(given_up) & set(range(1, max(numbers, default=0) + 1))
        )
        for seq, reason in given_up.items():
            if reason == "age" and seq in self.raised:
                assert self.raised[seq][1] != "critical", "a critical message was given up for its age"


def test_the_laws_of_the_outbox_hold() -> None:
    run_state_machine_as_test(
        OutboxLaws,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
