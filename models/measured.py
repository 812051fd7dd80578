"""What `evaluate --card` writes beside the figures: by which command, when, and of which bytes."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any


def measured(command: str, folder: Path, entries: Iterable[Mapping[str, Any]], today: date) -> dict[str, Any]:
    """`measured` of a card: figures that were not made of these very files do not belong to it.

    `entries` are the card's files. Raises FileNotFoundError when one of them is not in `folder`.
    """
    names = [str(entry["file"]) for entry in entries]
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    return {"command": command, "date": today.isoformat(), "files": files}
