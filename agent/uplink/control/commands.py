"""What may be set and asked over MQTT: the commands, and the topics they come on.

…/set/armed                    on | off | default
…/set/sensitivity              low | normal | high | default
…/set/profile                  home | away | night | default
…/<camera>/set/armed           on | off | default
…/<camera>/set/enabled         on | off | default
…/<camera>/set/zone/<zone>     on | off | default
…/<camera>/set/line/<line>     on | off | default
…/request                      {"action": "status" | "snapshot" | "clip" | "verdict" | "drill", …}
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agent.errors import UplinkError
from agent.uplink.messages.topics import Topics

SENSITIVITIES = ("low", "normal", "high")
PROFILES = ("home", "away", "night")

Name = Literal["armed", "sensitivity", "profile", "enabled", "zone", "line"]
Action = Literal["status", "snapshot", "clip", "verdict", "drill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The zones and lines of a camera: every name that a command may use."""

    zone: Collection[str] = ()
    line: Collection[str] = ()


Cameras: TypeAlias = Mapping[str, Places]


class CommandError(UplinkError):
    """A message that is not obeyed; `what` says why."""

    transient = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A wish to change one setting of the node (`camera` is empty) or of a camera; None: as configured."""

    name: Name
    value: bool | str | None
    camera: str = ""
    place: str = ""  # the zone or line
    for_s: float | None = None  # for a while: then as before
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question, or a verdict on an incident."""

    action: Action
    camera: str = ""
    incident: str = ""
    verdict: bool = False
    kind: str = ""
    request_id: str = ""


Command: TypeAlias = Setting | Request


def command_topics(topics: Topics) -> tuple[str, ...]:
    """Return what to subscribe to."""
    return topics.of_node("set/#"), topics.of_camera("+", "set/#"), topics.of_node("request")


def setting_topic(topics: Topics, name: Name, camera: str = "", place: str = "") -> str:
    """Return the retained topic that tells how a setting is."""
    levels = f"setting/{name}/{place}" if place else f"setting/{name}"
    return topics.of_camera(camera, levels) if camera else topics.of_node(levels)


def setting_text(value: bool | str) -> str:
    """Return a setting as its topic tells it."""
    return value if isinstance(value, str) else "on" if value else "off"


def label_of(command: Command) -> str:
    """Return in short what a command is about, for the log and the answer."""
    if isinstance(command, Request):
        return command.action
    return "/".join(part for part in (command.camera, "set", command.name, command.place) if part)
