"""`vedette incidents`: what this box raised, from its own history; no broker needed."""

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, print_stories, print_table, remark, say
from agent.cli.when import duration_words, local, moment
from agent.errors import VedetteError

if TYPE_CHECKING:
    from agent.uplink.history.history import Query, Verdict
    from agent.uplink.storage.store import Store

app = typer.Typer(help="Incidents kept on this box: list, show, review, mark, find similar ones, export.")

SHORT_ID = 8
VERDICTS = ("true", "false")
CSV_COLUMNS = (
    "id", "started_at", "ended_at", "node", "camera", "kind", "severity",
    "confidence", "close_reason", "drill", "clip", "verdict", "note", "summary", "camera_name",
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
    from agent.uplink.messages.payload import name_in

    found = _found(state, _query(since, until, kind, camera, severity, text, only_open, limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            local(message["started_at"]),
            name_in(message),
            message["kind"] + (" (drill)" if message["drill"] else ""),
            message["severity"],
            duration_words(message),
            _verdict(message),
            message["id"][-SHORT_ID:],
            message["summary"],
        )
        for message in found
    ]
    columns = ("started", "camera", "kind", "severity", "lasted", "marked", "id", "what happened")
    print_stories(columns, rows, empty="No incident fits.")
    if len(found) == limit:
        remark(f"The newest {limit}; --limit shows more.")


@app.command()
def show(
    incident: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first or last characters of it.")],
    as_json: AsJson = False,
    state: StateFolder = None,
) -> None:
    """Show one incident: what happened, why it was raised, and every message of it."""
    from agent.uplink.history.history import all_verdicts
    from agent.uplink.outbox.delivery import deliveries

    with closing(_store(state)) as store:
        messages = _one(store, incident)
        incident_id = messages[-1]["id"]
        verdict, delivery = all_verdicts(store).get(incident_id), deliveries(store, [incident_id])[incident_id]
    if as_json:
        print_json([_with_verdict(message, verdict) for message in messages])
        return
    clip = _clip(messages[-1], _folder(state))
    _show([*messages[:-1], _with_verdict(messages[-1], verdict)], clip, delivery.words())


@app.command()
def mark(
    incident: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first or last characters of it.")],
    verdict: Annotated[str, typer.Argument(metavar="true|false", help="Whether it was what it said.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why: a cat, a film on television, a real fall.")] = "",
    state: StateFolder = None,
) -> None:
    """Say whether an incident was true: `vedette calibrate` learns from it, the lists show it."""
    from agent.uplink.history import history
    from agent.uplink.history.history import LONGEST_NOTE
    from agent.uplink.storage.store import open_beside
    from agent.uplink.uplink import DATABASE

    if verdict not in VERDICTS:
        raise typer.BadParameter(f"{verdict!r} is neither true nor false.", param_hint="VERDICT")
    if len(note) > LONGEST_NOTE:
        raise typer.BadParameter(f"a note has at most {LONGEST_NOTE} characters.", param_hint="--note")
    at = moment("0s", datetime.now(UTC)) or ""
    with closing(open_beside(_folder(state) / DATABASE)) as store:
        found = _one(store, incident)[-1]
        with store.transaction() as db:
            history.mark(db, found["id"], verdict=verdict == "true", at=at, note=note)
    remark(f"{found['kind']} of {local(found['started_at'])} at {found['camera']}: marked {verdict}.")


@app.command()
def review(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    state: StateFolder = None,
) -> None:
    """Review incidents in a browser here: pictures, clips, evidence, and two buttons for your verdict."""
    import threading

    from agent.cli.view import tell_address
    from agent.service.run import stop_on_signals
    from agent.service.viewing.run import run_review

    stop = threading.Event()
    stop_on_signals(stop)
    run_review(_folder(state), port=port, on_ready=tell_address, stop=stop)


@app.command()
def similar(
    incident: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first or last characters of it.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the most alike.")] = 10,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
    state: StateFolder = None,
) -> None:
    """List what was like this before: by kind, evidence, camera and hour of the day, the most alike first."""
    from agent.uplink.history.similarity import SHARES, rank

    with closing(_store(state)) as store:
        wanted = _one(store, incident)[-1]
    others = _found(state, _query(since, until, None, None, None, "", False, None))
    found = rank(wanted, others)[:limit]
    if as_json:
        print_json([message | {"likeness": round(likeness, 4)} for likeness, message in found])
        return
    rows = [
        (
            f"{likeness:.2f}",
            local(message["started_at"]),
            message["camera"],
            message["kind"] + (" (drill)" if message["drill"] else ""),
            _verdict(message),
            message["id"][-SHORT_ID:],
            message["summary"],
        )
        for likeness, message in found
    ]
    print_stories(
        ("alike", "started", "camera", "kind", "marked", "id", "what happened"), rows, empty="There is no other."
    )
    if rows:
        remark("Alike: " + ", ".join(f"{share:.0%} {aspect}" for aspect, share in SHARES.items()) + ". 1 is the same.")


def _clip(message: dict[str, Any], folder: Path) -> str:
    """Say where the film of an incident is."""
    from agent.uplink.evidence.clips import clip_path

    path = clip_path(folder, message["id"])
    if path is not None:
        return f"{path} ({path.stat().st_size / 1e6:.1f} MB)"
    return "none" if message["clip"] is None else f"{message['clip']} is not there: not yet, or not any more"


def _cameras(message: dict[str, Any]) -> Iterator[str]:
    """Yield the cameras of an incident, the first with what people call it."""
    from agent.uplink.messages.payload import name_in

    for camera in message["cameras"]:
        named = camera == message["camera"] and name_in(message) != camera
        yield f"{name_in(message)} ({camera})" if named else camera


def _show(messages: list[dict[str, Any]], clip: str, delivered: str) -> None:
    newest = messages[-1]
    part = "line" if newest["kind"] == "line_crossing" else "zone"
    say(newest["summary"])
    say("")
    facts = [
        ("id", newest["id"]),
        ("kind", f"{newest['kind']}, {newest['severity']}" + (", a drill" if newest["drill"] else "")),
        ("where", ", ".join(_cameras(newest)) + "".join(f", {part} {zone}" for zone in newest["zones"])),
        ("started", f"{local(newest['started_at'])} (clock {newest['clock']})"),
        ("lasted", duration_words(newest) + (f", closed: {newest['close_reason']}" if newest["close_reason"] else "")),
        ("confidence", f"{newest['confidence']:.2f}"),
        ("without sound", "would have opened" if newest["without_sound"] else "would not have opened"),
        ("without picture", "would have opened" if newest["without_picture"] else "would not have opened"),
        ("snapshot", newest["snapshot"] or "none"),
        ("clip", clip),
        ("delivery", delivered),
        ("marked", _verdict(newest, whole=True) or "not yet: vedette incidents mark ID true|false"),
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
    clips: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also copy the films of these incidents into this folder.")
    ] = None,
    state: StateFolder = None,
) -> None:
    """Write incidents, oldest first: the newest message of each as one JSON a line, or a CSV table."""
    found = _found(state, _query(since, until, kind, camera, severity, text, only_open, None))[::-1]
    try:
        with nullcontext(sys.stdout) if out == "-" else Path(out).open("w", encoding="utf-8", newline="") as file:
            _write(file, found, as_csv)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise VedetteError(f"{out} cannot be written", why=error.strerror or "", cure="Name another file.") from error
    remark(f"{len(found)} incidents exported.")
    if clips is not None:
        copied = _copy_clips([message["id"] for message in found], _folder(state), clips)
        remark(f"{copied} clip{'' if copied == 1 else 's'} copied into {clips}.")


