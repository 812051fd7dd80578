"""`vedette support-bundle`: one file for those who help: what is installed, how it is set and how it is."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.doctor import examined
from agent.cli.options import ConfigFile
from agent.cli.output import remark, say


def support_bundle(
    out: Annotated[
        Path | None,
        typer.Argument(metavar="OUT.tar.gz", help="The file; named after the time by default.", show_default=False),
    ] = None,
    doctor: Annotated[
        bool, typer.Option("--doctor/--no-doctor", help="Try cameras and broker, too; takes some seconds each.")
    ] = True,
    config: ConfigFile = None,
) -> None:
    """Collect configuration, versions, findings, state and log in one file: no password, no picture."""
    import json

    from agent.config.places import state_dir
    from agent.service.installation.machine import ThisMachine
    from agent.service.installation.support_bundle import Scrubber, collected, known_secrets, write

    place = out or Path(time.strftime("vedette-support-%Y%m%d-%H%M%S.tar.gz"))
    texts = collected(config, state_dir(), ThisMachine())
    if doctor:
        remark("Trying cameras and broker …")
        findings = [asdict(finding) for finding in examined(config, 2.0)]
        texts["doctor.json"] = json.dumps(findings, indent=2, ensure_ascii=False) + "\n"
    write(place, texts, Scrubber(known_secrets(config)), at_s=time.time())
    say(f"{place}: {', '.join(texts)}")
    say("It names cameras, addresses and this box, but holds no password and no picture. Look at it before it leaves.")
