"""Evidence about people in front of cameras: val clips against the fused teachers, rendered scenes against exact boxes.

The shipped int8 graphs at the card's threshold: live (320×192, undistorted) and as stills are shown (416×416). A
figure on rendered scenes never stands for one on real footage.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.features.letterbox import STILL_STRETCH, letterbox, to_tensor
from models.report import evidence
from models.vision import evaluate, sources, teachers
from models.vision.data import ROOT, shared_folder
from models.vision.detect import Detections, found_in

SCENES = ROOT / "build" / "scenes"
GRAPHS = {"320x192": (320, 192, 1.0), "416x416": (416, 416, STILL_STRETCH)}
FRAMES_PER_CLIP = 2
EVERY_FRAMES = 12
SURE, DOUBTFUL = 0.35, 0.15
"""The teachers' joint score from which a person counts, and down to which a box of ours is not called false."""
RIGHT_IOU = 0.5
LEAST_PIXELS = 400
Boxes = NDArray[np.float32]


def measure(card: dict[str, Any], today: date) -> None:
    """Everything, into evidence/people.json."""
    threshold = float(card["thresholds"]["person"])
    looks = {name: live(name, *size, threshold) for name, size in GRAPHS.items()}
    paths = [evaluate.ZOO / f"vision-{name}.int8.onnx" for name in GRAPHS]
    repositories = Path(os.environ.get("VEDETTE_REPOSITORIES", "build/repositories"))
    joint = teachers.together(list(teachers.teachers(shared_folder(), repositories).values()))
    found = {
        "threshold": threshold,
        "surveillance": list(surveillance(looks, joint)),
        "rendered": list(rendered(looks)) if SCENES.exists() else [],
    }
    evidence.save("people", paths, found, today)


def live(name: str, width_px: int, height_px: int, stretch: float, threshold: float) -> teachers.Look:
    """One of our graphs as a detector of people: boxes as fractions."""
    predict = evaluate.onnxruntime_predict(evaluate.ZOO / f"vision-{name}.int8.onnx")

    def look(picture: sources.Picture) -> Detections:
        canvas, fit = letterbox(picture, width_px, height_px, stretch)
        out = predict(to_tensor(canvas))
        found = found_in(out, (width_px, height_px), threshold, classes=1)
        return Detections(fit.to_fractions(found.boxes), found.scores, found.classes)

    return look


def surveillance(looks: dict[str, teachers.Look], joint: teachers.Look) -> Iterator[dict[str, Any]]:
    """A row a graph and a kind of clip: people of the fused teachers found, and boxes that they do not share."""
    seen: dict[tuple[str, str], list[tuple[int, int, int, int]]] = defaultdict(list)
    for kind, picture in tqdm(list(clip_pictures()), desc="surveillance", mininterval=10):
        said = joint(picture)
        people = said.classes == 0
        for name, look in looks.items():
            seen[name, kind].append(matched(look(picture).boxes, said.boxes[people], said.scores[people]))
    for name in looks:
        for kind in ("all", *sorted({kind for _, kind in seen})):
            rows = [row for (graph, of), rows in seen.items() if graph == name and kind in ("all", of) for row in rows]
            hits, truths, right, told = np.sum(rows, 0)
            yield {"graph": name, "clips": kind, "pictures": len(rows), "people": int(truths),
                   "recall": round(hits / max(1, truths), 4), "precision": round(right / max(1, told), 4)}  # fmt: skip


def clip_pictures() -> Iterator[tuple[str, sources.Picture]]:
    """(kind of clip, picture), a few of each val clip."""
    taken: dict[str, int] = defaultdict(int)
    for record, picture in sources.clip_frames(shared_folder(), "val"):
        clip = record.item.rpartition("@")[0]
        taken[clip] += 1
        if taken[clip] <= FRAMES_PER_CLIP * 2 and taken[clip] % 2 == 0:
            yield "with fire or smoke" if record.fire is None or record.fire or record.smoke else "others", picture


def matched(mine: Boxes, theirs: Boxes, scores: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """(their sure people that a box of mine shows, how many they are, boxes of mine that they share, my boxes)."""
    sure = scores >= SURE
    overlaps = teachers.iou(mine, theirs) if len(mine) and len(theirs) else np.zeros((len(mine), len(theirs)))
    hits = int((overlaps[:, sure] >= RIGHT_IOU).any(0).sum())
    right = int((overlaps[:, scores >= DOUBTFUL] >= RIGHT_IOU).any(1).sum())
    return hits, int(sure.sum()), right, len(mine)


def rendered(looks: dict[str, teachers.Look]) -> Iterator[dict[str, Any]]:
    """A row a graph and posture: rendered people of some size that a box shows."""
    seen: dict[tuple[str, str], list[bool]] = defaultdict(list)
    clips: dict[str, set[str]] = defaultdict(set)
    for path in tqdm(sorted(SCENES.glob("*.json")), desc="rendered", mininterval=10):
        if not path.with_suffix(".mp4").exists():
            continue
        truth = json.loads(path.read_text("utf-8"))
        for picture, people in _pictures(path.with_suffix(".mp4"), truth):
            for name, look in looks.items():
                boxes = look(picture).boxes
                for person in people:
                    seen[name, person["posture"]].append(shown(person, boxes, picture.shape))
                    clips[person["posture"]].add(path.stem)
    for (name, posture), hits in sorted(seen.items()):
        yield {"graph": name, "posture": posture, "clips": len(clips[posture]), "people": len(hits),
               "recall": round(float(np.mean(hits)), 4)}  # fmt: skip


def _pictures(path: Path, truth: dict[str, Any]) -> Iterator[tuple[sources.Picture, list[dict[str, Any]]]]:
    """Every twelfth frame with the people in it that are large enough to be seen."""
    at: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for person in truth["people"]:
        for frame in person["frames"]:
            if frame["pixels"] >= LEAST_PIXELS:
                at[frame["frame"]].append(frame)
    for number, (_, picture) in enumerate(sources.frames(path, 0.0)):
        if number % EVERY_FRAMES == 0 and at.get(number):
            yield picture, at[number]


def shown(person: dict[str, Any], boxes: Boxes, shape: Sequence[int]) -> bool:
    """Whether a box overlaps what is to be seen of the person, or the whole of them, by half."""
    side = np.array([shape[1], shape[0], shape[1], shape[0]], np.float32)
    true = np.array([person["box"], person["whole"]], np.float32) / side
    return bool(len(boxes)) and bool((teachers.iou(boxes, true) >= RIGHT_IOU).any())
