"""Options and arguments that several commands share, and the checks of what a person typed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.config.names import identifier, named

NAME = re.compile(r"[a-z0-9_-]{1,32}")
NAME_RULE = "names are 1 to 32 of a-z, 0-9, _ and -"

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration, instead of the usual one.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def name(text: str) -> str:
    """Return `text` if it can name a camera, a zone or a mask. Raises typer.BadParameter."""
    if not NAME.fullmatch(text):
        raise typer.BadParameter(f"{text!r} cannot be a name: {NAME_RULE}.")
    return text


def name_of(text: str, what: str) -> tuple[str, str]:
    """As `agent.config.names.named`. Raises typer.BadParameter."""
    try:
        return named(text, what)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} cannot be a name: {error.args[0]}.") from error


def resolve_name(table: Mapping[str, Any], typed: str, what: str) -> str:
    """Return which of `table`, cameras, zones or lines by identifier, is meant: by that, or by its name.

    Raises typer.BadParameter, which names those that are there.
    """
    if typed in table:
        return typed
    by_name = {its.name.casefold(): key for key, its in table.items() if getattr(its, "name", "")}
    found = by_name.get(typed.casefold(), identifier(typed, what))
    if found in table:
        return found
    there = ", ".join(sorted(f"{key} ({its.name})" if getattr(its, "name", "") else key for key, its in table.items()))
    told = f"there are {there}" if there else "there is none yet"
    raise typer.BadParameter(f"there is no {what} named {typed!r}; {told}.")


def polygon(text: str) -> list[list[float]]:
    """Return the corners of "x,y x,y x,y", fractions of the picture from its upper left corner."""
    corners = [_corner(part) for part in text.split()]
    if not 3 <= len(corners) <= 64:
        raise typer.BadParameter(f"a polygon has 3 to 64 corners, this one {len(corners)}. {_EXAMPLE}")
    if _area(corners) < 1e-6:
        raise typer.BadParameter(f"these corners enclose nothing. {_EXAMPLE}")
    return corners


def polyline(text: str) -> list[list[float]]:
    """Return the points of "x,y x,y", fractions of the picture from its upper left corner."""
    points = [_corner(part) for part in text.split()]
    if not 2 <= len(points) <= 64:
        raise typer.BadParameter(f'a line has 2 to 64 points, this one {len(points)}. For example "0.1,0.6 0.9,0.6".')
    if all(point == points[0] for point in points):
        raise typer.BadParameter('this line has no length. For example "0.1,0.6 0.9,0.6".')
    return points


_EXAMPLE = 'For example "0.1,0.5 0.9,0.5 0.9,1 0.1,1".'


def _corner(text: str) -> list[float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a corner x,y. {_EXAMPLE}") from None
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise typer.BadParameter(f"{text!r} is outside of the picture: corners are fractions, 0 to 1. {_EXAMPLE}")
    return [x, y]


def _area(corners: list[list[float]]) -> float:
    """Return the area of a polygon in parts of the picture (the shoelace formula)."""
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def require_entry(table: dict[str, Any], wanted: str, what: str) -> Any:
    """Return the entry `wanted` of `table`; typer.BadParameter names those that are there."""
    if wanted not in table:
        there = f"there are {', '.join(sorted(table))}" if table else "there is none yet"
        raise typer.BadParameter(f"there is no {what} named {wanted!r}; {there}.")
    return table[wanted]
