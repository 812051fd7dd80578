"""`vedette demo`: everything at once, on rendered scenes or on one's own camera, without a question asked."""

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.output import console, print_json, remark, say
from agent.errors import redacted

SEVERITY_STYLE = {"notice": "blue", "warning": "yellow", "critical": "bold red"}
PHASE_MARK = {"open": "●", "update": "·", "close": "○"}


def demo(
    source: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL|0", help="Your own file, camera URL or camera number instead of the scenes."),
    ] = None,
    keep: Annotated[Path, typer.Option(metavar="DIR", help="Where annotated video and snapshots go.")] = Path(
        "vedette-demo"
    ),
    seconds: Annotated[float, typer.Option(min=1, help="How long to watch a live source.")] = 30.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every received message and the summary as JSON.")
    ] = False,
) -> None:
    """Show the whole pipeline at work and end by itself: scenes in, incidents out at an MQTT subscriber."""
    from agent.service.demo import run_demo

    summary = run_demo(
        source=source,
        keep=keep,
        seconds=seconds,
        on_message=(lambda topic, message: print_json({"topic": topic, **message})) if as_json else _show,
        on_progress=remark,
    )
    if as_json:
        print_json({"summary": summary})
    else:
        _summarise(summary)


def _show(topic: str, message: dict[str, Any]) -> None:
    """Print one message as the subscriber received it, in one line."""
    if message["phase"] == "update" and not message["escalated"]:
        return
    style = SEVERITY_STYLE[message["severity"]]
    tail = f"closed: {message['close_reason']}" if message["phase"] == "close" else message["summary"]
    console().print(
        f"{message['at'][11:23]}  [{style}]{PHASE_MARK[message['phase']]} {message['kind']:<12}[/] "
        f"{message['camera']:<10} seq {message['seq']:<3} {tail}",
        soft_wrap=True,
    )


def _summarise(summary: dict[str, Any]) -> None:
    say("")
    for camera in summary["cameras"]:
        kinds = ", ".join(camera["kinds"]) or "nothing"
        verdict = (
            "" if camera["expected"] is None else ("  as expected" if camera["as_expected"] else "  NOT as expected")
        )
        wanted = "" if camera["expected"] is None or camera["as_expected"] else f" ({', '.join(camera['expected'])})"
        alone = ", played by itself" if camera["by_itself"] else ""
        say(f"{camera['name']:<10} {kinds}{verdict}{wanted}{alone}")
    say(
        f"\n{summary['messages']} messages through {summary['broker']}, sequence complete: "
        f"{'yes' if summary['sequence_complete'] else 'NO'}; from picture to subscriber "
        f"{summary['median_delay_ms']:.0f} ms (median). {summary['models']}."
    )
    for path in summary["files"]:
        say(f"  {redacted(path)}")
