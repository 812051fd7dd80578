"""What goes into the outbox: moments, limits, and the batch that one transaction puts."""

import sqlite3
from dataclasses import dataclass

from agent.types import Severity
from agent.uplink.outbox import queue
from agent.uplink.outbox.queue import QueuedMessage, Role

MEMORY_MAX_BYTES = 32_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may wait, and how long."""

    max_bytes: int
    max_age_ns: int
    memory_max_bytes: int = MEMORY_MAX_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something happened, on both clocks."""

    wall_ns: int
    synchronised: bool
    monotonic_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """What the state topic tells of the outbox."""

    depth: int
    size_bytes: int
    degraded: bool
    why: str
    write_ms: float = 0.0  # the longest of the last minute or two
    remark: str = ""  # what happened to the database in this run, if something did


class Batch:
    """What one transaction puts into the outbox; `db` is for the history beside it."""

    def __init__(self, db: sqlite3.Connection, next_seq: int, next_id: int, run: str) -> None:
        self.db = db
        self.added_bytes = 0
        self.next_seq = next_seq
        self.next_id = next_id
        self._run = run

    def take_seq(self) -> int:
        """Return the next number of the node."""
        self.next_seq += 1
        return self.next_seq - 1

    def put(
        self,
        *,
        seq: int | None,
        chain: str,
        role: Role,
        phase: str,
        severity: Severity,
        topic: str,
        payload: bytes,
        moment: Moment,
    ) -> int:
        """Add a message behind the others of its chain; return its id."""
        queued = QueuedMessage(
            id=self.next_id,
            seq=seq,
            chain=chain,
            role=role,
            phase=phase,
            topic=topic,
            payload=payload,
            wall_ns=moment.wall_ns,
            synchronised=moment.synchronised,
            monotonic_ns=moment.monotonic_ns,
            run=self._run,
        )
        self.added_bytes += queue.put(self.db, queued, severity)
        self.next_id += 1
        return queued.id
