"""Times as people type them, and as they like to read them."""

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(text: str | None, now: datetime) -> str | None:
    """Return a typed time as RFC 3339 in UTC: `90m`, `2d` (ago), `today`, `yesterday`, `08:30`, or a date and time.

    Without a zone it is local time. Raises typer.BadParameter.
    """
    if text is None:
        return None
    try:
        found = _moment(text.strip().lower(), text, now)
        utc = None if found is None else found.astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999
        utc = None
    if utc is None:
        raise typer.BadParameter(f"{text!r} is not a time. Write 90m, 2d, today, 08:30 or 2026-11-21T08:30.")
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def _moment(text: str, typed: str, now: datetime) -> datetime | None:
    local = now.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if ago := _AGO.fullmatch(text):
        return now - timedelta(seconds=float(ago[1]) * _UNIT_S[ago[2]])
    if text in ("today", "yesterday"):
        return midnight - timedelta(days=text == "yesterday")
    if clock := re.fullmatch(r"(\d{1,2}):(\d{2})", text):
        hour, minute = int(clock[1]), int(clock[2])
        return midnight.replace(hour=hour, minute=minute) if hour < 24 and minute < 60 else None
    try:
        found = datetime.fromisoformat(typed.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()


def seconds(text: str) -> float:
    """Return a typed span (`90s`, `30m`, `2h`, `1d`) in seconds. Raises typer.BadParameter."""
    span = _AGO.fullmatch(text.strip().lower())
    if span is None:
        raise typer.BadParameter(f"{text!r} is not a span of time. Write 90s, 30m, 2h or 1d.")
    return float(span[1]) * _UNIT_S[span[2]]


def local(rfc3339: str) -> str:
    """Return a time of a message as local date and time, to the second."""
    return datetime.fromisoformat(rfc3339).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration_words(message: dict[str, object]) -> str:
    """Return how long an incident lasted, in words."""
    if message["ended_at"] is None:
        return "open"
    started = datetime.fromisoformat(str(message["started_at"]))
    took_s = (datetime.fromisoformat(str(message["ended_at"])) - started).total_seconds()
    if took_s < 60:
        return f"{took_s:.1f} s"
    return f"{took_s / 60:.0f} min" if took_s < 7200 else f"{took_s / 3600:.1f} h"
