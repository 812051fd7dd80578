"""The day as a film: each picture that was kept, a few seconds, with what it shows written in."""

from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from agent.service.digest.day import Day, Entry
from agent.service.rendering.film import Film
from agent.service.rendering.overlay import View
from agent.types import NS_PER_S, Incident, Uint8Array
from agent.uplink.messages.payload import name_in

HOLD_S = 3.0
FPS = 10


def write_reel(day: Day, path: Path) -> int:
    """Write the film and return how many pictures are in it; none is written where there is no picture."""
    pictures = [(entry, picture) for entry in day.entries if (picture := _picture(entry)) is not None]
    if not pictures:
        return 0
    with Film(path, with_sound=False) as film:
        for index, (entry, picture) in enumerate(pictures):
            _hold(film, index * HOLD_S, picture, _view(entry))
    return len(pictures)


def _hold(film: Film, begin_s: float, picture: Uint8Array, view: View) -> None:
    """Show one picture, with what is drawn into it, for `HOLD_S`."""
    for step in range(round(HOLD_S * FPS)):
        at_ns = round((begin_s + step / FPS) * NS_PER_S)
        film.picture(at_ns, picture)
        film.develop(at_ns, lambda _: view)


def _picture(entry: Entry) -> Uint8Array | None:
    if entry.jpeg is None:
        return None
    picture = cv2.imdecode(np.frombuffer(entry.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if picture is None else picture.astype(np.uint8)


def _view(entry: Entry) -> View:
    """Return what is written into the picture: the incident's sentence and how sure it was."""
    message = entry.newest
    incident = Incident(
        ordinal=1,
        camera=message["camera"],
        cameras=tuple(message["cameras"]),
        kind=message["kind"],
        severity=message["severity"],
        started_ns=0,
        at_ns=0,
        ended_ns=None,
        confidence=message["confidence"],
        summary=f"{_local(message['started_at'])}  {message['summary']}",
        without_sound=message["without_sound"],
        without_picture=message["without_picture"],
        evidence=(),
    )
    beliefs = {entry["signal"]: min(1.0, max(0.0, entry["score"])) for entry in message["evidence"]}
    return View(camera=name_in(message), media_time_s=entry.open_after_s, beliefs=beliefs, incidents=(incident,))


def _local(rfc3339: str) -> str:
    return datetime.fromisoformat(rfc3339).astimezone().strftime("%H:%M:%S")
