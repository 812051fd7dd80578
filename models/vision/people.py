"""People whose posture is known: pictures, boxes, postures; and views of them as cameras see.

| source | posture from |
|---|---|
| COCO pictures of the index | drawn joints, `postures.posture_of` |
| clips of `../shared/data/video`, split train | MoveNet's joints; after a fall, from the time of the fall: lying |
| rendered scenes and stills (`models.scenes`) | their joints in the room, `postures.posture_in_room`, and by name |

Few people lie in pictures that one finds. So whoever stands or sits is also shown turned by 60 to 120°, which makes
them lie; the rest of the picture turns too, and only `LYING` from real and rendered pictures says that a floor stays
where it is. The figures are of people who lie without having been turned.
"""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.vision import augment, exclude, records, sources
from models.vision.augment import Picture
from models.vision.data import BUILD, INDEX
from models.vision.postures import CROUCHED, LYING, UPRIGHT, posture_in_room, posture_of, turned

KEYPOINTS = "Jar-17/yolov7_for_baseball"
MOVENET = "data/vision/teachers/movenet_singlepose_lightning_int8_4.tflite"
SURE_JOINT = 0.35
TAUGHT_SCENES = (
    "bag", "climb", "fall", "fall-chair", "fall-faint", "fall-ward", "fight", "intrude", "lie-down", "walkby",
)  # fmt: skip
"""Rendered scenes to learn from; all others are for measuring only."""
MOVING = ("climbing", "falling")
"""What rendered people do in no posture, whatever their joints say for a moment."""
RENDERED_EVERY = 4
"""Every so-many-th frame."""
SMALLEST_SCENE_PX = 150
"""Visible pixels of a rendered person."""
LEAST_VISIBLE_FRAC = 0.5
"""Of the box of a person in a rendered still."""
FALLEN_S = 0.3
CLIP_FRAMES = 3
CLIP_KINDS = ("fall", "normal")
"""People who fight stand and crouch in ways that MoveNet is unsure of."""
Estimate = Callable[[Picture, NDArray[np.float64]], NDArray[np.float64]]
Find = Callable[[Picture], NDArray[np.float64]]


@dataclass(frozen=True)
class Shown:
    """A picture with the people in it whose posture is known: `boxes` [n, 4] pixels, `postures` into POSTURES."""

    picture: Picture
    boxes: NDArray[np.float64]
    postures: tuple[int, ...]
    group: str
    source: str
    chosen_dev: bool | None = None
    """None: as the group's name has it, one group in ten."""

    @property
    def is_dev(self) -> bool:
        if self.chosen_dev is not None:
            return self.chosen_dev
        return int(hashlib.sha256(self.group.encode()).hexdigest(), 16) % 10 == 0


def keypoint_files(repositories: Path) -> tuple[sources.Repository, dict[str, str]]:
    """The labels' repository, and the label file of each COCO picture's group."""
    repository = sources.Repository.find(repositories, KEYPOINTS)
    paths = [path for path in repository.paths("labels") if "2017/" in path]
    return repository, {f"coco-{int(Path(path).stem)}": path for path in paths}


def labelled(picture: Picture, lines: str, group: str, source: str) -> Shown | None:
    """A COCO picture with the joints of a YOLO label file: class, cx cy w h, 17 × (x y v), all in fractions."""
    height, width = picture.shape[:2]
    boxes, postures = [], []
    for line in lines.splitlines():
        row = np.array(line.split(), np.float64)
        box = np.array(sources.from_centre(line)) * (width, height, width, height)
        posture = posture_of(row[5:56].reshape(17, 3) * (width, height, 1.0), box)
        if posture is not None:
            boxes.append(box)
            postures.append(posture)
    return Shown(picture, np.array(boxes), tuple(postures), group, source) if boxes else None


def coco_people(repositories: Path) -> Iterator[Shown]:
    """Training pictures of the index (no validation group is in it) with drawn joints."""
    repository, files = keypoint_files(repositories)
    for record in records.read(INDEX):
        if record.group in files:
            picture = sources.read_picture(BUILD / "pictures" / record.file)
            shown = labelled(picture, repository.read(files[record.group]).decode(), record.group, "coco")
            if shown is not None:
                yield shown


