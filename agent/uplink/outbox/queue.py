"""The rows of the outbox in one database: put, take in order, delete, evict. The caller holds the transaction.

Order: class 0 (chains with something critical) before class 1. Within class 0 the chain that was raised
last goes first, so a live critical incident never waits behind a backlog, not even one of critical incidents;
within class 1 the oldest first. Within a chain (one incident, its snapshots included) always the oldest
first, and only one at a time, so what is refused or lost on the way cannot be overtaken by what follows it.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from agent.types import Severity

Role = Literal["incident", "snapshot", "gap"]
Ranges: TypeAlias = list[tuple[int, int]]

SEVERITY_RANK: dict[Severity, int] = {"notice": 0, "warning": 1, "critical": 2}
CRITICAL_WORTH = 20
GAP_WORTH = 99
_ROW_BYTES = 256  # what a row costs beside its payload, indexes included, about


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """One message that waits to be delivered."""

    id: int
    seq: int | None
    chain: str
    role: Role
    phase: str
    topic: str
    payload: bytes
    wall_ns: int
    synchronised: bool
    monotonic_ns: int
    run: str


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A message as `ready` lists it, without its content; sorts in order of delivery."""

    urgency: int  # the class
    rank: int
    id: int
    chain: str
    topic: str
    size_bytes: int


_COLUMNS = "id, seq, chain, role, phase, topic, payload, wall_ns, synchronised, monotonic_ns, run"


def put(db: sqlite3.Connection, queued: QueuedMessage, severity: Severity) -> int:
    """Add a message at the end of its chain; return the bytes it counts for."""
    size_bytes = len(queued.payload) + len(queued.topic) + _ROW_BYTES
    urgent = severity == "critical" or _is_urgent(db, queued.chain)
    if urgent:
        db.execute("UPDATE outbox SET class = 0, rank = ? WHERE chain = ?", (-queued.id, queued.chain))
    db.execute(
        f"INSERT INTO outbox ({_COLUMNS}, class, rank, worth, size_bytes, frozen)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            *(queued.id, queued.seq, queued.chain, queued.role, queued.phase, queued.topic, queued.payload),
            *(queued.wall_ns, queued.synchronised, queued.monotonic_ns, queued.run),
            *(0 if urgent else 1, -queued.id if urgent else queued.id, _worth(queued, severity), size_bytes),
        ),
    )
    return size_bytes


def _is_urgent(db: sqlite3.Connection, chain: str) -> bool:
    return db.execute("SELECT 1 FROM outbox WHERE chain = ? AND class = 0 LIMIT 1", (chain,)).fetchone() is not None


def _worth(queued: QueuedMessage, severity: Severity) -> int:
    """Return what is given up first: low severity; within it snapshots, then updates, then what opens and closes."""
    if queued.role == "gap":
        return GAP_WORTH
    within = 0 if queued.role == "snapshot" else 1 if queued.phase == "update" else 2
    return 10 * SEVERITY_RANK[severity] + within


def ready(db: sqlite3.Connection, done: Collection[int], refused_topics: Collection[str]) -> Iterator[Waiting]:
    """Yield the first message of every chain, in order of delivery; ids in `done` count as delivered."""
    rows = db.execute(
        "SELECT class, rank, id, chain, topic, size_bytes FROM outbox AS o"
        " WHERE topic NOT IN (SELECT value FROM json_each(?2)) AND id NOT IN (SELECT value FROM json_each(?1))"
        " AND NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.chain = o.chain AND e.id < o.id"
        " AND e.id NOT IN (SELECT value FROM json_each(?1))) ORDER BY class, rank, id",
        (json.dumps(sorted(done)), json.dumps(sorted(refused_topics))),
    )
    for row in rows:
        yield Waiting(*row)


def has_chain(db: sqlite3.Connection, chain: str, done: Collection[int]) -> bool:
    """Return whether a message of this chain still waits."""
    ids = {message_id for (message_id,) in db.execute("SELECT id FROM outbox WHERE chain = ?", (chain,))}
    return not ids <= set(done)


