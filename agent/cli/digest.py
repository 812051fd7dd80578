"""`vedette digest`: a day of this box on one page, and as a film of its pictures."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, remark
from agent.errors import VedetteError

if TYPE_CHECKING:
    from agent.service.digest.day import Day


def digest(
    day: Annotated[str, typer.Option(metavar="D", help="today, yesterday or a date such as 2026-11-21.")] = "today",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The page; - is stdout. Usually vedette-DAY.html here."),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also a film (MP4) of the pictures kept, a few seconds each.")
    ] = None,
    clips: Annotated[
        bool, typer.Option("--clips", help="Put the films of incidents into the page, where they are kept.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="The state folder, instead of the usual one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a day in one page: incidents with their pictures and reasons, a timeline, counts, quiet hours.

    The page needs no network. Pictures are in it where snapshots are enabled; clips are linked, for a browser on
    this box, or put into it with --clips.
    """
    from agent.config.places import state_dir
    from agent.service.digest.day import gather_day, summary
    from agent.service.digest.page import page

    now = datetime.now(UTC)
    wanted = _date(day, now.astimezone().date())
    told = gather_day(state or state_dir(), wanted, zone=None, now=now)
    if str(out) == "-":
        sys.stdout.write(page(told, now, with_clips=clips))
    elif out is not None or not as_json:
        _write(out or Path(f"vedette-{wanted}.html"), page(told, now, with_clips=clips))
    if video is not None:
        _film(told, video)
    if as_json:
        print_json(summary(told))


def _film(told: "Day", video: Path) -> None:
    from agent.service.digest.reel import write_reel

    shown = write_reel(told, video)
    remark(
        f"{video}: {shown} picture{'' if shown == 1 else 's'}"
        if shown
        else f"{video} is not written: no picture was kept on that day."
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise VedetteError(f"{path} cannot be written", why=error.strerror or "", cure="Name another file.") from error
    remark(f"{path}: {len(text.encode()) / 1000:.0f} kB")


def _date(typed: str, today: date) -> date:
    if typed in ("today", "yesterday"):
        return today - timedelta(days=typed == "yesterday")
    try:
        found = date.fromisoformat(typed)
        if 1970 <= found.year <= 9000:
            return found
        raise ValueError
    except ValueError:
        raise typer.BadParameter(
            f"{typed!r} is no day. Write today, yesterday or 2026-11-21.", param_hint="--day"
        ) from None
