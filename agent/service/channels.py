"""The queues between worker threads; each class says what happens when its reader cannot keep up."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from agent.errors import WorkerError
from agent.types import Frame, SoundBlock

Item = TypeVar("Item")


class NewestFrames:
    """One slot per camera: a newer picture replaces an older one that nobody took, and is counted. A drill has its own.

    `take` serves the camera that has waited longest, so that no camera starves another.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._slots: OrderedDict[tuple[str, bool], Frame] = OrderedDict()
        self._replaced: dict[str, int] = {}

    @property
    def replaced_all(self) -> int:
        """How many pictures of all cameras were never looked at because a newer one came."""
        with self._changed:
            return sum(self._replaced.values())

    def put(self, frame: Frame) -> None:
        """Offer a picture."""
        with self._changed:
            slot = frame.camera, frame.drill
            if slot in self._slots and not frame.drill:
                self._replaced[frame.camera] = self._replaced.get(frame.camera, 0) + 1
            self._slots[slot] = frame
            self._changed.notify()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the picture of the camera that waited longest, or None after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._slots), timeout_s):
                return None
            return self._slots.popitem(last=False)[1]

    def replaced(self, camera: str) -> int:
        """Return how many pictures of `camera` were never looked at because a newer one came."""
        with self._changed:
            return self._replaced.get(camera, 0)


class SoundQueue:
    """First in, first out; beyond `limit_blocks` the oldest block goes, and the next one says so (`gap_before`)."""

    def __init__(self, limit_blocks: int = 600) -> None:
        lock = threading.Lock()
        self._changed, self._taken = threading.Condition(lock), threading.Condition(lock)
        self._blocks: deque[SoundBlock] = deque()
        self._waiting: Counter[str] = Counter()
        self._limit_blocks = limit_blocks
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many blocks of one camera wait, of the one of which most do: so long sound is behind."""
        with self._changed:
            return max(self._waiting.values(), default=0)

    def put(self, block: SoundBlock) -> None:
        """Add a block."""
        with self._changed:
            self._blocks.append(block)
            self._waiting[block.camera] += 1
            if len(self._blocks) > self._limit_blocks:
                self._drop_oldest()
            self._changed.notify()

    def take(self, timeout_s: float) -> SoundBlock | None:
        """Return the oldest block, or None after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._blocks), timeout_s):
                return None
            return self._first()

    def caught_up(self, most_blocks: int, timeout_s: float) -> bool:
        """Return whether no camera has more blocks waiting, after `timeout_s` at the latest."""
        with self._changed:
            return self._taken.wait_for(lambda: max(self._waiting.values(), default=0) <= most_blocks, timeout_s)

    def _first(self) -> SoundBlock:
        block = self._blocks.popleft()
        self._waiting[block.camera] -= 1
        self._taken.notify_all()
        return block

    def _drop_oldest(self) -> None:
        lost = self._first()
        self.dropped += 1
        for index, block in enumerate(self._blocks):
            if (block.camera, block.drill) == (lost.camera, lost.drill):
                self._blocks[index] = replace(block, gap_before=True)
                return


class Lossless(Generic[Item]):
    """First in, first out; being full is a fault: WorkerError, because its reader needs microseconds an item."""

    def __init__(self, name: str, limit: int = 10_000) -> None:
        self._name = name
        self._limit = limit
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()

    def put(self, item: Item) -> None:
        """Add an item."""
        with self._changed:
            if len(self._items) >= self._limit:
                raise WorkerError(f"{self._name} is full", why=f"{self._limit} items wait and none is taken")
            self._items.append(item)
            self._changed.notify()

    def take(self, timeout_s: float) -> Item | None:
        """Return the oldest item, or None after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), timeout_s):
                return None
            return self._items.popleft()


def drained(take: Callable[[float], Item | None]) -> list[Item]:
    """Return all that `take` gives without waiting."""
    items: list[Item] = []
    while (item := take(0.0)) is not None:
        items.append(item)
    return items
