"""Is anything missing? The proof a subscriber can give, from the `seq` and the gap messages of one node.

Critical messages overtake others, so a hole is no loss yet: it is told only when it has lasted.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

Ranges: TypeAlias = list[tuple[int, int]]

REMEMBERED = 4096  # messages whose content is known, to tell a repetition from a number that was used twice


@dataclass(frozen=True, slots=True)
class _Hole:
    """Numbers from `first` to `last` that did not come; a range, for anybody may send a number of any size."""

    first: int
    last: int
    since_s: float
    told: bool = False

    def without(self, first: int, last: int) -> "list[_Hole]":
        """Return what is left of it without these numbers."""
        parts = ((self.first, min(self.last, first - 1)), (max(self.first, last + 1), self.last))
        return [replace(self, first=begin, last=end) for begin, end in parts if begin <= end]


class SequenceCheck:
    """The numbers of one node: which came, which were given up, which are missing. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._first: int | None = None  # earlier numbers are not ours to prove
        self._newest = 0
        self._holes: list[_Hole] = []  # ascending, apart
        self._said: OrderedDict[int, str] = OrderedDict()
        self.received = 0
        self.duplicates = 0
        self.reused = 0
        self.given_up = 0

    def take(self, seq: int, now_s: float, said: str = "") -> bool:
        """Note a received number and what identifies its message; return whether the message is new.

        A box whose disk refuses even the mark beside its database, and which is restarted in that state, numbers
        anew from where the disk was (seqfile): the same number with other content is news and no repetition.
        """
        before = self._said.get(seq, said)
        self._said[seq] = said
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        if before != said:
            self.received += 1
            self.reused += 1
            return True
        if self._first is None:
            self._first, self._newest, self.received = seq, seq, 1
            return True
        if seq > self._newest:
            self._reach(seq, seq - 1, now_s)
        elif seq >= self._first and not self._fill(seq, seq):
            self.duplicates += 1
            return False
        self.received += 1
        return True

    def give_up(self, ranges: Iterable[tuple[int, int]], now_s: float) -> None:
        """Note the ranges of a gap message: these numbers will not come (again)."""
        for first, last in ranges:
            if self._first is None or last < self._first:
                continue
            if last > self._newest:
                self._reach(last, last, now_s)
            self.given_up += self._fill(first, last)

    def missing(self) -> Ranges:
        """Return what neither came nor was given up, as closed ranges."""
        return _ranges(self._holes)

    def newly_missing(self, now_s: float, after_s: float) -> Ranges:
        """Return holes older than `after_s` that were not told before."""
        overdue = [hole for hole in self._holes if now_s - hole.since_s >= after_s and not hole.told]
        self._holes = [replace(hole, told=True) if hole in overdue else hole for hole in self._holes]
        return _ranges(overdue)

    def _reach(self, newest: int, missing_until: int, now_s: float) -> None:
        """Go on to `newest`; what lies between it and the one before is missing up to `missing_until`."""
        if missing_until > self._newest:
            self._holes.append(_Hole(self._newest + 1, missing_until, now_s))
        self._newest = newest

    def _fill(self, first: int, last: int) -> int:
        """Take these numbers out of the holes; return how many of them were missing."""
        before = sum(hole.last - hole.first + 1 for hole in self._holes)
        self._holes = [part for hole in self._holes for part in hole.without(first, last)]
        return before - sum(hole.last - hole.first + 1 for hole in self._holes)


def _ranges(holes: Iterable[_Hole]) -> Ranges:
    result: Ranges = []
    for hole in holes:
        if result and hole.first == result[-1][1] + 1:
            result[-1] = (result[-1][0], hole.last)
        else:
            result.append((hole.first, hole.last))
    return result
