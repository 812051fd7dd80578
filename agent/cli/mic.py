"""`vedette mic`: which microphones there are, and whether they hear."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, print_table, remark, remarks, say, warn
from agent.errors import SourceError

if TYPE_CHECKING:
    from agent.capture.state import SourceState
    from agent.types import SoundBlock

app = typer.Typer(help="Microphones: list them, watch their level.")

FLOOR_DBFS = -80.0
BAR_CHARACTERS = 40
OPEN_TIMEOUT_S = 5.0
SILENT_DBFS = -75.0  # below the noise of any microphone that works


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the microphones that PortAudio finds; the names are what --sound takes."""
    from agent.capture.live import list_microphones

    found = list_microphones()
    if as_json:
        print_json([asdict(it) for it in found])
        return
    print_table(
        ("microphone", "through", "channels", "rate", "default"),
        [(it.name, it.host_api, it.channels, f"{it.sample_rate_hz} Hz", "*" if it.is_default else "") for it in found],
        empty="No microphone found. Is one plugged in, and may this user use it (group audio)?",
    )


@app.command()
def probe(
    device: Annotated[str, typer.Argument(metavar="[DEVICE]", help="Its name, or a part of it.")] = "default",
    seconds: Annotated[float, typer.Option(min=0.5, max=3600, help="How long to listen.")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Listen to a microphone and show its level: speak, clap, and watch the bar."""
    screen = remarks()
    show = _ignore if as_json or not screen.is_terminal else lambda dbfs: screen.print(_bar(dbfs), end="\r")
    peak_dbfs = peak_of(device, seconds, show)
    if as_json:
        print_json({"device": device, "seconds": seconds, "peak_dbfs": round(peak_dbfs, 1)})
        return
    if screen.is_terminal:
        remark("")
    say(f"{device}: peak {peak_dbfs:.1f} dBFS in {seconds:g} s")
    if peak_dbfs < SILENT_DBFS:
        warn("nothing is heard: is it muted, or its volume at zero?")


def peak_of(device: str, seconds: float, show: "Callable[[float], None] | None" = None) -> float:
    """Listen for `seconds` from the first sound on and return the highest peak in dBFS.

    `show` gets the peak of each block of 0.1 s. Raises SourceError where nothing comes.
    """
    from agent.capture.live import Microphone, MicrophoneSpec
    from agent.features.level import peak_dbfs
    from agent.types import SOUND_RATE_HZ

    stop = threading.Event()
    peaks_dbfs: list[float] = []
    troubles: list[SourceState] = []
    heard_s = 0.0

    def sound(block: "SoundBlock") -> None:
        nonlocal heard_s
        peaks_dbfs.append(peak_dbfs(block.samples))
        heard_s += len(block.samples) / SOUND_RATE_HZ
        if show is not None:
            show(peaks_dbfs[-1])
        if heard_s >= seconds:
            stop.set()

    def changed(state: "SourceState") -> None:
        if state.status == "lost":
            troubles.append(state)
            stop.set()

    spec = MicrophoneSpec(camera="probe", device=device, open_timeout_s=OPEN_TIMEOUT_S, stall_timeout_s=OPEN_TIMEOUT_S)
    with _unlogged("agent.capture"):
        Microphone(spec, clock_ns=time.monotonic_ns, on_sound=sound, on_state=changed).run(stop)
    if troubles:
        raise _trouble(device, troubles[0])
    return max(peaks_dbfs, default=FLOOR_DBFS)


def _trouble(device: str, state: "SourceState") -> SourceError:
    if state.reason is None or state.reason == "silent":
        return SourceError(
            f"microphone {device} delivers nothing",
            fault="timeout",
            cure="Does the sound daemon hang? `pactl info` or a restart of it tells.",
        )
    what, _, cure = state.why.partition(". ")  # a SourceError's line
    return SourceError(what, fault=state.reason, cure=cure or "`vedette mic list` shows the microphones.")


@contextlib.contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Keep a package from logging what is about to be told as an error; --debug shows it all the same."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(max(before, logging.ERROR) if logger.getEffectiveLevel() > logging.DEBUG else before)
    try:
        yield
    finally:
        logger.setLevel(before)


def _bar(dbfs: float) -> str:
    filled = round((max(dbfs, FLOOR_DBFS) - FLOOR_DBFS) / -FLOOR_DBFS * BAR_CHARACTERS)
    colour = "red" if dbfs > -3 else "yellow" if dbfs > -12 else "green"
    return f"[{colour}]{'█' * filled}[/]{'░' * (BAR_CHARACTERS - filled)} {dbfs:6.1f} dBFS"


def _ignore(dbfs: float) -> None:
    """Show no bar where nobody would see it move."""
