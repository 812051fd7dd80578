"""What opened where: `vedette replay` with default settings over labelled clips, right and wrong.

    python -m benchmarks.clips video --split val          the video clips, sound included
    python -m benchmarks.clips audio --split val          the sounds alone
    python -m benchmarks.clips audio --split val --json build/audio.json

The data lies in ../shared/data (or $VEDETTE_SHARED/data). A clip counts as found when an incident of its kind
opens, as a warning or critical (of an incident counts the worst that it became; `critical` says how many by that
alone); every incident of another critical or warning kind in it counts as wrong, except those that its
labels make plausible (PLAUSIBLE). Clips of one group are not independent: groups are given beside clips. A second
table tells accuracy, precision, recall and F1 over clips, each judged once.
"""

import argparse
import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import SourceError
from agent.service.recordings.replay_files import Destinations, Request, replay_files
from models.resampling import Rows, group_interval

SHARED = Path(os.environ.get("VEDETTE_SHARED", Path(__file__).resolve().parents[2] / "shared"))

# Which kinds of incident a label asks for; a label that is not here asks for none.
WANTED: dict[str, frozenset[str]] = {
    "fight": frozenset({"fight"}),
    "fall": frozenset({"fall"}),
    "fire": frozenset({"fire", "smoke"}),
    "gunshot": frozenset({"gunshot"}),
    "explosion": frozenset({"explosion"}),
    "glass_break": frozenset({"glass_break"}),
    "scream": frozenset({"scream"}),
    "alarm": frozenset({"alarm"}),
    "siren": frozenset({"alarm"}),
    "crash": frozenset({"crash"}),
}
# What may open besides without being wrong: one bang is often both, and sources of files end.
PLAUSIBLE: dict[str, frozenset[str]] = {
    "gunshot": frozenset({"explosion", "loud_noise"}),
    "explosion": frozenset({"gunshot", "loud_noise", "crash"}),
    "glass_break": frozenset({"crash", "loud_noise"}),
    "crash": frozenset({"glass_break", "loud_noise"}),
    "scream": frozenset({"loud_noise"}),
    "alarm": frozenset({"loud_noise"}),
    "fight": frozenset({"scream", "fall", "crash"}),
}


EVENT_KINDS: dict[str, frozenset[str]] = {
    "fall": frozenset({"fall"}),
    "fight": frozenset({"fight"}),
    "fire or smoke": frozenset({"fire", "smoke"}),
}
EVENTS = frozenset().union(*WANTED.values())
UNNAMED = frozenset({"accident", "robbery"})
"""Clips that show an event for which there is no kind of incident."""
ROUNDS, SEED = 1000, 8
Verdicts = NDArray[np.bool_]
Measure = Callable[[Verdicts, Verdicts], float]
IN_TIME_S, EARLY_S = 10.0, 0.5
"""i-LIDS: an alarm within 10 s of the start counts; half a second before is the annotator's."""


@dataclass
class Clip:
    """One labelled clip and what opened in it."""

    path: str
    labels: tuple[str, ...]
    group: str
    duration_s: float
    events: tuple[tuple[float, float, frozenset[str]], ...] = ()  # start and end in seconds, and the kinds it asks for
    opened: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset().union(*(WANTED.get(label, frozenset()) for label in self.labels))

    @property
    def found(self) -> bool:
        return bool(self.wanted & {kind for _, kind, _ in self.opened})

    @property
    def found_critical(self) -> bool:
        return bool(self.wanted & {kind for _, kind, severity in self.opened if severity == "critical"})

    @property
    def is_event(self) -> bool:
        return bool(self.wanted or UNNAMED.intersection(self.labels))

    def raised(self, kinds: frozenset[str] = EVENTS, severities: Sequence[str] = ("critical", "warning")) -> bool:
        """Whether an incident of these kinds and severities opened."""
        return any(kind in kinds and severity in severities for _, kind, severity in self.opened)

    @property
    def wrong(self) -> list[str]:
        fine = self.wanted.union(*(PLAUSIBLE.get(label, frozenset()) for label in self.labels))
        return sorted({kind for _, kind, severity in self.opened if kind not in fine and severity != "notice"})


