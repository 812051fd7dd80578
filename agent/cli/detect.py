"""`vedette detect`: what the vision model finds in a folder of pictures, as COCO results."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.output import print_error, remark
from agent.cli.progress import progress
from agent.cli.results import open_output
from agent.errors import ModelError, SourceError

if TYPE_CHECKING:
    from agent.inference.stills import Still
    from agent.inference.vision import VisionModel


def detect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures.", show_default=False)],
    out: Annotated[str, typer.Option(metavar="RESULTS.json|-", help="COCO results; - is stdout.", show_default=False)],
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="COCO.json", help="Only the pictures that this file lists, with its ids."),
    ] = None,
    models: Annotated[str, typer.Option(metavar="FOLDER", help="Other models than those that came along.")] = "",
) -> None:
    """Find things in pictures: COCO results with every box of score 0.01 or more, at most 100 a picture."""
    from agent.config.schema import Models
    from agent.inference.stills import STILL_SIZE_PX, stills_in, stills_listed
    from agent.inference.vision import VisionModel

    stills = stills_listed(folder, annotations) if annotations else stills_in(folder)
    model = VisionModel.load(Models(device="cpu", folder=models))
    if not model.card.coco_ids:
        raise ModelError(
            "this vision model has no results in COCO's words",
            why=f"the card of {model.card.version} names no coco_ids",
            cure="Use the model that came along, or add coco_ids to the card, one for each label.",
        )
    model.open(STILL_SIZE_PX)
    with open_output(out) as stream:
        results, bad = _looked_at(model, stills)
        json.dump(results, stream)
        stream.write("\n")
    remark(f"{len(results)} boxes in {len(stills) - bad} pictures")
    if bad:
        raise SourceError(
            f"{bad} of {len(stills)} pictures could not be read",
            fault="codec",
            cure="The lines above say which and why; the others are in the results.",
        )


def _looked_at(model: "VisionModel", stills: "tuple[Still, ...]") -> tuple[list[dict[str, Any]], int]:
    from agent.inference.stills import coco_results

    results: list[dict[str, Any]] = []
    bad = 0
    for still in progress(stills, count=len(stills), what="Pictures"):
        try:
            results += coco_results(model, still)
        except SourceError as error:
            bad += 1
            print_error(error)
    return results, bad
