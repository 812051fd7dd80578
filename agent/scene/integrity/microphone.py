"""Whether a microphone still hears: one that goes silent, is overdriven all the time, or repeats itself.

A live microphone is never silent to the last bit and never twice as loud to the millionth of a decibel. Some are
gated, though, and deliver silence in quiet rooms; so what counts is silence much longer than this one was silent of
late, after it was heard for a while. The same for a level that repeats.
"""

import math

from agent.scene.evidence import Clue
from agent.types import NS_PER_S, Heard

SILENT_DBFS = -95.0
"""A 16-bit converter's last step is -90 dBFS; what is below was not recorded."""
CLIPPED_PEAK_DBFS, CLIPPED_LEVEL_DBFS = -0.1, -6.0
"""Every half second at full scale, and as loud as a square wave less 6 dB: an input that is overdriven."""
SAME_DB = 1e-6
HEARD_S, HEARD_SHARE = 10.0, 0.5
"""Before a fault is told the microphone must have worked for this long, and for this share of the time."""
FAULT_S, LONGER = 5.0, 3.0
"""A fault is told after this long, or after this many times the longest pause of the same sort before."""
MEMORY_S = 7 * 24 * 3600.0
"""Pauses are forgotten over this much of hearing: nights and weekends stay known, but a cable that was out for a day in
spring does not keep the one of autumn from being told for three."""
TOLD_LLR, MOST_LLR = 4.5, 8.0

REASONS = {
    "silent": "it went silent to the last bit",
    "clipped": "it is overdriven",
    "stuck": "it repeats the same sound",
}


class MicrophoneWatch:
    """Watches one microphone for silence, overdrive and repetition."""

    def __init__(self) -> None:
        self._before: Heard | None = None
        self._heard_s = 0.0
        self._well_s = 0.0
        self._since_ns: dict[str, int] = {}
        self._longest_s: dict[str, float] = {}

    def hear(self, heard: Heard) -> Clue:
        """Return what one window of sound says for or against `mic_silent`."""
        before, self._before = self._before, heard
        elapsed_s = 0.0 if before is None else min(1.0, max(0.0, (heard.at_ns - before.at_ns) / NS_PER_S))
        fault = _fault(heard, before)
        for name in [name for name in self._since_ns if name != fault]:
            lasted_s = (heard.at_ns - self._since_ns.pop(name)) / NS_PER_S
            self._longest_s[name] = max(self._longest_s.get(name, 0.0), lasted_s)
        worked = self._heard_s >= HEARD_S and self._well_s >= HEARD_SHARE * self._heard_s
        llr, since_ns = 0.0, heard.at_ns
        if fault and (worked or fault in self._since_ns):
            since_ns = self._since_ns.setdefault(fault, heard.at_ns - round(elapsed_s * NS_PER_S))
            due_s = max(FAULT_S, LONGER * self._longest_s.get(fault, 0.0))
            llr = min(MOST_LLR, TOLD_LLR * (heard.at_ns - since_ns) / NS_PER_S / due_s)
        else:
            self._heard_s += elapsed_s
            self._well_s += 0.0 if fault else elapsed_s
            self._forget(elapsed_s)
        return Clue(
            kind="mic_silent",
            signal=f"microphone_{fault or 'silent'}",
            modality="sensor",
            adding="state",
            llr=llr,
            score=1.0 if fault else 0.0,
            since_ns=since_ns,
            begun_ns=since_ns,
            words={"reason": REASONS[fault]} if fault else {},
        )

    def _forget(self, elapsed_s: float) -> None:
        """Let the longest pauses fade."""
        for name in self._longest_s:
            self._longest_s[name] *= math.exp(-elapsed_s / MEMORY_S)


def _fault(heard: Heard, before: Heard | None) -> str:
    if heard.level_dbfs <= SILENT_DBFS:
        return "silent"
    if heard.peak_dbfs >= CLIPPED_PEAK_DBFS and heard.level_dbfs >= CLIPPED_LEVEL_DBFS:
        return "clipped"
    if before is not None and abs(heard.level_dbfs - before.level_dbfs) < SAME_DB:
        return "stuck" if abs(heard.peak_dbfs - before.peak_dbfs) < SAME_DB else ""
    return ""