def clips_of(medium: str, split: str) -> list[Clip]:
    """Return the clips of a split from the manifest of `medium` (video or audio)."""
    folder = SHARED / "data" / medium
    with (folder / "manifest.csv").open(encoding="utf-8") as rows:
        return [_clip(folder, row, medium) for row in csv.DictReader(rows) if row["split"] == split]


def _clip(folder: Path, row: dict[str, str], medium: str) -> Clip:
    labels = (row["kind"],) if medium == "video" else tuple(row["labels"].split(";"))
    seconds = row["duration_s"] if medium == "video" else row["dur_s"]
    events = _events(row["events"], row["kind"]) if medium == "video" else ()
    return Clip(str(folder / row["file"]), labels, row["group"], float(seconds), events)


def _events(told: str, kind: str) -> tuple[tuple[float, float, frozenset[str]], ...]:
    """Read "0.4-4:fall;…" of a clip whose kind can open."""
    wanted = WANTED.get(kind, frozenset())
    spans = [part.split(":")[0].split("-") for part in told.split(";") if part and wanted]
    return tuple((float(start), float(end), wanted) for start, end in spans)


def play(clips: Sequence[Clip], overrides: Sequence[str]) -> None:
    """Replay every clip with the default settings and note what opened, with the worst severity that it reached."""
    by_path = {clip.path: clip for clip in clips}
    places: dict[str, int] = {}

    def note(message: dict[str, Any]) -> None:
        opened = by_path[message["source"]].opened
        if message["phase"] == "open":
            places[message["id"]] = len(opened)
            opened.append((message["media_time_s"], message["kind"], message["severity"]))
        elif message["escalated"]:
            at_s, kind, _ = opened[places[message["id"]]]
            opened[places[message["id"]]] = (at_s, kind, message["severity"])

    request = Request(sources=list(by_path), destinations=Destinations(), overrides=overrides)
    try:
        replay_files(request, warn=lambda line: print(line, file=sys.stderr), on_message=note)
    except SourceError as error:
        print(error.line(), file=sys.stderr)


def table(clips: Sequence[Clip]) -> str:
    """Return the Markdown table: per label clips, groups, found, and what opened wrongly."""
    by_label: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_label[clip.labels[0]].append(clip)
    lines = ["| label | clips / groups | found | critical | opened wrongly (clips) |", "|---|---|---|---|---|"]
    for label, members in sorted(by_label.items(), key=lambda item: (item[0] not in WANTED, item[0])):
        wrong: dict[str, list[bool]] = defaultdict(list)
        for clip in members:
            for kind in clip.wrong:
                wrong[kind].append((kind, "critical") in {(told, severity) for _, told, severity in clip.opened})
        found = critical = "–"
        if label in WANTED:
            found = f"{sum(clip.found for clip in members) / len(members):.2f}"
            critical = f"{sum(clip.found_critical for clip in members) / len(members):.2f}"
        listed = ", ".join(f"{kind} {_of_them(sure)}" for kind, sure in sorted(wrong.items())) or "none"
        groups = len({clip.group for clip in members})
        lines.append(f"| {label} | {len(members)} / {groups} | {found} | {critical} | {listed} |")
    calm = [clip for clip in clips if not clip.wanted]
    hours = sum(clip.duration_s for clip in calm) / 3600
    alarms = sum(len(clip.wrong) for clip in calm)
    lines.append(
        f"\nClips that ask for nothing: {len(calm)}, {hours:.2f} h, {alarms} false alarms (notices not counted)."
    )
    return "\n".join(lines)


def _of_them(critical: Sequence[bool]) -> str:
    """How many, and how many of them critical."""
    return f"{len(critical)}" + (f" ({sum(critical)} critical)" if any(critical) else "")


