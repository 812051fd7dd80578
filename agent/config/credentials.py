"""Passwords, each in a file of its own, readable by its owner only, outside the configuration.

Names: `broker`, `camera-<name>` for a camera, `sound-<name>` for its sound from elsewhere. As a service
under systemd they come from $CREDENTIALS_DIRECTORY (LoadCredential=; of a whole folder `credentials` the files
are named `credentials_<name>`), else from the folder `credentials` beside the configuration.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from agent.config.files import write_atomically
from agent.config.places import config_path
from agent.errors import ConfigError

_NAME = re.compile(r"broker|(camera|sound)-[a-z0-9_-]{1,32}")
_MAX_BYTES = 65_536
_FOLDER = "credentials"


def folder(config: Path | None = None) -> Path:
    """Return the folder beside the configuration file that holds the credentials."""
    return config_path(config).parent / _FOLDER


def read_credential(name: str, config: Path | None = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the password kept under `name`, or None where there is none. Raises ConfigError."""
    _require_name(name)
    given = environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(given) / name, Path(given) / f"{_FOLDER}_{name}"] if given else []
    for place in [*places, folder(config) / name]:
        try:
            return _text(place.read_bytes(), name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if given and isinstance(error, PermissionError) and place not in places:
                return None  # the folder is root's alone: a service has what systemd gave it
            raise ConfigError(
                f"the credential {name} in {place.parent} cannot be read",
                why=error.strerror or "",
                cure="Run as the user it belongs to, or set it again: `vedette config set-password`.",
            ) from error
    return None


def _text(content: bytes, name: str) -> str:
    try:
        return content[:_MAX_BYTES].decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"the credential {name} is not text", cure=f"Set it again: {_how(name)}.") from None


def write_credential(name: str, secret: str, config: Path | None = None) -> Path:
    """Keep `secret` under `name` with mode 0600 and return the file. Raises ConfigError."""
    _require_name(name)
    if not secret or any(character in secret for character in "\r\n\0"):
        raise ConfigError("the password is empty or has a line break in it", cure="Nothing was stored. Try again.")
    path = folder(config) / name
    write_atomically(path, secret + "\n", mode=0o600, folder_mode=0o700)
    return path


def remove_credential(name: str, config: Path | None = None) -> None:
    """Forget the password kept under `name`, if there is one."""
    _require_name(name)
    (folder(config) / name).unlink(missing_ok=True)


def _how(name: str) -> str:
    return f"`vedette config set-password {name}`"


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is not the name of a credential", cure="There are: broker, camera-<name>, sound-<name>."
        )
