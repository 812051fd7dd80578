"""`vedette init`: a first configuration, commented, asked for or taken as it comes."""

import os
import re
import socket
import sys
from typing import Annotated, Any

import typer

from agent.cli.options import NAME, NAME_RULE, ConfigFile
from agent.cli.output import remark, say
from agent.errors import ConfigError

BROKER_DEFAULT = "mqtt://localhost:1883"
BROKER = re.compile(r"mqtts?://[^\s@/]+")


def init(
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take what is given here and the defaults.")
    ] = False,
    node: Annotated[str | None, typer.Option(metavar="NAME", help="Name of this box in MQTT topics.")] = None,
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="mqtt://host[:1883] or mqtts://host[:8883].")
    ] = None,
    snapshots: Annotated[
        bool | None,
        typer.Option("--snapshots/--no-snapshots", help="May pictures leave this box? No unless you say so."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    config: ConfigFile = None,
) -> None:
    """Write a configuration with every key explained; asks on a terminal, takes defaults with --yes."""
    from agent.config.files import only_writer, write_atomically
    from agent.config.load import of_data
    from agent.config.places import config_path
    from agent.config.template import template
    from agent.config.text import parse

    place = config_path(config)
    if os.path.exists(place) and not force:
        raise ConfigError(f"{place} is there already", cure="`vedette config set` changes it; --force writes it anew.")
    asking = not yes and sys.stdin.isatty()
    text = template(_decided(node, broker, snapshots, asking))
    of_data(parse(text, str(place)))
    with only_writer(place):
        write_atomically(place, text)
    say(f"{place} is written. Next: vedette camera add NAME URL, vedette doctor, vedette run")


def _decided(node: str | None, broker: str | None, snapshots: bool | None, asking: bool) -> dict[str, Any]:
    if asking:
        node, broker, snapshots = _asked(node, broker, snapshots)
    node, broker = node or _host_name(), broker or BROKER_DEFAULT
    if not NAME.fullmatch(node):
        raise typer.BadParameter(f"{node!r} cannot be a name: {NAME_RULE}.", param_hint="--node")
    if not BROKER.fullmatch(broker):
        raise typer.BadParameter(
            "the broker is mqtt://host[:1883] or mqtts://host[:8883], without a login: "
            "`vedette config set broker.username U` and `vedette config set-password` keep that.",
            param_hint="--broker",
        )
    return {"node.name": node, "broker.url": broker, "snapshots.enabled": bool(snapshots)}


def _asked(node: str | None, broker: str | None, snapshots: bool | None) -> tuple[str, str, bool]:
    remark("Enter takes what stands in brackets.")
    try:
        node = node or typer.prompt("Name of this box", default=_host_name(), err=True)
        broker = broker or typer.prompt("MQTT broker", default=BROKER_DEFAULT, err=True)
        if snapshots is None:
            snapshots = typer.confirm("Send pictures of incidents to the broker?", default=False, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
    return str(node), str(broker), snapshots


def _host_name() -> str:
    """Return this computer's name as far as it can name a node."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return plain[:32] or "vedette"
