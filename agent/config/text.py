"""TOML text → data, and the line on which a key stands.

tomllib keeps no positions. A key's line is found by asking from which line on the file, cut off there,
parses and holds the key: no second parser.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

from agent.errors import ConfigError

KeyPath: TypeAlias = Sequence[str | int]

MAX_BYTES = 1_000_000  # a configuration of thousands of zones; beyond, somebody named the wrong file
_POSITION = re.compile(r"\s*\(at line (?P<line>\d+), column (?P<column>\d+)\)|\s*\(at end of document\)")
_PLAIN = {
    "Invalid value": "the value is not TOML: text needs quotes, true and false are in small letters",
    "Invalid statement": "this is neither `key = value` nor a [table]",
}


def read_text(path: Path) -> str:
    """Return the text of the file at `path`; ConfigError says why it cannot be read."""
    what = f"the configuration {path} cannot be read"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(what, why=f"it is larger than {MAX_BYTES} bytes", cure="Is this the right file?")
        return content.decode("utf-8-sig")  # some editors of Windows put a mark before the text
    except FileNotFoundError as error:
        raise ConfigError(what, why="there is no such file", cure="`vedette init` writes one.") from error
    except IsADirectoryError as error:
        raise ConfigError(what, why="it is a folder", cure="Name the file in it.") from error
    except PermissionError as error:
        raise ConfigError(what, why="permission denied", cure="Use sudo, or --config with a file of yours.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(what, why=f"byte {error.start} is not UTF-8", cure="Save it as UTF-8 text.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(what, why=getattr(error, "strerror", None) or str(error), cure="Check the path.") from error


def parse(text: str, name: str) -> dict[str, Any]:
    """Return the data of TOML `text`; `name` is the file's, for the ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, name) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise ConfigError(f"{name} is not TOML that Vedette can read", why=str(error)) from error


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, name: str) -> ConfigError:
    message = str(error)
    position = _POSITION.search(message)
    line = int(position["line"]) if position and position["line"] else len(text.rstrip().split("\n"))
    reason = _POSITION.sub("", message)
    twice = re.fullmatch(r"Cannot declare \((?P<keys>.*?),?\) twice", reason)
    if twice:
        reason = f"the table [{twice['keys'].replace(', ', '.')}] is there twice".replace("'", "")
    elif reason == "Cannot overwrite a value":
        reason = f"{_lines(text)[line - 1].split('=')[0].strip()} is there twice"
    elif reason == "Invalid value" and "at end of document" in message:
        reason = "a bracket or a quote is not closed"
    return ConfigError(
        f"{name} line {line} is not valid TOML",
        why=_PLAIN.get(reason, reason[:1].lower() + reason[1:]),
        cure="Mend that line; `vedette config check` looks again.",
    )


def line_of(text: str, keys: KeyPath) -> int | None:
    """Return the line (from 1) on which the key at `keys` stands in valid TOML `text`, or None.

    Elements of an array count as their array.
    """
    names = list(takewhile(lambda key: isinstance(key, str), keys))
    if not names:
        return None
    lines = _lines(text)
    candidates = [index for index, line in enumerate(lines) if str(names[-1]) in line]
    found = bisect_left(candidates, True, key=lambda index: _holds(_whole(lines, index + 1), names))
    return candidates[found] + 1 if found < len(candidates) else None


def _lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")]  # not splitlines: TOML ends a line at \n only


def _whole(lines: Sequence[str], count: int) -> dict[str, Any]:
    """Return the data of the first `count` lines, with those more that the last statement needs to end."""
    for end in range(count, len(lines) + 1):
        try:
            return tomllib.loads("".join(lines[:end]))
        except ValueError:
            continue
    return {}


def _holds(value: Any, keys: KeyPath) -> bool:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
