"""What a service tells systemd: ready, how it is, stopping, and that its analysis goes on (sd_notify(3)).

The protocol is a datagram to the socket in $NOTIFY_SOCKET, so this file takes no library. The watchdog is fed
by progress: `Progress` knows when each worker last went round its loop, and `Heartbeat`, tended by the
supervisor, feeds the watchdog only while none is stuck. Workers go round when there is nothing to do, too: a
lost camera leaves them idle, not stuck. Where nobody keeps a watchdog (a container, a terminal), `Heartbeat` says
when to give up: an agent that hangs tells nobody anything, one that ended is started again.
"""

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence

STUCK_AFTER_S = 20.0  # one picture takes milliseconds; a memory card that stalls takes seconds
GIVE_UP_AFTER_S = 60.0  # twice the service's watchdog: a stalled network folder may still come back
STATUS_EVERY_S = 2.0
ROUND_AT_MOST_S = 2.0  # what one round of the supervisor counts: a process that was paused was not stuck meanwhile
PETS_PER_LIMIT = 4  # one may come late on a busy box

_LOG = logging.getLogger(__name__)


class Notifier:
    """Sends to systemd; where there is none (a person's terminal), to nobody. Never fails, never waits."""

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        """`address` is a path or, beginning with @, a name in the abstract namespace; empty for nobody."""
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._failed = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ, *, pid: int | None = None) -> "Notifier":
        """Return the notifier of this process; the watchdog counts only if it is meant for `pid` (ours)."""
        mine = environ.get("WATCHDOG_PID", "") in ("", str(pid or os.getpid()))
        limit_us = environ.get("WATCHDOG_USEC", "")
        watchdog_s = int(limit_us) / 1e6 if mine and limit_us.isdigit() and int(limit_us) else None
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_s)

    @property
    def listening(self) -> bool:
        """Whether there is somebody to tell: whether this runs as a service."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """Say that the service works from now on."""
        self._send(f"READY=1\nSTATUS={_on_one_line(status)}")

    def status(self, status: str) -> None:
        """Say how it is, in one line for `systemctl status`."""
        self._send(f"STATUS={_on_one_line(status)}")

    def stopping(self) -> None:
        """Say that the service stops."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def pet(self) -> None:
        """Tell systemd's watchdog that the service is alive."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            if not self._failed:
                _LOG.warning("systemd cannot be told how the service is: %s", error.strerror or type(error).__name__)
            self._failed = True


class Progress:
    """When each of the workers `names` last went round its loop; `beat` from any thread."""

    def __init__(self, names: Sequence[str], clock_s: Callable[[], float], limit_s: float = STUCK_AFTER_S) -> None:
        self._clock_s = clock_s
        self._limit_s = limit_s
        self._seen_s = dict.fromkeys(names, clock_s())  # only replaced values: no lock is needed

    def beat(self, name: str) -> None:
        """Note that the worker `name` made progress now."""
        self._seen_s[name] = self._clock_s()

    def stuck(self) -> tuple[str, ...]:
        """Return the workers that have not gone on for `limit_s`."""
        now_s = self._clock_s()
        return tuple(name for name, seen_s in self._seen_s.items() if now_s - seen_s > self._limit_s)


class Heartbeat:
    """Keeps systemd told while the supervisor tends it; withholds the watchdog while a worker is stuck."""

    def __init__(self, notifier: Notifier, progress: Progress, clock_s: Callable[[], float]) -> None:
        self._notifier = notifier
        self._progress = progress
        self._clock_s = clock_s
        self._every_s = (notifier.watchdog_s or 0.0) / PETS_PER_LIMIT
        self._petted_s = self._asked_s = float("-inf")
        self._said = ""
        self._stuck: tuple[str, ...] = ()
        self._stuck_s = 0.0
        self._tended_s = clock_s()

    def hopeless(self, after_s: float = GIVE_UP_AFTER_S) -> tuple[str, ...]:
        """Return the workers for which the agent should end itself: stuck for long, and no watchdog that ends it."""
        return self._stuck if self._stuck_s >= after_s and not self._notifier.watchdog_s else ()

    def tend(self, status: Callable[[], str]) -> None:
        """Feed the watchdog if it is time and nothing is stuck; pass on the status if it changed."""
        stuck = self._progress.stuck()
        if stuck != self._stuck:
            self._tell_stuck(stuck)
        now_s = self._clock_s()
        self._stuck_s = self._stuck_s + min(now_s - self._tended_s, ROUND_AT_MOST_S) if stuck else 0.0
        self._tended_s = now_s
        if self._notifier.watchdog_s and not stuck and now_s - self._petted_s >= self._every_s:
            self._petted_s = now_s
            self._notifier.pet()
        if self._notifier.listening and not stuck and now_s - self._asked_s >= STATUS_EVERY_S:
            self._asked_s = now_s
            self._tell(status())

    def _tell_stuck(self, stuck: tuple[str, ...]) -> None:
        self._stuck = stuck
        if stuck:
            then = "the watchdog is withheld" if self._notifier.watchdog_s else "the agent ends if that lasts"
            _LOG.error("no progress of %s: %s", " and ".join(stuck), then)
            self._tell(f"stuck: {', '.join(stuck)}; the watchdog is withheld")
        else:
            _LOG.warning("every worker makes progress again")

    def _tell(self, line: str) -> None:
        if line != self._said:
            self._said = line
            self._notifier.status(line)


def status_line(
    cameras: Mapping[str, Mapping[str, str]], *, broker: str, waiting: int, remarks: Sequence[str] = ()
) -> str:
    """Return the one line of `systemctl status`.

    `cameras` maps each to how its modalities are ("vision": "running", "sound": "lost (timeout)"), to nothing
    while it is being opened; `broker` says how the broker is; `remarks` are put first.
    """
    troubled = [text for name, how in cameras.items() for text in _trouble(name, how)]
    names = {text.split(" ", 1)[0] for text in troubled}
    running = f"{len(cameras) - len(names)} of {len(cameras)} cameras running"
    messages = f"{waiting} message{'' if waiting == 1 else 's'} waiting"
    return "; ".join([*remarks, ", ".join([running, *troubled]), f"broker {broker}", messages])


def _trouble(name: str, how: Mapping[str, str]) -> list[str]:
    if not how:
        return [f"{name} opening"]
    return [f"{name} {modality} {status}" for modality, status in how.items() if status != "running"]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
