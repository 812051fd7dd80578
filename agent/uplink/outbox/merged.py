"""What waits on the disk and what waits in memory, read as one queue."""

import contextlib
import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from agent.uplink.outbox import queue
from agent.uplink.outbox.queue import Waiting
from agent.uplink.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The two stores, and what of them is not to be read."""

    disk: Store | None
    memory: Store | None  # None where nothing waits in it
    undeleted: Collection[int]  # delivered, but still on the disk
    backoff: Mapping[str, int]  # topics that wait

    def picked(self, limit: int, limit_bytes: int, leases: Collection[int]) -> list[int]:
        """Return the ids to send next, without those in `leases`; one may exceed `limit_bytes` by itself."""
        picked: list[int] = []
        with contextlib.ExitStack() as stack:
            for queued in self._ready(stack):
                if queued.id in leases:
                    continue
                limit_bytes -= queued.size_bytes
                if picked and limit_bytes < 0:
                    break
                picked.append(queued.id)
                if len(picked) == limit:
                    break
        return picked

    def _ready(self, stack: contextlib.ExitStack) -> Iterator[Waiting]:
        """Yield the first message of each chain; a message in memory waits for those of its chain on the disk."""
        disk = stack.enter_context(self.disk.reading()) if self.disk else None
        on_disk = queue.ready(disk, self.undeleted, self.backoff) if disk else iter(())
        if self.memory is None:
            return on_disk
        memory = stack.enter_context(self.memory.reading())
        in_memory = (
            queued
            for queued in queue.ready(memory, (), self.backoff)
            if disk is None or not queue.has_chain(disk, queued.chain, self.undeleted)
        )
        return heapq.merge(on_disk, in_memory)
