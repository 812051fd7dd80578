"""Pictures of incidents that stay on the box: one JPEG each, the moment it opened, bounded by bytes.

Only where snapshots are on: whoever wants no picture kept gets none. Files of mode 0600 named by the incident's
id; ids sort by time, so the oldest goes first.
"""

import logging
import threading
from pathlib import Path

from agent.uplink.storage.atomic_file import clear_parts, write_own

_LOG = logging.getLogger(__name__)

FOLDER = "evidence"
MAX_BYTES = 200_000_000  # some thousand pictures
SUFFIX = ".jpg"


class EvidenceFolder:
    """The folder `evidence` of the state folder. A disk that refuses costs the picture, nothing else."""

    def __init__(self, state_folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = state_folder / FOLDER
        self._max_bytes = max_bytes
        self._mutex = threading.Lock()
        self._refused = False
        self._cleared = False  # of what a loss of power left

    def keep(self, incident_id: str, jpeg: bytes) -> None:
        """Keep the picture of an incident, in place of one kept before; the oldest pictures make room."""
        with self._mutex:
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not self._cleared:
                    clear_parts(self._folder)
                    self._cleared = True
                self._make_room(len(jpeg))
                write_own(self._folder / f"{incident_id}{SUFFIX}", jpeg)
                self._refused = False
            except OSError as error:
                if not self._refused:
                    _LOG.warning("no pictures are kept in %s: %s", self._folder, error.strerror or error)
                self._refused = True

    def _make_room(self, needed_bytes: int) -> None:
        pictures = sorted(self._folder.glob(f"*{SUFFIX}"))
        sizes = {picture: picture.stat().st_size for picture in pictures}
        used_bytes = sum(sizes.values()) + needed_bytes
        for picture in pictures:
            if used_bytes <= self._max_bytes:
                return
            picture.unlink(missing_ok=True)
            used_bytes -= sizes[picture]


def picture_path(state_folder: Path, incident_id: str) -> Path:
    """Return where the picture of an incident lies, if one is kept."""
    return state_folder / FOLDER / f"{incident_id}{SUFFIX}"


def picture_of(state_folder: Path, incident_id: str) -> bytes | None:
    """Return the JPEG kept of an incident, None where there is none."""
    try:
        return picture_path(state_folder, incident_id).read_bytes()
    except OSError:
        return None
