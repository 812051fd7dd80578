"""How often nothing at all alarms, in hours: `vedette replay` with default settings over the footage of footage.csv.

    python -m benchmarks.hours                 play what was not played yet with this code and these models; the table
    python -m benchmarks.hours --part dev      only what may be looked at; what opened goes to stderr
    python -m benchmarks.hours --minutes 20    stop after so many minutes of the clock: the next run goes on

Every recording is a camera of its own that has just been switched on. What opened in it is kept below
build/footage/opened under the recording's and the code's sha256 (agent/**/*.py and models/zoo), so a run that is
stopped goes on where it was. What was seen and heard is kept apart, under the sha256 of what sees and hears: where
only the scene's rules changed, a recording costs a fifth. The bound is benchmarks.calm's: 95 %, Poisson.
"""

import argparse
import hashlib
import json
import pickle
import subprocess
import sys
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from agent.capture.source import Media, SourceSpec, open_media
from agent.config.load import of_data
from agent.errors import SourceError
from agent.service.observe import observations
from agent.service.recordings.replay import DEFAULT_CAMERA, Outputs, ReplayScene, Settings
from agent.service.senses import Senses
from agent.types import Observation
from benchmarks.calm import SEVERITIES, bound_per_day
from benchmarks.footage import REPOSITORY, normal

OPENED = REPOSITORY / "build" / "footage" / "opened"
OBSERVED = REPOSITORY / "build" / "footage" / "observed"
SENSING = ("capture", "features", "inference", "service/observe.py", "types.py")
"""What of the agent decides what is seen and heard; fusion is judged with the scene."""


class Playable(Protocol):
    """A recording on disk."""

    @property
    def sha256(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def medium(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def fps(self) -> float: ...
    @property
    def part(self) -> str: ...
    @property
    def file(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """One incident that opened where nothing happens; `severity` is the worst that it reached."""

    at_s: float
    kind: str
    severity: str
    summary: str


@cache
def code_sha(of: tuple[str, ...] = ("",), models: str = "*") -> str:
    """Return the sha256 of everything that decides what opens: the code of the agent (or parts) and its models."""
    total, agent = hashlib.sha256(), REPOSITORY / "agent"
    files = [path for part in of for path in ((agent / part).rglob("*.py") if "." not in part else [agent / part])]
    for path in sorted([*files, *(REPOSITORY / "models" / "zoo").glob(models)]):
        total.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes())
    return total.hexdigest()


def kept_at(one: Playable) -> Path:
    """Where what opened in a recording is kept, for the code as it is now."""
    return OPENED / code_sha()[:16] / f"{one.sha256[:16]}.json"


def spec_of(file: Path, fps: float, senses: Senses) -> SourceSpec:
    """Return how a recording is read: as `vedette replay` does; `fps` is only asked of folders of pictures."""
    analysis = senses.config.analysis
    return SourceSpec(
        camera=DEFAULT_CAMERA,
        url=str(file),
        fps=fps or None,
        analysis_fps=analysis.fps,
        width_px=analysis.width_px,
        height_px=analysis.height_px,
    )


def observed(
    file: Path, sha256: str, fps: float, senses: Senses, shown: Callable[[Media], Media] | None = None
) -> list[Observation]:
    """What the shipped eyes and ears make of a recording; SourceError where it cannot be played.

    `fps` is only asked of folders of pictures; `shown` shows it in another way, which `sha256` must tell.
    """
    sensing = code_sha(SENSING, "[vh]*")  # vision and hearing
    kept = OBSERVED / sensing[:16] / f"{sha256[:16]}.z"
    if kept.is_file():
        found: list[Observation] = pickle.loads(zlib.decompress(kept.read_bytes()))  # our own, from build/
        return found
    with open_media(spec_of(file, fps, senses)) as opened:
        media = shown(opened) if shown else opened
        seer = senses.seer() if media.info.has_picture else None
        listener = senses.listener() if media.info.has_sound else None
        made = list(observations(media, camera=DEFAULT_CAMERA, seer=seer, listener=listener))
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".part")
    partial.write_bytes(zlib.compress(pickle.dumps(made), 1))
    partial.rename(kept)
    return made


def replayed(one: Playable, senses: Senses) -> list[Opened]:
    """Replay a recording as `vedette replay` does with default settings; return what opened. Raises SourceError."""
    opened: dict[str, Opened] = {}

    def note(message: dict[str, Any]) -> None:
        if message["phase"] == "open":
            at_s, kind = message["media_time_s"], message["kind"]
            opened[message["id"]] = Opened(at_s, kind, message["severity"], message["summary"])
        elif message["escalated"]:
            before = opened[message["id"]]
            opened[message["id"]] = replace(before, severity=message["severity"], summary=message["summary"])

    stream = observed(one.file, one.sha256, one.fps, senses)
    settings = Settings(config=senses.config)
    scene = ReplayScene(settings, senses.model_versions(), Outputs(message=note), fuse=senses.fuse)
    scene.end(scene.play(str(one.file), iter(stream), has_picture=one.medium != "sound"))
    return list(opened.values())


@cache
def senses_of_default() -> Senses:
    """The shipped models with the default configuration."""
    return Senses.load(of_data({}, ()))


def play(
    wanted: Sequence[Playable], minutes: float, clock_s: Callable[[], float] = time.monotonic
) -> dict[str, list[Opened]]:
    """Return what opened per sha256, playing what was not played before until the time is up."""
    begun_s, known = clock_s(), {}
    for one in wanted:
        path = kept_at(one)
        if path.is_file():
            known[one.sha256] = [Opened(**fields) for fields in json.loads(path.read_text("utf-8"))]
        elif clock_s() - begun_s < minutes * 60 and one.file.exists():
            try:
                opened = replayed(one, senses_of_default())
            except SourceError as error:
                print(error.line(), file=sys.stderr)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps([{k: getattr(o, k) for k in Opened.__slots__} for o in opened]), "utf-8")
            known[one.sha256] = opened
            if one.part == "dev":
                for what in opened:
                    print(f"{one.file.name} {what.at_s:.1f} {what.kind}: {what.summary}", file=sys.stderr, flush=True)
    return known


