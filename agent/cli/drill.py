"""`vedette drill`: a known event through the running agent, to the broker and back."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson, ConfigFile, require_entry, resolve_name
from agent.cli.output import console, print_json, remark

if TYPE_CHECKING:
    from agent.service.drills.client import Drilled, Reached


def drill(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="fall, fire, intrusion, alarm, glass_break, gunshot or scream.")
    ],
    camera: Annotated[str, typer.Option(metavar="NAME", help="The camera that the event is played to.")],
    timeout: Annotated[
        float, typer.Option(min=5, max=600, metavar="SECONDS", help="How long to wait for it to arrive.")
    ] = 45.0,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="The agent's state folder, if not the usual one.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Prove that an alarm arrives: play a known event into the running agent and wait for it at the broker.

    What is raised says that it is a drill; the camera itself is watched all the while.
    """
    from agent.config.credentials import read_credential
    from agent.config.load import load
    from agent.config.places import state_dir
    from agent.service.drills.client import run_drill
    from agent.service.drills.plans import PLANS

    require_entry(dict(PLANS), kind, "drill")
    settings = load(config)
    camera = resolve_name(settings.cameras, camera, "camera")
    if not as_json:
        remark(f"Drill: {kind} on camera {settings.called(camera)}, to {settings.broker.url}")
    done = run_drill(
        settings,
        kind=kind,
        camera=camera,
        state_folder=state or state_dir(),
        password=read_credential("broker", config),
        timeout_s=timeout,
        on_stage=(lambda _: None) if as_json else _show,
    )
    if as_json:
        print_json(asdict(done))
    else:
        _sum_up(done)
    raise typer.Exit(0 if done.arrived else 1)


def _show(reached: "Reached") -> None:
    """Print one stage as it is reached."""
    from rich.markup import escape

    if reached.fault:
        line = f"[red]✗[/] {reached.stage:<10} {escape(reached.fault)}\n{'':13}[bold]{escape(reached.cure)}[/]"
    else:
        line = f"[green]✓[/] {reached.stage:<10} {reached.at_s:8.3f} s"
        if reached.after_event_s >= 0:
            line += f"   {reached.after_event_s:7.3f} s after it happened"
    console().print(line, soft_wrap=True)


def _sum_up(done: "Drilled") -> None:
    at_s = {reached.stage: reached.after_event_s for reached in done.stages if not reached.fault}
    if not done.arrived:
        console().print(f"[bold red]The {done.kind} did not arrive.[/]")
        return
    console().print(
        f"[bold green]Arrived[/] as a drill, {at_s['received']:.2f} s after it happened "
        f"({1000 * (at_s['received'] - at_s['opened']):.0f} ms after it was understood). Incident {done.incident}",
        soft_wrap=True,
    )
