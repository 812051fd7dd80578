"""How often nothing at all alarms: `vedette replay` with default settings over footage on which nothing happens.

    python -m benchmarks.calm                        the calm clips of ../shared/data/video, val
    python -m benchmarks.calm --split all            train too (models and thresholds have seen those)
    python -m benchmarks.calm FOLDER…                and every video below these folders, each file once

Files that are equal byte for byte count once. The bound is what a Poisson process would have to be below, with 95 %
confidence, to show no more incidents in this time: with none in T hours, 3.0 / T. Clips are minutes of many cameras,
not days of one, so this is a bound on being wrong about new places, not on a quiet night.
"""

import argparse
import csv
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from scipy.stats import chi2

from agent.errors import SourceError
from agent.service.recordings.replay_files import Destinations, Request, replay_files
from benchmarks.clips import SHARED

VIDEO = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg"})
SEVERITIES = ("critical", "warning", "notice")


@dataclass
class Footage:
    """Distinct files, their length, and what opened."""

    name: str
    paths: list[Path] = field(default_factory=list)
    hours: float = 0.0
    opened: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in SEVERITIES})
    files: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SEVERITIES})


def manifest_clips(split: str) -> list[Path]:
    """Return the calm clips of a split (or `all`)."""
    folder = SHARED / "data" / "video"
    with (folder / "manifest.csv").open(encoding="utf-8") as rows:
        wanted = [row for row in csv.DictReader(rows) if row["kind"] == "normal" and split in ("all", row["split"])]
    return [folder / row["file"] for row in wanted]


def below(folder: Path) -> list[Path]:
    """Return every video below a folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO and path.is_file())


def distinct(paths: Sequence[Path], known: set[str]) -> list[Path]:
    """Return the files that differ from each other and from those `known` by their content, which it extends."""
    kept = []
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in known:
            known.add(digest)
            kept.append(path)
    return kept


def length_s(path: Path) -> float:
    """Return the length of a file by its container, or 0 where that cannot be read."""
    try:
        with av.open(str(path)) as container:
            return float(container.duration or 0) / 1e6
    except (OSError, ValueError):
        return 0.0


def play(footage: Footage) -> None:
    """Replay everything and note what opened, by the worst severity that it reached."""
    severities: dict[str, str] = {}

    def note(message: dict[str, Any]) -> None:
        if message["escalated"]:
            footage.opened[severities[message["id"]]][message["kind"]] -= 1
        if message["phase"] == "open" or message["escalated"]:
            severities[message["id"]] = message["severity"]
            footage.opened[message["severity"]][message["kind"]] += 1
            footage.files[message["severity"]].add(message["source"])
            print(f"{message['source']} {message['media_time_s']:.1f} {message['summary']}", file=sys.stderr)

    footage.hours = sum(length_s(path) for path in footage.paths) / 3600
    request = Request(sources=[str(path) for path in footage.paths], destinations=Destinations(), overrides=())
    try:
        replay_files(request, warn=lambda line: print(line, file=sys.stderr), on_message=note)
    except SourceError as error:
        print(error.line(), file=sys.stderr)


def bound_per_day(count: int, hours: float) -> float:
    """Return the upper 95 % bound on incidents a day of a Poisson process that showed `count` in `hours`."""
    return float(chi2.ppf(0.95, 2 * (count + 1))) / 2 / max(1e-9, hours) * 24


def table(all_footage: Sequence[Footage]) -> str:
    """Return the Markdown table."""
    lines = [
        "| footage | clips | hours | critical | bound a camera-day | warnings | notices |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in all_footage:
        count = {name: sum(one.opened[name].values()) for name in SEVERITIES}
        told = {
            name: f"{count[name]}" + (f" ({_listed(one.opened[name])})" if count[name] else "") for name in SEVERITIES
        }
        bound = f"{bound_per_day(count['critical'], one.hours):.0f}"
        lines.append(
            f"| {one.name} | {len(one.paths)} | {one.hours:.3f} | {told['critical']} | {bound} | {told['warning']} |"
            f" {told['notice']} |"
        )
    return "\n".join(lines)


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--split", choices=["train", "val", "all", "none"], default="val")
    chosen = parser.parse_args(arguments)
    known: set[str] = set()
    footage = []
    if chosen.split != "none":
        footage.append(Footage(f"calm clips, {chosen.split}", distinct(manifest_clips(chosen.split), known)))
    footage += [Footage(folder.name, distinct(below(folder), known)) for folder in chosen.folders]
    for one in footage:
        play(one)
    print(table(footage))


if __name__ == "__main__":
    main()
