"""The outbox: what was raised is on the disk before `write` returns, and off it only when the broker has it.

Every incident message and every gap message takes the next `seq` of the node; the numbers are complete and
never used twice. Whatever has to be given up is named in a gap message, which is never given up itself.
While the disk refuses (full, read-only, broken), the same tables live in memory, the state says `degraded`,
and everything moves to the disk when it heals. Leases and back-off are on the monotonic clock, in memory:
only one process has the outbox, and after a crash nothing is on its way.
"""

import contextlib
import dataclasses
import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from agent.errors import StoreError
from agent.types import NS_PER_S
from agent.uplink.history import history
from agent.uplink.messages.payload import encoded, gap_message
from agent.uplink.outbox import queue
from agent.uplink.outbox.batch import Batch, Limits, Moment, OutboxState
from agent.uplink.outbox.eviction import Eviction
from agent.uplink.outbox.merged import Merged
from agent.uplink.outbox.queue import QueuedMessage
from agent.uplink.outbox.sequence_file import BLOCK, Mark, read_mark, write_mark
from agent.uplink.outbox.write_latency import Pace
from agent.uplink.storage.store import BrokenError, RefusedError, Store, memory_store, open_store

_LOG = logging.getLogger(__name__)

HEAL_EVERY_NS = 5 * NS_PER_S
_UNREAD_ID = 1 << 52  # ids of runs that could not read the disk: beyond all that are on it

Result = TypeVar("Result")