def waiting(db: sqlite3.Connection, chains: Sequence[str]) -> dict[str, int]:
    """Return how many messages of each of these chains wait, pictures not counted; chains without any are left out."""
    rows = db.execute(
        "SELECT chain, count(*) FROM outbox WHERE seq IS NOT NULL AND chain IN (SELECT value FROM json_each(?))"
        " GROUP BY chain",
        (json.dumps(list(chains)),),
    )
    return dict(rows.fetchall())


def read(db: sqlite3.Connection, ids: Sequence[int]) -> list[QueuedMessage]:
    """Return the messages `ids`, in that order."""
    marks = ",".join("?" * len(ids))
    rows = db.execute(f"SELECT {_COLUMNS} FROM outbox WHERE id IN ({marks})", ids)
    found = {row[0]: _queued_message(row) for row in rows}
    return [found[message_id] for message_id in ids if message_id in found]


def _queued_message(row: tuple[Any, ...]) -> QueuedMessage:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return QueuedMessage(**values | {"synchronised": bool(values["synchronised"])})


def remove(db: sqlite3.Connection, ids: Collection[int]) -> int:
    """Delete messages, and what gaps among them said; return the bytes they counted for."""
    these = (json.dumps(sorted(ids)),)
    found = "IN (SELECT value FROM json_each(?))"
    freed = db.execute(f"SELECT coalesce(sum(size_bytes), 0) FROM outbox WHERE id {found}", these).fetchone()[0]
    db.execute(f"DELETE FROM outbox WHERE id {found}", these)
    db.execute(f"DELETE FROM gap_range WHERE gap_id {found}", these)
    return int(freed)


def known(db: sqlite3.Connection, ids: Collection[int]) -> set[int]:
    """Return those of `ids` that wait here."""
    found = db.execute("SELECT id FROM outbox WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(sorted(ids)),))
    return {message_id for (message_id,) in found}


def note_given_up(db: sqlite3.Connection, ids: Collection[int]) -> None:
    """Keep in the history which messages are given up with `ids`; before they are removed."""
    db.execute(
        "INSERT OR IGNORE INTO given_up SELECT chain, seq FROM outbox WHERE id IN (SELECT value FROM json_each(?))"
        " AND seq IS NOT NULL AND chain IN (SELECT id FROM incident)",
        (json.dumps(sorted(ids)),),
    )


def given_up(db: sqlite3.Connection, chains: Sequence[str]) -> dict[str, int]:
    """Return how many messages of each of these incidents were given up; those without any are left out."""
    rows = db.execute(
        "SELECT incident_id, count(*) FROM given_up WHERE incident_id IN (SELECT value FROM json_each(?))"
        " GROUP BY incident_id",
        (json.dumps(list(chains)),),
    )
    return dict(rows.fetchall())


def size_bytes(db: sqlite3.Connection) -> int:
    """Return the bytes of everything that waits."""
    return int(db.execute("SELECT coalesce(sum(size_bytes), 0) FROM outbox").fetchone()[0])


def depth(db: sqlite3.Connection) -> int:
    """Return how many messages wait."""
    return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])


def cheapest(db: sqlite3.Connection, free_bytes: int, keep: Collection[int]) -> list[tuple[int, int | None]]:
    """Return (id, seq) of what to give up to free at least so much: gaps and `keep` never."""
    chosen: list[tuple[int, int | None]] = []
    rows = db.execute("SELECT id, seq, size_bytes FROM outbox WHERE worth < ? ORDER BY worth, id", (GAP_WORTH,))
    for message_id, seq, size in rows:
        if free_bytes <= 0:
            break
        if message_id not in keep:
            chosen.append((message_id, seq))
            free_bytes -= size
    return chosen


