"""Whether a camera notices what is done to it, and not what light and weather do: calm clips, altered after 40 s.

    python -m benchmarks.tamper                    the val clips and the rendered ones (about ten minutes)
    python -m benchmarks.tamper --split train      what thresholds are chosen on
    python -m benchmarks.tamper --only push,dusk --list

Clips are the calm ones of ../shared/data/video (or $VEDETTE_SHARED/data/video) from cameras that stand still, one of
each scene, and agent/service/clips; short ones are played to and fro. Every picture goes through the product's own
statistics (`agent.features.picture`) and scene with the default policy; the detector sees nothing in between. Found:
an incident of a fitting kind opens within 5 s of the first altered picture. False: any incident of the camera's
integrity during a natural change, or before the alteration began.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from agent.features.picture import Prepared, picture_stats
from agent.scene import Policy, Scene
from agent.types import NS_PER_S, Opened, PictureStats, Seen
from benchmarks.alterations import NATURAL, SIZE_PX, TAMPERING, Picture, View
from benchmarks.clips import SHARED

FPS = 5
CALM_S, ALTERED_S, FOUND_WITHIN_S = 40.0, 12.0, 5.0
TAMPERED_S = 6.0  # what is not found by then is not found
KEPT_WIDTH_PX, KEPT_S = 480, 12.0
ASPECT = SIZE_PX[0] / SIZE_PX[1]
RENDERED = Path(__file__).resolve().parents[1] / "agent" / "service" / "clips"
MOVING = frozenset(
    {
        "normal_mmaction_001", "normal_mmaction_002", "normal_mmaction_003", "normal_neg_012",
        "normal_asiya_002", "normal_asiya_005",
    }
)  # fmt: skip
"""Held in a hand, or cut: no camera on a wall."""
INTEGRITY = "camera_"
FREEZES = ("freeze", "freeze coded")
ALTERED_BEFORE = frozenset({"lights on", "daylight"})
"""What is altered before time 0 as well."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Five pictures a second of one clip, uint8 [height, width, 3] each."""

    name: str
    pictures: list[NDArray[np.uint8]]
    seed: int

    def at(self, index: int) -> View:
        """Return the picture at `index`, playing to and fro."""
        count = len(self.pictures)
        phase = index % max(1, 2 * count - 2)
        return View(self.pictures[phase if phase < count else 2 * count - 2 - phase], self.seed)


@dataclass(frozen=True, slots=True)
class Watched:
    """A scene that has learned a place, and what opened by then."""

    scene: Scene
    told: list[tuple[float, str]]


@dataclass
class Result:
    """What opened in the runs of one alteration."""

    runs: int = 0
    found: int = 0
    delays_s: list[float] = field(default_factory=list)
    opened: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)