class Outbox:
    """The durable queue of one node. Safe to use from several threads."""

    def __init__(
        self, path: Path, *, node: str, gap_topic: str, limits: Limits, run: str, now: Callable[[], Moment]
    ) -> None:
        """Open the outbox at `path`; `run` names this run of the agent.

        Raises StoreError where another process has it or a newer release wrote it; a disk that refuses
        is no error but a degraded beginning.
        """
        self._path = path
        self._mark_path = path.with_suffix(".seq")
        self._node = node
        self._eviction = Eviction(gap_topic)
        self._limits = limits
        self._run = run
        self._now = now
        self._mutex = threading.RLock()
        self._wake: Callable[[], None] = lambda: None
        self._memory = memory_store()
        self._memory_bytes = 0
        self._disk: Store | None = None
        self._disk_bytes = 0
        self._why_degraded = ""
        self._broken: BrokenError | None = None  # found in use: the next opening moves the file aside
        self._heal_at_ns = 0
        self._remark = ""
        self._pace = Pace()
        self._mark = read_mark(self._mark_path)
        self._leases: dict[int, int] = {}  # id → when the lease ends
        self._backoff: dict[str, int] = {}  # topic → when to try again
        self._undeleted: set[int] = set()  # delivered, but the disk did not let us delete them
        # Up to here, exclusive, the numbers are in the database or were delivered; those from here on that were
        # given out are in memory.
        self._saved_until = self._next_seq = 0
        self._next_id = 1
        self._begin()

    def on_put(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from the thread that writes, whenever something new waits."""
        self._wake = wake

    def write(self, body: Callable[[Batch], Result]) -> Result:
        """Run `body` in one transaction and return its result once everything it put is kept.

        `body` may be run twice, on the disk and then in memory: it must do nothing but fill the batch.
        """
        with self._mutex:
            self._heal_if_due()
            result = self._write_to_disk(body) if self._disk and not self._why_degraded else None
            if result is None:
                result = (self._write_to_memory(body),)
        self._wake()
        return result[0]

    def take(self, limit: int, limit_bytes: int, lease_ns: int) -> list[QueuedMessage]:
        """Lease up to `limit` messages in order of delivery; one may exceed `limit_bytes` by itself."""
        with self._mutex:
            self._heal_if_due()
            now_ns = self._now().monotonic_ns
            self._leases = {key: until for key, until in self._leases.items() if until > now_ns}
            self._backoff = {key: until for key, until in self._backoff.items() if until > now_ns}
            try:
                messages = self._messages(self._waiting().picked(limit, limit_bytes, self._leases)) if limit > 0 else []
            except (RefusedError, BrokenError) as error:
                self._lose_disk(error)
                return []
            self._leases |= {queued.id: now_ns + lease_ns for queued in messages}
            return messages

    def delivered(self, ids: Sequence[int]) -> None:
        """The broker has these: delete them."""
        with self._mutex:
            for message_id in ids:
                self._leases.pop(message_id, None)
            with self._memory.transaction() as db:
                on_disk = set(ids) - queue.known(db, ids)
                self._memory_bytes -= queue.remove(db, ids)
            if self._disk is None or self._why_degraded:
                self._undeleted |= on_disk
                return
            try:
                with self._disk.transaction() as db:
                    self._disk_bytes -= queue.remove(db, on_disk)
            except (RefusedError, BrokenError) as error:
                self._undeleted |= on_disk
                self._degrade(error)

    def refused(self, queued: QueuedMessage, wait_ns: int) -> None:
        """The broker does not take this: try its topic again after `wait_ns`."""
        with self._mutex:
            self._leases.pop(queued.id, None)
            self._backoff[queued.topic] = self._now().monotonic_ns + wait_ns

    def release(self) -> None:
        """The connection is lost: nothing is on its way any more. What was refused goes on waiting."""
        with self._mutex:
            self._leases.clear()

    def evict_old(self) -> None:
        """Give up what is older than the limit and not critical, if the clock can be trusted."""
        moment = self._now()
        with self._mutex:
            if self._disk is None or self._why_degraded or not moment.synchronised:
                return
            old_ns = moment.wall_ns - self._limits.max_age_ns
            try:
                with self._disk.reading() as db:
                    if not queue.older(db, old_ns, self._leases):
                        return
            except (RefusedError, BrokenError) as error:
                self._lose_disk(error)
                return
            freed = self._write_to_disk(
                lambda batch: self._eviction.evict(
                    batch, queue.older(batch.db, old_ns, self._leases), "age", self._now()
                )
            )
            self._disk_bytes -= freed[0] if freed else 0

    def waits(self, chain: str) -> bool:
        """Return whether something of this chain is not delivered yet."""
        with self._mutex:
            try:
                for store in self._readable():
                    with store.reading() as db:
                        if queue.has_chain(db, chain, self._undeleted):
                            return True
            except (RefusedError, BrokenError) as error:
                self._lose_disk(error)
            return False

    def state(self) -> OutboxState:
        """Return what waits, and whether the disk takes it."""
        with self._mutex:
            depth = 0
            try:
                for store in self._readable():
                    with store.reading() as db:
                        depth += queue.depth(db)
            except (RefusedError, BrokenError) as error:
                self._lose_disk(error)
            return OutboxState(
                depth=max(0, depth - len(self._undeleted)),
                size_bytes=self._disk_bytes + self._memory_bytes,
                degraded=bool(self._why_degraded),
                why=self._why_degraded,
                write_ms=self._pace.worst_ms(self._now().monotonic_ns),
                remark=self._remark,
            )

    def close(self) -> None:
        """Try once more to bring to the disk what is in memory, and close the file."""
        with self._mutex:
            if self._why_degraded:
                self._heal_at_ns = 0
                self._heal_if_due()
            if self._disk is not None:
                self._disk.close()
            self._memory.close()

    # -- beginning, degrading, healing ------------------------------------------------------------------

    def _begin(self) -> None:
        try:
            store = open_store(self._path)
        except (RefusedError, BrokenError) as error:
            self._saved_until = self._next_seq = max(self._mark.reserved, self._mark.spent) + 1
            self._next_id = _unread_id(self._run, self._now())
            self._degrade(error)
            return
        with store.reading() as db:
            on_disk = queue.counter(db, "next_seq")
            self._next_id = max(queue.counter(db, "next_id") or 1, queue.highest_id(db) + 1)
        self._saved_until = self._next_seq = self._resumed(on_disk)
        try:
            self._adopt(store)
        except (RefusedError, BrokenError) as error:
            self._disk = store
            self._degrade(error)

    def _resumed(self, on_disk: int | None) -> int:
        """Return the next seq at the start of a run, from the database (None: it is new) and the mark beside it."""
        if on_disk is None:  # the very beginning, or the database was lost
            return max(self._mark.reserved, self._mark.spent) + 1
        if self._mark.spent >= on_disk:  # given out while the disk refused, then the agent died
            return self._mark.spent + 1
        if on_disk < self._mark.reserved - BLOCK:  # an old copy of the database
            return self._mark.reserved + 1
        return on_disk

    def _adopt(self, store: Store) -> None:
        """Bring a database up to what this run knows: numbers that were lost, messages in memory."""
        with self._memory.reading() as memory, store.transaction() as db:
            on_disk = queue.counter(db, "next_seq") or 1
            batch = Batch(db, max(self._next_seq, on_disk), self._next_id, self._run)
            queue.remove(db, self._undeleted)
            queue.move(memory, db)
            if on_disk < self._saved_until:
                last = self._saved_until - 1
                salvaged = queue.waiting_seqs(db, on_disk, last)
                self._eviction.give_up(batch, queue.without(on_disk, last, salvaged), "store_lost", self._now())
            self._keep_counters(batch)
            size_bytes = queue.size_bytes(db)
        self._disk, self._disk_bytes = store, size_bytes
        self._remark = store.remark or self._remark
        self._saved_until = self._next_seq = batch.next_seq
        self._next_id = batch.next_id
        self._undeleted.clear()
        with self._memory.transaction() as memory:
            queue.clear(memory)
        self._memory_bytes = 0
        self._set_mark(Mark(max(self._mark.reserved, self._next_seq + BLOCK)))

    def _lose_disk(self, error: StoreError) -> None:
        """The disk cannot even be read: close it; healing opens it anew."""
        if self._disk is not None:
            self._disk.close()
            self._disk, self._disk_bytes = None, 0
        self._degrade(error)

    def _degrade(self, error: StoreError) -> None:
        if isinstance(error, BrokenError):
            self._broken = error
        if isinstance(error, BrokenError) and self._disk is not None:
            self._lose_disk(error)
            return
        if not self._why_degraded:
            _LOG.error("%s", error.line())
        self._why_degraded = error.why or error.what
        self._heal_at_ns = self._now().monotonic_ns + HEAL_EVERY_NS

    def _heal_if_due(self) -> None:
        now_ns = self._now().monotonic_ns
        if not self._why_degraded or now_ns < self._heal_at_ns:
            return
        self._heal_at_ns = now_ns + HEAL_EVERY_NS
        try:
            store = self._disk or open_store(self._path, self._broken)
        except StoreError as error:
            self._degrade(error)
            return
        self._broken = None
        try:
            self._adopt(store)
        except (RefusedError, BrokenError) as error:
            if self._disk is None:
                store.close()
            self._degrade(error)
            return
        self._why_degraded = ""
        _LOG.info("the database %s takes writes again; nothing waits in memory any more", self._path)

    # -- writing ----------------------------------------------------------------------------------------

    def _write_to_disk(self, body: Callable[[Batch], Result]) -> tuple[Result] | None:
        """Return the result of `body` in a tuple, or None where the disk refused."""
        assert self._disk is not None
        began_ns = self._now().monotonic_ns
        try:
            with self._disk.transaction() as db:
                batch = self._batch(db)
                result = body(batch)
                freed = self._make_room(batch, self._disk_bytes, self._limits.max_bytes)
                self._keep_counters(batch)
                if batch.next_seq > self._mark.reserved:
                    self._set_mark(Mark(batch.next_seq + BLOCK))
        except (RefusedError, BrokenError) as error:
            self._degrade(error)
            return None
        self._pace.note(began_ns, self._now().monotonic_ns)
        self._disk_bytes += batch.added_bytes - freed
        self._saved_until = self._next_seq = batch.next_seq
        self._next_id = batch.next_id
        return (result,)

    def _write_to_memory(self, body: Callable[[Batch], Result]) -> Result:
        with self._memory.transaction() as db:
            batch = self._batch(db)
            result = body(batch)
            freed = self._make_room(batch, self._memory_bytes, self._limits.memory_max_bytes)
            history.forget_oldest(db, history.KEEP_IN_MEMORY)
        self._memory_bytes += batch.added_bytes - freed
        if batch.next_seq > self._next_seq:
            self._set_mark(Mark(self._mark.reserved, batch.next_seq - 1))
        self._next_seq, self._next_id = batch.next_seq, batch.next_id
        return result

    def _batch(self, db: sqlite3.Connection) -> Batch:
        return Batch(db, self._next_seq, self._next_id, self._run)

    def _keep_counters(self, batch: Batch) -> None:
        queue.set_counter(batch.db, "next_seq", batch.next_seq)
        queue.set_counter(batch.db, "next_id", batch.next_id)

    def _set_mark(self, mark: Mark) -> None:
        write_mark(self._mark_path, mark)  # where the disk refuses this too, memory is all there is
        self._mark = mark

    def _make_room(self, batch: Batch, used_bytes: int, max_bytes: int) -> int:
        return self._eviction.make_room(batch, used_bytes, max_bytes, self._leases, self._now())

    # -- reading ----------------------------------------------------------------------------------------

    def _readable(self) -> list[Store]:
        return [store for store in (self._disk, self._memory) if store is not None]

    def _waiting(self) -> Merged:
        memory = self._memory if self._memory_bytes else None
        return Merged(disk=self._disk, memory=memory, undeleted=self._undeleted, backoff=self._backoff)

    def _messages(self, ids: Sequence[int]) -> list[QueuedMessage]:
        found: dict[int, QueuedMessage] = {}
        for store in self._readable():
            with store.reading() as db:
                found |= {queued.id: self._complete(queued, store, db) for queued in queue.read(db, ids)}
        return [found[message_id] for message_id in ids]

    def _complete(self, queued: QueuedMessage, store: Store, db: sqlite3.Connection) -> QueuedMessage:
        """Return a message with its content; a gap's is made now, and fixed."""
        if queued.role != "gap" or queued.seq is None:
            return queued
        self._eviction.frozen.add(queued.id)
        with contextlib.suppress(RefusedError), store.transaction() as writing:
            queue.freeze(writing, queued.id)
        message = gap_message(
            seq=queued.seq,
            node=self._node,
            ranges=queue.ranges_of(db, queued.id),
            reason=queued.phase,
            at_wall_ns=queued.wall_ns,
        )
        return dataclasses.replace(queued, payload=encoded(message))


def _unread_id(run: str, moment: Moment) -> int:
    """Return the first id of a run that cannot read the disk.

    What such a run before it left on the disk may still wait there, and the two must not share an id: so it is made of
    the time, by which the older goes first, and of the run, for boxes whose clock begins at the same time at each boot.
    """
    seconds, mark = moment.wall_ns // NS_PER_S, zlib.crc32(run.encode()) % (1 << 12)
    return _UNREAD_ID + (max(0, seconds) << 29) + (mark << 17)