def validation_people(shared: Path, repositories: Path) -> Iterator[Shown]:
    """Validation pictures with drawn joints."""
    repository, files = keypoint_files(repositories)
    root = shared / "data/vision"
    for row in json.loads((root / "manifest_images.json").read_text()):
        group = sources.group_of(row["original"])
        if row["split"] == "val" and group in files:
            picture = sources.read_picture(root / row["file"])
            shown = labelled(picture, repository.read(files[group]).decode(), group, "coco")
            if shown is not None:
                yield shown


def rendered_people(folder: Path, *, held: bool) -> Iterator[Shown]:
    """Frames of rendered scenes: those to learn from, or those held back."""
    for path in sorted(folder.glob("*.json")):
        if (path.stem not in TAUGHT_SCENES) == held and (path.with_suffix(".mp4")).exists():
            yield from _scene(path)


def _scene(path: Path) -> Iterator[Shown]:
    labels = json.loads(path.read_text())
    known: dict[int, list[tuple[list[float], int]]] = {}
    for who in labels["people"]:
        for row in who["frames"]:
            posture = _rendered_posture(row["posture"], dict(zip(labels["joints"], row["joints_m"], strict=True)))
            if posture is not None and row["pixels"] >= SMALLEST_SCENE_PX:
                known.setdefault(row["frame"], []).append((row["box"], posture))
    with av.open(str(path.with_suffix(".mp4"))) as media:
        for index, frame in enumerate(media.decode(video=0)):
            if index % RENDERED_EVERY == 0 and index in known:
                boxes, postures = zip(*known[index], strict=True)
                picture = frame.to_ndarray(format="rgb24")
                yield Shown(picture, np.array(boxes, np.float64), postures, f"scene-{path.stem}", "rendered")


def _rendered_posture(named: str, joints_m: dict[str, list[float]]) -> int | None:
    """By the joints; on the floor (`lying`) also curled up. What was named and what the joints say must agree."""
    if named in MOVING:
        return None
    told = posture_in_room(joints_m)
    if named == "lying":
        return LYING if told in (LYING, None) else None
    return None if told == LYING else told


