"""YAML → tables, lists and text, and Frigate's variables put in.

YAML guesses types (`no` is false, `012` is ten); everything here stays the text that a person wrote.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from agent.config.names import LONGEST_NAME, readable
from agent.errors import ConfigError

_NULL = "tag:yaml.org,2002:null"
_MERGE = "<<"
_VARIABLE = re.compile(r"\{\{|\}\}|\{(FRIGATE_[A-Za-z0-9_]+)\}")


def parsed(text: str, name: str) -> dict[str, Any]:
    """Return the tables of YAML (or JSON) `text`: dict, list, str or None all the way down. Raises ConfigError."""
    try:
        found = _Reader().data(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        why = getattr(error, "problem", None) or "it is not YAML"
        raise ConfigError(f"{where} cannot be read", why=str(why), cure="Does Frigate start with this file?") from error
    except RecursionError as error:
        raise ConfigError(f"{name} cannot be read", why="its tables are nested too deeply, or in a circle") from error
    if not isinstance(found, dict) or not isinstance(found.get("cameras"), dict):
        raise ConfigError(
            f"{name} is no configuration of Frigate",
            why="it has no cameras",
            cure="Name its config.yml.",
        )
    return found


class _Reader:
    """Nodes → data; an anchor that is used a thousand times is read once."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def data(self, node: Any) -> Any:
        """Return what a node of YAML stands for."""
        if id(node) not in self._known:
            self._known[id(node)] = self._read(node)
        return self._known[id(node)]

    def _read(self, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._table(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.data(item) for item in node.value]
        return None if node is None or node.tag == _NULL else node.value

    def _table(self, node: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            value = self.data(value_node)
            if key_node.value == _MERGE:
                for table in value if isinstance(value, list) else [value]:
                    merged = (table if isinstance(table, dict) else {}) | merged
            elif isinstance(key_node, yaml.ScalarNode):
                own[key_node.value] = value
        return merged | own


def table(value: Any, *keys: str) -> dict[str, Any]:
    """Return the table at `keys` below `value`; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def words(value: Any) -> list[str]:
    """Return a list of text, or the parts of "a, b"."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [str(part).strip() for part in parts if isinstance(part, str) and part.strip()]


def called(value: Any, otherwise: str) -> str:
    """Return a friendly_name as a name of Vedette's, or `otherwise` where there is none that could be one."""
    try:
        return readable(str(value or ""))[:LONGEST_NAME].strip() or otherwise
    except ValueError:
        return otherwise


def is_off(value: Any) -> bool:
    """Whether a key says no in one of YAML's words for it."""
    return str(value).lower() in ("false", "no", "off")


def number(value: Any) -> float:
    """Return a number, 0 where there is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def put_in(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with Frigate's {FRIGATE_…} replaced where `variables` know them."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found[1], found[0]) if found[1] else found[0][0]

    return _VARIABLE.sub(value, text)


def missing(text: str) -> str:
    """Return the first variable that is still in `text`; empty where all are known."""
    found = re.search(r"\{(FRIGATE_[A-Za-z0-9_]+)\}", text)
    return found[1] if found else ""
