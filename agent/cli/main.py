"""The entry point `vedette`: which commands there are, and how every failure ends.

Exit codes: 0 done; 1 the work failed; 2 usage; 3 configuration; 4 a source could not be opened;
5 broker; 6 model; 130 interrupted. A failure is one line with its cure; `--debug` adds the traceback.

A command module imports only typer, rich, the standard library and light modules at its top, so that
`vedette --help` feels instant.
Other distributions add commands through the entry point group `vedette.commands`.
"""

import contextlib
import errno
import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agent import __version__
from agent.cli import (
    bench,
    camera,
    config,
    demo,
    detect,
    digest,
    doctor,
    drill,
    incidents,
    init,
    listen,
    mask,
    mic,
    model,
    replay,
    service,
    status,
    support_bundle,
    track,
    view,
    watch,
    zone,
)
from agent.cli import run as run_command
from agent.cli.output import print_error, remarks, warn
from agent.errors import VedetteError, redacted

PANELS: dict[str, dict[str, Any]] = {
    "Start": {"demo": demo.demo, "init": init.init, "doctor": doctor.doctor},
    "Cameras and microphones": {
        "camera": camera.app,
        "mic": mic.app,
        "view": view.view,
        "zone": zone.app,
        "mask": mask.app,
        "config": config.app,
    },
    "Measure on recordings": {
        "replay": replay.replay,
        "listen": listen.listen,
        "detect": detect.detect,
        "track": track.track,
        "bench": bench.bench,
        "model": model.app,
    },
    "Operate": {
        "run": run_command.run,
        "status": status.status,
        "set": status.set_,
        "watch": watch.watch,
        "incidents": incidents.app,
        "digest": digest.digest,
        "drill": drill.drill,
        "service": service.app,
        "support-bundle": support_bundle.support_bundle,
    },
}
EXTENSIONS_PANEL = "More"

DESCRIPTION = """
An agent beside a camera and a microphone. It looks and listens, and tells your MQTT broker few, true,
explained incidents: a fall, a fire, breaking glass, someone where nobody should be. No picture leaves
this box unless you ask for it.

See it work in a minute:   vedette demo

Put it to work:            vedette init, vedette camera add, vedette doctor, vedette run
"""


class _InTableOrder(TyperGroup):
    """Lists the commands in the order of PANELS, commands of other distributions last."""

    def list_commands(self, ctx: Any) -> list[str]:
        order = [name for names in PANELS.values() for name in names]
        return sorted(super().list_commands(ctx), key=lambda name: order.index(name) if name in order else len(order))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vedette {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and every log line, without secrets.")
    ] = False,
) -> None:
    """Take the options that every command knows; `run` has read --debug from the arguments already."""


def _add(app: typer.Typer, name: str, command: Any, panel: str) -> None:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, rich_help_panel=panel, no_args_is_help=True)
    else:
        app.command(name, rich_help_panel=panel)(command)


def _add_own(app: typer.Typer) -> None:
    for panel, commands in PANELS.items():
        for name, command in commands.items():
            _add(app, name, command, panel)


def _add_extensions(app: typer.Typer) -> None:
    for entry in entry_points(group="vedette.commands"):
        try:
            _add(app, entry.name, entry.load(), EXTENSIONS_PANEL)
        except (ImportError, AttributeError) as error:
            warn(f"the command {entry.name} of {entry.value} cannot be loaded: {error}")


def build_app() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        name="vedette",
        cls=_InTableOrder,
        help=DESCRIPTION,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    _add_own(app)
    _add_extensions(app)
    return app


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Take --debug out of wherever it stands before `--`: people add it at the end of a line that failed."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return kept + list(arguments[end:]), len(kept) < end


def _speak_utf8() -> None:
    """Let no file name or sentence fail on a stream that cannot spell it."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors=errors)


def _drop_stdout() -> None:
    """Keep the interpreter from complaining, at exit, about a pipe whose reader has left."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    arguments, debug = _without_debug(arguments)
    _begin_log(debug)
    try:
        build_app()(args=arguments, prog_name="vedette")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_stdout()
        return 1
    except VedetteError as error:
        _show_traceback(debug)
        print_error(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the one place above which nobody would see it
        _show_traceback(debug)
        print_error(_own_fault(error))
        return 1
    return 0


def _begin_log(debug: bool) -> None:
    """Log to stderr, whatever anybody logs without its secrets: addresses stand in errors of libraries as they were."""
    handler = logging.StreamHandler()
    handler.addFilter(without_secrets)
    level, form = logging.DEBUG if debug else logging.WARNING, "%(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=level, format=form, handlers=[handler])


def without_secrets(record: logging.LogRecord) -> bool:
    """Take logins out of a line of the log and of its traceback; it is logged all the same."""
    try:
        said = record.getMessage()
    except (TypeError, ValueError):  # a library's words do not fit its text: logging would print them as they are
        said = f"{record.msg} {record.args}"
    record.msg, record.args = redacted(said), None
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = redacted("".join(traceback.format_exception(*record.exc_info))).rstrip("\n")
    return True


def _log_death(died: threading.ExceptHookArgs) -> None:
    if died.exc_value is not None and not isinstance(died.exc_value, SystemExit):
        name = died.thread.name if died.thread is not None else "?"
        logging.getLogger("agent").error(
            "thread %s died", name, exc_info=(died.exc_type, died.exc_value, died.exc_traceback)
        )


def _own_fault(error: Exception) -> VedetteError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return VedetteError("nothing more can be written", why=error.strerror or "", cure="Make room on the disk.")
    reason = str(error).splitlines()[0] if str(error) else "no further message"
    return VedetteError(
        "a fault in Vedette itself",
        why=f"{type(error).__name__}, {reason}",
        cure="Run it again with --debug and report what it prints.",
    )


def _show_traceback(wanted: bool) -> None:
    if wanted:
        remarks().print(redacted(traceback.format_exc()), markup=False, soft_wrap=True)


def run() -> None:
    """Entry point of the console script."""
    _speak_utf8()
    threading.excepthook = _log_death
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:  # a full disk, found out only now
        _drop_stdout()
        print_error(_own_fault(error))
        code = code or 1
    if any(thread.daemon for thread in threading.enumerate() if thread is not threading.current_thread()):
        _end_now(code)
    sys.exit(code)


def _end_now(code: int) -> None:
    """End the process as it is: a worker that did not stop in time may be inside a model that is being opened.

    Such a thread is written in C++, and taking the interpreter down around it aborts the process now and then.
    """
    logging.shutdown()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
