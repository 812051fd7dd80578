"""The incidents kept on this box: written with the outbox in one transaction, asked by `vedette incidents`."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.uplink.messages.payload import Message, name_in
from agent.uplink.storage.store import Store

KEEP_INCIDENTS = 50_000  # 0.5 to 1 GB with all their messages; the oldest beyond are forgotten
KEEP_IN_MEMORY = 500  # of those that could not be written: about 5 MB
LONGEST_NOTE = 500  # characters of a verdict's why

Marked = Literal["true", "false", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for; everything given must hold. Times are RFC 3339 UTC with milliseconds.

    `cameras`: their identifiers, or what they were called then. `marked`: what a person said of it, `none` for nothing
    yet. `before`: (started_at, id) of an incident; only those that come after it, newest first.
    """

    since: str | None = None
    until: str | None = None
    kinds: Sequence[str] = ()
    cameras: Sequence[str] = ()
    severities: Sequence[str] = ()
    text: str = ""
    only_open: bool = False
    marked: Marked | None = None
    before: tuple[str, str] | None = None
    limit: int | None = None


def record(db: sqlite3.Connection, message: Message, *, wall_offset_ns: int) -> None:
    """Keep a message: as the newest of its incident, and as one of its phases."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    db.execute(
        "INSERT INTO incident VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " severity = excluded.severity, phase = excluded.phase, started_at = excluded.started_at,"
        " wall_offset_ns = excluded.wall_offset_ns, synchronised = excluded.synchronised,"
        " words = excluded.words, message = excluded.message",
        (
            *(message["id"], message["camera"], message["kind"], message["severity"], message["phase"]),
            *(message["started_at"], wall_offset_ns, message["clock"] == "synchronised", _words(message), text),
        ),
    )
    db.execute("INSERT OR REPLACE INTO phase VALUES (?, ?, ?)", (message["id"], message["seq"], text))


def _words(message: Message) -> str:
    signals = [entry["signal"] for entry in message["evidence"]]
    parts = [message["summary"], message["kind"], message["kind"].replace("_", " "), *message["zones"], *signals]
    return "\n".join([*parts, *message["cameras"], name_in(message)]).casefold()


def camera_of(db: sqlite3.Connection, incident_id: str) -> str | None:
    """Return the camera of an incident, None where it is not known."""
    found = db.execute("SELECT camera FROM incident WHERE id = ?", (incident_id,)).fetchone()
    return None if found is None else str(found[0])


def forget_oldest(db: sqlite3.Connection, keep: int = KEEP_INCIDENTS) -> None:
    """Keep only the newest incidents; open ones always."""
    db.execute(
        "DELETE FROM incident WHERE phase = 'close' AND id NOT IN"
        " (SELECT id FROM incident ORDER BY started_at DESC LIMIT ?)",
        (keep,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person said of an incident: whether it was true, when they said so (RFC 3339), and why."""

    true: bool
    at: str
    note: str = ""


def mark(db: sqlite3.Connection, incident_id: str, *, verdict: bool, at: str, note: str = "") -> bool:
    """Keep what a person said of an incident, whether it was true; return False where it is not known."""
    done = db.execute(
        "INSERT OR REPLACE INTO verdict (incident_id, verdict, at, note) SELECT id, ?, ?, ? FROM incident WHERE id = ?",
        (verdict, at, note, incident_id),
    )
    return done.rowcount > 0


def verdicts(db: sqlite3.Connection) -> dict[str, Verdict]:
    """Return what people said: incident id → verdict."""
    rows = db.execute("SELECT incident_id, verdict, at, note FROM verdict")
    return {incident_id: Verdict(true=bool(verdict), at=at, note=note) for incident_id, verdict, at, note in rows}


def all_verdicts(store: Store) -> dict[str, Verdict]:
    """As `verdicts`, in a transaction of its own."""
    with store.reading() as db:
        return verdicts(db)


def left_open(store: Store) -> list[tuple[Message, int]]:
    """Return (newest message, wall offset) of each incident that no message closed, oldest first."""
    with store.reading() as db:
        return unclosed(db)


def unclosed(db: sqlite3.Connection) -> list[tuple[Message, int]]:
    """As `left_open`, within a transaction."""
    rows = db.execute("SELECT message, wall_offset_ns FROM incident WHERE phase <> 'close' ORDER BY started_at, id")
    return [(json.loads(text), offset_ns) for text, offset_ns in rows]


def find(store: Store, query: Query) -> list[Message]:
    """Return the newest message of each incident that fits, newest incident first."""
    where, values = _conditions(query)
    limit = -1 if query.limit is None else query.limit
    with store.reading() as db:
        rows = db.execute(
            f"SELECT message FROM incident WHERE {where} ORDER BY started_at DESC, id DESC LIMIT ?", [*values, limit]
        )
        return [json.loads(text) for (text,) in rows]


