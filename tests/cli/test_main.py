"""The frame of the command line: every failure ends in one line and its own exit code."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from agent import __version__
from agent.cli import main as frame
from agent.cli.run import tell_times
from agent.errors import ConfigError, ModelError, SourceError, StoreError, UplinkError, VedetteError, WorkerError

HEAVY = (
    "numpy",
    "cv2",
    "av",
    "onnxruntime",
    "openvino",
    "scipy",
    "sounddevice",
    "paho",
    "amqtt",
    "pydantic",
    "tomlkit",
)
SECRET = "hunter2"


def vedette(*arguments: str, python_options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python_options, "-m", "agent.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def run_failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command line whose only work is to raise the given exception."""

    def run(error: BaseException, *arguments: str) -> int:
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.callback()
        def root() -> None: ...

        @app.command()
        def work() -> None:
            raise error

        monkeypatch.setattr(frame, "build_app", lambda: app)
        return frame.main(["work", *arguments])

    return run


def test_help_names_every_command_in_its_panel() -> None:
    shown = vedette("--help").stdout
    for panel, names in frame.PANELS.items():
        assert panel in shown
        for name in names:
            assert f"│ {name} " in shown, name


def test_help_of_every_command_says_something(capsys: pytest.CaptureFixture[str]) -> None:
    for names in frame.PANELS.values():
        for name in names:
            assert frame.main([name, "--help"]) == 0
            assert len(capsys.readouterr().out) > 200, name


def test_help_imports_in_under_half_a_second_of_work_and_nothing_heavy() -> None:
    code = (
        "import sys, time; started = time.process_time(); import agent.cli.main as m; m.build_app(); "
        "spent = time.process_time() - started; import json; "
        f"print(json.dumps([spent, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", code], timeout=300)) for _ in range(3)]
    assert runs[0][1] == []
    assert min(spent for spent, _ in runs) < 0.5


def test_version_is_that_of_the_package() -> None:
    assert vedette("--version").stdout == f"vedette {__version__}\n"


def test_without_arguments_the_help_is_shown() -> None:
    ended = vedette()
    assert ended.returncode == 2
    assert "vedette demo" in ended.stdout + ended.stderr


@pytest.mark.parametrize("arguments", [["nosuch"], ["--nosuch"], ["config", "get"], ["zone", "add", "a"]])
def test_wrong_usage_ends_with_2_and_no_traceback(arguments: list[str]) -> None:
    ended = vedette(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VedetteError("it failed"), 1),
        (ConfigError("it failed"), 3),
        (SourceError("it failed", fault="timeout"), 4),
        (UplinkError("it failed"), 5),
        (ModelError("it failed"), 6),
        (StoreError("it failed"), 1),
        (WorkerError("it failed"), 1),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("it failed"), 1),
        (BrokenPipeError(), 1),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int, run_failing: Callable[..., int]) -> None:
    assert run_failing(error) == code


