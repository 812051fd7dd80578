"""What can still be read of a broken database goes into the new one: what waits, the history, the verdicts.

Each table is read from its beginning to the first damage, and from its end back to it. What comes out is believed
only as far as it hangs together: a message is the JSON it should be, a picture begins like a JPEG.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

_Row: TypeAlias = tuple[Any, ...]

SQLITE_SAYS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a database raises: the words of an error may have a damaged name in them, which Python cannot decode."""

# Parents before children: a phase of an incident that is lost has nothing to belong to.
_KEYS: Mapping[str, str] = {
    "incident": "id",
    "phase": "incident_id, seq",
    "verdict": "incident_id",
    "given_up": "incident_id, seq",
    "outbox": "id",
    "gap_range": "gap_id, from_seq",
}
_JPEG = b"\xff\xd8"


def salvage(broken: Path, db: sqlite3.Connection) -> dict[str, int]:
    """Copy what is sound in the file `broken` into `db`, new and empty; return how many rows of each table."""
    saved = dict.fromkeys(_KEYS, 0)
    with contextlib.closing(_open_read_only(broken)) as source:
        db.execute("BEGIN IMMEDIATE")
        try:
            for table in _KEYS:
                for row in _rows(source, table):
                    saved[table] += _insert_if_sound(db, table, row)
            # A gap that does not know any more what it says says nothing.
            db.execute("DELETE FROM outbox WHERE role = 'gap' AND id NOT IN (SELECT gap_id FROM gap_range)")
            db.execute("DELETE FROM gap_range WHERE gap_id NOT IN (SELECT id FROM outbox)")
            saved["outbox"] = db.execute("SELECT count(*) FROM outbox").fetchone()[0]
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
    return saved


def _open_read_only(broken: Path) -> sqlite3.Connection:
    source = sqlite3.connect(f"{broken.absolute().as_uri()}?mode=ro", uri=True)
    source.text_factory = _text  # damaged text must not end the reading
    return source


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _rows(source: sqlite3.Connection, table: str) -> Iterator[_Row]:
    """Yield the rows of a table in order to the first damage, then those behind it from the end."""
    keys = _KEYS[table].split(", ")
    width = len(keys)
    seen: set[_Row] = set()
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{key} {direction}" for key in keys)
        with contextlib.suppress(*SQLITE_SAYS):
            for row in source.execute(f"SELECT {', '.join(keys)}, * FROM {table} ORDER BY {order}"):
                if row[:width] in seen:
                    return
                seen.add(row[:width])
                yield row[width:]
            return  # to the end without damage


def _insert_if_sound(db: sqlite3.Connection, table: str, row: _Row) -> int:
    """Put a row in if it is sound; return how many that made."""
    if not _CHECKS.get(table, _is_any)(row):
        return 0
    try:
        return db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(row))})", row).rowcount
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):  # a wrong type, no parent, another number of columns
        return 0


def _is_any(_: _Row) -> bool:
    return True


def _is_queued_message(row: _Row) -> bool:
    """Columns as in the first migration: id, seq, chain, role, …, payload."""
    seq, chain, role, payload = row[1], row[2], row[3], row[-1]
    if not isinstance(payload, bytes) or any(isinstance(value, str) and "\ufffd" in value for value in row):
        return False  # a topic with a hole would be another topic
    if role == "snapshot":
        return payload.startswith(_JPEG)
    if role == "gap":
        return isinstance(seq, int)
    message = _json(payload) if role == "incident" else None
    return message is not None and message.get("seq") == seq and message.get("id") == chain


def _is_incident(row: _Row) -> bool:
    message = _json(row[-1])
    return message is not None and message.get("id") == row[0]


def _json(raw: object) -> dict[str, Any] | None:
    try:
        found = json.loads(raw) if isinstance(raw, str | bytes) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


_CHECKS: Mapping[str, Callable[[_Row], bool]] = {
    "outbox": _is_queued_message,
    "incident": _is_incident,
    "phase": _is_incident,
}
