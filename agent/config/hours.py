"""Hours of the week, as a person writes them: "mon-fri 22:00-06:00", "sat,sun", "08:00-12:30".

Hours that end earlier than they begin last into the next day, and belong to the day on which they began. Times
are those of the wall in a time zone: in the hour that a change to summer time skips, nothing happens.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
EXAMPLE = 'For example "mon-fri 22:00-06:00", "sat,sun" or "08:00-12:30".'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes `start` to `end` (excluded; beyond a day's minutes: of the day after) on these days (0: Monday)."""

    days: frozenset[int]
    start: int
    end: int


class Week:
    """Some hours in one time zone, asked by the minute."""

    def __init__(self, hours: Sequence[str], timezone: str) -> None:
        """`hours` as people write them (none: always), `timezone` by its IANA name (empty: UTC)."""
        self._hours = tuple(map(parsed, hours))
        self._place = ZoneInfo(timezone or "UTC")

    def holds(self, minute: int) -> bool:
        """Whether the hours hold at `minute`, counted from 1970 in UTC."""
        return holds(self._hours, (_EPOCH + timedelta(minutes=minute)).astimezone(self._place))


def parsed(text: str) -> Hours:
    """Return the hours that `text` stands for; ValueError(why, cure) where it stands for none."""
    days, start, end = frozenset(range(7)), 0, DAY_MINUTES
    words = text.lower().split()
    if not 1 <= len(words) <= 2 or (len(words) == 2 and not _TIME.fullmatch(words[1])):
        raise ValueError(f"{text!r} is no time of the week", EXAMPLE)
    for word in words:
        if (found := _TIME.fullmatch(word)) is not None:
            start, end = _minutes(text, found[1], found[2]), _minutes(text, found[3], found[4])
            end += DAY_MINUTES if end <= start else 0
        else:
            days = frozenset(day for part in word.split(",") for day in _days(text, part))
    return Hours(days, start, end)


def holds(hours: Sequence[Hours], local: datetime) -> bool:
    """Whether the wall's time `local` lies in one of `hours`; without any, always."""
    minute, day = local.hour * 60 + local.minute, local.weekday()
    return not hours or any(
        (day in span.days and span.start <= minute < span.end)
        or ((day - 1) % 7 in span.days and minute + DAY_MINUTES < span.end)
        for span in hours
    )


def _minutes(text: str, hour: str, minute: str) -> int:
    if int(minute) > 59 or int(hour) * 60 + int(minute) > DAY_MINUTES:
        raise ValueError(f"{text!r} has a time that no clock shows", EXAMPLE)
    return int(hour) * 60 + int(minute)


def _days(text: str, part: str) -> list[int]:
    ends = part.split("-")
    if len(ends) > 2 or any(end not in DAYS for end in ends):
        raise ValueError(f"{text!r} has a day that is none of {', '.join(DAYS)}", EXAMPLE)
    first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]
