"""What the outbox gives up when too much waits or waits for too long, and the gap message that names it."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from agent.uplink.outbox import queue
from agent.uplink.outbox.batch import Batch, Moment

EVICT_DOWN_TO_FRAC = 0.95  # so that a full outbox is not tidied for every message

GapReason = Literal["bytes", "age", "store_lost"]


def excess_bytes(used_bytes: int, max_bytes: int) -> int:
    """Return how much has to go; nothing while it fits."""
    return 0 if used_bytes <= max_bytes else used_bytes - int(max_bytes * EVICT_DOWN_TO_FRAC)


class Eviction:
    """Deletes messages of one node and says so."""

    def __init__(self, gap_topic: str) -> None:
        self._gap_topic = gap_topic
        self.frozen: set[int] = set()  # gaps handed out by this run

    def evict(self, batch: Batch, chosen: Sequence[tuple[int, int | None]], reason: GapReason, moment: Moment) -> int:
        """Delete messages and name their numbers in a gap message; return the bytes freed."""
        ids = [message_id for message_id, _ in chosen]
        queue.note_given_up(batch.db, ids)
        freed = queue.remove(batch.db, ids)
        numbers = [(seq, seq) for _, seq in chosen if seq is not None]
        if numbers:
            self.give_up(batch, numbers, reason, moment)
        return freed

    def make_room(self, batch: Batch, used_bytes: int, max_bytes: int, leases: Collection[int], moment: Moment) -> int:
        """Evict the least worth where too much waits; return the bytes freed."""
        excess = excess_bytes(used_bytes + batch.added_bytes, max_bytes)
        return self.evict(batch, queue.cheapest(batch.db, excess, leases), "bytes", moment) if excess else 0

    def give_up(self, batch: Batch, ranges: Iterable[tuple[int, int]], reason: GapReason, moment: Moment) -> None:
        """Name numbers that will never come in a gap message; none are none."""
        ranges = list(ranges)
        if not ranges:
            return
        gap_id = queue.open_gap(batch.db, reason, self.frozen)
        if gap_id is None:
            seq = batch.take_seq()
            gap_id = batch.put(
                seq=seq,
                chain=f"gap-{seq}",
                role="gap",
                phase=reason,
                severity="warning",
                topic=self._gap_topic,
                payload=b"",
                moment=moment,
            )
        queue.widen(batch.db, gap_id, ranges)