def clips_of(split: str, every: int = 1) -> Iterator[Clip]:
    """Yield (every nth of) the calm clips of a split, one of each group unless it is long; for val the rendered too."""
    paths = sorted(RENDERED.glob("*.mp4")) if split == "val" else []
    manifest = SHARED / "data" / "video" / "manifest.csv"
    if manifest.is_file():
        known: set[str] = set()
        with manifest.open(encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                path = manifest.parent / row["file"]
                if row["kind"] != "normal" or row["split"] != split or path.stem in MOVING:
                    continue
                if row["group"] not in known or float(row["duration_s"]) >= 5.0:
                    known.add(row["group"])
                    paths.append(path)
    for seed, path in enumerate(paths):
        if seed % every == 0:
            yield Clip(path.stem, list(_pictures(path)), seed)


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield five pictures a second of the first 12 s."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        due_s = 0.0
        for frame in container.decode(stream):
            at_s = float((frame.pts or 0) * (frame.time_base or 0))
            if at_s + 1e-3 >= due_s:
                due_s = max(due_s, at_s - 0.5 / FPS) + 1 / FPS
                wide = min(KEPT_WIDTH_PX, frame.width)
                small = frame.reformat(wide, round(frame.height * wide / frame.width), "rgb24", interpolation="AREA")
                yield np.asarray(small.to_ndarray(), np.uint8)
            if at_s > KEPT_S:
                return


def shown(
    clip: Clip, name: str, start_s: float = -CALM_S, end_s: float = ALTERED_S
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the time from the alteration and the picture."""
    alter = NATURAL[name] if name in NATURAL else TAMPERING[name][0] if name in TAMPERING else NATURAL["nothing"]
    frozen: Picture | None = None
    for index in range(round((start_s + CALM_S) * FPS), round((end_s + CALM_S) * FPS)):
        at_s = index / FPS - CALM_S
        before = at_s < 0.0 and name not in ALTERED_BEFORE
        picture = clip.at(index).window() if before else alter(at_s, clip.at(index))
        if name in FREEZES and at_s >= 0.0:
            frozen = picture if frozen is None else frozen
            picture = _coded(frozen, index) if name == "freeze coded" else frozen
        yield at_s, np.asarray(picture.round().clip(0, 255), np.uint8)


def _coded(picture: Picture, index: int) -> Picture:
    """A frozen picture that is still coded: each key picture, every 2 s, comes out a little different."""
    pattern = np.random.default_rng(index // (2 * FPS)).normal(0.0, 1.0, picture.shape)
    return np.asarray(picture + pattern, np.float32)


def measured(
    pictures: Iterable[tuple[float, NDArray[np.uint8]]], before: View | None
) -> Iterator[tuple[float, PictureStats]]:
    """Yield the statistics of each picture; `before` is what was seen before the first."""
    previous = None if before is None else Prepared.of(np.asarray(before.window().round().clip(0, 255), np.uint8))
    for at_s, picture in pictures:
        now = Prepared.of(picture)
        yield at_s, picture_stats(now, previous)
        previous = now


def watched(calm: Iterable[tuple[float, PictureStats]]) -> Watched:
    """Return a scene that has seen the calm part, and what opened meanwhile."""
    scene = Scene(Policy(), lateness_ns=0)
    return Watched(scene, list(_told(scene, calm)))


def _told(scene: Scene, pictures: Iterable[tuple[float, PictureStats]]) -> Iterator[tuple[float, str]]:
    """Yield what opens about the camera itself, with the time from the alteration."""
    for at_s, stats in pictures:
        at_ns = round((at_s + CALM_S) * NS_PER_S)
        seen = Seen(camera="cam", at_ns=at_ns, aspect_ratio=ASPECT, stats=stats, detections=())
        for change in scene.step(seen):
            if isinstance(change, Opened) and change.incident.kind.startswith(INTEGRITY):
                yield at_s, change.incident.kind


def opened(clip: Clip, name: str, calm: Watched) -> list[tuple[float, str]]:
    """Return what opened about the camera itself, with the time from the alteration."""
    if name in ALTERED_BEFORE:
        calm = watched(measured(shown(clip, name, end_s=0.0), None))
    end_s = ALTERED_S if name in NATURAL else TAMPERED_S
    altered = measured(shown(clip, name, start_s=0.0, end_s=end_s), clip.at(round(CALM_S * FPS) - 1))
    return [*calm.told, *_told(deepcopy(calm.scene), altered)]


def judge(result: Result, clip: Clip, name: str, calm: Watched) -> None:
    """Play one clip with one alteration and add what came of it."""
    told = opened(clip, name, calm)
    wanted = frozenset({"camera_frozen"}) if name in FREEZES else TAMPERING[name][1] if name in TAMPERING else None
    result.runs += 1
    result.early += [f"{clip.name} {kind} at {at_s:.1f}" for at_s, kind in told if at_s < 0.0 and wanted is not None]
    fitting = [at_s for at_s, kind in told if wanted and kind in wanted and 0.0 <= at_s <= FOUND_WITHIN_S]
    if fitting:
        result.found += 1
        result.delays_s.append(fitting[0])
    elif wanted is not None or told:
        result.missed.append(f"{clip.name} {told}")
    result.opened.update({kind for at_s, kind in told if at_s >= 0.0 or wanted is None})


def table(results: dict[str, Result]) -> str:
    """Return the Markdown table."""
    lines = ["| what | clips | found within 5 s | median delay | told as |", "|---|---|---|---|---|"]
    tampered = [(name, result) for name, result in results.items() if name not in NATURAL]
    for name, result in tampered:
        told = ", ".join(f"{kind} {count}" for kind, count in result.opened.most_common()) or "nothing"
        median = f"{np.median(result.delays_s):.1f} s" if result.delays_s else "–"
        lines.append(f"| {name} | {result.runs} | {result.found / result.runs:.3f} | {median} | {told} |")
    runs, found = sum(r.runs for _, r in tampered), sum(r.found for _, r in tampered)
    if runs:
        lines.append(f"| **all tampering** | {runs} | **{found / runs:.3f}** | | |")
    lines += ["", "| natural change | clips | false | told as |", "|---|---|---|---|"]
    calm = [(name, result) for name, result in results.items() if name in NATURAL]
    for name, result in calm:
        told = ", ".join(f"{kind} {count}" for kind, count in result.opened.most_common()) or "nothing"
        lines.append(f"| {name} | {result.runs} | {len(result.missed)} | {told} |")
    false = sum(len(r.missed) for _, r in calm)
    early = sum(len(r.early) for _, r in tampered)
    lines.append(f"| **all natural changes** | {sum(r.runs for _, r in calm)} | **{false}** | |")
    lines.append(f"\nBefore the tampering began: {early} false in {runs} runs of {CALM_S:.0f} s.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=["train", "val"], default="val")
    parser.add_argument("--only", default="", metavar="A,B", help="only these alterations")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth clip")
    parser.add_argument("--list", action="store_true", help="name what was missed and what was false")
    chosen = parser.parse_args(arguments)
    every = [*TAMPERING, *FREEZES, *NATURAL]
    names = [name for name in chosen.only.split(",") if name] or every
    if unknown := [name for name in names if name not in every]:
        parser.error(f"no alteration {unknown[0]!r}; there are {', '.join(every)}")
    results = {name: Result() for name in names}
    for clip in clips_of(chosen.split, chosen.every):
        if len(clip.pictures) > 1:
            calm = watched(measured(shown(clip, "nothing", end_s=0.0), None))
            for name in names:
                judge(results[name], clip, name, calm)
            if chosen.list:
                print(f"{clip.name}: {len(clip.pictures)} pictures", file=sys.stderr, flush=True)
    print(table(results))
    if chosen.list:
        for name, result in results.items():
            for line in [*result.missed, *result.early]:
                print(f"{name}: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
