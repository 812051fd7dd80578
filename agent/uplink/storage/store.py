"""state.db: one SQLite file for outbox and history that keeps what it said it keeps, through a loss of power.

WAL with `synchronous=FULL`: a transaction is on the disk when `transaction()` has returned. A file that SQLite
finds broken is moved aside, never deleted, and a new one begun with what could be salvaged.
"""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from agent.config.places import SYSTEM_STATE
from agent.errors import StoreError
from agent.uplink.storage.salvage import SQLITE_SAYS, salvage

_LOG = logging.getLogger(__name__)

# Migration n takes a database of version n to n + 1 (PRAGMA user_version). Never change one that was released.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,        -- order of raising
        seq INTEGER,                   -- NULL: a snapshot
        chain TEXT NOT NULL,           -- messages of one chain are delivered one after the other
        role TEXT NOT NULL,            -- incident, snapshot, gap
        phase TEXT NOT NULL,           -- of an incident; of a gap: its reason
        class INTEGER NOT NULL,        -- 0: critical, goes before 1
        rank INTEGER NOT NULL,         -- order within the class
        worth INTEGER NOT NULL,        -- the lowest is evicted first
        size_bytes INTEGER NOT NULL,
        wall_ns INTEGER NOT NULL,      -- when it happened
        synchronised INTEGER NOT NULL,
        monotonic_ns INTEGER NOT NULL, -- the same on the monotonic clock of `run`
        run TEXT NOT NULL,
        frozen INTEGER NOT NULL,       -- a gap that was handed out once says the same ever after
        topic TEXT NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    CREATE INDEX outbox_order ON outbox (class, rank, id, chain, topic, size_bytes);
    CREATE INDEX outbox_chain ON outbox (chain, id);
    CREATE INDEX outbox_worth ON outbox (worth, id, seq, size_bytes);

    CREATE TABLE gap_range (gap_id INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
        PRIMARY KEY (gap_id, from_seq)) STRICT, WITHOUT ROWID;

    CREATE TABLE incident (
        id TEXT PRIMARY KEY,
        camera TEXT NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        phase TEXT NOT NULL,
        started_at TEXT NOT NULL,      -- RFC 3339 UTC with milliseconds: sorts as text
        wall_offset_ns INTEGER NOT NULL,
        synchronised INTEGER NOT NULL,
        words TEXT NOT NULL,           -- what a search for text looks at, in lower case
        message TEXT NOT NULL          -- the newest, whole
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX incident_time ON incident (started_at);
    CREATE INDEX incident_open ON incident (phase) WHERE phase <> 'close';

    CREATE TABLE phase (
        incident_id TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (incident_id, seq)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE verdict (             -- what a person said of an incident
        incident_id TEXT PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
        verdict INTEGER NOT NULL,      -- 1: it was true
        at TEXT NOT NULL               -- RFC 3339 UTC with milliseconds
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE verdict ADD COLUMN note TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE TABLE given_up (            -- messages of an incident that will never come: a gap message told so
        incident_id TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        PRIMARY KEY (incident_id, seq)
    ) STRICT, WITHOUT ROWID;
    """,
)

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_BROKEN_WORDS = (
    "Could not decode to UTF-8",  # of a row: Python says so itself, without a code of SQLite
    "unsupported file format",  # a schema format that SQLite does not know, in the file's head: SQLITE_ERROR, no more
)
_REFUSED = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "the permission is missing",
    sqlite3.SQLITE_BUSY: "another program holds it",
    sqlite3.SQLITE_LOCKED: "another program holds it",
    sqlite3.SQLITE_PROTOCOL: "another program holds it",
    sqlite3.SQLITE_NOMEM: "memory is short",
}


class RefusedError(StoreError):
    """The disk does not take writes now: full, read-only, failing, or held by another program."""


class BrokenError(StoreError):
    """The file is not a sound database."""

    transient = False


class Store:
    """One database. One writer at a time; safe to use from several threads."""

    def __init__(self, db: sqlite3.Connection, name: str, lock_fd: int | None = None, remark: str = "") -> None:
        """`remark` says what happened to it, if it was not found sound."""
        self.remark = remark
        self._db = db
        self._name = name
        self._lock_fd = lock_fd
        self._mutex = threading.RLock()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is done inside, on the disk, or nothing of it. Raises RefusedError, BrokenError."""
        with self._mutex, self._translating_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a failed COMMIT may have rolled back already
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for questions. Raises RefusedError, BrokenError."""
        with self._mutex, self._translating_errors():
            yield self._db

    @contextlib.contextmanager
    def _translating_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLITE_SAYS as error:
            raise (store_error(error, self._name) or error) from error

    def close(self) -> None:
        """Close the file and let another process have it."""
        with self._mutex:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            if self._lock_fd is not None:
                os.close(self._lock_fd)
                self._lock_fd = None


def store_error(error: sqlite3.DatabaseError | UnicodeDecodeError, name: str) -> StoreError | None:
    """Return what SQLite says as a StoreError, or None where it is our own mistake."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BROKEN or isinstance(error, UnicodeDecodeError) or str(error).startswith(_BROKEN_WORDS):
        return BrokenError(f"the database {name} is broken", why=str(error), cure="It will be moved aside.")
    if code in _REFUSED:
        cure = "Free space, or make its folder writable; until then messages wait in memory."
        return RefusedError(f"the database {name} takes no writes", why=_REFUSED[code], cure=cure)
    return None


def open_store(path: Path, broken: BrokenError | None = None) -> Store:
    """Open or begin the database, migrated and sound; a broken file is moved aside.

    `broken` is what was found of it in use, although it had looked sound: the check at opening reads no texts.
    Raises RefusedError if the folder or the disk does not let us, or another Vedette has it.
    """
    lock_fd = _lock_folder(path)
    remark = ""
    try:
        try:
            if broken is not None:
                raise broken
            db = _open_sound(path)
        except BrokenError as error:
            aside = _move_aside(path)
            db = _open_sound(path)
            remark = f"{path.name} was broken and is {aside.name} now; {_salvage_into(aside, db)}"
            _LOG.error("%s; moved aside to %s, a new one begun; %s", error.line(), aside, remark)
    except BaseException:
        os.close(lock_fd)
        raise
    return Store(db, str(path), lock_fd, remark)


def _salvage_into(aside: Path, db: sqlite3.Connection) -> str:
    """Copy what can be read of a broken file, and say how much that was."""
    try:
        saved = salvage(aside, db)
    except SQLITE_SAYS as error:
        return f"nothing of it could be salvaged ({error})"
    return f"salvaged: {saved['outbox']} messages that waited, {saved['incident']} incidents of the history"


def memory_store() -> Store:
    """Return a database with the same tables in memory."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys=ON")
    _migrate(db)
    return Store(db, "in memory")


def open_for_reading(path: Path) -> Store:
    """Open the database of a running or stopped agent for questions only. Raises StoreError."""
    return _open_existing(path, "ro")


def open_beside(path: Path) -> Store:
    """Open the database of a running or stopped agent for a brief word of one's own. Raises StoreError."""
    return _open_existing(path, "rw")


def _open_existing(path: Path, mode: str) -> Store:
    if not os.path.exists(path):  # not Path.exists(): what cannot be looked at counts as not there
        raise NoHistoryError(f"there is no history at {path}", cure=_where_to_look(path.parent))
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5)
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except SQLITE_SAYS as error:
        raise (store_error(error, str(path)) or error) from error
    _require_known(version, str(path))
    if version < len(MIGRATIONS):
        db.close()
        raise StoreError(f"the database {path} is of an older Vedette", cure="Start `vedette run` once to update it.")
    return Store(db, str(path))


class NoHistoryError(StoreError):
    """Nothing was kept here yet, or it is not for this person to see."""

    transient = False


def _where_to_look(folder: Path) -> str:
    if folder != SYSTEM_STATE and os.path.exists(SYSTEM_STATE):
        return f"The service keeps its own in {SYSTEM_STATE}: use sudo. STATE_DIRECTORY names another folder."
    return "Nothing was raised on this box yet; `vedette run` begins it. STATE_DIRECTORY names another folder."


def _lock_folder(path: Path) -> int:
    """Return a descriptor that holds the folder's lock: two agents on one outbox would send everything twice."""
    import fcntl  # noqa: PLC0415 - POSIX only; reading the history must work without it

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _refused_by_os(path, error) from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock_fd)
        raise InUseError(
            f"another Vedette uses {path.parent}", cure="Stop it first, or set STATE_DIRECTORY to another folder."
        ) from error
    return lock_fd


class InUseError(StoreError):
    """Another process has the outbox."""

    transient = False


def _refused_by_os(path: Path, error: OSError) -> RefusedError:
    return RefusedError(
        f"the state folder {path.parent} cannot be used",
        why=error.strerror or type(error).__name__,
        cure="Make it writable; until then messages wait in memory.",
    )


def _open_sound(path: Path) -> sqlite3.Connection:
    db: sqlite3.Connection | None = None
    try:
        _make_private(path)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA journal_size_limit=4000000")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise BrokenError(f"the database {path} is broken", why=verdict)
        _migrate(db)
    except SQLITE_SAYS as error:
        raise (store_error(error, str(path)) or error) from error
    except OSError as error:
        raise _refused_by_os(path, error) from error
    else:
        done, db = db, None
        return done
    finally:
        if db is not None:
            db.close()


def _make_private(path: Path) -> None:
    """Let only the owner read what happens in a home, before SQLite makes its journals: they get the file's mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).chmod(0o600)


def _migrate(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    _require_known(version, "state.db")
    for number in range(version, len(MIGRATIONS)):
        # executescript would commit by itself: BEGIN and COMMIT stand inside, so a loss of power leaves the old version
        db.executescript(f"BEGIN IMMEDIATE;{MIGRATIONS[number]};PRAGMA user_version={number + 1};COMMIT;")


def _require_known(version: int, name: str) -> None:
    if version > len(MIGRATIONS):
        raise NewerError(
            f"{name} was written by a newer Vedette (version {version}, this one knows {len(MIGRATIONS)})",
            cure="Install that version again, or set STATE_DIRECTORY to another folder.",
        )


class NewerError(StoreError):
    """The database comes from a newer release."""

    transient = False


def _move_aside(path: Path) -> Path:
    """Rename the file and its journals to the first free `.broken-N`, and return that."""
    number = 1
    while (target := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        try:
            part.rename(target.with_name(target.name + suffix))
        except FileNotFoundError:
            continue
        except OSError as failure:
            raise _refused_by_os(path, failure) from failure
    return target
