"""`vedette replay`: the whole pipeline on recordings, twice the same bytes."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.output import remark, say, warn


def replay(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="Video or sound files, folders of numbered pictures, recorded observations, or URLs.",
            show_default=False,
        ),
    ],
    json_lines: Annotated[
        str | None, typer.Option(metavar="OUT|-", help="One incident message a line; - is stdout.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Belief per analysed picture and kind.")
    ] = None,
    video: Annotated[Path | None, typer.Option(metavar="OUT.mp4", help="Annotated video.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="OUT.png", help="Timeline of beliefs and incidents.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="F", help="Zones and thresholds; none is read otherwise.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the configuration.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose zones and masks apply; the only camera by default.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="F", min=0.01, max=1000.0, help="Pictures per second of a picture folder.")
    ] = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Analyse every picture, not some per second.")
    ] = False,
    normality: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="What `vedette calibrate normality` learned: judge what is unusual."),
    ] = None,
    continuous: Annotated[bool, typer.Option("--continuous", help="Join the sources into one scene.")] = False,
    start: Annotated[
        str, typer.Option(metavar="TIME", help="Wall time of the first picture, RFC 3339.")
    ] = "1970-01-01T00:00:00Z",
) -> None:
    """Run recordings through the whole pipeline and report every incident."""
    from agent.service.recordings.replay_files import Destinations, Request, replay_files

    if "" in sources:
        raise typer.BadParameter("the name of a source is empty.", param_hint="SOURCE")
    request = Request(
        sources=sources,
        destinations=Destinations(json_lines=json_lines, scores=scores, video=video, plot=plot),
        config_path=config,
        overrides=set_ or [],
        camera=camera,
        picture_fps=fps,
        every_frame=every_frame,
        continuous=continuous,
        start_wall_ns=_wall_ns(start),
        normality_path=normality,
    )
    told = remark if json_lines == "-" else say
    replay_files(
        request, warn=warn, on_message=lambda message: _tell(message, told), on_end=lambda it: remark(it.line())
    )


def _tell(message: dict[str, Any], told: Callable[[str], None]) -> None:
    if message["phase"] == "open" or message["escalated"]:
        told(f"{message['media_time_s']:8.2f} s  {message['kind']:<14} {message['source']}: {message['summary']}")


def _wall_ns(text: str) -> int:
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return round(moment.timestamp() * 1000) * 1_000_000
    raise typer.BadParameter(
        f"{text!r} is not a time with its zone, such as 2026-11-21T09:30:00Z", param_hint="--start"
    )
