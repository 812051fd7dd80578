"""Falls in rooms that nothing is learned from: UP-Fall and Le2i's coffee room, replayed with default settings.

    python -m benchmarks.falls                 play what falls.csv lists; the table
    python -m benchmarks.falls fetch DIR       copy it from the git directories below DIR (benchmarks.repositories)
    python -m benchmarks.falls list            what is listed, and how much of it lies here

No weights were learned from these clips; the rules of agent/scene/falls.py were chosen with them in view, so this is no
measure of other rooms: val is (`benchmarks.clips`). Le2i's labels say in which picture a fall begins and ends, and an
incident within 10 s finds it; UP-Fall's clips say that there is one. Those without a fall pick something up.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clips import EARLY_S, IN_TIME_S
from benchmarks.footage import REPOSITORY
from benchmarks.hours import provenance, replayed, senses_of_default
from benchmarks.repositories import command_line, place_in, read_rows

LISTED = Path(__file__).with_name("falls.csv")
CLIPS = REPOSITORY / "build" / "falls" / "clips"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of falls.csv: `falls` as `start-end` in seconds, `somewhere` where only the clip is known, or nothing."""

    sha256: str
    source: str
    medium: str
    falls: str
    seconds: float
    fps: float
    repository: str
    commit: str
    path: str
    licence: str

    @property
    def part(self) -> str:
        """May be looked at."""
        return "dev"

    @property
    def file(self) -> Path:
        """Where `fetch` puts it: a file, or a folder of pictures."""
        return place_in(CLIPS, self)

    def finds(self, at_s: float) -> bool:
        """Whether an incident at this time is the fall of this clip."""
        if "-" not in self.falls:
            return bool(self.falls)
        start_s, _, end_s = self.falls.partition("-")
        return float(start_s) - EARLY_S <= at_s <= max(float(end_s), float(start_s) + IN_TIME_S)


def listed(path: Path = LISTED) -> list[Row]:
    """Return every row of the list."""
    return read_rows(Row, path)


def table(rows: Sequence[Row], opened: dict[str, list[float]]) -> str:
    """Return the Markdown table: per source, falls, how many were found, and what opened besides."""
    lines = ["| source | clips | falls | found | false | precision | recall | F1 |", "|---|" + "---|" * 7]
    for source in (*sorted({row.source for row in rows}), "all"):
        mine = [row for row in rows if row.sha256 in opened and source in (row.source, "all")]
        falls = sum(bool(row.falls) for row in mine)
        found = sum(any(row.finds(at_s) for at_s in opened[row.sha256]) for row in mine)
        false = sum(not row.finds(at_s) for row in mine for at_s in opened[row.sha256])
        precision, recall = found / max(1, found + false), found / max(1, falls)
        f1 = 2 * found / max(1, falls + found + false)
        lines.append(
            f"| {source} | {len(mine)} | {falls} | {found} | {false} | {precision:.2f} | {recall:.2f} | {f1:.2f} |"
        )
    return "\n".join(lines)


def contents(rows: Sequence[Row]) -> str:
    """Return the Markdown table of what is listed."""
    lines = ["| source | clips | falls | minutes | here |", "|---|---|---|---|---|"]
    for source in sorted({row.source for row in rows}):
        mine = [row for row in rows if row.source == source]
        minutes, here = sum(row.seconds for row in mine) / 60, sum(row.file.exists() for row in mine)
        lines.append(f"| {source} | {len(mine)} | {sum(bool(row.falls) for row in mine)} | {minutes:.1f} | {here} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    given = sys.argv[1:] if arguments is None else arguments
    if given:
        command_line(__doc__, listed, lambda: contents(listed()), given)
        return
    rows = [row for row in listed() if row.file.exists()]
    senses = senses_of_default()
    opened = {row.sha256: [one.at_s for one in replayed(row, senses) if one.kind == "fall"] for row in rows}
    for row in rows:
        if row.falls and not any(row.finds(at_s) for at_s in opened[row.sha256]):
            print(f"missed: {row.source} {row.path}", file=sys.stderr)
    print(table(rows, opened))
    print(f"\n{provenance()}")


if __name__ == "__main__":
    main()
