"""The temporal patterns of alarms: smoke (T3) and carbon monoxide (T4), read from when one tone is on.

T3 (ISO 8201, ANSI/ASA S3.41): three beeps of 0.5 s with 0.5 s between, then 1.5 s of silence.
T4 (ANSI/ASA S3.41): four beeps of 0.1 s with 0.1 s between, then 5 s of silence.
Rooms lengthen beeps and devices are not exact, hence the tolerances; the period of beeps is kept well by all.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from agent.types import NS_PER_S

STEP_NS = 20_000_000
MEMORY_S = 20.0
BAND_SPREAD = 1
"""Neighbouring mel bands are the same tone."""
_BRIDGE_STEPS = 1
"""A gap of one step inside a beep is noise."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Limits in seconds of one pattern."""

    name: Literal["T3", "T4"]
    beeps: int
    on_s: tuple[float, float]
    period_s: tuple[float, float]  # from beep to beep within a group
    pause_s: tuple[float, float]  # from the start of a group's last beep to the next group's first


T3 = Pattern("T3", 3, (0.3, 0.8), (0.85, 1.15), (1.7, 2.4))
T4 = Pattern("T4", 4, (0.04, 0.18), (0.14, 0.30), (4.2, 6.2))


@dataclass(frozen=True, slots=True)
class Beeping:
    """A pattern that was recognised: complete groups so far, when the first began and the last beep ended."""

    pattern: str
    cycles: int
    began_ns: int
    at_ns: int
    band: int


class Rhythm:
    """The tones of one microphone over the last seconds, on a grid of 20 ms."""

    def __init__(self) -> None:
        self._bands: deque[int] = deque(maxlen=round(MEMORY_S * NS_PER_S / STEP_NS))
        self._next_step = 0

    def reset(self) -> None:
        """Sound was missing: no pattern reaches across."""
        self._bands.clear()

    def hear(self, at_ns: int, tone_bands: tuple[int, ...]) -> Beeping | None:
        """Take the tones of the newest half second, which ends at `at_ns`; return the pattern that goes on, if any."""
        end = round(at_ns / STEP_NS)
        first = end - len(tone_bands)
        if not self._bands or first > self._next_step + 2 or end < self._next_step - len(self._bands):
            self._bands.clear()
            self._next_step = first
        while self._next_step < first:  # rounding of window times may leave a step out
            self._append(-1)
        for step, band in enumerate(tone_bands, start=first):
            if step >= self._next_step:
                self._append(band)
        return self._recognise()

    def _append(self, band: int) -> None:
        self._bands.append(band)
        self._next_step += 1

    def _recognise(self) -> Beeping | None:
        bands = list(self._bands)
        tones = [band for band in bands if band >= 0]
        if not tones:
            return None
        counts: dict[int, int] = {}
        for band in tones:
            counts[band] = counts.get(band, 0) + 1
        main = max(sorted(counts), key=lambda band: counts[band])
        beeps = _beeps([abs(band - main) <= BAND_SPREAD if band >= 0 else False for band in bands])
        first_step = self._next_step - len(bands)
        best = [found for found in (_newest_groups(beeps, T3), _newest_groups(beeps, T4)) if found]
        if not best:
            return None
        pattern, cycles, start, end = max(best, key=lambda found: found[1])
        return Beeping(pattern, cycles, (first_step + start) * STEP_NS, (first_step + end) * STEP_NS, main)


def _beeps(on: list[bool]) -> list[tuple[int, int]]:
    """Runs (start, end) of steps that are on; one missing step does not end a run. The running last one counts
    only once it has ended."""
    runs: list[tuple[int, int]] = []
    for step, sounds in enumerate(on):
        if not sounds:
            continue
        if runs and step - runs[-1][1] <= _BRIDGE_STEPS:
            runs[-1] = runs[-1][0], step + 1
        else:
            runs.append((step, step + 1))
    if runs and len(on) - runs[-1][1] <= _BRIDGE_STEPS:
        runs.pop()
    return runs


def _newest_groups(beeps: list[tuple[int, int]], pattern: Pattern) -> tuple[str, int, int, int] | None:
    """(name, complete groups in a row, start, end) of the newest unbroken sequence, or None."""
    step_s = STEP_NS / NS_PER_S
    best: tuple[str, int, int, int] | None = None
    groups, in_group, start = 0, 0, 0
    before: tuple[int, int] | None = None
    for beep in beeps:
        fits = pattern.on_s[0] <= (beep[1] - beep[0]) * step_s <= pattern.on_s[1]
        since_s = (beep[0] - before[0]) * step_s if before else 0.0
        if not fits:
            groups, in_group, before = 0, 0, None
            continue
        if before and 0 < in_group < pattern.beeps and pattern.period_s[0] <= since_s <= pattern.period_s[1]:
            in_group += 1
        elif before and in_group == pattern.beeps and pattern.pause_s[0] <= since_s <= pattern.pause_s[1]:
            in_group = 1
        else:
            groups, in_group, start = 0, 1, beep[0]
        if in_group == pattern.beeps:
            groups += 1
            best = pattern.name, groups, start, beep[1]
        before = beep
    return best
