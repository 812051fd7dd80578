"""Films of incidents that stay on the box: MP4, named by the incident's id, bounded by bytes and age.

Only where `clips` asks for them. Files of mode 0600; ids sort by time, so the oldest goes first. A film is whole or not
there: it is written beside its place, synced, and put there in one move.
"""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

from agent.types import NS_PER_S
from agent.uplink.own_file import clear_parts, write_own
from agent.uplink.payload import unix_ms_of

FOLDER = "clips"
SUFFIX = ".mp4"
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
