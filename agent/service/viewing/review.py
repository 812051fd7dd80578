"""What the page for reviewing tells: the incidents kept in a state folder, their pictures, films and verdicts.

Each question opens the database anew, beside the agent that may be writing it, and closes it: what is shown is what
is on the disk at that moment. Times are shown in this machine's zone, as `vedette incidents` and the digest do.
"""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, cast, get_args

from agent.errors import VedetteError
from agent.uplink.evidence.clips import clip_path
from agent.uplink.evidence.pictures import picture_of, picture_path
from agent.uplink.history import history
from agent.uplink.history.history import LONGEST_NOTE, Marked, Query, Verdict
from agent.uplink.messages.payload import Message, name_in, rfc3339
from agent.uplink.outbox.delivery import deliveries, depth
from agent.uplink.storage.store import NoHistoryError, open_beside, open_for_reading
from agent.uplink.uplink import DATABASE

PAGE_LENGTH = 40
MOST_MESSAGES = 120  # of one incident; of a longer one an even choice
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROW = ("id", "seq", "camera", "cameras", "kind", "severity", "phase", "started_at", "summary", "drill", "zones")
_DETAIL = (
    *("node", "ended_at", "clock", "delayed", "confidence", "without_sound", "without_picture", "snapshot", "clip"),
    *("models", "close_reason"),
)


class AskedError(VedetteError):
    """The page asked for something that there is not, or that cannot be meant."""


