"""`vedette watch --run`: a command of the person's own for each incident, such as one that rings a phone."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from agent.cli.output import warn
from agent.uplink.messages.payload import name_in

TRIES_AFTER_S = (0.0, 2.0, 10.0)  # a phone's service or the line to it may be away for a moment
LONGEST_S = 30.0
_TOLD = ("id", "node", "camera", "kind", "severity", "summary")


def is_due(message: Mapping[str, Any]) -> bool:
    """Whether somebody is to be told of a message: an incident opens, or what was a warning becomes critical."""
    return message["phase"] == "open" or bool(message.get("escalated"))


def environment(message: Mapping[str, Any]) -> dict[str, str]:
    """Return what the command finds in its environment; VEDETTE_DRILL and VEDETTE_DELAYED are yes or empty."""
    told = {f"VEDETTE_{name.upper()}": str(message[name]).replace("\0", "") for name in _TOLD}
    marks = {f"VEDETTE_{name.upper()}": "yes" if message[name] else "" for name in ("drill", "delayed")}
    return told | marks | {"VEDETTE_CAMERA_NAME": name_in(message).replace("\0", "")}


def run_for(message: Mapping[str, Any], command: str, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Run `command` by the shell with the message on its standard input, thrice if need be; return whether it did it.

    Nothing of the message becomes part of the command line: it came over the network.
    """
    failure = ""
    for after_s in TRIES_AFTER_S:
        sleep(after_s)
        failure = _failure(command, json.dumps(message, ensure_ascii=False), environment(message))
        if not failure:
            return True
    warn(f"the command for {message['kind']} at {message['node']} failed {len(TRIES_AFTER_S)} times: {failure}")
    return False


def _failure(command: str, text: str, told: Mapping[str, str]) -> str:
    """Return why a run of the command failed; empty where it did not."""
    try:
        ran = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE, stdout=2, env={**os.environ, **told}, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return error.strerror or type(error).__name__
    try:
        ran.communicate(text.encode(), timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        os.killpg(ran.pid, signal.SIGKILL)  # whatever it started, too
        ran.wait()
        return f"it took longer than {LONGEST_S:g} s"
    return f"exit code {ran.returncode}" if ran.returncode else ""
