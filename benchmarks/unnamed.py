"""How often things without a class alarm where nothing was left or taken: hours of film again, the picture a zone.

    python -m benchmarks.unnamed                  held film and the calm val clips, with the product's dwells
    python -m benchmarks.unnamed --part dev       film that may be looked at; what opened goes to stderr
    python -m benchmarks.unnamed --dwells 5 3     seconds for abandoned and removed instead: films are short

One zone covers the whole picture, with the rules `abandoned_object` and `removed_object` and `any_object`. People are
those that benchmarks.hours saw (a recording that it has not seen yet is looked at now); the pictures are decoded again
for `agent.features.standing`. A bag the detector names counts too: both speak with one signal. Only recordings that
last longer than a dwell can show that it was waited for; the table says how long they are.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from agent.capture.source import open_media
from agent.config.schema import Zone
from agent.errors import SourceError
from agent.features.standing import StandingChange
from agent.inference.see import alive_of
from agent.scene import Policy, Scene
from agent.service.recordings.replay import DEFAULT_CAMERA
from agent.service.senses import ABSORB_S, Senses
from agent.types import Blind, Box, Frame, Observation, Opened, Seen
from benchmarks.calm import bound_per_day, manifest_clips
from benchmarks.footage import REPOSITORY, normal
from benchmarks.hours import Playable, code_sha, observed, provenance, senses_of_default, spec_of

KEPT = REPOSITORY / "build" / "footage" / "unnamed"
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
RULES = ("abandoned_object", "removed_object")


@dataclass(frozen=True, slots=True)
class Calm:
    """A calm clip of ../shared/data/video as a recording to play."""

    file: Path
    sha256: str
    seconds: float = 0.0
    source: str = "calm clips, val"
    medium: str = "video"
    fps: float = 0.0
    part: str = "held"


def standing(one: Playable, seen: Sequence[Seen], senses: Senses, absorb_s: float) -> Iterator[Seen]:
    """Yield what was seen of a recording, each with the standing change of its picture. Raises SourceError."""
    by_time = {sight.at_ns: sight for sight in seen}
    change, alive = StandingChange(absorb_s=absorb_s), list[Box]()
    with open_media(spec_of(one.file, one.fps, senses)) as media:
        for frame in media.read():
            sight = by_time.get(frame.at_ns) if isinstance(frame, Frame) else None
            if not isinstance(frame, Frame) or sight is None:
                continue
            if sight.detections is not None:
                alive = alive_of(sight.detections)
            yield replace(sight, standing=change.see(frame.picture, frame.at_ns, alive))


def opened(one: Playable, zone: Zone, senses: Senses) -> tuple[float, list[tuple[float, str]]]:
    """Return how long a recording is and what opens of left and taken things, with when. Raises SourceError."""
    key = f"{code_sha()}\0{one.sha256}\0{zone.abandoned_dwell_s}\0{zone.removed_dwell_s}"
    kept = KEPT / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if not kept.is_file():
        made = observed(one.file, one.sha256, one.fps, senses)
        seen = [each for each in made if isinstance(each, Seen)]
        policy = replace(Policy.of(senses.config), zones={DEFAULT_CAMERA: {"all": zone}})
        scene, told = Scene(policy, lateness_ns=0), list[tuple[float, str]]()
        ends: list[Observation] = [each for each in made if isinstance(each, Blind) and each.modality == "vision"]
        for observation in chain(standing(one, seen, senses, zone.abandoned_dwell_s + ABSORB_S), ends):
            for each in scene.step(observation):
                if isinstance(each, Opened) and each.incident.kind in RULES:
                    told.append((observation.at_ns / 1e9, each.incident.kind))
        kept.parent.mkdir(parents=True, exist_ok=True)
        length_s = (seen[-1].at_ns - seen[0].at_ns) / 1e9 if seen else 0.0
        kept.write_text(json.dumps([length_s, told]), "utf-8")
    length_s, told = json.loads(kept.read_text("utf-8"))
    return length_s, [(at_s, kind) for at_s, kind in told]


def line(name: str, zone: Zone, found: Sequence[tuple[float, list[tuple[float, str]]]]) -> str:
    """Return the row of some recordings."""
    seconds = sum(length_s for length_s, _ in found)
    long = sum(length_s > zone.abandoned_dwell_s for length_s, _ in found)
    told = Counter(kind for _, opened_of in found for _, kind in opened_of)
    listed = ", ".join(f"{kind} {count}" for kind, count in told.most_common()) or "none"
    bound = bound_per_day(told.total(), seconds / 3600)
    dwells = f"{zone.abandoned_dwell_s:g} and {zone.removed_dwell_s:g} s"
    return f"| {name} | {dwells} | {len(found)} | {long} | {seconds / 3600:.3f} | {listed} | {bound:.0f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["dev", "held"], default="held")
    parser.add_argument("--dwells", nargs=2, type=float, metavar=("S", "S"))
    chosen = parser.parse_args(arguments)
    asked = dict(zip(("abandoned_dwell_s", "removed_dwell_s"), chosen.dwells or (), strict=False))
    zone = Zone(polygon=WHOLE, rules=RULES, any_object=True, **asked)
    groups: dict[str, list[Playable]] = {f"film, {chosen.part}": [*normal(chosen.part)]}
    if chosen.part == "held":
        clips = [Calm(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in manifest_clips("val")]
        groups[clips[0].source] = [*clips]
    print("| footage | dwells | recordings | longer than the first | hours | opened | bound a camera-day |")
    print("|---|---|---|---|---|---|---|")
    for name, members in groups.items():
        found = []
        for one in members:
            if not one.file.exists():
                continue
            try:
                found.append(opened(one, zone, senses_of_default()))
            except SourceError as error:
                print(error.line(), file=sys.stderr)
                continue
            if one.part == "dev":
                for at_s, kind in found[-1][1]:
                    print(f"{one.file.name} {at_s:.1f} {kind}", file=sys.stderr, flush=True)
        print(line(name, zone, found), flush=True)
    print(f"\n{provenance()}")


if __name__ == "__main__":
    main()
