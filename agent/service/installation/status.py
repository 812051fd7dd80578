"""How systemd says the service is."""

from collections.abc import Iterator
from typing import Any

from agent.errors import VedetteError
from agent.service.installation.machine import UNIT, Machine

_ASKED = {
    "LoadState": "load",
    "ActiveState": "active",
    "SubState": "sub",
    "UnitFileState": "at_boot",
    "StatusText": "status",
    "Result": "result",
    "ExecMainStatus": "exit_code",
    "MainPID": "pid",
    "NRestarts": "restarts",
    "StateChangeTimestamp": "since",
}
_MEANING = {"2": "usage", "3": "configuration", "4": "source", "5": "broker", "6": "model"}


def service_status(machine: Machine) -> dict[str, Any]:
    """Return what `vedette service status --json` prints. Raises VedetteError where it is not installed."""
    shown = machine.run("systemctl", "show", UNIT, "--property", ",".join(_ASKED))
    told = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if told.get("LoadState") == "not-found":
        raise VedetteError("the service is not installed", cure="sudo vedette service install")
    named: dict[str, Any] = {name: told.get(asked, "") for asked, name in _ASKED.items() if asked != "LoadState"}
    return named | {name: int(named[name] or 0) for name in ("exit_code", "pid", "restarts")}


def describe_status(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for a person."""
    restarts = f", restarted {told['restarts']} times" if told["restarts"] else ""
    yield f"{told['active']} ({told['sub']}) since {told['since'] or 'never started'}{restarts}"
    if told["status"]:
        yield str(told["status"])
    yield "starts at boot" if told["at_boot"] == "enabled" else "does not start at boot"
    if told["active"] != "active" and told["result"] not in ("", "success"):
        meaning = _MEANING.get(str(told["exit_code"]), "")
        yield f"ended by {told['result']}, exit code {told['exit_code']}{f' ({meaning})' if meaning else ''}"
        yield "vedette service logs tells why"
