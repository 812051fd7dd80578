"""`vedette zone`: parts of the picture with rules, and lines; `vedette mask` (its twin) is in mask.py."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.look import spec_of, take_picture, write_picture
from agent.cli.options import AsJson, ConfigFile, name, name_of, polygon, polyline, require_entry, resolve_name
from agent.cli.output import print_json, print_table, say, warn
from agent.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent.config.schema import Camera
    from agent.types import Uint8Array

app = typer.Typer(help="Zones and lines: where somebody should not be, not stay, or not pass.")

CameraName = Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's name.")]
ZoneName = Annotated[
    str, typer.Argument(metavar="NAME", help='What the zone or line is called, such as yard or "Garage door".')
]
PlainName = Annotated[str, typer.Argument(metavar="NAME", callback=name, help="Its name: a-z, 0-9, _ and -.")]
_POLYGON = typer.Option(
    "--polygon",
    metavar='"x,y x,y x,y"',
    help="Corners in fractions of the picture, from its upper left corner.",
    show_default=False,
)
Corners = Annotated[str, _POLYGON]


LinePoints = Annotated[
    str | None,
    typer.Option(
        "--line",
        metavar='"x,y x,y"',
        help="Instead of --polygon: a line on the ground that people cross, with two points or more.",
        show_default=False,
    ),
]
ZONE_ONLY = (
    "rules", "crowding_count", "object_labels", "intrusion_dwell_s", "loitering_dwell_s", "crowding_dwell_s",
    "running_dwell_s", "abandoned_dwell_s", "removed_dwell_s", "any_object",
)  # fmt: skip

OPTIONS = {"rules": "rule", "object_labels": "object-label", "any_object": "named-objects-only"}
"""What the keys are called on the command line, where that is not their own name."""


@app.command()
def add(
    camera: CameraName,
    zone: ZoneName,
    corners: Annotated[str | None, _POLYGON] = None,
    line: LinePoints = None,
    direction: Annotated[
        str | None,
        typer.Option(metavar="in|out|both|none", help="Which crossings of a line are reported; none: only counted."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="What is not allowed: intrusion, loitering, crowding, running, abandoned_object, removed_object; "
            "may be repeated; intrusion if left out. none: the zone only counts.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Who counts, such as car; may be repeated; person if left out."),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=0.95, help="Counts once the detector is this sure, such as 0.6.")
    ] = None,
    min_height: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Counts once its box is this high, such as 0.15 of the picture."),
    ] = None,
    object_label: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="What may be left or taken; may be repeated.")
    ] = None,
    hours: Annotated[
        list[str] | None,
        typer.Option(metavar='"mon-fri 22:00-06:00"', help="When it reports; may be repeated; always if left out."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="Europe/Vienna", help="Time zone of --hours; node.timezone if left out.")
    ] = None,
    crowding_count: Annotated[
        int | None, typer.Option(min=2, help="So many at once are a crowd; 5 if left out.")
    ] = None,
    intrusion_dwell_s: Annotated[
        float | None, typer.Option(min=0, help="Seconds inside before it is an intrusion; 0.5 if left out.")
    ] = None,
    loitering_dwell_s: Annotated[
        float | None, typer.Option(min=1, help="Seconds inside before it is loitering; 30 if left out.")
    ] = None,
    crowding_dwell_s: Annotated[
        float | None, typer.Option(min=0, help="Seconds before a crowd is reported; 10 if left out.")
    ] = None,
    running_dwell_s: Annotated[
        float | None, typer.Option(min=0.2, help="Seconds before running is reported; 1 if left out.")
    ] = None,
    abandoned_dwell_s: Annotated[
        float | None, typer.Option(min=1, help="Seconds a thing is left alone before it is reported; 60 if left out.")
    ] = None,
    removed_dwell_s: Annotated[
        float | None, typer.Option(min=1, help="Seconds a thing is gone before it is reported; 5 if left out.")
    ] = None,
    any_object: Annotated[
        bool | None,
        typer.Option("--any-object/--named-objects-only", help="Things of any kind, or only those that have a name."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Change a zone or line that exists.")] = False,
    config: ConfigFile = None,
) -> None:
    """Add a zone, or a line, to a camera.

    For example: vedette zone add door yard --polygon "0.1,0.5 0.9,0.5 0.9,1 0.1,1" --rule loitering

    or: vedette zone add door gate --line "0.1,0.6 0.9,0.6" --direction in
    """
    if (corners is None) == (line is None):
        raise typer.BadParameter("a zone has --polygon, a line has --line: give one of them.")
    given: dict[str, Any] = {
        "direction": direction,
        "rules": [] if rule == ["none"] else rule,
        "labels": label,
        "min_score": min_score,
        "min_height": min_height,
        "object_labels": object_label,
        "hours": hours,
        "timezone": timezone,
        "crowding_count": crowding_count,
        "intrusion_dwell_s": intrusion_dwell_s,
        "loitering_dwell_s": loitering_dwell_s,
        "crowding_dwell_s": crowding_dwell_s,
        "running_dwell_s": running_dwell_s,
        "abandoned_dwell_s": abandoned_dwell_s,
        "removed_dwell_s": removed_dwell_s,
        "any_object": any_object,
    }
    values = {key: value for key, value in given.items() if value is not None}
    wrong = [key for key in (("direction",) if line is None else ZONE_ONLY) if key in values]
    if wrong:
        option = OPTIONS.get(wrong[0], wrong[0].replace("_", "-"))
        raise typer.BadParameter(f"--{option} is not for {'zones' if line is None else 'lines'}.")
    what = "zone" if line is None else "line"
    part, called = name_of(zone, what)
    shape = {"polygon": polygon(corners or "")} if line is None else {"line": polyline(line)}
    camera = the_camera(camera, config)
    values = ({"name": called} if called else {}) | shape | values
    put_part(camera, f"{what}s", part, values, replace=replace, config=config)
    for unknown in _unknown((*(label or ()), *(object_label or ()))):
        warn(unknown)
    told = f"{called} ({part})" if called else part
    say(f"{camera} has the {what} {told}. Look at it: vedette zone draw {camera}")


def _unknown(labels: Iterable[str]) -> Iterator[str]:
    """Yield in words which labels the vision model does not know: what they stand for would never come."""
    from difflib import get_close_matches

    asked = dict.fromkeys(labels)
    try:
        known = known_labels() if asked else ()
    except ModelError:
        return  # `vedette doctor` says what is wrong with it
    for label in asked:
        if label not in known:
            near = get_close_matches(label.lower(), known, 1)
            hint = f"did you mean {near[0]}?" if near else "`vedette model info vision` lists what there is."
            yield f"the vision model knows no {label!r}: {hint}"


def known_labels() -> tuple[str, ...]:
    """Return what the vision model can name. Raises ModelError."""
    from agent.config.places import state_dir
    from agent.inference.card import load_card
    from agent.inference.installed import candidates

    return load_card("vision", candidates("vision", state_dir())[0]).labels


def put_part(camera: str, table: str, part: str, values: dict[str, Any], *, replace: bool, config: Path | None) -> None:
    """Write a zone, a line or a mask (`table`) of `camera`; typer.BadParameter where it may not be."""
    from agent.config.edit import edit, with_key
    from agent.config.text import parse

    def change(text: str) -> str:
        cameras = parse(text, "the configuration").get("cameras", {})
        require_entry(cameras, camera, "camera")
        other = {"zones": "lines", "lines": "zones"}.get(table, "")
        if part in cameras[camera].get(other, {}):
            raise typer.BadParameter(f"{camera} has {part} among its {other} already. Take another name.")
        if part in cameras[camera].get(table, {}) and not replace:
            raise typer.BadParameter(f"{camera} has {part} among its {table} already. Add --replace to change it.")
        return with_key(text, ("cameras", camera, table, part), values)

    edit(change, config)


def remove_part(camera: str, table: str, part: str, config: Path | None) -> None:
    """Take a zone, a line or a mask out of the configuration."""
    from agent.config.edit import edit, without_key

    camera = the_camera(camera, config)
    part = resolve_name(getattr(cameras_of(camera, config)[camera], table), part, table.removesuffix("s"))
    edit(lambda text: without_key(text, ("cameras", camera, table, part)), config)
    say(f"{part} is gone from the {table} of {camera}.")


@app.command("list")
def list_(
    camera: Annotated[str | None, typer.Argument(metavar="[CAMERA]", help="Only of this camera.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the zones and lines."""
    cameras = cameras_of(camera, config)
    rows = [
        {"camera": name, "zone": part_name, **part.model_dump(mode="json")}
        for name, its in cameras.items()
        for part_name, part in (*its.zones.items(), *its.lines.items())
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("camera", "zone", "name", "rules", "labels", "hours", "corners", "enabled"),
        [
            (
                row["camera"],
                row["zone"],
                row["name"] or "-",
                f"crossing: {row['direction']}" if "line" in row else ", ".join(row["rules"]) or "counts",
                ", ".join(row["labels"]),
                ", ".join(row["hours"]) or "always",
                corners_text(row["line"] if "line" in row else row["polygon"]),
                "yes" if row["enabled"] else "no",
            )
            for row in rows
        ],
        empty='No zone yet: vedette zone add CAMERA NAME --polygon "x,y x,y x,y"',
    )


