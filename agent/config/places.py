"""Where the configuration, the credentials and the state live.

`os.path` and not `Path` where a person names a place: what cannot be looked at counts as not there.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path, user_state_path

SYSTEM_CONFIG = Path("/etc/vedette/vedette.toml")
SYSTEM_STATE = Path("/var/lib/vedette")


def config_path(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file that holds the configuration; it need not exist.

    In this order: `explicit` (--config), VEDETTE_CONFIG, /etc/vedette/vedette.toml where it exists or for
    root, else the person's own XDG folder.
    """
    named = explicit or environ.get("VEDETTE_CONFIG")
    if named:
        return Path(os.path.expanduser(named))
    if os.path.exists(SYSTEM_CONFIG) or os.geteuid() == 0:
        return SYSTEM_CONFIG
    return user_config_path("vedette") / "vedette.toml"


def is_named(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether somebody asked for a certain file: then it has to exist."""
    return bool(explicit or environ.get("VEDETTE_CONFIG"))


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of outbox, history and learned data; it need not exist.

    systemd's STATE_DIRECTORY (its first entry), /var/lib/vedette for root and for the service's own user, else the
    person's XDG folder.
    """
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    return SYSTEM_STATE if os.geteuid() == 0 or _is_mine(SYSTEM_STATE) else user_state_path("vedette")


def _is_mine(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False
