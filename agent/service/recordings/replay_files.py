"""`vedette replay` from sources to files: opens the destinations, plays every source, reports the bad ones."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from agent.config.load import load, of_data
from agent.config.schema import Config
from agent.errors import ConfigError, SourceError, StoreError
from agent.kinds import KINDS
from agent.scene import unlearned
from agent.scene.normality import Knowledge, Normality
from agent.service import normality_files
from agent.service.recordings.plot import Timeline
from agent.service.recordings.replay import DEFAULT_CAMERA, Outputs, Replayer, Row, Settings
from agent.service.rendering.film import Film
from agent.service.senses import Senses
from agent.types import NS_PER_S

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """What is written where; None is not made."""

    json_lines: str | None = None
    scores: Path | None = None
    video: Path | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for."""

    sources: Sequence[str]
    destinations: Destinations
    config_path: Path | None = None
    overrides: Sequence[str] = ()
    camera: str | None = None
    picture_fps: float | None = None
    every_frame: bool = False
    continuous: bool = False
    start_wall_ns: int = 0
    normality_path: Path | None = None


@dataclass(slots=True, kw_only=True)
class Played:
    """What was played, all in all."""

    sources: int = 0
    seconds: float = 0.0
    incidents: int = 0

    def line(self) -> str:
        """Return in words what a replay came to."""
        return f"{_several(self.sources, 'source')}, {self.seconds:.1f} s: {_several(self.incidents, 'incident')}"


def _several(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def replay_files(
    request: Request,
    *,
    warn: Warn,
    on_message: Callable[[dict[str, Any]], None],
    on_end: Callable[[Played], None] = lambda _: None,
) -> None:
    """Play every source; SourceError at the end where one could not be played.

    `on_message` sees every incident message besides the files, `on_end` what it came to, if anything was
    played. Bad sources are told to `warn` and skipped.
    """
    played = Played()

    def count(message: dict[str, Any]) -> None:
        played.incidents += message["phase"] == "open"
        on_message(message)

    config = load(request.config_path, request.overrides) if request.config_path else of_data({}, request.overrides)
    settings = Settings(
        config=config,
        camera=_camera(config, request.camera),
        start_wall_ns=request.start_wall_ns,
        picture_fps=request.picture_fps,
        every_frame=request.every_frame,
        normality=_learned(request.normality_path),
    )
    senses = Senses.load(config)
    with ExitStack() as stack:
        outputs, timeline = _outputs(request, stack, count)
        seer = partial(senses.seer, settings.camera, with_flow=request.normality_path is not None)
        replayer = Replayer(settings, seer, senses.listener, senses.model_versions(), outputs, senses.fuse)
        bad = _play_all(request, replayer, warn, played)
    if timeline is not None and request.destinations.plot is not None:
        timeline.save(request.destinations.plot)
    if played.sources or played.incidents:  # of nothing but files that could not be opened there is nothing to sum up
        on_end(played)
    if bad:
        raise SourceError(
            f"{len(bad)} of {len(request.sources)} sources could not be played",
            fault=bad[0].fault,
            cure="The lines above say which and why.",
        )


def _learned(path: Path | None) -> Callable[[str], Normality | None]:
    """What every scene begins with; a replay measures against it and learns nothing more."""
    if path is None:
        return unlearned
    arrays = normality_files.read(path).arrays()
    return lambda _: Normality(Knowledge.of(arrays), learns=False)


def _camera(config: Config, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in config.cameras:
            known = ", ".join(config.cameras) or "none"
            raise ConfigError(
                f"no camera {wanted!r} in the configuration", why=f"it has {known}", cure="Check --camera."
            )
        return wanted
    return next(iter(config.cameras)) if len(config.cameras) == 1 else DEFAULT_CAMERA


def _play_all(request: Request, replayer: Replayer, warn: Warn, played: Played) -> list[SourceError]:
    """Play every source and count it in `played`; return why some could not be."""
    bad: list[SourceError] = []
    scene = replayer.scene(request.sources[0])
    end_ns = 0
    for source in request.sources:
        try:
            if not request.continuous:
                scene, end_ns = replayer.scene(source), 0
                if replayer.outputs.film is not None:
                    replayer.outputs.film.splice()
            end_ns = replayer.play(source, scene, offset_ns=end_ns, joined=request.continuous)
            played.sources += 1
        except SourceError as error:
            warn(error.line())
            bad.append(error)
            end_ns = scene.newest_ns
        if not request.continuous:
            scene.end(end_ns)
            played.seconds += end_ns / NS_PER_S
    if request.continuous:
        scene.end(end_ns)
        played.seconds = end_ns / NS_PER_S
    return bad


def _outputs(
    request: Request, stack: ExitStack, on_message: Callable[[dict[str, Any]], None]
) -> tuple[Outputs, Timeline | None]:
    to = request.destinations
    timeline = Timeline() if to.plot else None
    messages: list[Callable[[dict[str, Any]], None]] = [on_message]
    rows: list[Callable[[Row], None]] = []
    if to.json_lines is not None:
        messages.append(_json_sink(stack.enter_context(_text_out(to.json_lines))))
    if to.scores is not None:
        rows.append(_scores_sink(stack.enter_context(_text_out(str(to.scores)))))
    if timeline is not None:
        messages.append(timeline.message)
        rows.append(timeline.row)
    film = stack.enter_context(Film(to.video, with_sound=True)) if to.video else None
    return Outputs(message=_all(messages), row=_all(rows) if rows else None, film=film), timeline


def _all(sinks: Sequence[Callable[[Any], None]]) -> Callable[[Any], None]:
    def send(item: Any) -> None:
        for sink in sinks:
            sink(item)

    return send


@contextmanager
def _text_out(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        file = open(name, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed below, opened here for its error
    except OSError as error:
        raise StoreError(f"cannot write {name}", why=str(error.strerror), cure="Choose another file.") from error
    with file:
        yield file


def _json_sink(out: TextIO) -> Callable[[Mapping[str, Any]], None]:
    def send(message: Mapping[str, Any]) -> None:
        out.write(json.dumps(message, ensure_ascii=False) + "\n")

    return send


def _scores_sink(out: TextIO) -> Callable[[Row], None]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["source", "frame", "media_time_s", *KINDS])

    def send(row: Row) -> None:
        beliefs = [f"{row.beliefs.get(kind, 0.0):.9g}" for kind in KINDS]
        writer.writerow([row.source, row.frame, f"{row.at_ns / NS_PER_S:.6f}", *beliefs])

    return send
