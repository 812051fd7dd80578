"""The command group `vedette calibrate`, found through the entry point group `vedette.commands`.

Only typer and the command line's own printing are imported before a command runs.
"""

from typing import Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, remark, say

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
