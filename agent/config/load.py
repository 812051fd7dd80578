"""A file and overrides → Config, or one ConfigError that names line, key, what was found and what is allowed."""

import json
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.config.places import config_path, is_named
from agent.config.problems import Problem, checked, field_at, names_in, nearest
from agent.config.schema import Config
from agent.config.text import line_of, parse, read_text
from agent.errors import ConfigError


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration at `path`, or at its usual place, changed by `overrides` ("key=value").

    Where nobody named a file and the usual one is not there, the defaults hold. Raises ConfigError.
    """
    place = config_path(path)
    if not is_named(path) and not os.path.exists(place):
        return of_data({}, overrides)
    text = read_text(place)
    data = parse(text, str(place))
    result = checked(data)
    if not isinstance(result, Config):
        raise as_error(result, text, str(place))
    return of_data(data, overrides) if overrides else result


def of_data(data: dict[str, Any], overrides: Sequence[str] = ()) -> Config:
    """Return the configuration of data that a file could hold, changed by `overrides`. Raises ConfigError."""
    for override in overrides:
        data = with_value(data, *override_parts(override))
    result = checked(data)
    if not isinstance(result, Config):
        raise as_error(result, "", "the settings given by --set" if overrides else "the configuration")
    return result


def check_text(text: str, name: str) -> list[tuple[int | None, Problem]]:
    """Return every problem of TOML `text` with its line, in the order of the lines; none: it is right.

    Raises ConfigError where it is not TOML.
    """
    result = checked(parse(text, name))
    if isinstance(result, Config):
        return []
    placed = [(_place(text, problem), problem) for problem in result]
    return sorted(placed, key=lambda pair: pair[0] or 0)


def _place(text: str, problem: Problem) -> int | None:
    """Return the line of the problem's key, or that of the nearest table around it that is there."""
    for count in range(len(problem.keys), 0, -1):
        line = line_of(text, problem.keys[:count])
        if line is not None:
            return line
    return None


def as_error(problems: Sequence[Problem], text: str, name: str) -> ConfigError:
    """Return one error for all `problems`: the first in full, the others counted."""
    placed = sorted(((_place(text, problem), problem) for problem in problems), key=lambda pair: pair[0] or 0)
    line, first = placed[0]
    where = f"{name} line {line}" if line else name
    rest = len(placed) - 1
    more = f" ({rest} more: `vedette config check` lists them.)" if rest else ""
    return ConfigError(f"{where}, {first.key}" if first.key else where, why=first.why, cure=first.cure + more)


def override_parts(override: str) -> tuple[tuple[str, ...], Any]:
    """Return the key and the value, typed by the schema, of "cameras.front.transport=udp". Raises ConfigError."""
    key, sign, value = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set {override}", why="this is not key=value", cure="For example --set analysis.fps=5.")
    keys = tuple(part.strip() for part in key.split("."))
    return keys, typed_value(keys, value.strip())


def typed_value(keys: Sequence[str], text: str) -> Any:
    """Return the value that `text`, typed by a person, means for the key at `keys`. Raises ConfigError.

    What TOML reads is taken as it is; where the schema wants text, quotes may be left out, and where it
    wants a list of texts, commas do.
    """
    field = field_at(keys)
    if field is None:
        raise no_such_key(keys)
    adapter = TypeAdapter(field[0])
    readings = _readings(text)
    for reading in readings:
        try:
            adapter.validate_json(json.dumps(reading, default=str), strict=True)
            return reading
        except ValidationError:
            continue
    return readings[0]  # wrong in every reading: the check of the whole says why


def _readings(text: str) -> list[Any]:
    readings: list[Any] = [text, [part.strip() for part in text.split(",") if part.strip()]]
    try:
        return [tomllib.loads(f"value = {text}")["value"], *readings]
    except (ValueError, RecursionError):
        return readings


def no_such_key(keys: Sequence[str]) -> ConfigError:
    """Return the error for a key that the schema, or the configuration, does not have; the nearest is named."""
    for count in range(len(keys)):
        allowed = names_in(keys[:count])
        if allowed and keys[count] not in allowed:
            near = nearest(keys[count], allowed)
            hint = f"Did you mean {'.'.join([*keys[:count], near, *keys[count + 1 :]])}? " if near else ""
            return ConfigError(f"{'.'.join(keys)}: there is no such key", cure=f"{hint}Known: {', '.join(allowed)}.")
    allowed = names_in(keys)
    return ConfigError(
        f"{'.'.join(keys)} is a table, not a value",
        cure=f"Name one of its keys: {', '.join(allowed)}." if allowed else "Name a key in it.",
    )


def with_value(data: dict[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    """Return `data` with the value at `keys` replaced; tables on the way are made."""
    inner = data.get(keys[0], {})
    if len(keys) == 1:
        return {**data, keys[0]: value}
    return {**data, keys[0]: with_value(inner if isinstance(inner, dict) else {}, keys[1:], value)}
