"""How often hard sounds alarm: `vedette replay` with default settings over recordings without a security event.

    python -m benchmarks.sounds                 what was never trained on: val, and the sounds of footage.csv
    python -m benchmarks.sounds --parts train   what `hearing` was trained on

Recordings, each a microphone of its own that has just been switched on: `val` and `dev` of the clips that `hearing`
learned from (thresholds were fitted on dev), its `train` clips (so many as --train-hours says, drawn by their sha256),
all of them without a label of a security kind, as models.hearing.data left them in build/hearing; and `new` ones out
of public repositories that no network of ours has heard. Of those, one part (`dev` of footage.csv, "tuned on" in the
table) served to fit from when on a sound is an incident; the rest is held back. What opened is kept as benchmarks.hours
keeps it.
"""

import argparse
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.footage import REPOSITORY, Recording, sounds
from benchmarks.hours import Playable, play, table

HEARING = REPOSITORY / "build" / "hearing"
PIECES = REPOSITORY / "build" / "footage" / "pieces"
RATE_HZ = 16_000
SECURITY = frozenset(
    {"gunshot", "explosion", "glass_break", "scream", "crash", "alarm", "siren"}
    | {"smoke_alarm", "burglar_alarm", "clock_alarm", "fire_alarm"}
)
NAMES = {
    "new": "new recordings, never heard by a model of ours",
    "val": "clips of hearing's data, val",
    "dev": "clips of hearing's data, dev (thresholds were fitted there)",
    "train": "clips of hearing's data, trained on",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A clip of the manifest of build/hearing, as a file of its own."""

    sha256: str
    source: str
    seconds: float
    file: Path
    part: str
    fps: float = 0.0
    medium: str = "sound"


def pieces(split: str, most_hours: float) -> list[Piece]:
    """Return the clips of a split without a security label, at most so many hours, written as WAV where they were not.

    SystemExit where build/hearing does not hold them.
    """
    if not (HEARING / "manifest.csv").is_file():
        raise SystemExit(f"{HEARING} holds no clips: python -m models.hearing.data makes them")
    with (HEARING / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == split and is_hard(row)]
    rows.sort(key=lambda row: hashlib.sha256(f"{row['repo']}:{row['clip']}".encode()).digest())
    waves = np.load(HEARING / "waves.npy", mmap_mode="r")
    PIECES.mkdir(parents=True, exist_ok=True)
    found, seconds = [], 0.0
    for row in rows:
        length, start = int(row["samples"]), int(row["start"])
        if seconds + length / RATE_HZ > most_hours * 3600:
            break
        seconds += length / RATE_HZ
        samples = np.asarray(waves[start : start + length])
        sha256 = hashlib.sha256(samples.tobytes()).hexdigest()
        path = PIECES / f"{sha256[:16]}.wav"
        if not path.is_file():
            soundfile.write(path, samples, RATE_HZ)
        found.append(Piece(sha256, NAMES[split], length / RATE_HZ, path, "held"))
    return list({piece.sha256: piece for piece in found}.values())


def new() -> list[Recording]:
    """Return the sounds of footage.csv that count; those that may be tuned on are a kind of their own."""
    return [replace(one, source=f"{one.source}, tuned on") if one.part == "dev" else one for one in sounds()]


def is_hard(row: dict[str, str]) -> bool:
    """Whether a row of build/hearing's manifest is a clip whose labels are known and hold no security kind."""
    return row["known"] == "1" and row["kind"] != "synthetic" and not SECURITY & set(row["labels"].split(";"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(NAMES), default=["new", "val"])
    parser.add_argument("--train-hours", type=float, default=1.0, metavar="H")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="N", help="of the clock")
    chosen = parser.parse_args(arguments)
    wanted: list[Playable] = []
    for part in chosen.parts:
        most_hours = chosen.train_hours if part == "train" else float("inf")
        wanted += new() if part == "new" else pieces(part, most_hours)
    wanted.sort(key=lambda one: hashlib.sha256(one.sha256.encode()).digest())  # by lot: a part tells of all
    print(table(wanted, play(wanted, chosen.minutes)))


if __name__ == "__main__":
    main()