def event_table(clips: Sequence[Clip]) -> str:
    """Return the Markdown table of events: an incident within 10 s of an event's start finds it, once (i-LIDS).

    More of the same while it lasts neither finds nor disturbs; every other incident of these kinds is false. Where the
    labels tell of a fall and of the lying after it, both are events.
    """
    lines = ["| events | to find | found | found late | false alarms | precision | recall | F1 |", "|---|" + "---|" * 7]
    for name, kinds in EVENT_KINDS.items():
        asked = found = late = false = 0
        for clip in clips:
            spans = [(start, end) for start, end, wanted in clip.events if wanted & kinds]
            times = [at_s for at_s, kind, _ in clip.opened if kind in kinds]
            hits = [any(start - EARLY_S <= at_s <= start + IN_TIME_S for at_s in times) for start, _ in spans]
            inside = [
                any(start - EARLY_S <= at_s <= max(end, start + IN_TIME_S) for at_s in times) for start, end in spans
            ]
            asked, found = asked + len(spans), found + sum(hits)
            late += sum(lasting and not hit for hit, lasting in zip(hits, inside, strict=True))
            false += sum(
                not any(start - EARLY_S <= at_s <= max(end, start + IN_TIME_S) for start, end in spans)
                for at_s in times
            )
        recall, precision = found / max(1, asked), found / max(1, found + false)
        f1 = 2 * recall * precision / (recall + precision) if found else 0.0
        lines.append(f"| {name} | {asked} | {found} | {late} | {false} | {precision:.2f} | {recall:.2f} | {f1:.2f} |")
    return "\n".join(lines)


def measures_table(clips: Sequence[Clip]) -> str:
    """Return the Markdown table of accuracy, precision, recall and F1 over clips, one verdict a clip.

    First whether anything at all happens (an incident of any kind of `WANTED` opens); then the same by what is critical
    alone; then where an event counts as found only if an incident of its own kind opened, so that `UNNAMED` is missed;
    then each kind of video against all other clips. Intervals: 95 % bootstrap, whole groups drawn.
    """
    event = [clip.is_event for clip in clips]
    verdicts = {
        "event or calm": (event, [clip.raised() for clip in clips]),
        "event or calm, critical only": (event, [clip.raised(severities=("critical",)) for clip in clips]),
        "event or calm, by its own kind": (event, [c.found if c.is_event else c.raised() for c in clips]),
    }
    for name, kinds in EVENT_KINDS.items():
        shows = [bool(clip.wanted & kinds) for clip in clips]
        if any(shows):
            verdicts[f"{name}, against all others"] = (shows, [clip.raised(kinds) for clip in clips])
    groups = [clip.group for clip in clips]
    lines = [
        "| told apart, a clip at a time | clips that show it | others | accuracy | precision | recall | F1 |",
        "|---|" + "---|" * 6,
    ]
    for name, (shown, raised) in verdicts.items():
        cells = [_cell(one, np.array(shown), np.array(raised), groups) for one in (accuracy, precision, recall, f1)]
        lines.append(f"| {name} | {sum(shown)} | {len(clips) - sum(shown)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(measure: Measure, shown: Verdicts, raised: Verdicts, groups: Sequence[str]) -> str:
    def drawn(rows: Rows) -> float:
        return measure(shown[rows], raised[rows])

    low, high = group_interval(groups, drawn, rounds=ROUNDS, seed=SEED)
    return f"{measure(shown, raised):.2f} ({low:.2f} to {high:.2f})"


def accuracy(shown: Verdicts, raised: Verdicts) -> float:
    """The share of clips judged rightly."""
    return float((shown == raised).mean())


def precision(shown: Verdicts, raised: Verdicts) -> float:
    """The share of what was raised that was there; nan where nothing was."""
    return float(shown[raised].mean()) if raised.any() else float("nan")


def recall(shown: Verdicts, raised: Verdicts) -> float:
    """The share of what was there that was raised; nan where nothing was there."""
    return float(raised[shown].mean()) if shown.any() else float("nan")


def f1(shown: Verdicts, raised: Verdicts) -> float:
    """The harmonic mean of precision and recall; nan where there is neither."""
    both = shown.sum() + raised.sum()
    return float(2 * (shown & raised).sum() / both) if both else float("nan")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("medium", choices=["video", "audio"])
    parser.add_argument("--split", choices=["train", "val"], default="val")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="write what opened in every clip")
    arguments = parser.parse_args()
    clips = clips_of(arguments.medium, arguments.split)
    play(clips, arguments.overrides)
    print(table(clips))
    if arguments.medium == "video":
        print(f"\n{event_table(clips)}")
    print(f"\n{measures_table(clips)}")
    if arguments.json:
        listed = [{"path": Path(c.path).name, "labels": c.labels, "group": c.group, "opened": c.opened} for c in clips]
        arguments.json.write_text(json.dumps(listed, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
