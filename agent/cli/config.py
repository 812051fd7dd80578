"""`vedette config`: show, get, set, check, schema, path, set-password."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.options import AsJson, ConfigFile
from agent.cli.output import print_json, print_table, say, warn
from agent.errors import ConfigError, redacted

app = typer.Typer(help="The configuration: one TOML file whose comments are kept.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="For example analysis.fps or cameras.door.transport.")]


@app.command()
def show(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Print every key as it holds now, defaults included, logins in URLs left out."""
    from agent.config.load import load

    values = _without_logins(load(config).model_dump(mode="json"))
    if as_json:
        print_json(values)
        return
    import tomlkit

    sys.stdout.write(tomlkit.dumps(values))


def _without_logins(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_logins(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_logins(inner) for inner in value]
    return redacted(value) if isinstance(value, str) else value


@app.command()
def get(key: Key, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Print the value of one key, or of a table as JSON."""
    from agent.config.load import load, no_such_key
    from agent.config.problems import names_in

    value: Any = load(config).model_dump(mode="json")
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if isinstance(value, dict) and part not in value and not names_in(parts[:depth]):
            cure = f"There are {', '.join(value)}." if value else "There is none yet."
            raise ConfigError(f"{key}: nothing is named {part!r} in {'.'.join(parts[:depth])}", cure=cure)
        if not isinstance(value, dict) or part not in value:
            raise no_such_key(parts)
        value = value[part]
    value = _without_logins(value)
    if isinstance(value, str) and not as_json:
        say(value)
    else:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


@app.command("set", context_settings={"ignore_unknown_options": True})  # a value may begin with a minus
def set_(
    key: Key,
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="A number, true, false, a list such as '[\"a\"]', or text, whose quotes may be left out.",
        ),
    ],
    config: ConfigFile = None,
) -> None:
    """Change one key; the rest of the file, comments included, stays as it is."""
    from agent.config.edit import edit, with_key
    from agent.config.load import override_parts
    from agent.config.places import config_path

    keys, typed = override_parts(f"{key}={value}")
    if isinstance(typed, str) and redacted(typed) != typed:
        raise typer.BadParameter(
            "a login does not belong into the configuration. For a camera: vedette camera add NAME URL --replace; "
            "for the broker: vedette config set broker.username U, then vedette config set-password."
        )
    edit(lambda text: with_key(text, keys, typed), config)
    say(f"{key} = {json.dumps(typed, ensure_ascii=False)} in {config_path(config)}")


@app.command()
def check(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Look the file over and list everything that is wrong with it, by line."""
    from agent.config.load import check_text
    from agent.config.places import config_path
    from agent.config.text import read_text

    place = config_path(config)
    found = check_text(read_text(place), str(place))
    if as_json:
        print_json([{"line": line, "key": it.key, "why": it.why, "cure": it.cure} for line, it in found])
    elif found:
        print_table(("line", "key", "what", "cure"), [(line or "", it.key, it.why, it.cure) for line, it in found])
    if found:
        raise ConfigError(f"{place} has {len(found)} error{'s' if len(found) > 1 else ''}")
    for name in _cameras_with_login(config):
        warn(f"the URL of {name} holds a login: vedette camera add {name} URL --replace keeps it out of the file")
    if not as_json:
        say(f"{place} is right.")


def _cameras_with_login(config: Path | None) -> list[str]:
    from agent.config.load import load

    cameras = load(config).cameras
    return [
        name for name, it in cameras.items() if any(redacted(url) != url for url in (it.url, it.sound, it.snapshot_url))
    ]


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file: every key, what it means and what it may be."""
    from agent.config.schema import Config

    print_json(Config.model_json_schema())


@app.command()
def path(config: ConfigFile = None) -> None:
    """Print which file holds the configuration."""
    from agent.config.places import config_path

    say(str(config_path(config)))


@app.command("set-password")
def set_password(
    name: Annotated[str, typer.Argument(metavar="broker|camera-NAME|sound-NAME", help="Whose password.")] = "broker",
    config: ConfigFile = None,
) -> None:
    """Keep a password, read from stdin or asked for, in a file that only its owner can read."""
    from agent.cli.camera import read_password
    from agent.config.credentials import write_credential

    say(f"kept in {write_credential(name, read_password(), config)}")
