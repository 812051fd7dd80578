"""When what was read happened: recordings are paced, live sources are put on the clock by their stamps."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from agent.capture.axis import Axes, Stream
from agent.capture.pictures import LazyPicture
from agent.capture.pump import Arrived
from agent.capture.sound import BLOCK_SAMPLES
from agent.types import NS_PER_S, SOUND_RATE_HZ, Frame, SoundBlock

_PRIME_NS = 3 * NS_PER_S // 10
"""A camera first sends what FFmpeg kept while opening; only its last piece tells how late it all is."""
_BEHIND_NS = NS_PER_S
_BLOCK_NS = BLOCK_SAMPLES * NS_PER_S // SOUND_RATE_HZ


@dataclass(frozen=True, slots=True)
class Placed:
    """`item` on the machine's monotonic time; it is not to be given away before `due_ns`."""

    item: Frame | SoundBlock
    full: LazyPicture | None
    due_ns: int


class Timing(Protocol):
    """Places what arrives on the machine's monotonic time."""

    def place(self, arrived: Arrived | None, now_ns: int) -> Iterator[Placed]:
        """Take what arrived, or nothing but the passing of time; yield what can be placed."""

    def flush(self) -> Iterator[Placed]:
        """Yield what was held back."""


def end_ns(item: Frame | SoundBlock) -> int:
    """Return the time at which `item` was complete at the source."""
    if isinstance(item, Frame):
        return item.at_ns
    return item.at_ns + len(item.samples) * NS_PER_S // SOUND_RATE_HZ


def _stream(item: Frame | SoundBlock) -> Stream:
    return "vision" if isinstance(item, Frame) else "sound"


class Paced:
    """A recording runs at its own speed from its first item on; when the machine slept, it sleeps too."""

    def __init__(self) -> None:
        self._base_ns: int | None = None
        self._gap_before = False

    def place(self, arrived: Arrived | None, now_ns: int) -> Iterator[Placed]:
        """Place `arrived` one block's length after its media time: sound is there when its last sample was."""
        if arrived is None:
            return
        item = arrived.item
        if self._base_ns is None:
            self._base_ns = now_ns - item.at_ns
        due_ns = self._base_ns + item.at_ns + _BLOCK_NS
        behind_ns = now_ns - due_ns
        if behind_ns > _BEHIND_NS:
            self._base_ns += behind_ns
            due_ns += behind_ns
            self._gap_before = True
        yield Placed(self._moved(item, self._base_ns), arrived.full, due_ns)

    def _moved(self, item: Frame | SoundBlock, by_ns: int) -> Frame | SoundBlock:
        if isinstance(item, Frame):
            return dataclasses.replace(item, at_ns=item.at_ns + by_ns)
        gap_before, self._gap_before = item.gap_before or self._gap_before, False
        return dataclasses.replace(item, at_ns=item.at_ns + by_ns, gap_before=gap_before)

    def flush(self) -> Iterator[Placed]:
        """Nothing is held back."""
        yield from ()


class OnAxis:
    """A live source: never paced, placed by its `Axes`; what comes first is held until the axis is known."""

    def __init__(self) -> None:
        self._axes = Axes()
        self._first_arrival_ns: int | None = None
        self._held: list[Arrived] = []
        self._gap_before = False

    def place(self, arrived: Arrived | None, now_ns: int) -> Iterator[Placed]:
        """Place `arrived`, and what was held, once the axis is known."""
        if arrived is not None:
            if self._first_arrival_ns is None:
                self._first_arrival_ns = arrived.arrived_ns
            was_set = self._axes.see(_stream(arrived.item), end_ns(arrived.item), arrived.arrived_ns)
            self._gap_before |= was_set and isinstance(arrived.item, SoundBlock)
            self._held.append(arrived)
        if self._first_arrival_ns is not None and now_ns - self._first_arrival_ns >= _PRIME_NS:
            yield from self.flush()

    def flush(self) -> Iterator[Placed]:
        """Place all that is held."""
        held, self._held = self._held, []
        for arrived in held:
            yield Placed(self._on_axis(arrived.item), arrived.full, 0)

    def _on_axis(self, item: Frame | SoundBlock) -> Frame | SoundBlock:
        at_ns = self._axes.at_ns(_stream(item), item.at_ns)
        if isinstance(item, Frame):
            return dataclasses.replace(item, at_ns=at_ns)
        gap_before, self._gap_before = item.gap_before or self._gap_before, False
        return dataclasses.replace(item, at_ns=at_ns, gap_before=gap_before)
