"""What is wrong with the data of a configuration, in words: the key, what was found, what is allowed."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.config.names import LONGEST_NAME, identifier
from agent.config.schema import NAME_PATTERN, Config
from agent.errors import redacted

_WANTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list in [ ]",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", "entries"),
    "too_long": ("max_length", "at most", "entries"),
    "string_too_short": ("min_length", "at least", "characters"),
    "string_too_long": ("max_length", "at most", "characters"),
}
NAME_RULE = "1 to 32 of a-z, 0-9, _ and -"
_SECRET_WORDS = ("pass", "pwd", "secret", "token")
_SHOWN_CHARACTERS = 60
_ELSEWHERE = {"friendly_name": "name"}
"""What keys are called by other programs of the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: at `keys`, why, and what to do."""

    keys: tuple[str | int, ...]
    why: str
    cure: str

    @property
    def key(self) -> str:
        """The dotted name, as `vedette config set` takes it."""
        return dotted(self.keys)


def dotted(keys: Sequence[str | int]) -> str:
    """Return cameras.front.zones.door.polygon[2] for its parts."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def checked(data: Mapping[str, Any]) -> Config | list[Problem]:
    """Return the configuration that `data` (of TOML) stands for, or what is wrong with it.

    Strict: "5" is no number and 1 is not true, for a quoted number is a mistake more often than a style.
    """
    try:
        return Config.model_validate_json(json.dumps(data, default=_spelled), strict=True)
    except ValidationError as error:
        return [_problem(detail) for detail in error.errors(include_url=False)]
    except (RecursionError, ValueError) as error:
        return [Problem(keys=(), why=str(error), cure="Brackets nested this deep are no configuration.")]


def _spelled(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()  # TOML has dates; the configuration has none, so this ends as a wrong type
    raise ValueError(f"{type(value).__name__} is not a value of a configuration")


def _problem(detail: ErrorDetails) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    name_itself = detail["loc"][-1:] == ("[key]",)
    keys = tuple(detail["loc"][:-1] if name_itself else detail["loc"])
    found = f"found {_shown(keys, detail['input'])}"
    if kind == "extra_forbidden":
        return _unknown_key(keys)
    if kind == "missing":
        return Problem(keys=keys, why="is missing", cure=f"Add it: {_described(keys)}")
    if kind == "value_error":
        why, *cure = context["error"].args
        return Problem(keys=keys, why=str(why), cure=cure[0] if cure else "Change or remove it.")
    if name_itself:
        return Problem(keys=keys, why="is not a possible name", cure=f"Names in [ ] are {NAME_RULE}.{_better(keys)}")
    near = nearest(str(detail["input"]), _choices(context)) if kind == "literal_error" else None
    hint = f"Did you mean {near}? " if near else ""
    allowed = _allowed(kind, context, detail["msg"])
    return Problem(
        keys=keys, why=found, cure=f"{hint}{f'Allowed: {allowed}. ' if allowed else ''}{_described(keys)}".strip()
    )


def _better(keys: Sequence[str | int]) -> str:
    """Return how a camera, zone or line is called whatever one likes."""
    if len(keys) < 2 or keys[-2] not in ("cameras", "zones", "lines"):
        return ""
    wanted = str(keys[-1])[:LONGEST_NAME]
    table = dotted((*keys[:-1], identifier(wanted, str(keys[-2]).removesuffix("s"))))
    return f" Write [{table}], and below it: name = {json.dumps(wanted, ensure_ascii=False)}"


def _choices(context: Mapping[str, Any]) -> list[str]:
    return [choice.strip("' ") for choice in str(context["expected"]).replace(" or ", ", ").split(", ")]


def _allowed(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return f"{words} {context[name]:g}"
    if kind == "literal_error":
        return ", ".join(_choices(context))
    if kind in _LENGTHS:
        name, words, unit = _LENGTHS[kind]
        return f"{words} {context[name]} {unit}"
    if kind == "string_pattern_mismatch":
        return NAME_RULE if context["pattern"] == NAME_PATTERN else ""  # the description says it better
    return _WANTED.get(kind, message)


def _shown(keys: Sequence[str | int], value: object) -> str:
    if any(word in dotted(keys).lower() for word in _SECRET_WORDS):
        return "a value not shown here"
    if isinstance(value, dict):
        return "a table"
    text = redacted(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _unknown_key(keys: tuple[str | int, ...]) -> Problem:
    allowed = tuple(names_in(keys[:-1]))
    name, table = str(keys[-1]), dotted(keys[:-1])
    if any(word in name.lower() for word in _SECRET_WORDS):
        return Problem(
            keys=keys,
            why="passwords are not kept in the configuration",
            cure="Take the line out, then `vedette config set-password`.",
        )
    near = _ELSEWHERE[name] if _ELSEWHERE.get(name) in allowed else nearest(name, allowed)
    hint = f"Did you mean {near}? " if near else ""
    place = f"[{table}]" if table else "the file"
    return Problem(keys=keys, why="there is no such key", cure=f"{hint}Allowed in {place}: {', '.join(allowed)}.")


def nearest(name: str, allowed: Sequence[str]) -> str | None:
    """Return the name in `allowed` that `name` was probably meant to be."""
    found = difflib.get_close_matches(name.lower(), allowed, n=1, cutoff=0.5)
    return found[0] if found else None


def _described(keys: Sequence[str | int]) -> str:
    field = field_at(keys)
    return field[1] if field else ""


def names_in(keys: Sequence[str | int]) -> Sequence[str]:
    """Return the keys that the table at `keys` may have; none where its keys are names of one's own."""
    annotation = _annotation_at(keys)
    return tuple(annotation.model_fields) if _is_table(annotation) else ()


def field_at(keys: Sequence[str | int]) -> tuple[Any, str] | None:
    """Return the annotation and the description of the key at `keys`, or None where there is none."""
    names = [key for key in keys if isinstance(key, str)]
    if not names:
        return None
    table = _annotation_at(names[:-1])
    of_names = _value_type(table)
    if of_names is not None and not _is_table(of_names):  # dict[Kind, number]: a key of one's own, a plain value
        return of_names, _described(names[:-1])
    if not _is_table(table) or names[-1] not in table.model_fields:
        return None
    info = table.model_fields[names[-1]]
    annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return annotation, info.description or ""


def _annotation_at(keys: Sequence[str | int]) -> Any:
    annotation: Any = Config
    for key in keys:
        if _is_table(annotation):
            field = annotation.model_fields.get(str(key))
            annotation = field.annotation if field else None
        else:
            annotation = _value_type(annotation)
    return annotation


def _value_type(annotation: Any) -> Any:
    """Return the type of the values of dict[Name, X], or None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _value_type(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return next((found for found in map(_value_type, get_args(annotation)) if found), None)
    return get_args(annotation)[1] if origin is dict else None


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
