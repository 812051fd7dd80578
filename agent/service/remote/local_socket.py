"""The local socket of a running node: a Unix socket in its state folder, mode 0600, nothing on the network.

One JSON object a line. These are answered, and then the connection is closed:

    {"action": "drill", "kind": …, "camera": …}         a line for each stage that is reached, {"stage", "at_ns", …}
    {"action": "status"}                                one: {"state", "settings", "broker_fault", "stuck"}
    {"action": "set", "setting": …, "value": …, …}      one: {"value", "kept", …}

What cannot be done is answered by one {"error", "why", "cure"}.
"""

import contextlib
import json
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from agent.errors import VedetteError

SOCKET = "private.sock"
MAX_BYTES = 4096
LOOK_S = 0.2
SPEAK_S = 2.0
_LONGEST_PATH_BYTES = 100  # of the 108 of sockaddr_un

_LOG = logging.getLogger(__name__)


class Drills(Protocol):
    """What runs drills; from any thread."""

    def run(self, kind: str, camera: str, stop: threading.Event) -> Generator[Any, None, None]:
        """Drill and yield a dataclass for every stage that is reached. Raises VedetteError where it cannot begin."""


class Controls(Protocol):
    """The part of the node's control that is needed here; from any thread."""

    def describe(self) -> dict[str, Any]:
        """Return how the node is and how everything is set."""

    def set(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Change a setting. Raises VedetteError."""


class LocalSocket:
    """The node's end. `serve` and `drill` on a thread each: who asks how it is does not wait for a drill to be over."""

    def __init__(
        self, folder: Path, drills: Drills, controls: Controls, beside: Callable[[], Mapping[str, Any]] = dict
    ) -> None:
        """`beside` says what only this machine is told of how the node is."""
        self._path = folder / SOCKET
        self._drills = drills
        self._controls = controls
        self._beside = beside
        self._drilling: queue.SimpleQueue[tuple[socket.socket, dict[str, Any]]] = queue.SimpleQueue()

    def serve(self, stop: threading.Event) -> None:
        """Answer callers until `stop` is set; where the folder takes no socket, nothing can be asked."""
        try:
            listening = _listening(self._path)
        except OSError as error:
            told = "`vedette drill`, `status` and `set` reach nobody: %s takes no socket (%s)"
            _LOG.warning(told, self._path.parent, error.strerror or error)
            return
        with listening:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    caller, _ = listening.accept()
                    self._take(caller, stop)
            self._path.unlink(missing_ok=True)

    def drill(self, stop: threading.Event) -> None:
        """Run the drills that were asked for, one after the other, until `stop` is set."""
        while not stop.is_set():
            with contextlib.suppress(queue.Empty):
                caller, asked = self._drilling.get(timeout=LOOK_S)
                with caller:
                    self._answer(caller, asked, stop)

    def _take(self, caller: socket.socket, stop: threading.Event) -> None:
        """Answer a caller, or hand them on where the answer is a drill."""
        caller.settimeout(SPEAK_S)
        asked: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            asked = _question(caller)
        if asked.get("action") == "drill":
            self._drilling.put((caller, asked))
            return
        with caller:
            self._answer(caller, asked, stop)

    def _answer(self, caller: socket.socket, asked: dict[str, Any], stop: threading.Event) -> None:
        with contextlib.suppress(OSError):  # a caller who leaves ends the drill
            try:
                for answer in self._answers(asked, stop):
                    _speak(caller, answer)
            except VedetteError as error:
                _speak(caller, {"error": error.what, "why": error.why, "cure": error.cure})

    def _answers(self, asked: dict[str, Any], stop: threading.Event) -> Iterator[dict[str, Any]]:
        match asked:
            case {"action": "drill", "kind": str(kind), "camera": str(camera)}:
                with contextlib.closing(self._drills.run(kind, camera, stop)) as steps:
                    yield from (asdict(step) for step in steps)
            case {"action": "status"}:
                yield {**self._controls.describe(), **self._beside()}
            case {"action": "set", "setting": str(setting), "value": _, **rest} if not rest.keys() - {
                "action",
                "for_s",
            }:
                payload = {name: value for name, value in asked.items() if name in ("value", "for_s")}
                yield self._controls.set(setting, payload)
            case _:
                raise VedetteError(
                    "this is no question that the agent knows", cure="Use the `vedette` command of the same version."
                )


def ask(folder: Path, kind: str, camera: str, *, timeout_s: float) -> Iterator[dict[str, Any]]:
    """Ask the node whose state is in `folder` for a drill; yield what it answers. VedetteError: nobody is there."""
    caller = _called(folder / SOCKET)
    return _answers(caller, kind, camera, timeout_s)


def answer_of(folder: Path, question: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """Return the one answer of the node whose state is in `folder`. VedetteError: nobody is there, or it refuses."""
    with _called(folder / SOCKET) as caller:
        caller.settimeout(timeout_s)
        try:
            _speak(caller, dict(question))
            with caller.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        except (OSError, ValueError) as error:
            raise VedetteError(
                f"the agent of {folder} gave no answer",
                cure="Ask again in a minute; `vedette service logs` tells what it is busy with.",
            ) from error
    if "error" in answer:
        raise VedetteError(answer["error"], why=answer["why"], cure=answer["cure"])
    return answer


def _answers(caller: socket.socket, kind: str, camera: str, timeout_s: float) -> Iterator[dict[str, Any]]:
    caller.settimeout(timeout_s)
    with caller, contextlib.suppress(OSError), caller.makefile("rb") as lines:
        _speak(caller, {"action": "drill", "kind": kind, "camera": camera})
        for line in lines:
            yield json.loads(line)


def _called(path: Path) -> socket.socket:
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reachable(path) as address:
            caller.connect(address)
    except OSError as error:
        caller.close()
        if isinstance(error, PermissionError):
            raise VedetteError(
                f"the agent of {path.parent} belongs to somebody else",
                cure="Run it as the same user, or with sudo.",
            ) from error
        raise VedetteError(
            f"no Vedette is running on {path.parent}",
            cure="Start it (`vedette run`, or `sudo systemctl start vedette`), or name its folder: --state DIR.",
        ) from error
    return caller


def _listening(path: Path) -> socket.socket:
    """Return the listening socket. The outbox's lock says that no other agent has this folder."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        with _reachable(path) as address:
            listening.bind(address)
        path.chmod(0o600)  # before it listens: nobody gets in between
        listening.listen(4)
        listening.settimeout(LOOK_S)
    except OSError:
        listening.close()
        raise
    return listening


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Yield an address of the socket that is short enough, however deep its folder lies."""
    if len(os.fsencode(path)) <= _LONGEST_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _question(caller: socket.socket) -> dict[str, Any]:
    """Return what is asked, empty for what is no question."""
    with caller.makefile("rb") as lines:
        line = lines.readline(MAX_BYTES)
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return asked if line.endswith(b"\n") and isinstance(asked, dict) else {}


def _speak(caller: socket.socket, message: dict[str, Any]) -> None:
    caller.sendall(json.dumps(message).encode() + b"\n")
