"""`vedette run`: the service."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.output import remark


def run(
    config: Annotated[
        Path | None, typer.Option(metavar="F", help="The configuration, instead of the usual one.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the configuration.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep every observation for `vedette replay DIR`.")
    ] = None,
) -> None:
    """Watch and listen, and send incidents to the broker, until stopped."""
    from agent.service.run import run_service
    from agent.service.telemetry.library_noise import held_back

    if logging.getLogger().level > logging.INFO:
        logging.getLogger("agent").setLevel(logging.INFO)
    if sys.stderr.isatty():
        tell_times()
    with held_back():
        run_service(path=config, overrides=set_ or [], record=record, on_ready=remark)


def tell_times() -> None:
    """Put the time of day before each line of the log: journals have their own, a terminal has not."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
