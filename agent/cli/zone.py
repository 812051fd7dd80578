"""`vedette zone`: parts of the picture with rules; `vedette mask` (its twin) is in mask.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.look import spec_of, take_picture, write_jpeg
from agent.cli.options import AsJson, ConfigFile, known, name, polygon
from agent.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from agent.config.schema import Camera
    from agent.types import Uint8Array

app = typer.Typer(help="Zones: where in the picture somebody should not be, or not stay.")

CameraName = Annotated[str, typer.Argument(metavar="CAMERA", callback=name, help="The camera's name.")]
ZoneName = Annotated[str, typer.Argument(metavar="NAME", callback=name, help="The zone's name.")]
Corners = Annotated[
    str,
    typer.Option(
        "--polygon",
        metavar='"x,y x,y x,y"',
        help="Corners in fractions of the picture, from its upper left corner.",
        show_default=False,
    ),
]


@app.command()
def add(
    camera: CameraName,
    zone: ZoneName,
    corners: Corners,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="intrusion|loitering", help="What is not allowed; may be repeated.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="What counts; may be repeated.")] = None,
    intrusion_dwell_s: Annotated[float | None, typer.Option(min=0, help="Seconds before it is an intrusion.")] = None,
    loitering_dwell_s: Annotated[float | None, typer.Option(min=1, help="Seconds before it is loitering.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Change a zone that exists.")] = False,
    config: ConfigFile = None,
) -> None:
    """Add a zone to a camera.

    For example: vedette zone add door yard --polygon "0.1,0.5 0.9,0.5 0.9,1 0.1,1" --rule loitering
    """
    given = {
        "rules": rule,
        "labels": label,
        "intrusion_dwell_s": intrusion_dwell_s,
        "loitering_dwell_s": loitering_dwell_s,
    }
    values = {"polygon": polygon(corners), **{key: value for key, value in given.items() if value is not None}}
    put_part(camera, "zones", zone, values, replace=replace, config=config)
    say(f"{camera} has the zone {zone}. Look at it: vedette zone draw {camera}")


def put_part(camera: str, table: str, part: str, values: dict[str, Any], *, replace: bool, config: Path | None) -> None:
    """Write a zone or a mask (`table`) of `camera`; typer.BadParameter where it may not be."""
    from agent.config.edit import edit, with_key
    from agent.config.text import parse

    def change(text: str) -> str:
        cameras = parse(text, "the configuration").get("cameras", {})
        known(cameras, camera, "camera")
        if part in cameras[camera].get(table, {}) and not replace:
            raise typer.BadParameter(f"{camera} has {part} among its {table} already. Add --replace to change it.")
        return with_key(text, ("cameras", camera, table, part), values)

    edit(change, config)


def remove_part(camera: str, table: str, part: str, config: Path | None) -> None:
    """Take a zone or a mask out of the configuration."""
    from agent.config.edit import edit, without_key
    from agent.config.load import load

    parts = getattr(known(load(config).cameras, camera, "camera"), table)
    known(parts, part, table.removesuffix("s"))
    edit(lambda text: without_key(text, ("cameras", camera, table, part)), config)
    say(f"{part} is gone from the {table} of {camera}.")


@app.command("list")
def list_(
    camera: Annotated[str | None, typer.Argument(metavar="[CAMERA]", help="Only of this camera.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the zones."""
    rows = [
        {"camera": name, "zone": zone_name, **zone.model_dump(mode="json")}
        for name, its in cameras_of(camera, config).items()
        for zone_name, zone in its.zones.items()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("camera", "zone", "rules", "labels", "polygon", "enabled"),
        [
            (
                row["camera"],
                row["zone"],
                ", ".join(row["rules"]),
                ", ".join(row["labels"]),
                spelled(row["polygon"]),
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
    return {wanted: known(cameras, wanted, "camera")} if wanted else cameras


def spelled(corners: list[list[float]]) -> str:
    """Return corners as --polygon takes them."""
    return " ".join(f"{x:g},{y:g}" for x, y in corners)


@app.command()
def remove(camera: CameraName, zone: ZoneName, config: ConfigFile = None) -> None:
    """Take a zone out of the configuration."""
    remove_part(camera, "zones", zone, config)


@app.command()
def draw(
    camera: CameraName,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to.")] = None,
    config: ConfigFile = None,
) -> None:
    """Draw the zones and masks of a camera over a picture taken now."""
    its = cameras_of(camera, config)[camera]
    picture = take_picture(spec_of(camera, config))
    target = out or Path(f"{camera}-zones.jpg")
    write_jpeg(drawn(picture, its), target)
    say(f"{target}")


def drawn(picture: "Uint8Array", camera: "Camera") -> "Uint8Array":
    """Return `picture` (RGB) with zones in green, masks in red, and a grid of tenths to read corners from."""
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
    return canvas
