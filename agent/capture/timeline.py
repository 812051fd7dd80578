"""Time stamps of a medium → one axis of nanoseconds; which pictures to analyse; where sound is missing.

Both streams of a medium share one `Timeline`: zero is where the medium starts, and where its clock is set
back or leaps away (a camera that restarted, recordings glued together) the axis goes on without a jump,
by the same amount for picture and sound.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Literal, TypeVar

from agent.types import NS_PER_S

StreamName = Literal["picture", "sound"]
Thing = TypeVar("Thing")

_BACK_NS = NS_PER_S  # pictures in a wrong order step back by less, a clock that was set by more
_HOUR_NS = 3600 * NS_PER_S
_GAP_NS = NS_PER_S // 10
_LASTING_GAP_NS = 15_000_000  # shorter than the shortest packet in use (20 ms of G.711)
_LASTING_FRAMES = 8
_FOLLOW_NS = 2 * NS_PER_S


def to_ns(stamp: int, time_base: Fraction) -> int:
    """Return `stamp` in units of `time_base` as nanoseconds."""
    return stamp * time_base.numerator * NS_PER_S // time_base.denominator


class Timeline:
    """Maps the stamps of a medium's two streams to one axis; `origin_ns` None: the first stamp is zero."""

    def __init__(self, origin_ns: int | None = None, longest_leap_ns: int = _HOUR_NS) -> None:
        self._shifts_ns: list[int] = [] if origin_ns is None else [-origin_ns]
        self._epoch: dict[StreamName, int] = {}
        self._last_ns: dict[StreamName, int] = {}
        self._longest_leap_ns = longest_leap_ns

    def at_ns(self, stream: StreamName, stamp_ns: int) -> int:
        """Return where on the axis `stamp_ns` of `stream` lies."""
        if not self._shifts_ns:
            self._shifts_ns.append(-stamp_ns)
        epoch = self._epoch.setdefault(stream, 0)
        at_ns = stamp_ns + self._shifts_ns[epoch]
        last_ns = self._last_ns.get(stream)
        if last_ns is not None and not -_BACK_NS <= at_ns - last_ns <= self._longest_leap_ns:
            epoch = self._epoch[stream] = self._later_epoch(epoch, stamp_ns, last_ns)
            at_ns = stamp_ns + self._shifts_ns[epoch]
        self._last_ns[stream] = at_ns
        return at_ns

    def _later_epoch(self, epoch: int, stamp_ns: int, last_ns: int) -> int:
        """Return the epoch that the other stream began already, if it fits, or a new one."""
        for later in range(epoch + 1, len(self._shifts_ns)):
            if abs(stamp_ns + self._shifts_ns[later] - last_ns) <= _BACK_NS:
                return later
        self._shifts_ns.append(last_ns - stamp_ns)
        return len(self._shifts_ns) - 1


@dataclass(frozen=True, slots=True)
class SoundStep:
    """Where a run of samples begins, whether some are missing before it, and how far the stamps pulled it."""

    at_ns: int
    gap_before: bool = False
    moved_ns: int = 0


class SoundClock:
    """Says when samples were recorded: counts them, follows the stamps slowly, and sees what is missing.

    Stamps jitter (some recorders write their own wall clock), so one odd stamp is no gap; an error beyond
    100 ms is, and so is a smaller one that stays for eight packets. Sound stamped back is put behind what
    came before, for time never runs backwards within a stream.
    """

    def __init__(self) -> None:
        self._next_ns: int | None = None
        self._lead_ns = 0
        self._errors_ns: deque[int] = deque(maxlen=_LASTING_FRAMES)

    def step(self, at_ns: int, duration_ns: int, *, broken: bool = False) -> SoundStep:
        """Take a packet stamped `at_ns` that lasts `duration_ns`; `broken`: some is known to be missing before."""
        if self._next_ns is None:
            self._next_ns = at_ns + duration_ns
            return SoundStep(at_ns)
        error_ns = at_ns + self._lead_ns - self._next_ns
        self._errors_ns.append(error_ns)
        missing_ns = max(error_ns, 0) if broken else self._missing_ns(error_ns)
        if error_ns < -_GAP_NS:
            self._lead_ns -= error_ns
        gap = broken or missing_ns > 0 or error_ns < -_GAP_NS
        if gap:
            self._errors_ns.clear()
        moved_ns = 0 if gap else error_ns * min(duration_ns, _FOLLOW_NS) // _FOLLOW_NS
        start_ns = self._next_ns + missing_ns + moved_ns
        self._next_ns = start_ns + duration_ns
        return SoundStep(start_ns, gap, moved_ns)

    def _missing_ns(self, error_ns: int) -> int:
        if error_ns > _GAP_NS:
            return error_ns
        lasting = len(self._errors_ns) == _LASTING_FRAMES and min(self._errors_ns) > _LASTING_GAP_NS
        return min(self._errors_ns) if lasting else 0


class Ticks(Generic[Thing]):
    """Thins pictures out to `rate_hz` by their stamps: of each tick of the clock the nearest picture stays.

    A picture is nearest to a tick that lies between its two midpoints to its neighbours. With `patient`
    the neighbour behind is waited for (exact); otherwise it is guessed from the last distance, so that a
    live picture need not wait for the next one, and never further than a tick, so that nothing is lost after
    a pause.
    """

    def __init__(self, rate_hz: float | None, *, patient: bool) -> None:
        self._rate_hz = rate_hz
        self._patient = patient
        self._held: tuple[int, Thing] | None = None
        self._start_ns = 0
        self._distance_ns = 0
        self._ticks_passed = -1  # ticks up to the last midpoint

    def push(self, at_ns: int, thing: Thing) -> Iterator[Thing]:
        """Take a picture of `at_ns`; yield what is due."""
        if self._rate_hz is None:
            yield thing
            return
        if self._held is None:
            self._start_ns = at_ns
        else:
            held_ns, held = self._held
            self._distance_ns = max(0, at_ns - held_ns)
            if self._patient and self._is_due(held_ns):
                yield held
            self._distance_ns = min(self._distance_ns, int(NS_PER_S / self._rate_hz))
        self._held = (at_ns, thing)
        if not self._patient and self._is_due(at_ns):
            yield thing

    def flush(self) -> Iterator[Thing]:
        """Yield the last picture if it is due; after this everything starts anew."""
        if self._held is not None and self._patient and self._is_due(self._held[0]):
            yield self._held[1]
        self._held, self._ticks_passed, self._distance_ns = None, -1, 0

    def _is_due(self, at_ns: int) -> bool:
        assert self._rate_hz is not None
        midpoint_s = (at_ns + self._distance_ns // 2 - self._start_ns) / NS_PER_S
        ticks = int(midpoint_s * self._rate_hz)
        if ticks <= self._ticks_passed:
            return False
        self._ticks_passed = ticks
        return True
