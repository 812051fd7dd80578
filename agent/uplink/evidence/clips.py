"""Films of incidents that stay on the box: MP4, named by the incident's id, bounded by bytes and age.

Only where `clips` asks for them. Files of mode 0600; ids sort by time, so the oldest goes first. A film is whole or not
there: it is written beside its place, synced, and put there in one move. What there is of one that goes on lies beside
it meanwhile, so that a loss of power costs its end only.
"""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from agent.types import NS_PER_S
from agent.uplink.messages.payload import unix_ms_of
from agent.uplink.storage.atomic_file import clear_parts, write_own

FOLDER = "clips"
SUFFIX = ".mp4"
_GROWING = ".growing"  # what there is of a film that is not over, in fragments
FILM_TYPE = "video/mp4"
_S_PER_DAY = 86_400
_CLOCK_SET_MS = 1_577_836_800_000  # 2020: what is dated before was kept by a box that did not know the time yet


def clip_name(incident_id: str) -> str:
    """Return what an incident's messages call its film: its path below the state folder."""
    return f"{FOLDER}/{incident_id}{SUFFIX}"


def clip_path(state_folder: Path, incident_id: str) -> Path | None:
    """Return where the film of an incident lies, None where there is none."""
    path = state_folder / clip_name(incident_id)
    return path if path.is_file() else None


def film_of(state_folder: Path, incident_id: str) -> bytes | None:
    """Return the film of an incident, None where there is none (any more)."""
    try:
        return (state_folder / clip_name(incident_id)).read_bytes()
    except OSError:
        return None


class ClipFolder:
    """The folder `clips` of the state folder. Safe to use from several threads; OSError where the disk refuses."""

    def __init__(
        self, state_folder: Path, *, max_bytes: int, max_age_days: float, wall_ns: Callable[[], int | None]
    ) -> None:
        """`wall_ns` tells the time on the wall; None while that cannot be trusted: nothing is too old then."""
        self._state_folder = state_folder
        self._folder = state_folder / FOLDER
        self._max_bytes = max_bytes
        self._max_age_s = max_age_days * _S_PER_DAY
        self._wall_ns = wall_ns
        self._mutex = threading.Lock()

    def tidy(self) -> None:
        """Clear away what a loss of power left half written, and what is too old or too much by now."""
        with self._mutex:
            clear_parts(self._folder)
            self._make_room(0)

    def keep(self, incident_id: str, film: bytes) -> None:
        """Keep the film of an incident; older ones make room."""
        if len(film) > self._max_bytes:
            raise OSError(errno.EFBIG, f"a film of {len(film)} bytes is more than clips.max_bytes")
        with self._mutex:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make_room(len(film))
            write_own(self._state_folder / clip_name(incident_id), film)
            self._growing(incident_id).unlink(missing_ok=True)

    def grow(self, incident_id: str, fragments: bytes) -> None:
        """Add to what is kept of a film while it goes on, for a loss of power; `keep` and `drop` clear it away."""
        with self._mutex:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = self._growing(incident_id)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(fragments)
                file.flush()
                os.fsync(file.fileno())

    def drop(self, incident_id: str) -> None:
        """There will be no such film."""
        with self._mutex:
            self._growing(incident_id).unlink(missing_ok=True)

    def left(self) -> dict[str, bytes]:
        """Return what a run that ended before its time left of its films, in fragments, by incident."""
        with self._mutex:
            return {place.stem: place.read_bytes() for place in sorted(self._folder.glob(f"*{_GROWING}"))}

    def _growing(self, incident_id: str) -> Path:
        return (self._state_folder / clip_name(incident_id)).with_suffix(_GROWING)

    def _make_room(self, needed_bytes: int) -> None:
        now_ns = self._wall_ns()
        oldest_ms = 0.0 if now_ns is None else (now_ns / NS_PER_S - self._max_age_s) * 1000
        # What a person put there under another name is theirs: it is neither counted nor deleted.
        films = {
            film: at_ms for film in self._folder.glob(f"*{SUFFIX}") if (at_ms := unix_ms_of(film.stem)) is not None
        }
        sizes = {film: film.stat().st_size for film in films}
        used_bytes = sum(sizes.values()) + needed_bytes
        for film in sorted(films):
            old = _CLOCK_SET_MS <= films[film] < oldest_ms
            if used_bytes <= self._max_bytes and not old:
                continue
            film.unlink(missing_ok=True)
            used_bytes -= sizes[film]
