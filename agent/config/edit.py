"""Changes to the file that keep comments and order; nothing is written that would not load.

Each change is one call of `edit`: read, change, check, write atomically, all under one lock.
"""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.container import Container, OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from agent.config.files import only_writer, write_atomically
from agent.config.load import as_error
from agent.config.places import config_path
from agent.config.problems import checked, dotted
from agent.config.schema import Config
from agent.config.template import uncommented
from agent.config.text import parse, read_text
from agent.errors import ConfigError

_TABLES = (TOMLDocument, Container, Table, InlineTable, OutOfOrderTableProxy)
_FILE_MODE = 0o644


def edit(change: Callable[[str], str], path: Path | None = None, *, write: bool = True) -> Config:
    """Apply `change` to the text of the configuration and return the new one; without `write` only try it.

    A file that is not there counts as empty. Raises ConfigError, and then the file is as before.
    """
    place = config_path(path)
    with only_writer(place) if write else nullcontext():
        before = read_text(place) if os.path.exists(place) else ""
        _require_right(before, str(place))
        after = change(before)
        config = _require_right(after, f"{place} (after the change)")
        if write and after != before:
            write_atomically(place, after, mode=_FILE_MODE)
    return config


def _require_right(text: str, name: str) -> Config:
    result = checked(parse(text, name))
    if not isinstance(result, Config):
        raise as_error(result, text, name)
    return result


def with_key(text: str, keys: Sequence[str], value: Any) -> str:
    """Return TOML `text` with `value` (data of TOML; a dict becomes a table with a header) at `keys`."""
    document = _document(uncommented(text, keys))
    try:
        table = _table_at(document, keys[:-1], headed=not isinstance(value, dict))
        table[keys[-1]] = _with_remark(_item(value), table.get(keys[-1]))
        return _spaced(tomlkit.dumps(document), keys)
    except (TOMLKitError, ValueError) as error:  # for example a camera written in { }
        raise _not_by_command(keys, str(error)) from error


def without_key(text: str, keys: Sequence[str]) -> str:
    """Return TOML `text` without the key or table at `keys`; ConfigError where it is not there."""
    document = _document(text)
    table: Any = document
    for key in keys[:-1]:
        table = table.get(key, {}) if isinstance(table, _TABLES) else {}
    if keys[-1] not in table:
        raise ConfigError(f"{dotted(keys)} is not in the configuration", cure="`vedette config show` lists what is.")
    del table[keys[-1]]
    return tomlkit.dumps(document)


def _not_by_command(keys: Sequence[str], why: str) -> ConfigError:
    return ConfigError(f"{dotted(keys)} cannot be changed by a command", why=why, cure="Edit the file by hand.")


def _document(text: str) -> TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError("the configuration cannot be edited", why=str(error), cure="Edit it by hand.") from error


def _table_at(document: TOMLDocument, keys: Sequence[str], *, headed: bool) -> Any:
    """Return the table at `keys`; what is missing is made, and only the last, if `headed`, gets a [header]."""
    table: Any = document
    for depth, key in enumerate(keys):
        if key not in table:
            table[key] = tomlkit.table(is_super_table=not (headed and depth == len(keys) - 1))
        table = table[key]
        if not isinstance(table, _TABLES):
            raise _not_by_command(keys[: depth + 1], "it is a value, not a table")
    return table


def _item(value: Any) -> Any:
    if not isinstance(value, dict):
        return tomlkit.item(value)
    table = tomlkit.table()
    for key, inner in value.items():
        table[key] = _item(inner)
    return table


def _spaced(text: str, keys: Sequence[str]) -> str:
    """Return `text` with an empty line before the header of the table at `keys`, and before the one after it."""
    start = text.find(f"\n[{dotted(keys)}]\n")
    if start < 0:
        return text
    head, tail = text[: start + 1], text[start + 1 :]
    tail = re.sub(r"(?<=[^\n])\n\[", "\n\n[", tail, count=1)
    return head + tail if head in ("\n", "") or head.endswith("\n\n") else head + "\n" + tail


def _with_remark(item: Any, before: Any) -> Any:
    """Return `item` with the comment that stood at the end of the line of the value `before` it."""
    trivia = getattr(before, "trivia", None)
    if trivia is not None and trivia.comment and not isinstance(before, Table):
        item.trivia.comment, item.trivia.comment_ws = trivia.comment, trivia.comment_ws
    return item
