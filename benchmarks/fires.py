"""Fires, and what looks like them, in films from public repositories that nothing of ours has learned from.

    python -m benchmarks.fires fetch DIR    copy what fires.csv names from the git directories below DIR
    python -m benchmarks.fires list         how many fires and other films of which half, and how many lie here
    python -m benchmarks.fires play         replay them with default settings: what opened, how late, what falsely

Eight validation clips with fire say little. Of 155 films in 52 repositories these are the ones in whose pictures (six
or more of each) a fire, or none, was plain to see: no drawn boxes, cartoons, flames before black or candles. None is in
../shared/data/never_train.txt or looks like a clip of ../shared/data/video. They are cut, edited and held by hand more
often than a camera's film would be. `events` are the fire's or smoke's seconds, by eye (± 0.5 s).

Training never reads any of them (`models.vision.flames` leaves out pictures that look like one of their moments). Half
of the repositories, `looked`, may be looked at while something is chosen; `kept` ones are counted only.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clips import EARLY_S, IN_TIME_S, WANTED, Clip, play
from benchmarks.repositories import fetch, place_in, read_rows

LISTED = Path(__file__).with_name("fires.csv")
CLIPS = Path(__file__).resolve().parents[1] / "build" / "fires" / "clips"
KINDS = WANTED["fire"]
HALVES = ("looked", "kept")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of fires.csv: `kind` fire or normal, `events` as `start-end` in seconds."""

    sha256: str
    kind: str
    what: str
    events: str
    seconds: float
    repository: str
    commit: str
    path: str
    licence: str

    @property
    def medium(self) -> str:
        """A film, always."""
        return "video"

    @property
    def file(self) -> Path:
        """Where `fetch` puts it."""
        return place_in(CLIPS, self)

    @property
    def half(self) -> str:
        """By repository: whether it was looked at while choosing."""
        return HALVES[int(hashlib.sha256(self.repository.encode()).hexdigest(), 16) % 2]

    def clip(self) -> Clip:
        """As `benchmarks.clips` replays it."""
        spans = [tuple(float(second) for second in span.split("-")) for span in self.events.split(";") if span]
        events = tuple((start, end, KINDS) for start, end in spans)
        return Clip(str(self.file), (self.kind,), self.repository, self.seconds, events)


def listed(path: Path = LISTED) -> list[Row]:
    """Return every row of the list."""
    return read_rows(Row, path)


def late_s(clip: Clip) -> float | None:
    """Seconds from the start of a clip's fire to its first incident of fire or smoke; None where none opened.

    What opened more than half a second before is no answer to it.
    """
    start = clip.events[0][0]
    after = [at - start for at, kind, _ in clip.opened if kind in KINDS and at >= start - EARLY_S]
    return max(0.0, min(after)) if after else None


def told(clips: Sequence[Clip]) -> str:
    """Return a row of the table: fires, found, in time, median delay, other films, falsely, F1 over films."""
    fires, others = [clip for clip in clips if clip.events], [clip for clip in clips if not clip.events]
    delays = sorted(late for clip in fires if (late := late_s(clip)) is not None)
    false = [clip for clip in others if clip.raised(KINDS)]
    in_time = sum(late <= IN_TIME_S for late in delays)
    f1 = 2 * len(delays) / max(1, len(fires) + len(delays) + len(false))
    middle = f"{delays[len(delays) // 2]:.1f}" if delays else "–"
    return f"{len(fires)} | {len(delays)} | {in_time} | {middle} | {len(others)} | {len(false)} | {f1:.2f}"


def table(pairs: Sequence[tuple[Row, Clip]]) -> str:
    """Return the Markdown table by half."""
    lines = [
        "| half | fires | found | within 10 s | median delay, s | other films | falsely | F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for half in HALVES:
        lines.append(f"| {half} | {told([clip for row, clip in pairs if row.half == half])} |")
    lines.append(f"| **all** | {told([clip for _, clip in pairs])} |")
    return "\n".join(lines)


def counted(rows: Sequence[Row]) -> str:
    """Return the Markdown table of what is listed."""
    lines = ["| half | fires | other films | repositories | here |", "|---|---|---|---|---|"]
    for half in HALVES:
        mine = [row for row in rows if row.half == half]
        fires, here = sum(row.kind == "fire" for row in mine), sum(row.file.exists() for row in mine)
        places = len({row.repository for row in mine})
        lines.append(f"| {half} | {fires} | {len(mine) - fires} | {places} | {here} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="copy them from git directories").add_argument("below", type=Path, metavar="DIR")
    commands.add_parser("list", help="what there is")
    playing = commands.add_parser("play", help="replay them and tell what opened")
    playing.add_argument("--half", choices=HALVES, help="only this half")
    playing.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    playing.add_argument("--json", type=Path, help="what opened in each, for a closer look")
    chosen = parser.parse_args(arguments)
    rows = listed()
    if chosen.command == "fetch":
        faults = fetch(chosen.below, rows)
        print("\n".join(faults), file=sys.stderr)
        raise SystemExit(1 if faults else 0)
    if chosen.command == "list":
        print(counted(rows))
        return
    pairs = [(row, row.clip()) for row in rows if row.file.exists() and chosen.half in (None, row.half)]
    play([clip for _, clip in pairs], chosen.overrides)
    print(table(pairs))
    if chosen.json is not None:
        found = [{"what": row.what, "half": row.half, "events": row.events, "opened": clip.opened, "file": clip.path}
                 for row, clip in pairs]  # fmt: skip
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
