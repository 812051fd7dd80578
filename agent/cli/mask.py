"""`vedette mask`: parts of the picture that are blackened before anything looks at them."""

import typer

from agent.cli.options import AsJson, ConfigFile, polygon
from agent.cli.output import print_json, print_table, say
from agent.cli.zone import CameraName, Corners, PlainName, cameras_of, corners_text, put_part, remove_part, the_camera

app = typer.Typer(help="Privacy masks: what no model and no snapshot ever sees.")


@app.command()
def add(
    camera: CameraName,
    mask: PlainName,
    corners: Corners,
    replace: bool = typer.Option(False, "--replace", help="Change a mask that exists."),
    config: ConfigFile = None,
) -> None:
    """Add a mask to a camera.

    For example: vedette mask add door neighbour --polygon "0,0 0.3,0 0.3,0.4 0,0.4"
    """
    camera = the_camera(camera, config)
    put_part(camera, "masks", mask, {"polygon": polygon(corners)}, replace=replace, config=config)
    say(f"{camera} has the mask {mask}. Look at it: vedette zone draw {camera}")


@app.command("list")
def list_(
    camera: str | None = typer.Argument(None, metavar="[CAMERA]", help="Only of this camera."),
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the masks."""
    rows = [
        {"camera": name, "mask": mask_name, **mask.model_dump(mode="json")}
        for name, its in cameras_of(camera, config).items()
        for mask_name, mask in its.masks.items()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("camera", "mask", "polygon"),
        [(row["camera"], row["mask"], corners_text(row["polygon"])) for row in rows],
        empty='No mask yet: vedette mask add CAMERA NAME --polygon "x,y x,y x,y"',
    )


@app.command()
def remove(camera: CameraName, mask: PlainName, config: ConfigFile = None) -> None:
    """Take a mask out of the configuration."""
    remove_part(camera, "masks", mask, config)
