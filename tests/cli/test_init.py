"""`vedette init` writes a configuration that is right, explained, and never over another."""

import contextlib
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.init import _host_name
from agent.config.load import load
from tests.cli.conftest import Vedette


def test_yes_asks_nothing_and_sends_no_pictures(vedette: Vedette, config: Path) -> None:
    ended = vedette("init", "--yes", "--node", "yard", "--broker", "mqtts://broker.example:8883")
    assert ended.code == 0
    loaded = load(config)
    assert loaded.node.name == "yard"
    assert loaded.broker.url == "mqtts://broker.example:8883"
    assert not loaded.snapshots.enabled
    assert "vedette camera add" in ended.out


def test_without_a_terminal_nothing_is_asked_either(vedette: Vedette, config: Path) -> None:
    assert vedette("init").code == 0
    assert load(config).snapshots.enabled is False


def test_on_a_terminal_it_asks_and_takes_the_answers(config: Path, repository: Path) -> None:
    with terminal("-m", "agent.cli.main", "init", cwd=repository) as screen:
        screen.answer("Name of this box", "shop")
        screen.answer("MQTT broker", "mqtt://192.0.2.9")
        screen.answer("Send pictures", "y")
    assert screen.code == 0
    loaded = load(config)
    assert (loaded.node.name, loaded.broker.url, loaded.snapshots.enabled) == ("shop", "mqtt://192.0.2.9", True)


def test_control_c_at_a_question_ends_with_130_and_writes_nothing(config: Path, repository: Path) -> None:
    with terminal("-m", "agent.cli.main", "init", cwd=repository) as screen:
        screen.interrupt("Name of this box")
    assert screen.code == 130
    assert not config.exists()


class Screen:
    """A pseudo-terminal with a Python program in it."""

    def __init__(self, arguments: tuple[str, ...], cwd: Path) -> None:
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background
            os.execv(sys.executable, [sys.executable, *arguments])
        self.shown = ""
        self.ended = False
        self.quiet_s = 120.0
        self.code: int | None = None

    def answer(self, question: str, text: str) -> None:
        self._wait(question)
        os.write(self.handle, f"{text}\n".encode())

    def interrupt(self, question: str) -> None:
        """Press Ctrl-C at a question, again each second as a person would: one that comes just before readline
        waits is noted by Python and waits with it."""
        self._wait(question)
        deadline_s = time.monotonic() + 120
        while time.monotonic() < deadline_s:
            os.write(self.handle, b"\x03")
            self.quiet_s = 1.0
            while self.read():
                pass
            if self.ended:
                return

    def _wait(self, question: str) -> None:
        while question not in self.shown:
            assert self.read(), self.shown

    def read(self) -> bool:
        """Take what is shown next; False at the end, or where nothing comes for too long."""
        if not select.select([self.handle], [], [], self.quiet_s)[0]:
            return False
        try:
            part = os.read(self.handle, 4096)
        except OSError:  # Linux reports the end of a pseudo-terminal like this
            part = b""
        self.ended = not part
        self.shown += part.decode(errors="replace")
        return not self.ended

    def end(self) -> None:
        while self.read():
            pass
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.handle)


@contextlib.contextmanager
def terminal(*arguments: str, cwd: Path) -> Iterator[Screen]:
    screen = Screen(arguments, cwd)
    try:
        yield screen
    finally:
        screen.end()


def test_a_file_that_is_there_stays(vedette: Vedette, config: Path) -> None:
    vedette("init", "--yes", "--node", "first")
    ended = vedette("init", "--yes", "--node", "second")
    assert ended.code == 3
    assert "--force" in ended.err
    assert load(config).node.name == "first"
    assert vedette("init", "--yes", "--node", "second", "--force").code == 0
    assert load(config).node.name == "second"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--node", "Big Box"), ("--broker", "localhost"), ("--broker", "mqtt://me:hunter2@h"), ("--broker", "http://h")],
)
def test_a_wrong_answer_is_usage_and_writes_nothing(option: str, value: str, vedette: Vedette, config: Path) -> None:
    ended = vedette("init", "--yes", option, value)
    assert ended.code == 2
    assert option in ended.err
    assert "hunter2" not in ended.err
    assert not config.exists()


@pytest.mark.parametrize(
    ("host", "node"),
    [("Box.example.org", "box"), ("Über Box", "ber-box"), ("", "vedette"), ("---", "vedette"), ("x" * 60, "x" * 32)],
)
def test_the_host_name_becomes_a_possible_name(host: str, node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert _host_name() == node