def still_people(folder: Path) -> Iterator[Shown]:
    """Rendered stills (`models.scenes.stills`); pictures of its dev rooms are dev here, too."""
    for line in (folder / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        boxes, postures = [], []
        for one in row["people"]:
            posture = _rendered_posture(one["posture"], one["joints_m"])
            if posture is not None and one["pixels"] >= SMALLEST_SCENE_PX and one["visible"] >= LEAST_VISIBLE_FRAC:
                boxes.append(one["box"])
                postures.append(posture)
        if boxes:
            group = f"still-{row['room']:02}"
            picture = sources.read_picture(folder / row["file"])
            yield Shown(picture, np.array(boxes, np.float64), tuple(postures), group, "still", row["dev"])


def clip_people(shared: Path, split: str, find: Find, estimate: Estimate) -> Iterator[Shown]:
    """People in clips: by MoveNet's joints where it is sure; whoever fell, lies from then on.

    `find` gives boxes of people, best first.
    """
    never = exclude.load_never_train(shared / "data/never_train.txt")
    with (shared / "data/video/manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and row["kind"] in CLIP_KINDS]
    for row in rows:
        if split == "train" and exclude.is_forbidden(never, row["source_repo"], row["source_path"]):
            continue
        path = shared / "data/video" / row["file"]
        fall = re.search(r"([\d.]+)-([\d.]+):fall", row["events"]) if row["kind"] == "fall" else None
        shown = (
            list(_standing(path, row, find, estimate, float(fall[1]) if fall else np.inf)) if split == "train" else []
        )
        yield from shown
        if fall is not None:
            yield from _fallen(path, row, find, max(float(fall[1]) + 1.0, _lying_s(row["events"])) + FALLEN_S)


def _lying_s(events: str) -> float:
    found = re.search(r"([\d.]+)-[\d.]+:lying", events)
    return float(found[1]) if found else 0.0


def _standing(path: Path, row: dict[str, str], find: Find, estimate: Estimate, until_s: float) -> Iterator[Shown]:
    every_s = max(float(row["duration_s"]) / CLIP_FRAMES, 0.3)
    for at_s, picture in sources.frames(path, every_s):
        if at_s >= until_s:
            return
        boxes = find(picture)
        postures = [posture_of(estimate(picture, box), box) for box in boxes]
        kept = [index for index, posture in enumerate(postures) if posture in (UPRIGHT, CROUCHED)]
        if kept:
            known = tuple(posture for posture in postures if posture in (UPRIGHT, CROUCHED))
            yield Shown(picture, boxes[kept], known, row["group"], "clip")


def _fallen(path: Path, row: dict[str, str], find: Find, from_s: float) -> Iterator[Shown]:
    """Pictures after the fall; the box must hold what was not there in the median picture."""
    looks = list(sources.frames(path, 0.2))
    usual = np.median([picture for _, picture in looks[:: max(1, len(looks) // 15)]], axis=0)
    for at_s, picture in looks:
        if at_s < from_s:
            continue
        changed = (np.abs(picture.astype(np.float32) - usual).max(2) > 25).astype(np.float64)
        best = max(((box, _share(changed, box)) for box in find(picture)), key=lambda pair: pair[1], default=None)
        if best is not None and best[1] > 0.5:
            yield Shown(picture, best[0][None], (LYING,), row["group"], "fallen")


def _share(changed: NDArray[np.float64], box: NDArray[np.float64]) -> float:
    """How much of all that changed lies in the box."""
    x1, y1, x2, y2 = (max(0, round(side)) for side in box)
    return float(changed[y1:y2, x1:x2].sum() / max(changed.sum(), 1.0))


def movenet(shared: Path) -> Estimate:
    """MoveNet Lightning by OpenVINO: joints [17, 3] of the person in a box; what it is unsure of counts as unknown."""
    import openvino  # noqa: PLC0415 - an optional extra

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(shared / MOVENET), "CPU", settings)

    def estimate(picture: Picture, box: NDArray[np.float64]) -> NDArray[np.float64]:
        side = max(box[2] - box[0], box[3] - box[1], 1.0)
        left, top = (box[:2] + box[2:]) / 2 - side / 2
        scale = 192 / side
        crop = cv2.warpAffine(picture, np.array([[scale, 0, -left * scale], [0, scale, -top * scale]]), (192, 192))
        found = np.asarray(compiled(crop[None].astype(np.int32 if "i32" in str(compiled.input(0)) else np.uint8))[0])
        y, x, score = found.reshape(17, 3).astype(np.float64).T
        return np.stack([x * side + left, y * side + top, score * (score >= SURE_JOINT)], 1)

    return estimate


@dataclass(frozen=True)
class View:
    """A canvas with the people in it: `boxes` [n, 4] canvas pixels."""

    canvas: Picture
    boxes: NDArray[np.float64]
    postures: tuple[int, ...]


def random_view(
    shown: Shown, random: np.random.Generator, size: tuple[int, int], angle_deg: float, target: int
) -> View:
    """The picture around one person on a canvas, as large as chance will have it, turned, lit and blurred."""
    box = shown.boxes[target]
    long_px = float(np.exp(random.uniform(np.log(28), np.log(min(190.0, size[1] * 0.95)))))
    scale = long_px / max(box[2] - box[0], box[3] - box[1])
    picture = shown.picture
    if scale < 0.7:
        shrunk = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
        picture = np.asarray(cv2.resize(picture, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    ratio = np.array([picture.shape[1] / shown.picture.shape[1], picture.shape[0] / shown.picture.shape[0]])
    centre = (box[:2] + box[2:]) / 2 * ratio
    mirrored = random.random() < 0.5
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle_deg, scale / float(ratio.mean()))
    margin = min(long_px / 2 + 4, size[0] / 2, size[1] / 2)
    where = np.array([random.uniform(margin, size[0] - margin), random.uniform(margin, size[1] - margin)])
    turn[:, 2] += where - centre
    border = cv2.BORDER_REFLECT_101 if random.random() < 0.7 else cv2.BORDER_CONSTANT
    canvas = cv2.warpAffine(picture, turn, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=(114,) * 3)
    boxes = augment.moved(shown.boxes * np.tile(ratio, 2), turn)
    if mirrored:
        canvas, boxes = canvas[:, ::-1], boxes * (-1, 1, -1, 1) + (size[0], 0, size[0], 0)
        boxes = boxes[:, [2, 1, 0, 3]]
    canvas = augment.sensor(augment.light(np.ascontiguousarray(canvas), random, keep_colour=False), random)
    postures = [turned(posture, angle_deg) for posture in shown.postures]
    inside = np.clip(boxes, 0, (*size, *size))
    seen = augment.area(inside) / np.maximum(augment.area(boxes), 1e-6) >= 0.85
    kept = [index for index, posture in enumerate(postures) if posture is not None and seen[index]]
    return View(canvas, inside[kept], tuple(int(postures[index] or 0) for index in kept))
