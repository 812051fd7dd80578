"""`vedette camera import-frigate`: the cameras, zones and logins of a Frigate configuration; shown first."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent.cli.output import remark, say, warn
from agent.cli.zone import corners_text, known_labels

if TYPE_CHECKING:
    from agent.config.frigate.cameras import Imported, ImportedCamera

_NOT_LEFT_AS_THEY_WERE = ("username", "sound", "transport", "snapshot_url", "decoder")
"""Keys of a replaced camera: those of before may be of another machine."""


def import_cameras(
    file: Path, *, host: str, direct: bool, only: Sequence[str], write: bool, replace: bool, config: Path | None
) -> None:
    """Tell what would be taken over from a Frigate configuration, and with `write` take it over."""
    from agent.config.edit import edit
    from agent.config.frigate.cameras import imported
    from agent.config.frigate.words import parsed
    from agent.config.load import load
    from agent.config.places import config_path

    text = _text(file)
    found = imported(
        parsed(text, str(file)), environ=_variables(), known_labels=known_labels(), host=host, direct=direct
    )
    if only:
        _keep(found, only)
    place = config_path(config)
    there = load(config).cameras.keys() if os.path.exists(place) else set()
    wanted = [camera for camera in found.cameras if replace or camera.identifier not in there]
    for camera in found.cameras:
        if camera in wanted:
            _tell(camera)
        else:
            say(f"{camera.identifier}  is there already; --replace changes it")
    if any(camera.own for camera in wanted):
        warn("127.0.0.1 in these addresses is Frigate's machine; where Vedette runs on another: --frigate ADDRESS")
    _tell_notes(wanted, found)
    if not wanted:
        say("No camera to take over.")
        return
    takes_broker = _takes_broker(found, place)
    if found.broker:
        say(
            f"broker  {found.broker['url']}{_login_told(found.broker.get('username', ''), found.broker_password)}"
            if takes_broker
            else "broker  stays the one of your configuration"
        )
    if found.timezone:
        remark(f"hours are meant in {found.timezone}, unless node.timezone is set already")
    edit(lambda before: _changed(before, wanted, found, takes_broker), config, write=write)
    if not write:
        say(f"Nothing is written yet. With --write this goes into {place}.")
        return
    _keep_passwords(wanted, found, takes_broker, config)
    say(f"{len(wanted)} camera{'s' if len(wanted) != 1 else ''} in {place}. Next: vedette doctor")


def _text(file: Path) -> str:
    from agent.config.text import MAX_BYTES
    from agent.errors import ConfigError

    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) <= MAX_BYTES:
            return content.decode("utf-8-sig")
        why = f"it is larger than {MAX_BYTES} bytes"
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8"
    except OSError as error:
        why = error.strerror or str(error)
    raise ConfigError(f"{file} cannot be read", why=why, cure="Name Frigate's config.yml.")


def _variables() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("FRIGATE_")}


def _keep(found: "Imported", only: Sequence[str]) -> None:
    """Leave out all cameras but those named. Raises typer.BadParameter where one is not there."""
    there = {camera.identifier: camera for camera in found.cameras}
    for name in only:
        if name not in there:
            raise typer.BadParameter(f"there is no camera {name!r} in it; there are {', '.join(there) or 'none'}.")
    found.cameras = [there[name] for name in dict.fromkeys(only)]


def _tell(camera: "ImportedCamera") -> None:
    values = camera.values
    title = f" ({values['name']})" if "name" in values else ""
    login = _login_told(values.get("username", ""), camera.credentials.get(f"camera-{camera.identifier}", ""))
    told = {"transport": "by UDP", "decoder": "decoded by what there is", "enabled": "off"}
    extras = [words for key, words in told.items() if key in values]
    say(f"{camera.identifier}{title}  {values['url']}{login}{''.join(f', {extra}' for extra in extras)}")
    for key, whence in (("snapshot_url", "snapshots from"), ("sound", "sound from")):
        if key in values:
            say(f"    {whence} {values[key]}")
    for identifier, zone in camera.zones.items():
        rules, labels = ", ".join(zone["rules"]) or "counts", ", ".join(zone.get("labels", ["person"]))
        title = f" ({zone['name']})" if "name" in zone else ""
        say(f"    zone {identifier}{title}: {rules}: {labels}; {corners_text(zone['polygon'])}")


def _tell_notes(cameras: "Sequence[ImportedCamera]", found: "Imported") -> None:
    """Tell what is left out, each thing once, with the cameras that it holds for."""
    whose: dict[str, list[str]] = {}
    for camera in cameras:
        for note in camera.notes:
            whose.setdefault(note, []).append(camera.identifier)
    for note, identifiers in whose.items():
        remark(f"{', '.join(identifiers)}: {note}")
    for note in found.notes:
        remark(note)


def _login_told(username: str, password: str) -> str:
    return f", as {username}, {'with its password' if password else 'no password'}" if username else ""


def _takes_broker(found: "Imported", place: Path) -> bool:
    """Whether there is a broker to take over, and none in the configuration yet."""
    from agent.config.text import parse, read_text

    own = parse(read_text(place), str(place)).get("broker", {}) if os.path.exists(place) else {}
    return bool(found.broker) and "url" not in own


def _changed(text: str, cameras: "Sequence[ImportedCamera]", found: "Imported", takes_broker: bool) -> str:
    """Return the text of the configuration with all of it put in."""
    from agent.config.edit import with_key
    from agent.config.schema import Camera
    from agent.config.text import parse

    before = parse(text, "the configuration")
    defaults = {key: Camera.model_fields[key].default for key in _NOT_LEFT_AS_THEY_WERE}
    for key, value in found.broker.items() if takes_broker else ():
        text = with_key(text, ("broker", key), value)
    if found.timezone and "timezone" not in before.get("node", {}):
        text = with_key(text, ("node", "timezone"), found.timezone)
    for camera in cameras:
        its = before.get("cameras", {}).get(camera.identifier)
        if its is not None:
            for key, value in (defaults | camera.values).items():
                if its.get(key, defaults.get(key)) != value:
                    text = with_key(text, ("cameras", camera.identifier, key), value)
        else:
            text = with_key(text, ("cameras", camera.identifier), camera.values)
        for zone, values in camera.zones.items():
            text = with_key(text, ("cameras", camera.identifier, "zones", zone), values)
    return text


def _keep_passwords(
    cameras: "Sequence[ImportedCamera]", found: "Imported", takes_broker: bool, config: Path | None
) -> None:
    from agent.config.credentials import remove_credential, write_credential

    for camera in cameras:
        if not camera.lacks_password:  # else it may have been typed in since
            remove_credential(f"camera-{camera.identifier}", config)
            remove_credential(f"sound-{camera.identifier}", config)
    secrets = {name: secret for camera in cameras for name, secret in camera.credentials.items()}
    if takes_broker and found.broker_password:
        secrets["broker"] = found.broker_password
    for name, secret in secrets.items():
        write_credential(name, secret, config)
