"""Normal footage from public repositories: what is counted, what is not and why, and how it gets onto a disk.

    python -m benchmarks.footage fetch DIR     copy what footage.csv names from the git directories below DIR
    python -m benchmarks.footage list          what counts, by kind of source, and what is left out, why

`footage.csv` holds a row for each recording: from which repository, commit and path, the sha256 of its bytes (of the
pictures in a row where it is a folder of them), its length, and whether it counts (`normal`) or why it does not. The
footage itself is in no commit of ours: `fetch` reads it out of git directories below DIR (benchmarks.repositories) and
writes it below build/footage/clips.

Every film was looked at in eight pictures; the same one in another coding counts once (benchmarks.distinct). Groups (a
camera, or all that one camera took) whose name has an even first sha256 digit are for development: false incidents
there may be looked at and mended. The others (`held`) are counted only; BENCHMARKS.md says when pictures of theirs were
looked at.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.repositories import command_line, place_in, read_rows

REPOSITORY = Path(__file__).resolve().parents[1]
MANIFEST = Path(__file__).with_name("footage.csv")
CLIPS = REPOSITORY / "build" / "footage" / "clips"


@dataclass(frozen=True, slots=True)
class Recording:
    """A row of footage.csv. `fps` is only told of folders of pictures; `use` is `normal`, or why it is left out."""

    sha256: str
    group: str
    source: str
    medium: str
    seconds: float
    fps: float
    size: str
    sound: int
    repository: str
    commit: str
    path: str
    licence: str
    use: str

    @property
    def part(self) -> str:
        """`dev` may be looked at and tuned on; `held` is counted only."""
        return "dev" if int(hashlib.sha256(self.group.encode()).hexdigest()[0], 16) % 2 == 0 else "held"

    @property
    def file(self) -> Path:
        """Where `fetch` puts it: a file, or a folder of pictures."""
        return place_in(CLIPS, self)


def recordings(path: Path = MANIFEST) -> list[Recording]:
    """Return every row of the manifest."""
    return read_rows(Recording, path)


def normal(part: str = "all") -> list[Recording]:
    """Return the films that count, of one part (`dev`, `held`) or of both."""
    rows = recordings()
    return [one for one in rows if one.use == "normal" and one.medium != "sound" and part in ("all", one.part)]


def sounds() -> list[Recording]:
    """Return the sounds that count."""
    return [one for one in recordings() if one.use == "normal" and one.medium == "sound"]


def table(rows: Sequence[Recording]) -> str:
    """Return the Markdown table of what counts, by kind of source, and of what is left out, by reason."""
    lines = ["| source | recordings | cameras | minutes | of these dev |", "|---|---|---|---|---|"]
    by_source: dict[str, list[Recording]] = defaultdict(list)
    for one in rows:
        by_source[one.source if one.use == "normal" else f"left out: {one.use}"].append(one)
    for name, members in sorted(by_source.items(), key=lambda item: (item[0].startswith("left out"), item[0])):
        minutes = sum(one.seconds for one in members) / 60
        dev = sum(one.seconds for one in members if one.part == "dev") / 60
        cameras = len({one.group for one in members})
        lines.append(f"| {name} | {len(members)} | {cameras} | {minutes:.1f} | {dev:.1f} |")
    for name, is_sound in (("films", False), ("sounds", True)):
        kept = [one for one in rows if one.use == "normal" and (one.medium == "sound") == is_sound]
        lines.append(f"\n{len(kept)} {name} count, {sum(one.seconds for one in kept) / 3600:.2f} h.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command_line(__doc__, lambda: [*normal(), *sounds()], lambda: table(recordings()), arguments)


if __name__ == "__main__":
    main()
