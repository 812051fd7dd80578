"""The command group `vedette calibrate`, found through the entry point group `vedette.commands`.

Only typer and the command line's own printing are imported before a command runs.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, remark, say, warn
from agent.errors import VedetteError

app = typer.Typer(help="Fit Vedette to this place: its own recordings and your verdicts, with before and after.")


@app.callback()
def _group() -> None:
    """Keep this a group, however few commands it has."""


@app.command("av-offset")
def av_offset(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING…",
            help="Video with sound in which somebody claps hands a few times, in view and alone.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Measure by how much the sound comes later than the picture: clap five times in front of the camera."""
    from calibration.av_offset import measure

    offset = measure(recordings)
    if as_json:
        print_json(
            {
                "sound_late_s": round(offset.sound_late_s, 3),
                "spread_s": round(offset.spread_s, 3),
                "claps": offset.claps,
            }
        )
        return
    say(f"Sound comes {offset.sentence} (± {offset.spread_s:.3f} s, from {offset.claps} claps).")
    remark(f"Keep it: vedette config set cameras.NAME.sound_late_s {offset.sound_late_s:.3f}")


@app.command("label")
def label(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the sound: doorbell.", show_default=False)],
    clips: Annotated[
        list[str],
        typer.Argument(metavar="CLIP…", help="Recordings that hold the sound, three or more.", show_default=False),
    ],
    other: Annotated[
        list[str] | None,
        typer.Option(metavar="RECORDING", help="A recording of this place without the sound; may be repeated."),
    ] = None,
    not_a: Annotated[
        list[str] | None,
        typer.Option("--not-a", metavar="LABEL", help="What it is taken for and is not: alarm; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Where to; NAME.json by default.")] = None,
) -> None:
    """Teach a new sound: `vedette calibrate label doorbell ring*.wav --other hall.wav --not-a alarm`."""
    from agent.config.schema import Models
    from agent.inference.hearing import HearingModel
    from calibration.labels import teach

    model = HearingModel.load(Models(device="cpu"))
    _require_free(name, model.card.labels)
    _require_known(not_a or [], model.card.labels)
    taught = teach(name, clips, other or [], model)
    path = (out or Path(f"{name}.json")).absolute()
    _write(path, json.dumps(taught.content(model.card, not_a or []), indent=1) + "\n")
    say(
        f"{name}: {taught.found} of {taught.clips} clips found by heads that had not heard them; "
        f"{taught.false} of {taught.negatives} other windows taken for it."
    )
    if taught.found < taught.clips / 2:
        warn("It is not told apart well. More clips, from more places, and recordings of the place without it help.")
    remark(f"Try it: vedette listen CLIP --label {path}")
    remark(f"Keep it: vedette config set models.site_labels '[\"{path}\"]'")


def _require_free(name: str, known: tuple[str, ...]) -> None:
    from agent.inference.site_label import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, name):
        raise typer.BadParameter(f"{name!r} is no name: small letters, digits and _, a letter first", param_hint="NAME")
    if name in known:
        raise typer.BadParameter(f"the model knows {name} already; give it another name", param_hint="NAME")


def _require_known(names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"the model knows no {name}; it knows {', '.join(known)}", param_hint="--not-a")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise VedetteError(
            f"{path} cannot be written", why=error.strerror or str(error), cure="Name another file with --out."
        ) from None