def _copy_clips(incident_ids: list[str], folder: Path, into: Path) -> int:
    """Copy the films that there are; return how many."""
    import shutil

    from agent.uplink.evidence.clips import clip_path

    paths = [path for one in incident_ids if (path := clip_path(folder, one)) is not None]
    try:
        into.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copyfile(path, into / path.name)
    except OSError as error:
        raise VedetteError(
            f"{into} cannot be written", why=error.strerror or "", cure="Name another folder."
        ) from error
    return len(paths)


def _write(file: IO[str], messages: list[dict[str, Any]], as_csv: bool) -> None:
    if not as_csv:
        file.writelines(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)
        return
    rows = csv.DictWriter(file, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for message in messages:
        verdict = message["verdict"] or {"true": "", "note": ""}
        row = message | {"verdict": str(verdict["true"]).lower(), "note": verdict["note"]}
        rows.writerow({key: _cell(value) for key, value in row.items()})


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
    from agent.uplink.history.history import Query

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
    from agent.uplink.history.history import all_verdicts, find

    with closing(_store(state)) as store:
        verdicts = all_verdicts(store)
        return [_with_verdict(message, verdicts.get(message["id"])) for message in find(store, query)]


def _one(store: "Store", typed: str) -> list[dict[str, Any]]:
    """Return every message of the one incident that is meant. Raises VedetteError where it is none or several."""
    from agent.uplink.history.history import phases

    messages = phases(store, typed)
    if not messages:
        raise VedetteError(f"no single incident has the id {typed}", cure="See `vedette incidents list` for ids.")
    return messages


def _with_verdict(message: dict[str, Any], verdict: "Verdict | None") -> dict[str, Any]:
    return message | {"verdict": None if verdict is None else asdict(verdict)}


def _verdict(message: dict[str, Any], *, whole: bool = False) -> str:
    """Return what a person said of an incident, in a word; `whole` adds when and why."""
    verdict = message["verdict"]
    if verdict is None:
        return ""
    said = "true" if verdict["true"] else "false"
    if not whole:
        return said
    return f"{said}, {local(verdict['at'])}" + (f": {verdict['note']}" if verdict["note"] else "")


def _folder(state: Path | None) -> Path:
    from agent.config.places import state_dir

    return state or state_dir()


def _store(state: Path | None) -> "Store":
    from agent.uplink.storage.store import open_for_reading
    from agent.uplink.uplink import DATABASE

    return open_for_reading(_folder(state) / DATABASE)
