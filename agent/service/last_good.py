"""The configuration that a service last started with: what it goes on with when the present one is broken.

A box on a wall must not go blind at the next power cut because somebody left a typing error in the file. Kept
in the state folder, after models, outbox and sources have accepted it. It holds no password.
"""

import logging
from pathlib import Path

from agent.config.files import write_atomically
from agent.config.load import check_text, of_data
from agent.config.schema import Config
from agent.config.text import parse, read_text
from agent.errors import ConfigError

FILE = "last-good.toml"

_LOG = logging.getLogger(__name__)


def keep(text: str, state_folder: Path) -> None:
    """Keep `text` as the last good configuration; a folder that cannot be written is only logged."""
    place = state_folder / FILE
    try:
        if check_text(text, "the configuration") or (place.is_file() and read_text(place) == text):
            return
        write_atomically(place, text, mode=0o600, folder_mode=0o750)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        _LOG.warning("the last good configuration is not kept: %s", error)


def read(state_folder: Path, overrides: list[str]) -> tuple[Config, str] | None:
    """Return the last good configuration and its text, or None where there is none that is still right."""
    place = state_folder / FILE
    try:
        text = read_text(place)
        return of_data(parse(text, str(place)), overrides), text
    except ConfigError:
        return None
