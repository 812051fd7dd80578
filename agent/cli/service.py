"""`vedette service`: install, uninstall, status, logs; what is done is shown first."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, remark, say
from agent.errors import VedetteError

if TYPE_CHECKING:
    from agent.service.installation.install import Step, Wish
    from agent.service.installation.machine import Places

app = typer.Typer(help="Run Vedette under systemd: from boot on, restarted, watched, and shut in.")

UNIT = "vedette.service"

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]


@app.command()
def install(
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEEL|DIR|SPEC", help="What to install; this very Vedette by default."),
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(metavar="DIR", exists=True, file_okay=False, help="Take every package from DIR; no network."),
    ] = None,
    python: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Python 3.11 or newer; the one of this Vedette by default.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the environment anew even if nothing changed.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Install or upgrade the service; state and configuration stay as they are."""
    from agent.service.installation.install import has_camera, install_plan, require_fit
    from agent.service.installation.machine import Places, ThisMachine

    wish, machine, places = _wish(source, wheels, python, rebuild), ThisMachine(), Places()
    require_fit(wish, machine, systemd=True)
    steps = install_plan(wish, machine, places)
    if not steps:
        say("The service is installed, up to date, and as it should be.")
    elif _agreed(steps, dry_run=dry_run, yes=yes):
        _do(steps)
        say("The service is installed.")
    if not dry_run and not has_camera(places):
        say(
            "Next: sudo vedette init, sudo vedette camera add NAME URL, sudo vedette doctor, "
            "sudo systemctl restart vedette"
        )


def _wish(source: str | None, wheels: Path | None, python: Path | None, rebuild: bool) -> "Wish":
    from agent.service.installation import distribution
    from agent.service.installation.install import Wish, default_python

    return Wish(
        source=distribution.named(source) if source else distribution.running(),
        python=python or default_python(),
        wheels=wheels.resolve() if wheels else None,
        rebuild=rebuild,
    )


@app.command()
def uninstall(
    purge: Annotated[
        bool | None,
        typer.Option("--purge/--keep-state", help="Remove or keep incidents, configuration and passwords."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Stop the service and remove it; asks whether state, configuration and passwords go, too."""
    from agent.service.installation.install import uninstall_plan
    from agent.service.installation.machine import Places, ThisMachine

    machine, places = ThisMachine(), Places()
    if purge is None:
        purge = _purge_wanted(places, asking=not yes and not dry_run and sys.stdin.isatty())
    steps = uninstall_plan(machine, places, purge=purge)
    if not steps:
        say("There is no service to remove.")
    elif _agreed(steps, dry_run=dry_run, yes=yes):
        _do(steps)
        kept = "" if purge else f" Kept: {places.state}, {places.config.parent}."
        say(f"The service is removed.{kept}")


def _purge_wanted(places: "Places", *, asking: bool) -> bool:
    there = [str(place) for place in (places.state, places.config.parent) if os.path.exists(place)]
    return bool(asking and there and _confirmed(f"Remove state, configuration and passwords too ({', '.join(there)})?"))


def _agreed(steps: "list[Step]", *, dry_run: bool, yes: bool) -> bool:
    """Show the steps; return whether they are to be done. Raises VedetteError where nobody can say."""
    for step in steps:
        say(f"  - {step.what}")
    if dry_run:
        return False
    if os.geteuid() != 0:
        raise VedetteError("this needs root", cure=f"Type: {_sudo_line()}")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise VedetteError("nobody is there to agree", cure="Add --yes, or --dry-run to look only.")
    if not _confirmed("Do this?"):
        raise VedetteError("nothing was done")
    return True


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, default=False, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


def _sudo_line() -> str:
    """Return this very command line for root, whose PATH does not know a person's environment."""
    typed = Path(sys.argv[0])
    command = [sys.executable, "-m", "agent.cli.main"] if typed.suffix == ".py" else [str(typed.absolute())]
    return shlex.join(["sudo", *command, *sys.argv[1:]])


def _do(steps: "list[Step]") -> None:
    from agent.service.installation.install import apply

    apply(steps, lambda what: remark(f"{what} …"))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say whether the service runs and how it is; exit code 1 where it does not run."""
    from agent.service.installation.machine import ThisMachine, require_systemd
    from agent.service.installation.status import describe_status, service_status

    try:
        told = service_status(ThisMachine())
    except VedetteError:
        require_systemd()  # where there is none, what systemctl says is no help
        raise
    if as_json:
        print_json(told)
    else:
        for line in describe_status(told):
            say(line)
    if told["active"] != "active":
        raise typer.Exit(1)


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
) -> None:
    """Print what the service wrote to the journal."""
    options = ["--follow"] if follow else ["--no-pager"]
    command = ["journalctl", "--unit", UNIT, "--lines", str(lines), "--output", "short-iso", *options]
    try:
        ended = subprocess.run(command, check=False)
    except FileNotFoundError:
        raise VedetteError("there is no journal on this computer", why="journalctl is missing") from None
    raise typer.Exit(1 if ended.returncode else 0)