def older(db: sqlite3.Connection, than_wall_ns: int, keep: Collection[int]) -> list[tuple[int, int | None]]:
    """Return (id, seq) of what happened before; never what is critical, nor what a wrong clock dated."""
    rows = db.execute(
        "SELECT id, seq FROM outbox WHERE worth < ? AND synchronised AND wall_ns < ? ORDER BY id",
        (CRITICAL_WORTH, than_wall_ns),
    )
    return [(message_id, seq) for message_id, seq in rows if message_id not in keep]


def open_gap(db: sqlite3.Connection, reason: str, frozen: Collection[int]) -> int | None:
    """Return the id of the gap message for `reason` that was never handed out and may still grow."""
    rows = db.execute("SELECT id FROM outbox WHERE role = 'gap' AND phase = ? AND NOT frozen", (reason,))
    return next((message_id for (message_id,) in rows if message_id not in frozen), None)


def freeze(db: sqlite3.Connection, gap_id: int) -> None:
    """A gap message goes out: from now on it says the same."""
    db.execute("UPDATE outbox SET frozen = 1 WHERE id = ?", (gap_id,))


def ranges_of(db: sqlite3.Connection, gap_id: int) -> Ranges:
    """Return the closed ranges of numbers that a gap message gives up."""
    rows = db.execute("SELECT from_seq, to_seq FROM gap_range WHERE gap_id = ? ORDER BY from_seq", (gap_id,))
    return [(first, last) for first, last in rows]


def widen(db: sqlite3.Connection, gap_id: int, more: Iterable[tuple[int, int]]) -> None:
    """Add ranges to what a gap message gives up."""
    ranges = merged([*ranges_of(db, gap_id), *more])
    db.execute("DELETE FROM gap_range WHERE gap_id = ?", (gap_id,))
    db.executemany("INSERT INTO gap_range VALUES (?, ?, ?)", [(gap_id, first, last) for first, last in ranges])


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the same numbers as the fewest closed ranges, ascending."""
    result: Ranges = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result


def waiting_seqs(db: sqlite3.Connection, first: int, last: int) -> list[int]:
    """Return the numbers from `first` to `last` that wait to be delivered, ascending."""
    rows = db.execute("SELECT seq FROM outbox WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last))
    return [seq for (seq,) in rows]


def highest_id(db: sqlite3.Connection) -> int:
    """Return the highest id of a message, 0 where none waits."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()[0])


def without(first: int, last: int, kept: Iterable[int]) -> Ranges:
    """Return `first` to `last` without the numbers `kept`, which ascend."""
    ranges: Ranges = []
    for seq in kept:
        ranges += [(first, seq - 1)] if first < seq else []
        first = seq + 1
    return [*ranges, (first, last)] if first <= last else ranges


def counter(db: sqlite3.Connection, name: str) -> int | None:
    """Return a counter, or None where it was never set."""
    row = db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def set_counter(db: sqlite3.Connection, name: str, value: int) -> None:
    """Set a counter."""
    db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (name, value))


# Not REPLACE for an incident: that would delete the row and, by the foreign key, its phases on the disk.
_MOVES = {
    "outbox": "INSERT INTO outbox VALUES ({})",
    "gap_range": "INSERT INTO gap_range VALUES ({})",
    "incident": "INSERT INTO incident VALUES ({}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}"
        for name in ("severity", "phase", "started_at", "wall_offset_ns", "synchronised", "words", "message")
    ),
    "phase": "INSERT OR REPLACE INTO phase VALUES ({})",
    "verdict": "INSERT OR REPLACE INTO verdict VALUES ({})",
    "given_up": "INSERT OR IGNORE INTO given_up VALUES ({})",
}


def move(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy everything that waits, and the history written meanwhile, from one database to another."""
    for table, statement in _MOVES.items():
        rows = source.execute(f"SELECT * FROM {table}").fetchall()
        if rows:
            target.executemany(statement.format(",".join("?" * len(rows[0]))), rows)


def clear(db: sqlite3.Connection) -> None:
    """Forget everything that waits and the history: it is elsewhere now."""
    for table in reversed(_MOVES):
        db.execute(f"DELETE FROM {table}")
