"""Brings pictures and sound of one container into the order of media time."""

import heapq
from collections.abc import Iterator
from typing import Literal

from agent.capture.container import Picture
from agent.capture.sound import Sound
from agent.types import NS_PER_S

HOLD_NS = NS_PER_S // 2
HOLD_ITEMS = 32
"""Full-size pictures wait here, so what waits is bounded by number as well."""


def in_order(items: Iterator[Picture | Sound]) -> Iterator[Picture | Sound]:
    """Yield `items` by time, as far as they are no more than `HOLD_NS` and `HOLD_ITEMS` out of order."""
    waiting: list[tuple[int, int, Picture | Sound]] = []
    newest: dict[Literal["picture", "sound"], int] = {}
    for number, item in enumerate(items):
        newest["picture" if isinstance(item, Picture) else "sound"] = item.at_ns
        heapq.heappush(waiting, (item.at_ns, number, item))
        # What both streams have passed is certain; else it waits, but not for a stream that may be silent.
        passed_ns = min(newest.values()) if len(newest) == 2 else -1
        due_ns = max(passed_ns, max(newest.values()) - HOLD_NS)
        while waiting and (waiting[0][0] <= due_ns or len(waiting) > HOLD_ITEMS):
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
