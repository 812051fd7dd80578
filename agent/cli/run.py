"""`vedette run`: the service."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.output import remark


def run(
    config: Annotated[
        Path | None, typer.Option(metavar="F", help="Configuration; the installed one by default.")
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

    if logging.getLogger().level > logging.INFO:
        logging.getLogger("agent").setLevel(logging.INFO)
    run_service(path=config, overrides=set_ or [], record=record, on_ready=remark)
