"""What was set while the agent ran: kept in the state folder, laid over the configuration, back after a restart.

A setting is a path and a value: `armed`, `sensitivity`, `profile`, `hall/armed`, `hall/enabled`, `hall/zone/gate`,
`hall/line/door`.
What is not set is as configured.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, cast, get_args

from agent.config.files import write_atomically
from agent.config.schema import Config, Profile, ProfileName, Sensitivity
from agent.errors import ConfigError
from agent.scene import Policy
from agent.service.remote import timed_settings
from agent.uplink.control.commands import Setting

FILE = "settings.json"
SCHEMA = "vedette.settings/1"

_LOG = logging.getLogger(__name__)

Value: TypeAlias = bool | str
Settings: TypeAlias = Mapping[str, Value]


def path_of(setting: Setting) -> str:
    """Return the path of a setting."""
    return "/".join(part for part in (setting.camera, setting.name, setting.place) if part)


def every(config: Config) -> dict[str, Setting]:
    """Return every setting there is by its path, with the value that the configuration gives it."""
    settings = [
        Setting(name="armed", value=config.policy.armed),
        Setting(name="sensitivity", value=_sensitivity(config, config.policy.profile)),
        Setting(name="profile", value=config.policy.profile),
    ]
    for name, camera in config.cameras.items():
        settings.append(Setting(name="armed", value=True, camera=name))
        settings.append(Setting(name="enabled", value=camera.enabled, camera=name))
        for zone_name, zone in camera.zones.items():
            settings.append(Setting(name="zone", value=zone.enabled, camera=name, place=zone_name))
        for line_name, line in camera.lines.items():
            settings.append(Setting(name="line", value=line.enabled, camera=name, place=line_name))
    return {path_of(setting): setting for setting in settings}


def changed(settings: Settings, setting: Setting) -> dict[str, Value]:
    """Return `settings` with this one set, or as configured where its value is None."""
    return with_value(settings, path_of(setting), setting.value)


def with_value(settings: Settings, path: str, value: Value | None) -> dict[str, Value]:
    """Return `settings` with this value at `path`, without any where it is None."""
    rest = {other: its for other, its in settings.items() if other != path}
    return rest if value is None else rest | {path: value}


def laid_over(config: Config, settings: Settings) -> Config:
    """Return the configuration as it is with `settings` over it."""
    profile = cast(ProfileName, settings.get("profile", config.policy.profile))
    sensitivity = settings.get("sensitivity", config.policy.sensitivity)
    policy = {"armed": settings.get("armed", config.policy.armed), "sensitivity": sensitivity, "profile": profile}
    profiles = config.profiles
    if "sensitivity" in settings:  # what somebody set now outweighs what the profile says
        chosen = getattr(profiles, profile).model_copy(update={"sensitivity": ""})
        profiles = profiles.model_copy(update={profile: chosen})
    cameras = {}
    for name, camera in config.cameras.items():
        zones = {
            zone_name: zone.model_copy(update={"enabled": settings.get(f"{name}/zone/{zone_name}", zone.enabled)})
            for zone_name, zone in camera.zones.items()
        }
        lines = {
            line_name: line.model_copy(update={"enabled": settings.get(f"{name}/line/{line_name}", line.enabled)})
            for line_name, line in camera.lines.items()
        }
        enabled = settings.get(f"{name}/enabled", camera.enabled)
        cameras[name] = camera.model_copy(update={"enabled": enabled, "zones": zones, "lines": lines})
    rules = config.policy.model_copy(update=policy)
    return config.model_copy(update={"policy": rules, "profiles": profiles, "cameras": cameras})


def _sensitivity(config: Config, profile: ProfileName) -> Sensitivity:
    named: Profile = getattr(config.profiles, profile)
    return named.sensitivity or config.policy.sensitivity


def policy(config: Config, settings: Settings) -> Policy:
    """Return the policy with `settings` laid over; a camera that is off is disarmed."""
    now = laid_over(config, settings)
    off = {name for name, camera in now.cameras.items() if not camera.enabled}
    disarmed = {name for name in now.cameras if settings.get(f"{name}/armed") is False}
    return replace(Policy.of(now), disarmed_cameras=frozenset(off | disarmed))


def load(folder: Path, config: Config) -> dict[str, Value]:
    """Return what was set and still fits the configuration; a file that cannot be used is told and ignored."""
    place = folder / FILE
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        values = document["settings"] if document["schema"] == SCHEMA else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        _LOG.warning("%s cannot be used, everything is as configured: %s", place, type(error).__name__)
        return {}
    known = every(config)
    fitting = {
        path: value
        for path, value in (values.items() if isinstance(values, dict) else ())
        if _fits(value, known.get(path))
    }
    if fitting:
        _LOG.info("set before, over the configuration: %s", json.dumps(fitting))
    return fitting


def load_timed(
    folder: Path, settings: Settings, config: Config, *, now_s: float, wall_ns: int
) -> timed_settings.TimedSettings:
    """Return which of `settings` hold for a while only."""
    try:
        document = json.loads((folder / FILE).read_text(encoding="utf-8")).get("for_a_while")
    except (OSError, ValueError, RecursionError, AttributeError):
        return {}
    known = every(config)
    found = timed_settings.read(document, now_s=now_s, wall_ns=wall_ns)
    return {
        path: its
        for path, its in found.items()
        if path in settings and (its.then is None or _fits(its.then, known.get(path)))
    }


def _fits(value: object, setting: Setting | None) -> bool:
    if setting is None:
        return False
    choices = {"sensitivity": get_args(Sensitivity), "profile": get_args(ProfileName)}.get(setting.name)
    return isinstance(value, bool) if choices is None else value in choices


def keep(settings: Settings, folder: Path, for_a_while: timed_settings.TimedSettings = MappingProxyType({})) -> str:
    """Write `settings` to the disk; return why they will be lost at a restart, empty if they will not."""
    content = {"schema": SCHEMA, "settings": dict(settings), "for_a_while": timed_settings.written(for_a_while)}
    text = json.dumps(content, indent=1) + "\n"
    try:
        write_atomically(folder / FILE, text, mode=0o600, folder_mode=0o750)
    except ConfigError as error:
        _LOG.warning("what was set is lost at the next restart: %s: %s", error.what, error.why)
        return error.why
    return ""
