"""Settings that hold for a while: what comes after them, and when.

While the agent runs the end is kept on the monotonic clock, so that no step of the wall's leaves a box disarmed for
longer; over a restart the wall's clock counts, and never for longer than was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from agent.types import NS_PER_S
from agent.uplink.messages.payload import rfc3339

Value: TypeAlias = bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedSetting:
    """One setting that ends at `ends_s` (monotonic), `until` on the wall; then comes `then`, None: as configured."""

    ends_s: float
    for_s: float
    until: str
    then: Value | None


TimedSettings: TypeAlias = Mapping[str, TimedSetting]


def begun(
    timed: TimedSettings, path: str, before: Value | None, *, for_s: float, now_s: float, wall_ns: int
) -> TimedSettings:
    """Return `timed` with one for `path`; of one that lasts already the first value is what comes after."""
    then = timed[path].then if path in timed else before
    until = rfc3339(wall_ns + round(for_s * NS_PER_S))
    return {**timed, path: TimedSetting(ends_s=now_s + for_s, for_s=for_s, until=until, then=then)}


def without(timed: TimedSettings, path: str) -> TimedSettings:
    """Return `timed` without the one of `path`."""
    return {other: its for other, its in timed.items() if other != path}


def due(timed: TimedSettings, now_s: float) -> TimedSettings:
    """Return the settings whose time is over."""
    return {path: its for path, its in timed.items() if its.ends_s <= now_s}


def written(timed: TimedSettings) -> dict[str, Any]:
    """Return what the file of settings holds of them."""
    return {path: {"until": its.until, "for_s": its.for_s, "then": its.then} for path, its in timed.items()}


def read(document: Any, *, now_s: float, wall_ns: int) -> TimedSettings:
    """Return what `written` returned, on today's clocks; what cannot be understood is left out."""
    found = {}
    for path, entry in document.items() if isinstance(document, dict) else ():
        try:
            until_s, for_s, then = (
                datetime.fromisoformat(entry["until"]).timestamp(),
                float(entry["for_s"]),
                entry["then"],
            )
            left_s = min(for_s, until_s - wall_ns / NS_PER_S)
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
        if then is None or isinstance(then, Value):
            until = rfc3339(wall_ns + round(max(0.0, left_s) * NS_PER_S))
            found[path] = TimedSetting(ends_s=now_s + left_s, for_s=for_s, until=until, then=then)
    return found
