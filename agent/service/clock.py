"""The two clocks side by side: the monotonic one that everything runs on, the wall's for people."""

import ctypes
import time
from collections.abc import Callable

from agent.types import NS_PER_S

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_BELIEVED_AFTER_NS = 3600 * NS_PER_S
_TIMEX_BYTES = 512  # larger than struct timex on every architecture


def now_ns() -> int:
    """Return nanoseconds on the monotonic timeline of all observations."""
    return time.monotonic_ns()


def wall_offset_ns() -> int:
    """Return what to add to a monotonic time to get wall time as it is set now."""
    return time.time_ns() - time.monotonic_ns()


def synchronised() -> bool:
    """Tell whether the kernel holds the wall clock for synchronised (adjtimex; False where it cannot say)."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    state = int(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return 0 <= state < _TIME_ERROR


def wall_once_set(
    now_ns: Callable[[], int] = now_ns, is_set: Callable[[], bool] = synchronised
) -> Callable[[], int | None]:
    """Return what tells the time on the wall, None at first: a clock that nobody has set may show any year.

    It is believed once it is synchronised, and after an hour all the same: by then there is no better one on this box.
    """
    began_ns = now_ns()
    return lambda: time.time_ns() if is_set() or now_ns() - began_ns >= _BELIEVED_AFTER_NS else None
