"""How long after its first evidence an incident opens, on rendered clips whose events are known to the picture.

    python -m benchmarks.delays                        the clips that come along (agent/service/clips)
    python -m benchmarks.delays --clips build/scenes   every clip of `python -m models.scenes render all`

Times come from the label file beside a clip (NAME.json, written by models.scenes) or from TIMES. Each clip is played
by `vedette replay` with default settings and the demo's zone. `event` is when the thing begins in the clip; `evidence`
is when the belief in the kind last rose from nothing before it opened. The limits are those of the table of kinds.
"""

import argparse
import csv
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from agent.service.demo import INTRUDE_ZONE
from agent.service.recordings.replay_files import Destinations, Request, replay_files

CLIPS = Path(__file__).resolve().parents[1] / "agent" / "service" / "clips"
_FIRE, _GLASS = {"crackle": 1.0, "smoke_alarm": 6.0}, {"glass_break": 2.5}
TIMES: Mapping[str, Mapping[str, float]] = {
    "a267d859422c": {"down": 4.183},
    "282bd919ee8d": _FIRE,
    "d12c431894d1": _GLASS,
}
"""When what a clip shows begins, by the event's name; clips without labels are known by how their sha256 begins."""

OPENS: Mapping[str, str] = {
    "down": "fall",
    "crackle": "fire",
    "smoke_alarm": "alarm",
    "glass_break": "glass_break",
    "gunshot": "gunshot",
    "scream": "scream",
    "fight": "fight",
}
"""Which kind an event's name asks for; a fall counts from lying on the floor."""
LIMIT_S: Mapping[str, tuple[float, str]] = {
    "fall": (0.8, "event"),
    "fire": (3.0, "evidence"),
    "fight": (2.5, "evidence"),
    "gunshot": (0.8, "event"),
    "glass_break": (0.8, "event"),
    "scream": (0.8, "event"),
    "alarm": (8.0, "event"),
    "intrusion": (0.8, "evidence"),
}
"""From what to count, and how long it may take: T3 two cycles of 4 s, an intrusion its dwell of 0.5 s and 0.3 s."""
NOTHING = 0.005


@dataclass(frozen=True)
class Opening:
    """One incident of one clip: when its event was (if it is known), its first evidence, and when it opened."""

    clip: str
    kind: str
    event_s: float | None
    evidence_s: float | None
    opened_s: float | None

    @property
    def took_s(self) -> float | None:
        """Seconds from what the limit counts from; None where it did not open or nothing is known to count from."""
        begun_s = self.event_s if LIMIT_S[self.kind][1] == "event" else self.evidence_s
        return None if begun_s is None or self.opened_s is None else self.opened_s - begun_s

    @property
    def in_time(self) -> bool:
        return self.took_s is not None and self.took_s <= LIMIT_S[self.kind][0]


def events_of(clip: Path) -> dict[str, float]:
    """When each kind that a clip asks for begins."""
    labels = clip.with_suffix(".json")
    if labels.is_file():
        told = [(event["name"], event["at_s"]) for event in json.loads(labels.read_text("utf-8"))["events"]]
    else:
        content = clip.read_bytes() if clip.is_file() else b""
        told = list(TIMES.get(hashlib.sha256(content).hexdigest()[:12], {}).items())
    first: dict[str, float] = {}
    for name, at_s in sorted(told, key=lambda pair: pair[1]):
        if name in OPENS:
            first.setdefault(OPENS[name], at_s)
    return first


def openings_in(clip: Path) -> list[Opening]:
    """Everything with a limit that opened in a clip, and what should have."""
    events, opened = events_of(clip), dict[str, float]()

    def note(message: dict[str, Any]) -> None:
        if message["phase"] == "open":
            opened.setdefault(message["kind"], message["media_time_s"])

    corners = json.dumps([list(corner) for corner in INTRUDE_ZONE.polygon])
    zone = f'cameras.shop.zones.closed = {{polygon = {corners}, rules = ["intrusion"]}}'
    with tempfile.TemporaryDirectory() as folder:
        config, scores = Path(folder) / "c.toml", Path(folder) / "scores.csv"
        lines = [f'cameras.shop.url = "{clip}"', *([zone] if clip.stem == "intrude" else [])]
        config.write_text("\n".join(lines) + "\n", "utf-8")
        request = Request(sources=[str(clip)], destinations=Destinations(scores=scores), config_path=config)
        replay_files(request, warn=lambda line: print(line, file=sys.stderr), on_message=note)
        with scores.open(encoding="utf-8") as rows:
            beliefs = [
                {key: float(value) for key, value in row.items() if key != "source"} for row in csv.DictReader(rows)
            ]
    kinds = sorted({*events, *opened} & LIMIT_S.keys())
    return [
        Opening(clip.stem, kind, events.get(kind), _evidence_s(beliefs, kind, opened.get(kind)), opened.get(kind))
        for kind in kinds
    ]


def _evidence_s(beliefs: Sequence[Mapping[str, float]], kind: str, opened_s: float | None) -> float | None:
    """When belief last rose from nothing before the incident opened."""
    if opened_s is None:
        return None
    since_s = opened_s
    for row in reversed([row for row in beliefs if row["media_time_s"] <= opened_s + 1e-6]):
        if row[kind] <= NOTHING:
            break
        since_s = row["media_time_s"]
    return since_s


def table(openings: Sequence[Opening]) -> str:
    """Return the Markdown table."""
    lines = ["| clip | kind | event s | evidence s | opened s | took s | limit s |", "|---|---|---|---|---|---|---|"]
    for one in openings:
        limit_s, since = LIMIT_S[one.kind]
        took = "–" if one.took_s is None else f"{one.took_s:.2f}{'' if one.in_time else ' **late**'}"
        times = " | ".join(
            "–" if at_s is None else f"{at_s:.2f}" for at_s in (one.event_s, one.evidence_s, one.opened_s)
        )
        lines.append(f"| {one.clip} | {one.kind} | {times} | {took} | {limit_s} from {since} |")
    asked = [one for one in openings if one.event_s is not None]
    took = [one.took_s for one in openings if one.took_s is not None]
    told = f"{sum(one.opened_s is not None for one in asked)} of {len(asked)} events opened an incident"
    in_time = f"{sum(one.in_time for one in openings)} of {len(took)} in time"
    return "\n".join([*lines, "", f"{told}; {in_time}, median {median(took):.2f} s." if took else f"{told}."])


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=CLIPS, help="folder of rendered clips, labels beside them")
    clips = sorted(parser.parse_args().clips.glob("*.mp4"))
    print(table([opening for clip in clips for opening in openings_in(clip)]))


if __name__ == "__main__":
    main()
