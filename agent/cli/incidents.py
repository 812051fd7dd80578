"""`vedette incidents`: what this box raised, from its own history; no broker needed."""

import csv
import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, print_table, remark, say
from agent.cli.when import lasted, local, moment
from agent.errors import VedetteError

if TYPE_CHECKING:
    from agent.uplink.history import Query
    from agent.uplink.store import Store

app = typer.Typer(help="Incidents kept on this box: list, show, export.")

SHORT_ID = 8
CSV_COLUMNS = (
    "id", "started_at", "ended_at", "node", "camera", "kind", "severity",
    "confidence", "close_reason", "drill", "summary",
)  # fmt: skip

Since = Annotated[str | None, typer.Option(metavar="TIME", help="From then on: 90m, 2d, today, 08:30, 2026-11-21.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", metavar="KIND", help="Only this kind; may be repeated.")]
Cameras = Annotated[list[str] | None, typer.Option("--camera", metavar="NAME", help="Only this camera; repeatable.")]
Severities = Annotated[
    list[str] | None, typer.Option("--severity", metavar="S", help="notice, warning or critical; repeatable.")
]
Text = Annotated[str, typer.Option(metavar="WORDS", help="Every word in its sentence, kind, zones or signals.")]
OnlyOpen = Annotated[bool, typer.Option("--open", help="Only those that are not over.")]
StateFolder = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The state folder, instead of the usual one.")
]


@app.command("list")
def list_(
    since: Since = None,
    until: Until = None,
    kind: Kinds = None,
    camera: Cameras = None,
    severity: Severities = None,
    text: Text = "",
    only_open: OnlyOpen = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
    state: StateFolder = None,
) -> None:
    """List incidents, newest first: `vedette incidents list --since 2d --kind fall`."""
    found = _found(state, _query(since, until, kind, camera, severity, text, only_open, limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            local(message["started_at"]),
            message["camera"],
            message["kind"] + (" (drill)" if message["drill"] else ""),
            message["severity"],
            lasted(message),
            message["id"][-SHORT_ID:],
            message["summary"],
        )
        for message in found
    ]
    columns = ("started", "camera", "kind", "severity", "lasted", "id", "what happened")
    print_table(columns, rows, empty="No incident fits.")
    if len(found) == limit:
        remark(f"The newest {limit}; --limit shows more.")


@app.command()
def show(
    incident: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first or last characters of it.")],
    as_json: AsJson = False,
    state: StateFolder = None,
) -> None:
    """Show one incident: what happened, why it was raised, and every message of it."""
    from agent.uplink.history import phases

    store = _store(state)
    try:
        messages = phases(store, incident)
    finally:
        store.close()
    if not messages:
        raise VedetteError(f"no single incident has the id {incident}", cure="See `vedette incidents list` for ids.")
    if as_json:
        print_json(messages)
        return
    _show(messages)


def _show(messages: list[dict[str, Any]]) -> None:
    newest = messages[-1]
    say(newest["summary"])
    say("")
    facts = [
        ("id", newest["id"]),
        ("kind", f"{newest['kind']}, {newest['severity']}" + (", a drill" if newest["drill"] else "")),
        ("where", ", ".join(newest["cameras"]) + "".join(f", zone {zone}" for zone in newest["zones"])),
        ("started", f"{local(newest['started_at'])} (clock {newest['clock']})"),
        ("lasted", lasted(newest) + (f", closed: {newest['close_reason']}" if newest["close_reason"] else "")),
        ("confidence", f"{newest['confidence']:.2f}"),
        ("without sound", "would have opened" if newest["without_sound"] else "would not have opened"),
        ("without picture", "would have opened" if newest["without_picture"] else "would not have opened"),
        ("snapshot", newest["snapshot"] or "none"),
        ("models", ", ".join(f"{name} {digest}" for name, digest in newest["models"].items()) or "-"),
    ]
    print_table(("", ""), facts)
    say("")
    evidence = [
        (local(e["at"])[11:], e["signal"], e["modality"], f"{e['score']:.2f}", f"{e['llr']:+.1f}", e.get("zone", ""))
        for e in newest["evidence"]
    ]
    print_table(("at", "evidence", "from", "score", "llr", "zone"), evidence, empty="No evidence was kept.")
    say("")
    print_table(
        ("at", "message", "seq", "confidence"),
        [(local(m["at"])[11:], m["phase"], m["seq"], f"{m['confidence']:.2f}") for m in messages],
    )


@app.command()
def export(
    out: Annotated[str, typer.Argument(metavar="OUT|-", help="The file; - is stdout.")] = "-",
    as_csv: Annotated[
        bool, typer.Option("--csv", help="A table for a spreadsheet, instead of one JSON a line.")
    ] = False,
    since: Since = None,
    until: Until = None,
    kind: Kinds = None,
    camera: Cameras = None,
    severity: Severities = None,
    text: Text = "",
    only_open: OnlyOpen = False,
    state: StateFolder = None,
) -> None:
    """Write incidents, oldest first: the newest message of each as one JSON a line, or a CSV table."""
    found = _found(state, _query(since, until, kind, camera, severity, text, only_open, None))[::-1]
    try:
        with nullcontext(sys.stdout) if out == "-" else Path(out).open("w", encoding="utf-8", newline="") as file:
            _write(file, found, as_csv)
    except OSError as error:
        raise VedetteError(f"{out} cannot be written", why=error.strerror or "", cure="Name another file.") from error
    remark(f"{len(found)} incidents exported.")


def _write(file: IO[str], messages: list[dict[str, Any]], as_csv: bool) -> None:
    if not as_csv:
        file.writelines(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)
        return
    rows = csv.DictWriter(file, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    rows.writerows({key: _cell(value) for key, value in message.items()} for message in messages)


def _cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _query(
    since: str | None,
    until: str | None,
    kind: list[str] | None,
    camera: list[str] | None,
    severity: list[str] | None,
    text: str,
    only_open: bool,
    limit: int | None,
) -> "Query":
    from agent.uplink.history import Query

    check_choices(kind, severity)
    now = datetime.now(UTC)
    return Query(
        since=moment(since, now),
        until=moment(until, now),
        kinds=kind or (),
        cameras=camera or (),
        severities=severity or (),
        text=text,
        only_open=only_open,
        limit=limit,
    )


def check_choices(kinds: list[str] | None, severities: list[str] | None) -> None:
    """Refuse kinds and severities that do not exist, naming the nearest that does. Raises typer.BadParameter."""
    from difflib import get_close_matches

    from agent.kinds import KINDS

    for option, typed, known in (
        ("--kind", kinds, tuple(KINDS)),
        ("--severity", severities, ("notice", "warning", "critical")),
    ):
        for word in typed or ():
            if word not in known:
                near = get_close_matches(word, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
                raise typer.BadParameter(f"there is no {word!r}; {hint}", param_hint=option)


def _found(state: Path | None, query: "Query") -> list[dict[str, Any]]:
    from agent.uplink.history import find

    store = _store(state)
    try:
        return find(store, query)
    finally:
        store.close()


def _store(state: Path | None) -> "Store":
    from agent.config.places import state_dir
    from agent.uplink.door import DATABASE
    from agent.uplink.store import open_for_reading

    return open_for_reading((state or state_dir()) / DATABASE)
