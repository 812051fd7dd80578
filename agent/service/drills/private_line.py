"""The private line to a running node: a Unix socket in its state folder, mode 0600, nothing on the network.

One JSON object a line. Asked: {"action": "drill", "kind": …, "camera": …}. Answered: a line for each stage that
is reached, {"stage", "at_ns", …}, or one {"error", "why", "cure"}; then the line is closed.
"""

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.errors import VedetteError
from agent.service.drills.shadow import Drills

SOCKET = "private.sock"
MAX_BYTES = 4096
LOOK_S = 0.2
SPEAK_S = 2.0
_LONGEST_PATH_BYTES = 100  # of the 108 of sockaddr_un

_LOG = logging.getLogger(__name__)


class PrivateLine:
    """The node's end; `serve` on a thread of its own, one caller after the other."""

    def __init__(self, folder: Path, drills: Drills) -> None:
        self._path = folder / SOCKET
        self._drills = drills

    def serve(self, stop: threading.Event) -> None:
        """Answer callers until `stop` is set; where the folder takes no socket, there are no drills."""
        try:
            listening = _listening(self._path)
        except OSError as error:
            _LOG.warning("no drills: %s takes no socket (%s)", self._path.parent, error.strerror or error)
            return
        with listening:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    caller, _ = listening.accept()
                    with caller:
                        self._answer(caller, stop)
            self._path.unlink(missing_ok=True)

    def _answer(self, caller: socket.socket, stop: threading.Event) -> None:
        caller.settimeout(SPEAK_S)
        with contextlib.suppress(OSError):  # a caller who leaves ends the drill
            try:
                kind, camera = _understood(caller)
                with contextlib.closing(self._drills.run(kind, camera, stop)) as steps:
                    for step in steps:
                        _speak(caller, asdict(step))
            except VedetteError as error:
                _speak(caller, {"error": error.what, "why": error.why, "cure": error.cure})


def ask(folder: Path, kind: str, camera: str, *, timeout_s: float) -> Iterator[dict[str, Any]]:
    """Ask the node whose state is in `folder` for a drill; yield what it answers. VedetteError: nobody is there."""
    caller = _called(folder / SOCKET)
    return _answers(caller, kind, camera, timeout_s)


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


def _understood(caller: socket.socket) -> tuple[str, str]:
    """Return the kind and the camera that are asked for. Raises VedetteError for anything else."""
    with caller.makefile("rb") as lines:
        line = lines.readline(MAX_BYTES)
    try:
        asked = json.loads(line)
        action, kind, camera = asked["action"], asked["kind"], asked["camera"]
    except (ValueError, TypeError, KeyError, RecursionError):
        action, kind, camera = None, None, None
    if not (line.endswith(b"\n") and isinstance(kind, str) and isinstance(camera, str) and action == "drill"):
        raise VedetteError("this is no question that the agent knows", cure="Use `vedette drill` of the same version.")
    return kind, camera


def _speak(caller: socket.socket, message: dict[str, Any]) -> None:
    caller.sendall(json.dumps(message).encode() + b"\n")