class Review:
    """The history of one state folder. Safe to use from several threads; VedetteError where it cannot be read."""

    def __init__(self, state_folder: Path, zone: tzinfo | None = None) -> None:
        """Read the history in `state_folder`; days and times are told in `zone`, by default this machine's."""
        self._folder = state_folder
        self._zone = zone

    def about(self) -> dict[str, Any]:
        """Return what there is to choose from, how much waits for the broker, and why nothing is here, if so."""
        now = datetime.now(UTC).astimezone(self._zone)
        told = {
            "zone": now.strftime("UTC%z"),
            "today": now.date().isoformat(),
            "kinds": [],
            "cameras": [],
            "names": {},
            "waiting": 0,
        }
        try:
            store = open_for_reading(self._database)
        except NoHistoryError as nothing:
            return told | {"empty": nothing.line()}
        with closing(store):
            cameras, kinds = history.seen_on(store)
            names = history.camera_names(store)
            return told | {"cameras": cameras, "names": names, "kinds": kinds, "waiting": depth(store)}

    def incidents(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return one page of incidents, newest first, how many there are in all, and where the next page begins.

        `asked`: camera, kind, severity, marked (true, false, none), day (the last one), text, before.
        """
        query = self._query(asked)
        try:
            store = open_for_reading(self._database)
        except NoHistoryError:
            return {"incidents": [], "total": 0, "before": None}
        with closing(store):
            found = history.find(store, query)
            whole = history.count(store, self._query({**asked, "before": ""})) if query.before is None else None
            ids = [message["id"] for message in found]
            verdicts, delivered = history.all_verdicts(store), deliveries(store, ids)
        rows = [self._row(message, verdicts.get(message["id"])) | asdict(delivered[message["id"]]) for message in found]
        more = f"{rows[-1]['started_at']} {rows[-1]['id']}" if len(rows) == PAGE_LENGTH else None
        return {"incidents": rows, "total": whole, "before": more}

    def incident(self, incident_id: str) -> dict[str, Any]:
        """Return everything that is kept of one incident, its evidence as it came. Raises AskedError."""
        self._require_id(incident_id)
        with closing(open_for_reading(self._database)) as store:
            messages = history.course(store, incident_id, MOST_MESSAGES)
            if not messages:
                raise AskedError("this incident is not in the history", cure="It may have been forgotten meanwhile.")
            verdict, delivery = (
                history.all_verdicts(store).get(incident_id),
                deliveries(store, [incident_id])[incident_id],
            )
        newest = messages[-1]
        film = clip_path(self._folder, incident_id)
        return {
            **self._row(newest, verdict),
            **asdict(delivery),
            "delivery": delivery.words(),
            **{key: newest[key] for key in _DETAIL},
            "opened_after_s": _seconds(newest["started_at"], messages[0]["at"]),
            "lasted_s": None if newest["ended_at"] is None else _seconds(newest["started_at"], newest["ended_at"]),
            "course": [
                {
                    "after_s": _seconds(newest["started_at"], message["at"]),
                    "phase": message["phase"],
                    "seq": message["seq"],
                    "confidence": message["confidence"],
                }
                for message in messages
            ],
            "evidence": _evidence(messages),
            "clip_mb": None if film is None else round(film.stat().st_size / 1e6, 1),
        }

    def mark(self, incident_id: str, *, true: bool, note: str) -> dict[str, Any]:
        """Keep a person's verdict, as `vedette incidents mark` does, and return it. Raises AskedError, StoreError."""
        self._require_id(incident_id)
        if len(note) > LONGEST_NOTE:
            raise AskedError(f"a note has at most {LONGEST_NOTE} characters")
        at = rfc3339(round(datetime.now(UTC).timestamp() * 1000) * 1_000_000)
        with closing(open_beside(self._database)) as store, store.transaction() as db:
            if not history.mark(db, incident_id, verdict=true, at=at, note=note):
                raise AskedError("this incident is not in the history", cure="It may have been forgotten meanwhile.")
        return self._said(Verdict(true=true, at=at, note=note))

    def picture(self, incident_id: str) -> bytes | None:
        """Return the JPEG kept of an incident, masked and blurred as it was sent; None where there is none."""
        self._require_id(incident_id)
        return picture_of(self._folder, incident_id)

    def film(self, incident_id: str) -> Path | None:
        """Return where the film of an incident lies, None where there is none."""
        self._require_id(incident_id)
        return clip_path(self._folder, incident_id)

    @property
    def _database(self) -> Path:
        return self._folder / DATABASE

    def _require_id(self, incident_id: str) -> None:
        """An id names files: nothing else may be asked for."""
        if not _ID.fullmatch(incident_id):
            raise AskedError("that is no incident's id")

    def _query(self, asked: Mapping[str, str]) -> Query:
        marked, before = asked.get("marked", ""), tuple(asked.get("before", "").split(" "))
        if marked not in ("", *get_args(Marked)):
            raise AskedError(f"marked is {', '.join(get_args(Marked))}")
        return Query(
            until=self._end_of(asked["day"]) if asked.get("day") else None,
            cameras=_one(asked.get("camera")),
            kinds=_one(asked.get("kind")),
            severities=_one(asked.get("severity")),
            text=asked.get("text", ""),
            marked=cast(Marked, marked) if marked else None,
            before=(before[0], before[1]) if len(before) == 2 else None,
            limit=PAGE_LENGTH,
        )

    def _end_of(self, day: str) -> str:
        """Return the midnight after a day of this zone, RFC 3339 in UTC. Raises AskedError."""
        try:
            midnight = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), self._zone)
            return rfc3339(round(midnight.timestamp()) * 1_000_000_000)
        except (ValueError, OverflowError):
            raise AskedError(f"{day!r} is no day") from None

    def _row(self, message: Message, verdict: Verdict | None) -> dict[str, Any]:
        started = datetime.fromisoformat(message["started_at"]).astimezone(self._zone)
        return {
            **{key: message[key] for key in _ROW},
            "camera_name": name_in(message),
            "day": f"{started:%A} {started.day} {started:%B %Y}",
            "time": f"{started:%H:%M:%S}",
            "verdict": None if verdict is None else self._said(verdict),
            "has_picture": os.path.exists(picture_path(self._folder, message["id"])),
            "has_clip": clip_path(self._folder, message["id"]) is not None,
        }

    def _said(self, verdict: Verdict) -> dict[str, Any]:
        at = datetime.fromisoformat(verdict.at).astimezone(self._zone)
        return asdict(verdict) | {"at": f"{at:%Y-%m-%d %H:%M}"}


def _one(wanted: str | None) -> tuple[str, ...]:
    return (wanted,) if wanted else ()


def _seconds(since: str, until: str) -> float:
    return round((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds(), 3)


def _evidence(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return each piece of evidence that any of the messages told, once, in order of time; those of the last are `now`.

    A message tells the best of each signal so far, so together they tell how it grew.
    """
    started, newest = messages[-1]["started_at"], messages[-1]
    found: dict[tuple[str, str, Any, Any], dict[str, Any]] = {}
    for message in messages:
        for entry in message["evidence"]:
            key = (entry["signal"], entry["at"], entry.get("track"), entry.get("zone"))
            told = {name: entry[name] for name in ("signal", "modality", "score", "llr")}
            found[key] = told | {"after_s": _seconds(started, entry["at"]), "now": message is newest}
    return sorted(found.values(), key=lambda entry: (entry["after_s"], -entry["llr"]))