def table(wanted: Sequence[Playable], known: dict[str, list[Opened]], *, parts: bool = True) -> str:
    """Return the Markdown table: per source, per part and in all, what was played and what opened in it."""
    groups: dict[str, list[Playable]] = defaultdict(list)
    for one in wanted:
        if one.sha256 in known:
            groups[one.source].append(one)
            if parts:
                groups[f"**all, {one.part}**"].append(one)
            groups["**all**"].append(one)
    lines = [
        "| footage | recordings | hours | critical | bound a camera-day | warnings | notices |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, members in sorted(groups.items(), key=lambda item: (item[0].startswith("*"), item[0])):
        lines.append(_line(name, members, known))
    left = [one for one in wanted if one.sha256 not in known]
    lines.append(f"\n{provenance()}")
    if left:
        lines.append(f"Not played yet: {len(left)} recordings, {sum(one.seconds for one in left) / 3600:.2f} h.")
    return "\n".join(lines)


def provenance() -> str:
    """Return the sentence that says which code and which models a table was measured with."""
    cards = sorted((REPOSITORY / "models" / "zoo").glob("*.json"))
    names = [f"{card['name']} {card['version']}" for card in (json.loads(path.read_text("utf-8")) for path in cards)]
    return f"Code and models: sha256 {code_sha()[:12]}, from {commit()} ({', '.join(names)})."


def commit() -> str:
    """Return the commit that the agent and the models are from, in few digits."""
    command = ["git", "-C", str(REPOSITORY), "log", "-1", "--format=%h", "--", "agent", "models/zoo"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no commit"


def _line(name: str, members: Sequence[Playable], known: dict[str, list[Opened]]) -> str:
    hours = sum(one.seconds for one in members) / 3600
    told = {severity: Counter[str]() for severity in SEVERITIES}
    for one in members:
        for what in known[one.sha256]:
            told[what.severity][what.kind] += 1
    cells = [
        f"{told[severity].total()}"
        + (f" ({', '.join(f'{kind} {n}' for kind, n in told[severity].most_common())})" if told[severity] else "")
        for severity in SEVERITIES
    ]
    bound = bound_per_day(told["critical"].total(), hours)
    return f"| {name} | {len(members)} | {hours:.3f} | {cells[0]} | {bound:.0f} | {cells[1]} | {cells[2]} |"


def _turn(one: Playable) -> tuple[bool, bytes]:
    """By lot, so that what was played until now tells of all; what is not quite ordinary comes last."""
    return "cyclists" in one.source, hashlib.sha256(one.sha256.encode()).digest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["dev", "held", "all"], default="all")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="N", help="of the clock")
    chosen = parser.parse_args(arguments)
    wanted = sorted(normal(chosen.part), key=_turn)
    print(table(wanted, play(wanted, chosen.minutes)))


if __name__ == "__main__":
    main()