def lives(store: Store, query: Query) -> list[tuple[Message, Message]]:
    """Return (first message, newest message) of each incident that fits, newest incident first."""
    where, values = _conditions(query)
    limit = -1 if query.limit is None else query.limit
    first = "(SELECT p.message FROM phase AS p WHERE p.incident_id = incident.id ORDER BY p.seq LIMIT 1)"
    with store.reading() as db:
        rows = db.execute(
            f"SELECT coalesce({first}, message), message FROM incident WHERE {where}"
            " ORDER BY started_at DESC, id DESC LIMIT ?",
            [*values, limit],
        )
        return [(json.loads(opened), json.loads(newest)) for opened, newest in rows]


def _conditions(query: Query) -> tuple[str, list[Any]]:
    where, values = ["1"], list[Any]()
    for column, wanted in (("kind", query.kinds), ("severity", query.severities)):
        if wanted:
            where.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values += wanted
    for operator, time in ((">=", query.since), ("<", query.until)):
        if time is not None:
            where.append(f"started_at {operator} ?")
            values.append(time)
    if query.cameras:
        marks = ",".join("?" * len(query.cameras))
        where.append(
            f"(EXISTS (SELECT 1 FROM json_each(message, '$.cameras') WHERE value IN ({marks}))"
            f" OR json_extract(message, '$.camera_name') IN ({marks}))"
        )
        values += [*query.cameras, *query.cameras]
    for word in query.text.casefold().split():
        where.append("instr(words, ?)")
        values.append(word)
    if query.only_open:
        where.append("phase <> 'close'")
    if query.marked is not None:
        found = "SELECT verdict FROM verdict WHERE incident_id = incident.id"
        where.append(f"NOT EXISTS ({found})" if query.marked == "none" else f"({found}) = ?")
        values += [] if query.marked == "none" else [query.marked == "true"]
    if query.before is not None:
        where.append("(started_at, id) < (?, ?)")
        values += query.before
    return " AND ".join(where), values


def count(store: Store, query: Query) -> int:
    """Return how many incidents fit, `limit` or not."""
    where, values = _conditions(query)
    with store.reading() as db:
        return int(db.execute(f"SELECT count(*) FROM incident WHERE {where}", values).fetchone()[0])


def seen_on(store: Store) -> tuple[list[str], list[str]]:
    """Return (cameras, kinds) that incidents were raised on and of, in order of their names."""
    with store.reading() as db:
        pairs = db.execute("SELECT DISTINCT camera, kind FROM incident").fetchall()
    return sorted({camera for camera, _ in pairs}), sorted({kind for _, kind in pairs})


def camera_names(store: Store) -> dict[str, str]:
    """Return what each camera that incidents were raised on was called in its newest one."""
    with store.reading() as db:
        cameras = [camera for (camera,) in db.execute("SELECT DISTINCT camera FROM incident ORDER BY camera")]
        newest = "SELECT message FROM incident WHERE camera = ? ORDER BY started_at DESC LIMIT 1"
        return {camera: name_in(json.loads(db.execute(newest, (camera,)).fetchone()[0])) for camera in cameras}


def course(store: Store, incident_id: str, most: int) -> list[Message]:
    """Return the messages of an incident in order; of more than `most` an even choice with the first and the last."""
    with store.reading() as db:
        numbers = [
            seq for (seq,) in db.execute("SELECT seq FROM phase WHERE incident_id = ? ORDER BY seq", (incident_id,))
        ]
        if len(numbers) > most:
            numbers = [numbers[step * (len(numbers) - 1) // (most - 1)] for step in range(most)]
        rows = db.execute(
            "SELECT message FROM phase WHERE incident_id = ? AND seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
            (incident_id, json.dumps(numbers)),
        )
        return [json.loads(text) for (text,) in rows]


def phases(store: Store, id_or_start: str) -> list[Message]:
    """Return every message of the one incident whose id begins (or ends) so; empty where it is none or several.

    The ends of ids differ soonest: they are random, the beginnings are times.
    """
    with store.reading() as db:
        found = [
            incident_id
            for (incident_id,) in db.execute(
                "SELECT id FROM incident WHERE substr(id, 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1 LIMIT 2",
                (id_or_start.lower(),),
            )
        ]
        if len(found) != 1:
            return []
        rows = db.execute("SELECT message FROM phase WHERE incident_id = ? ORDER BY seq", found)
        return [json.loads(text) for (text,) in rows]
