"""The clock on the wall is believed once somebody has set it."""

import time

from agent.service.clock import wall_once_set
from agent.types import NS_PER_S


def test_the_wall_is_believed_once_it_is_set_or_an_hour_has_passed() -> None:
    now_s, is_set = [100], [False]
    wall_ns = wall_once_set(lambda: now_s[0] * NS_PER_S, lambda: is_set[0])
    assert wall_ns() is None
    now_s[0] += 3599
    assert wall_ns() is None
    is_set[0] = True
    assert abs((wall_ns() or 0) - time.time_ns()) < 60 * NS_PER_S
    is_set[0] = False
    now_s[0] += 1
    assert wall_ns() is not None