def cameras_of(wanted: str | None, config: Path | None) -> "dict[str, Camera]":
    """Return all cameras, or the one that is wanted."""
    from agent.config.load import load

    cameras = load(config).cameras
    return {(camera := resolve_name(cameras, wanted, "camera")): cameras[camera]} if wanted else cameras


def the_camera(wanted: str, config: Path | None) -> str:
    """Return the identifier of the camera that is wanted."""
    return next(iter(cameras_of(wanted, config)))


def corners_text(corners: list[list[float]]) -> str:
    """Return corners as --polygon takes them."""
    return " ".join(f"{x:g},{y:g}" for x, y in corners)


@app.command()
def remove(camera: CameraName, zone: ZoneName, config: ConfigFile = None) -> None:
    """Take a zone or a line out of the configuration."""
    its = cameras_of(camera, config)[the_camera(camera, config)]
    part = resolve_name({**its.zones, **its.lines}, zone, "zone")
    remove_part(camera, "lines" if part in its.lines else "zones", part, config)


@app.command()
def draw(
    camera: CameraName,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; CAMERA-zones.jpg if left out.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Draw the zones, lines and masks of a camera over a picture taken now."""
    camera, its = next(iter(cameras_of(camera, config).items()))
    picture = take_picture(spec_of(camera, config))
    target = out or Path(f"{camera}-zones.jpg")
    write_picture(draw_zones(picture, its), target)
    say(f"{target}")


def draw_zones(picture: "Uint8Array", camera: "Camera") -> "Uint8Array":
    """Return `picture` (RGB) with zones in green, lines in yellow with an arrow that points in, masks in red, and a
    grid of tenths to read corners from."""
    import cv2
    import numpy as np

    height_px, width_px = picture.shape[:2]
    canvas = picture.copy()
    for tenth in range(1, 10):
        across, down = width_px * tenth // 10, height_px * tenth // 10
        cv2.line(canvas, (across, 0), (across, height_px), (128, 128, 128), 1)
        cv2.line(canvas, (0, down), (width_px, down), (128, 128, 128), 1)
        cv2.putText(canvas, f".{tenth}", (across + 2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
        cv2.putText(canvas, f".{tenth}", (2, down - 2), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    outlines = [(name, zone.polygon, (0, 220, 0)) for name, zone in camera.zones.items()]
    outlines += [(name, mask.polygon, (220, 0, 0)) for name, mask in camera.masks.items()]
    for part, polygon_frac, colour in outlines:
        corners = (np.array(polygon_frac) * (width_px - 1, height_px - 1)).round().astype(np.int32)
        cv2.polylines(canvas, [corners], True, colour, 2)
        at = (int(corners[0][0]) + 4, max(24, int(corners[0][1]) + 16))
        cv2.putText(canvas, part, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1)
    for part, line in camera.lines.items():
        _draw_line(canvas, part, np.array(line.line) * (width_px - 1, height_px - 1))
    return canvas


def _draw_line(canvas: "Uint8Array", name: str, points: "NDArray[np.float64]") -> None:
    """Draw a line with `points` in pixels, and from the middle of its longest part an arrow that points in."""
    import cv2
    import numpy as np

    colour = (240, 220, 0)
    cv2.polylines(canvas, [points.round().astype(np.int32)], False, colour, 2)
    parts = np.diff(points, axis=0)
    longest = int(np.argmax(np.hypot(parts[:, 0], parts[:, 1])))
    middle = points[longest] + parts[longest] / 2
    # Right of the way in a picture whose y points down: (x, y) turns to (-y, x).
    right = np.array([-parts[longest][1], parts[longest][0]]) / max(1.0, float(np.hypot(*parts[longest])))
    tip = middle + right * canvas.shape[0] * 0.08
    start, end = (tuple(int(value) for value in point.round()) for point in (middle, tip))
    cv2.arrowedLine(canvas, start, end, colour, 2, tipLength=0.4)
    cv2.putText(canvas, f"{name} in", (end[0] + 4, end[1]), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1)