def test_an_error_is_one_line_with_its_cure(
    run_failing: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_failing(ConfigError("the file is wrong", why="line 3\nis odd", cure="Mend it."))
    assert capsys.readouterr() == ("", "error the file is wrong: line 3 is odd. Mend it.\n")


def test_a_fault_of_our_own_asks_for_a_report_without_a_traceback(
    run_failing: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_failing(KeyError("x"))
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "KeyError" in shown
    assert "--debug" in shown


def test_debug_shows_the_traceback_wherever_it_stands_on_the_line(
    run_failing: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_failing(ConfigError("wrong"), "--debug")
    assert "Traceback" in capsys.readouterr().err


def test_no_password_reaches_the_screen_not_even_with_debug(
    run_failing: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_failing(OSError(f"cannot open rtsp://admin:{SECRET}@192.0.2.1/live"), "--debug")
    assert SECRET not in capsys.readouterr().err


SPEAKING = """
import logging, sys, threading
import agent.cli.main as it

def work():
    raise OSError(5, "cannot open", "rtsp://admin:hunter2@192.0.2.1/stream")

def command():
    logging.getLogger("some.library").warning("trying %s", "http://admin:hunter3@192.0.2.1/a?token=hunter4")
    logging.getLogger("some.library").warning("%d pictures", "rtsp://admin:hunter5@192.0.2.1/")
    try:
        work()
    except OSError:
        logging.getLogger("agent").exception("it failed")
    thread = threading.Thread(target=work, name="pump")
    thread.start()
    thread.join()

it.PANELS = {"Start": {"speak": command, "other": command}}
sys.argv = ["vedette", "speak", "--debug"]
it.run()
"""


def test_no_log_of_anybody_and_no_thread_that_dies_shows_a_login() -> None:
    ended = subprocess.run([sys.executable, "-c", SPEAKING], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "trying http://…@192.0.2.1/a?token=…" in ended.stderr
    assert "ERROR agent it failed" in ended.stderr
    assert "thread pump died" in ended.stderr
    assert ended.stderr.count("OSError: [Errno 5] cannot open: 'rtsp://…@192.0.2.1/stream'") == 2
    assert "%d pictures ('rtsp://…@192.0.2.1/',)" in ended.stderr
    assert "hunter" not in ended.stderr


def test_a_closed_pipe_is_no_complaint() -> None:
    command = f"{sys.executable} -m agent.cli.main config schema | head -c 1"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert (ended.stdout, ended.stderr) == ("{", "")


def test_commands_of_another_distribution_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, value = "extra", "elsewhere:app"

        def load(self) -> typer.Typer:
            app = typer.Typer()
            app.command("one")(lambda: None)
            return app

    monkeypatch.setattr(frame, "entry_points", lambda group: [Entry()] if group == "vedette.commands" else [])
    assert frame.main(["extra", "--help"]) == 0


def test_a_broken_command_of_another_distribution_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Entry:
        name, value = "extra", "elsewhere:app"

        def load(self) -> typer.Typer:
            raise ImportError("no module named elsewhere")

    monkeypatch.setattr(frame, "entry_points", lambda group: [Entry()])
    assert frame.main(["config", "path"]) == 0
    assert "extra" in capsys.readouterr().err


def test_the_checkout_runs_from_any_folder(tmp_path: Path, repository: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from agent.cli.main import run; run()", "--version"],
        cwd=tmp_path, env={"PYTHONPATH": str(repository), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.stdout.startswith("vedette ")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core there is no second thread to start")
@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_linear_algebra_starts_no_thread_that_nobody_asked_for(given: dict[str, str], threads: int) -> None:
    code = (
        "import agent.cli.main, numpy, psutil\n"
        "numpy.ones((600, 600)) @ numpy.ones((600, 600))\n"
        "print(psutil.Process().num_threads())"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    }
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True, env=environment | given
    )
    assert int(shown.stdout) == threads


LATE = """
import atexit, sys, threading
import agent.cli.main as it

def main(arguments):
    if {late}:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    atexit.register(print, "the interpreter was taken down", flush=True)
    print("done")
    return 5

it.main = main
it.run()
"""


@pytest.mark.parametrize("late", [True, False])
def test_the_interpreter_is_not_taken_down_around_a_worker_that_is_late(late: bool) -> None:
    code = LATE.format(late=late)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 5
    assert ended.stdout.splitlines() == (["done"] if late else ["done", "the interpreter was taken down"])


@pytest.mark.parametrize("word", ["schema", "path"])
def test_a_full_disk_is_no_fault_of_ours(repository: Path, word: str) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "agent.cli.main", "config", word],
            cwd=repository, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert "nothing more can be written: No space left on device" in ended.stderr
    assert "fault in Vedette" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_on_a_terminal_the_log_of_run_tells_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(stream)])
    tell_times()
    logging.getLogger("agent").warning("door: vision lost")
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING door: vision lost\n", stream.getvalue())
