"""`vedette doctor`: every stage from the camera to the broker, each failure with its cure."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import checks
from agent.cli.checks import Finding
from agent.cli.options import AsJson, ConfigFile
from agent.cli.output import console, print_json, say
from agent.errors import ConfigError, redacted

MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failed": "[red]✗[/]", "skipped": "[dim]·[/]"}

SUBJECT_WIDTH = 16  # hearing-verifier; a longer name moves what comes after it


def doctor(
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="How long to look at each camera.")] = 2.0,
    privacy: Annotated[
        bool, typer.Option("--privacy", help="Only list what leaves this box, and where it goes.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Check everything from the configuration to the broker, and say what to do about each failure."""
    if privacy:
        _privacy(config, as_json)
        return
    findings: list[Finding] = []
    width = SUBJECT_WIDTH
    for finding in examined(config, seconds):
        findings.append(finding)
        width = max(width, len(finding.subject))
        if not as_json:
            _show(finding, width)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    raise typer.Exit(checks.exit_code_of(findings))


def examined(file: Path | None, seconds: float) -> Iterator[Finding]:
    """Yield what is found at every stage, from the configuration to the broker."""
    from agent.config.load import load
    from agent.config.places import config_path, state_dir
    from agent.config.schema import Config

    try:
        config = load(file)
        place = config_path(file)
        what = (
            f"{place}, cameras: {', '.join(config.cameras) or 'none'}"
            if os.path.exists(place)
            else f"no {place} yet: defaults"
        )
        yield Finding(stage="config", subject="", status="ok", what=what)
    except ConfigError as error:
        yield checks.failed("config", "", error)
        yield Finding(stage="source", subject="", status="skipped", what="needs a configuration that is right")
        config = Config()
        usable = False
    else:
        usable = True
        yield from checks.guarded("password", "", lambda: checks.passwords(config, file))
        yield from checks.cameras(config, file, seconds)
        yield from checks.decoders()
    yield from checks.guarded("model", "", lambda: checks.models(config))
    yield from checks.wall_clock()
    yield from checks.disk(config, state_dir())
    yield from checks.load(state_dir())
    yield from checks.drift(config, state_dir())
    if usable:
        yield from checks.guarded("broker", "", lambda: checks.broker(config, file))
    else:
        yield Finding(stage="broker", subject="", status="skipped", what="needs a configuration that is right")


def _privacy(file: Path | None, as_json: bool) -> None:
    """Print exactly what leaves the box with the present configuration."""
    from agent.config.load import load
    from agent.service.privacy import privacy

    told = privacy(load(file))
    if as_json:
        print_json(asdict(told))
        return
    say("This leaves the box, and nothing else:")
    for one in told.leaving:
        say(f"  {one.topic}\n      {one.what}{'; kept by the broker' if one.retained else ''}")
    for line in (*told.pictures, told.sound):
        say(line)
    for place in told.goes_to:
        say(f"goes to {place}")
    say(f"listens to {', '.join(told.listens_to)}")


def _show(finding: Finding, width: int) -> None:
    from rich.markup import escape

    what = escape(redacted(finding.what))
    cure = f"\n{'':{15 + width}}[bold]{escape(redacted(finding.cure))}[/]" if finding.cure else ""
    subject = escape(finding.subject.ljust(width))
    console().print(f"{MARKS[finding.status]} {finding.stage:<11} {subject} {what}{cure}", soft_wrap=True)
