"""The commented file that `vedette init` writes, from the descriptions in the schema.

Only what was decided stands as a key; every other key stands in a comment with its default, so that a
better default of a later version takes effect, and a person sees what there is to set.
"""

import json
import re
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agent.config.schema import Config

_WIDTH = 100
_HEAD = """\
# The configuration of Vedette. A line that begins with # is a remark or a default; take the # away to change it.
# `vedette config check` looks it over, `vedette config set KEY VALUE` changes one key, `vedette config schema`
# prints every rule. Passwords are not kept here: `vedette config set-password`.
"""
_CAMERAS = """\
# ---- Cameras: `vedette camera add NAME URL` writes one like this ----
#
# [cameras.door]
# url = "rtsp://192.0.2.10/stream2"             # the sub stream: enough to watch
# snapshot_url = "rtsp://192.0.2.10/stream1"    # the main stream: opened for snapshots only
#
# [cameras.door.zones.yard]
# polygon = [[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]]
# rules = ["intrusion", "loitering"]
"""


def template(decided: Mapping[str, Any]) -> str:
    """Return the whole file; `decided` maps dotted keys ("node.name") to the values that were chosen."""
    tables = [
        _table(name, field.annotation, decided)
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]
    return "\n".join([_HEAD, *tables, _CAMERAS])


def _table(name: str, model: type[BaseModel], decided: Mapping[str, Any]) -> str:
    lines = [f"[{name}]  # {(model.__doc__ or '').strip()}"]
    for key, field in model.model_fields.items():
        lines += [f"# {line}" for line in wrap(field.description or "", _WIDTH)]
        dotted = f"{name}.{key}"
        lines.append(f"{key} = {_toml(decided[dotted])}" if dotted in decided else f"#{key} = {_default(field)}")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    return _toml(field.get_default(call_default_factory=True))


def _toml(value: Any) -> str:
    """Return a text, number, truth value, flat list or table as TOML; JSON spells all but tables the same way."""
    if isinstance(value, BaseModel):
        return f"{{{', '.join(f'{key} = {_toml(each)}' for key, each in value.model_dump().items())}}}"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def uncommented(text: str, keys: Sequence[str]) -> str:
    """Return `text` with the template's line "#key = …" for `keys` made a key, where it is there."""
    if len(keys) != 2:
        return text
    lines = text.split("\n")
    inside = False
    for index, line in enumerate(lines):
        if line.lstrip().startswith("["):
            inside = re.match(rf"\s*\[\s*{re.escape(keys[0])}\s*\]", line) is not None
        elif inside and re.match(rf"#{re.escape(keys[1])} = ", line):
            lines[index] = line[1:]
            return "\n".join(lines)
        elif inside and re.match(rf"\s*{re.escape(keys[1])}\s*=", line):
            return text
    return text
