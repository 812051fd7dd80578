"""`vedette digest`: one day of this box on one page that needs nothing else, no network and no script.

`gathered` reads the history and the pictures kept; `page` turns that into HTML. Inside, every time is UTC;
a day begins and ends at the midnights of a zone, so it has 23 to 25 hours.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

from agent.uplink.evidence.clips import clip_path
from agent.uplink.evidence.pictures import picture_of
from agent.uplink.history.history import Query, Verdict, all_verdicts, camera_names, lives
from agent.uplink.messages.payload import Message
from agent.uplink.storage.store import open_for_reading
from agent.uplink.uplink import DATABASE

QUIET_AT_LEAST = timedelta(hours=1)
QUIET_SHOWN = 3
SEVERITIES = ("critical", "warning", "notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One incident: how it opened, how it stands now, what a person said, and its picture (JPEG) and film."""

    opened: Message
    newest: Message
    verdict: Verdict | None
    jpeg: bytes | None
    clip: Path | None = None

    @property
    def started(self) -> datetime:
        """When it began."""
        return datetime.fromisoformat(self.newest["started_at"])

    def ended(self, now: datetime) -> datetime:
        """When it ended; `now` where it did not."""
        at = self.newest["ended_at"]
        return max(self.started, now if at is None else datetime.fromisoformat(at))

    @property
    def open_after_s(self) -> float:
        """How long after its beginning it was raised."""
        return max(0.0, (datetime.fromisoformat(self.opened["at"]) - self.started).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What there is to tell of one day, oldest first; drills apart. `end` is now while the day lasts."""

    day: date
    begin: datetime
    end: datetime
    midnight: datetime  # the next one
    zone: tzinfo | None  # in which times are shown; None: this machine's
    entries: tuple[Entry, ...]
    drills: tuple[Entry, ...]
    names: Mapping[str, str] = field(default_factory=dict)  # what people call the cameras, where that is known

    def called(self, camera: str) -> str:
        """What people call a camera."""
        return self.names.get(camera, camera)

    @property
    def nodes(self) -> list[str]:
        """The boxes that raised them: one, unless its name was changed."""
        return sorted({entry.newest["node"] for entry in (*self.entries, *self.drills)})

    @property
    def cameras(self) -> list[str]:
        """The cameras that anything happened on."""
        return sorted({camera for entry in self.entries for camera in entry.newest["cameras"]})

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many incidents of a kind a camera had: (kind, camera) → count."""
        return Counter((entry.newest["kind"], camera) for entry in self.entries for camera in entry.newest["cameras"])

    def by_severity(self) -> list[tuple[str, int]]:
        """Return how many incidents of each severity there were, the worst first."""
        counted = Counter(entry.newest["severity"] for entry in self.entries)
        return [(severity, counted[severity]) for severity in SEVERITIES]


def gather_day(state_folder: Path, day: date, *, zone: tzinfo | None, now: datetime) -> Day:
    """Read one day's incidents from the history in `state_folder`; `zone` None is this machine's. Raises StoreError."""
    begin, midnight = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    store = open_for_reading(state_folder / DATABASE)
    try:
        found = lives(store, Query(since=_utc(begin), until=_utc(midnight)))
        verdicts, names = all_verdicts(store), camera_names(store)
    finally:
        store.close()
    entries = [
        Entry(
            opened=opened,
            newest=newest,
            verdict=verdicts.get(newest["id"]),
            jpeg=picture_of(state_folder, newest["id"]),
            clip=clip_path(state_folder, newest["id"]),
        )
        for opened, newest in reversed(found)
    ]
    return Day(
        day=day,
        begin=begin,
        end=min(midnight, max(begin, now)),
        midnight=midnight,
        zone=zone,
        entries=tuple(entry for entry in entries if not entry.newest["drill"]),
        drills=tuple(entry for entry in entries if entry.newest["drill"]),
        names=names,
    )


def quiet(day: Day) -> list[tuple[datetime, datetime]]:
    """Return the longest stretches without an incident, at most three of an hour or more, in order of time."""
    stretches: list[tuple[datetime, datetime]] = []
    at = day.begin
    for began, ended in sorted((entry.started, entry.ended(day.end)) for entry in day.entries):
        stretches.append((at, began))
        at = max(at, ended)
    stretches.append((at, day.end))
    long = [stretch for stretch in stretches if stretch[1] - stretch[0] >= QUIET_AT_LEAST]
    return sorted(sorted(long, key=lambda stretch: stretch[0] - stretch[1])[:QUIET_SHOWN])


def rows(entries: Sequence[Entry], day: Day) -> list[list[Entry]]:
    """Return the incidents in as few rows as it takes that none covers another."""
    nearest = timedelta(minutes=12)  # so that short ones can be told apart
    packed: list[list[Entry]] = []
    free_from: list[datetime] = []
    for entry in entries:
        row = next((index for index, free in enumerate(free_from) if free <= entry.started), len(packed))
        if row == len(packed):
            packed.append([])
            free_from.append(day.begin)
        packed[row].append(entry)
        free_from[row] = max(entry.ended(day.end), entry.started + nearest)
    return packed


def summary(day: Day) -> dict[str, Any]:
    """Return the day in figures, for `--json`."""
    return {
        "day": day.day.isoformat(),
        "from": _utc(day.begin),
        "until": _utc(day.end),
        "incidents": len(day.entries),
        "by_severity": dict(day.by_severity()),
        "by_kind_and_camera": [
            {"kind": kind, "camera": camera, "count": count} for (kind, camera), count in sorted(day.counts().items())
        ],
        "quiet": [{"from": _utc(began), "until": _utc(ended)} for began, ended in quiet(day)],
        "marked_true": sum(entry.verdict is not None and entry.verdict.true for entry in day.entries),
        "marked_false": sum(entry.verdict is not None and not entry.verdict.true for entry in day.entries),
        "drills": len(day.drills),
        "pictures": sum(entry.jpeg is not None for entry in day.entries),
        "clips": sum(entry.clip is not None for entry in day.entries),
    }


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    """Return when a day begins, in UTC (a naive time is this machine's)."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
