"""Evidence about closer looks: people whom a running camera follows with and without them, in recordings as they are.

    python -m models.report.closer                 what may be chosen on: training clips and development footage
    python -m models.evaluate --evidence closer    val clips and held footage, into the report

Each recording is played from its beginning as a camera at ten pictures a second. At some moments the people who are
followed are compared with those of the fused teachers, who look at the picture whole and in parts of its own size:
nobody drew these people, and whom the teachers miss as well counts nowhere. A person is found whose track lies on
them by an intersection over union of .3: a track may be a second old. Only recordings wider than the analysis size.
"""

import csv
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.capture.source import SourceSpec, open_media
from agent.config.load import of_data
from agent.inference.parts import joined, parts_of
from agent.scene.camera import Camera
from agent.service.senses import Senses
from agent.types import NS_PER_S, Frame, Track
from benchmarks.footage import normal
from models.report import evidence
from models.vision import evaluate, teachers
from models.vision.data import shared_folder
from models.vision.detect import Detections

LEAST_CLIP_PX, LEAST_FILM_PX = 400, 640
MOMENTS_S = (2.0, 4.0, 6.0)
CLIPS, FILMS = 20, 20
"""At most so many recordings of each, by lot."""
SURE, DOUBTFUL = 0.35, 0.15
"""The teachers' joint score from which a person counts, and down to which a track of ours is not called false."""
RIGHT_IOU = 0.3
HEIGHTS = (0.0, 0.1, 0.2, 1.01)
"""Edges, in picture heights, of the groups by size."""
Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Moment:
    """One picture: people of the teachers, and boxes of the tracks of people without and with closer looks."""

    clip: str
    people: Boxes
    scores: NDArray[np.float32]
    plain: Boxes
    closer: Boxes


def measure(today: date) -> None:
    """Val clips and held footage, into evidence/closer.json."""
    found = list(moments(_recordings("val", "held"), _truth()))
    evidence.save("closer", [evaluate.ZOO / "vision-320x192.int8.onnx"], {"rows": rows(found)}, today)


def rows(found: Sequence[Moment]) -> list[dict[str, Any]]:
    """A row a size and way of looking."""
    told = []
    for low, high in ((0.0, HEIGHTS[-1]), *pairwise(HEIGHTS)):
        for name in ("plain", "closer"):
            counts = np.sum([_matched(getattr(one, name), one, low, high) for one in found], 0)
            hits, truths, right, tracks = (int(count) for count in counts)
            told.append(
                {"heights": [low, high], "closer": name == "closer", "recordings": len({one.clip for one in found}),
                 "pictures": len(found), "people": truths, "recall": round(hits / max(1, truths), 4),
                 "tracks": tracks, "precision": round(right / max(1, tracks), 4)}
            )  # fmt: skip
    return told


def _matched(mine: Boxes, moment: Moment, low: float, high: float) -> tuple[int, int, int, int]:
    """(their sure people of this size whom I follow, how many they are, tracks of this size that are right, tracks)."""
    overlaps = teachers.iou(mine, moment.people) if len(mine) and len(moment.people) else np.zeros(
        (len(mine), len(moment.people))
    )  # fmt: skip
    theirs, ours = _between(moment.people, low, high), _between(mine, low, high)
    sure = theirs & (moment.scores >= SURE)
    hits = int((overlaps[:, sure] >= RIGHT_IOU).any(0).sum())
    right = int((overlaps[ours][:, moment.scores >= DOUBTFUL] >= RIGHT_IOU).any(1).sum())
    return hits, int(sure.sum()), right, int(ours.sum())


def _between(boxes: Boxes, low: float, high: float) -> NDArray[np.bool_]:
    height = boxes[:, 3] - boxes[:, 1]
    return np.asarray((height >= low) & (height < high))


def moments(recordings: Sequence[Path], truth: Callable[[NDArray[np.uint8]], Detections]) -> Iterator[Moment]:
    """Every moment of every recording."""
    senses = Senses.load(of_data({}, ()))
    for path in tqdm(recordings, desc="closer looks", mininterval=10):
        yield from _played(path, senses, truth)


def _played(path: Path, senses: Senses, truth: Callable[[NDArray[np.uint8]], Detections]) -> Iterator[Moment]:
    analysis = senses.config.analysis
    spec = SourceSpec(
        camera="closer", url=str(path), want_sound=False, analysis_fps=analysis.fps,
        width_px=analysis.width_px, height_px=analysis.height_px,
    )  # fmt: skip
    cameras = [Camera("plain", {}), Camera("closer", {})]
    left = [round(at_s * NS_PER_S) for at_s in MOMENTS_S]
    seer = senses.seer()
    with open_media(spec) as media:
        for item in media.read():
            if not isinstance(item, Frame) or not left:
                break
            seen = seer.see(item)
            for camera, shown in zip(cameras, (replace(seen, closer=None), seen), strict=True):
                deque(camera.observe(shown), maxlen=0)
            if item.at_ns >= left[0]:
                left.pop(0)
                full = media.latest_picture()
                assert full is not None
                said = truth(full)
                plain, closer = (_boxes(camera.tracks(item.at_ns)) for camera in cameras)
                yield Moment(path.stem, said.boxes, said.scores, plain, closer)


def _boxes(tracks: Sequence[Track]) -> Boxes:
    boxes = [one.box for one in tracks if one.label == "person"]
    corners = [(box.left_frac, box.top_frac, box.right_frac, box.bottom_frac) for box in boxes]
    return np.array(corners, np.float32).reshape(-1, 4)


def _truth() -> Callable[[NDArray[np.uint8]], Detections]:
    """People whom the fused teachers find in a picture, whole and in parts."""
    repositories = Path(os.environ.get("VEDETTE_REPOSITORIES", "build/repositories"))
    joint = teachers.together(list(teachers.teachers(shared_folder(), repositories).values()))

    def look(picture: NDArray[np.uint8]) -> Detections:
        boxes, scores = [], []
        for part in parts_of(picture):
            said = joint(np.ascontiguousarray(part.picture))
            held = part.holds(said.boxes) & (said.classes == 0)
            boxes.append(part.to_whole(said.boxes[held]))
            scores.append(said.scores[held])
        all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
        kept = joined(all_boxes, all_scores, np.zeros(len(all_boxes), np.int64))
        return Detections(all_boxes[kept], all_scores[kept], np.zeros(len(kept), np.int64))

    return look


def _recordings(split: str, part: str) -> list[Path]:
    """Clips of a split and normal footage of a part that are wide enough, by lot."""
    folder = shared_folder() / "data/video"
    with (folder / "manifest.csv").open(newline="") as file:
        of_split = [row for row in csv.DictReader(file) if row["split"] == split]
    clips = [folder / row["file"] for row in of_split if _width(row["resolution"]) >= LEAST_CLIP_PX]
    films = [one.file for one in normal(part) if _width(one.size) >= LEAST_FILM_PX and "UP-Fall" not in one.source]
    random = np.random.default_rng(0)
    return [
        path
        for paths, most in ((clips, CLIPS), (films, FILMS))
        for path in (paths[index] for index in sorted(random.permutation(len(paths))[:most].tolist()))
        if path.exists()
    ]


def _width(size: str) -> int:
    return int(size.split("x", maxsplit=1)[0]) if "x" in size else 0


if __name__ == "__main__":
    for row in rows(list(moments(_recordings("train", "dev"), _truth()))):
        print(json.dumps(row))
