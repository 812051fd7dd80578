"""`vedette watch`: a subscriber to all nodes of a broker; one line for each thing that happens."""

import contextlib
import getpass
import hashlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import ConfigFile
from agent.cli.output import console, remark, warn
from agent.cli.when import local

if TYPE_CHECKING:
    from agent.uplink.subscriber.feed import Feed, News
    from agent.uplink.subscriber.subscriber import Subscriber

SESSION_EXPIRY_S = 86_400  # how long the broker keeps what came while nobody watched
SEVERITY_STYLE = {"notice": "blue", "warning": "yellow", "critical": "bold red"}
PHASE_MARK = {"open": "●", "update": "·", "close": "○"}


def watch(
    node: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this box; may be repeated.")] = None,
    kind: Annotated[list[str] | None, typer.Option(metavar="KIND", help="Only this kind; may be repeated.")] = None,
    camera: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this camera; repeatable.")] = None,
    severity: Annotated[
        list[str] | None, typer.Option(metavar="S", help="notice, warning or critical; repeatable.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, incidents as they were sent.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="End after so long.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many incident messages.")] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="COMMAND",
            help="Run this where an incident opens or becomes critical; $VEDETTE_SUMMARY says what happened.",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Only what comes from now on, nothing the broker kept for us.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Watch all boxes of the broker: incidents, gaps in their sequence, boxes that go silent. Ctrl-C ends it."""
    from agent.cli.incidents import check_choices
    from agent.config.credentials import read_credential
    from agent.config.load import load
    from agent.uplink.subscriber.feed import Feed, Wanted
    from agent.uplink.subscriber.subscriber import Subscriber

    check_choices(kind, severity)
    broker = load(config).broker
    wanted = Wanted(nodes=node or (), kinds=kind or (), cameras=camera or (), severities=severity or ())
    feed = Feed(broker.base_topic, wanted)
    with _session(broker.url, fresh) as client_id:
        subscriber = Subscriber(
            broker,
            topics=feed.topics(),
            password=read_credential("broker", config),
            client_id=client_id,
            session_expiry_s=SESSION_EXPIRY_S if client_id else 0,
        )
        if not as_json:
            remark(f"Watching {broker.url}. Ctrl-C ends it.")
        try:
            _watch(subscriber, feed, _teller(_tell_json if as_json else _tell, run), seconds, count)
        finally:
            subscriber.close()
            if not as_json:
                _sum_up(feed)


def _teller(tell: Callable[["News"], bool], command: str | None) -> Callable[["News"], bool]:
    """Return `tell` that also runs the person's command where somebody is to be told."""
    if command is None:
        return tell

    from agent.cli.runner import is_due, run_for
    from agent.uplink.subscriber.feed import IncidentNews

    def told(news: "News") -> bool:
        is_incident = tell(news)
        if isinstance(news, IncidentNews) and is_due(news.message):
            run_for(news.message, command)
        return is_incident

    return told


def _watch(
    subscriber: "Subscriber",
    feed: "Feed",
    tell: Callable[["News"], bool],
    seconds: float | None,
    count: int | None,
) -> None:
    until_s = None if seconds is None else time.monotonic() + seconds
    told = 0
    with contextlib.closing(subscriber.messages(until_s=until_s)) as messages:
        for received in messages:
            now_s = time.monotonic()
            for news in [*(feed.take(received, now_s) if received else ()), *feed.overdue(now_s)]:
                told += tell(news)
                if told == count:
                    return


def _tell(news: "News") -> bool:
    """Print one line; return whether it was an incident message."""
    from rich.markup import escape

    from agent.uplink.subscriber.feed import GapNews, IncidentNews, MissingNews, OddNews, StatusNews

    match news:
        case IncidentNews(message=message):
            console().print(_incident_line(message), soft_wrap=True)
            return True
        case GapNews(node=node, message=message):
            count, reason = message["count"], message["reason"]
            console().print(
                f"[yellow]gap[/] {escape(_plain(node))}: gave up {count} messages ({reason})", soft_wrap=True
            )
        case StatusNews(node=node, status=status):
            style = {"online": "green", "offline": "bold red"}.get(status, "yellow")
            console().print(f"[{style}]{escape(_plain(status))}[/] {escape(_plain(node))}", soft_wrap=True)
        case MissingNews(node=node, ranges=ranges):
            console().print(f"[bold red]missing[/] {escape(_plain(node))}: seq {_spans(ranges)}", soft_wrap=True)
        case OddNews(topic=topic, why=why):
            warn(f"{_plain(topic)} is not a message of Vedette: {_plain(why)}")
    return False


def _incident_line(message: dict[str, Any]) -> str:
    from rich.markup import escape

    from agent.uplink.messages.payload import name_in

    tail = f"closed: {message['close_reason']}" if message["phase"] == "close" else message["summary"]
    marks = "".join(f" [dim]{word}[/]" for word in ("drill", "delayed") if message[word])
    style, mark = SEVERITY_STYLE[message["severity"]], PHASE_MARK[message["phase"]]
    where = f"{message['node']}/{name_in(message)}"
    return (
        f"{local(message['at'])[11:]}  [{style}]{mark} {escape(_plain(message['kind'])):<14}[/] "
        f"{escape(_plain(where)):<20} seq {message['seq']:<5}{marks} {escape(_plain(tail))}"
    )


def _plain(text: object) -> str:
    """Return text of the network without what it could do to a terminal."""
    return "".join(character if character.isprintable() else "�" for character in str(text))


def _spans(ranges: list[tuple[int, int]]) -> str:
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)


def _tell_json(news: "News") -> bool:
    """Print one JSON object; return whether it was an incident message."""
    from agent.uplink.subscriber.feed import GapNews, IncidentNews, MissingNews, OddNews, StatusNews

    match news:
        case IncidentNews(message=message) | GapNews(message=message):
            told = message
        case StatusNews(node=node, status=status):
            told = {"node": node, "status": status}
        case MissingNews(node=node, ranges=ranges):
            told = {"node": node, "missing": ranges}
        case OddNews(topic=topic, why=why):
            told = {"topic": topic, "odd": why}
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return isinstance(news, IncidentNews)


def _sum_up(feed: "Feed") -> None:
    for node, sequence in sorted(feed.sequences.items()):
        missing = sequence.missing()
        verdict = f"missing seq {_spans(missing)}" if missing else "nothing missing"
        given_up = f", {sequence.given_up} given up by the box" if sequence.given_up else ""
        remark(f"{_plain(node)}: {sequence.received} messages, {verdict}{given_up}")


@contextlib.contextmanager
def _session(url: str, fresh: bool) -> Iterator[str]:
    """Yield the client id under which the broker keeps messages for this person here, or none.

    Only one watcher at a time can have it: a second one would throw the first off the broker.
    """
    if fresh:
        yield ""
        return
    import fcntl

    who = f"{getpass.getuser() if os.environ.get('USER') else os.getuid()}@{socket.gethostname()} {url}"
    client_id = f"vedette-watch-{hashlib.sha256(who.encode()).hexdigest()[:12]}"
    with (Path(tempfile.gettempdir()) / f"{client_id}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            remark("Another watcher runs here already: this one sees only what comes from now on.")
            client_id = ""
        yield client_id
