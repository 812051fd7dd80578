"""Three published detectors, and what they say together: pseudo-labels for every training picture.

    python -m models.vision.teachers --repositories DIR    # writes build/vision/fused.jsonl, resumes
    python -m models.vision.teachers --dev                 # how good each is, and all together, on dev

NanoDet-Plus-m at 512, PicoDet-S at 416 (both in ../shared/data/vision/teachers) and YOLOX-nano at 416 (out of a clone
of `Kazuhito00/YOLOX-ONNX-TFLite-Sample`), each on the picture and on its mirror image, joined by weighted boxes
(Solovyev et al. 2021): boxes of one class that overlap become their mean weighted by score; the score is the mean
over all six, so that what one alone sees counts little. All three are Apache-2.0.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from models.vision import records, sources
from models.vision.data import BUILD, INDEX, add_repositories, shared_folder
from models.vision.detect import Detections, Look, detections

FUSED = BUILD / "fused.jsonl"
YOLOX_REPOSITORY = "Kazuhito00/YOLOX-ONNX-TFLite-Sample"
YOLOX_PATH = "model/yolox_nano.onnx"
LEAST_SCORE = 0.05
SAME_IOU = 0.55
MEAN_BGR, STD_BGR = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
NANODET_STRIDES = (8, 16, 32, 64)
YOLOX_STRIDES = (8, 16, 32)

Picture = NDArray[np.uint8]
Reals = NDArray[np.float32]


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """An ONNX file (or its bytes) on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def points(side_px: int, strides: Sequence[int]) -> Reals:
    """[N,3]: column, row and stride of each cell of a square canvas, row by row."""
    rows = []
    for stride in strides:
        count = -(-side_px // stride)
        y, x = np.mgrid[:count, :count]
        rows.append(np.stack([x.ravel(), y.ravel(), np.full(count * count, stride)], 1))
    return np.concatenate(rows).astype(np.float32)


def stretched(picture: Picture, side_px: int, *, bgr: bool) -> Reals:
    """The picture pulled onto the canvas and normalised, [1,3,side,side]."""
    canvas = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    canvas = canvas[:, :, ::-1] if bgr else canvas
    order = slice(None) if bgr else slice(None, None, -1)
    normal = (canvas - np.array(MEAN_BGR[order], np.float32)) / np.array(STD_BGR[order], np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], np.float32)


def sides_to_boxes(sides: Reals, cells: Reals, side_px: int, offset: float) -> Reals:
    """Distributions over distances [N,32] → boxes [N,4] as fractions of the canvas."""
    logits = sides.reshape(-1, 4, 8)
    odds = np.exp(logits - logits.max(2, keepdims=True))
    distance = (odds / odds.sum(2, keepdims=True) * np.arange(8)).sum(2)
    centre, stride = cells[:, :2] + offset, cells[:, 2:]
    boxes = np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], 1) * stride / side_px
    return np.clip(boxes, 0, 1).astype(np.float32)


def nanodet(path: Path) -> Look:
    """NanoDet-Plus-m at 512 as published: stretched, BGR."""
    run, cells = session(path), points(512, NANODET_STRIDES)

    def look(picture: Picture) -> Detections:
        out = run.run(None, {"data": stretched(picture, 512, bgr=True)})[0][0]
        return detections(out[:, :80], sides_to_boxes(out[:, 80:], cells, 512, 0.0), LEAST_SCORE)

    return look


def picodet(path: Path) -> Look:
    """PicoDet-S at 416: stretched, RGB."""
    run, cells = session(path), points(416, NANODET_STRIDES)

    def look(picture: Picture) -> Detections:
        out = [part[0] for part in run.run(None, {"image": stretched(picture, 416, bgr=False)})]
        boxes = sides_to_boxes(np.concatenate(out[4:]), cells, 416, 0.5)
        return detections(np.concatenate(out[:4]), boxes, LEAST_SCORE)

    return look


def yolox(model: Path | bytes) -> Look:
    """YOLOX-nano at 416: in the upper left corner of grey, BGR, bytes as they are."""
    run, cells = session(model), points(416, YOLOX_STRIDES)

    def look(picture: Picture) -> Detections:
        height, width = picture.shape[:2]
        scale = min(416 / height, 416 / width)
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        canvas = np.full((416, 416, 3), 114, np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
        image = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)
        out = run.run(None, {"images": image})[0][0]
        centre, extent = (out[:, :2] + cells[:, :2]) * cells[:, 2:], np.exp(out[:, 2:4]) * cells[:, 2:]
        corners = np.concatenate([centre - extent / 2, centre + extent / 2], 1) / (size * 2)
        return detections(out[:, 4:5] * out[:, 5:], np.clip(corners, 0, 1).astype(np.float32), LEAST_SCORE)

    return look


def teachers(shared: Path, repositories: Path) -> dict[str, Look]:
    """The three by name. Raises FileNotFoundError where a file or the clone is missing."""
    folder = shared / "data/vision/teachers"
    weights = sources.Repository.find(repositories, YOLOX_REPOSITORY).read(YOLOX_PATH)
    return {
        "NanoDet-Plus-m 512": nanodet(folder / "nanodet_plus_m_512.onnx"),
        "PicoDet-S 416": picodet(folder / "picodet_s_416_coco.onnx"),
        "YOLOX-nano 416": yolox(weights),
    }


def mirrored(look: Look) -> Look:
    """The same teacher on the mirror image, its boxes mirrored back."""

    def other(picture: Picture) -> Detections:
        found = look(np.ascontiguousarray(picture[:, ::-1]))
        boxes = found.boxes.copy()
        boxes[:, [0, 2]] = 1 - found.boxes[:, [2, 0]]
        return Detections(boxes, found.scores, found.classes)

    return other


def together(looks: Sequence[Look]) -> Look:
    """All of them, and all mirrored, as one."""
    everyone = [*looks, *(mirrored(look) for look in looks)]
    return lambda picture: fused([look(picture) for look in everyone])


@dataclass
class _Cluster:
    label: int
    boxes: list[Reals]
    scores: list[float]
    mean: Reals

    def add(self, box: Reals, score: float) -> None:
        self.boxes.append(box)
        self.scores.append(score)
        self.mean = np.average(np.stack(self.boxes), axis=0, weights=self.scores).astype(np.float32)


def iou(a: Reals, b: Reals) -> Reals:
    """Overlap of boxes [n,4] and [m,4] → [n,m]."""
    corner, far = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inside = np.clip(far - corner, 0, None).prod(2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1) for boxes in (a, b)]
    return np.asarray(inside / np.maximum(areas[0][:, None] + areas[1][None] - inside, 1e-9), np.float32)


def fused(said: Sequence[Detections], least_score: float = LEAST_SCORE) -> Detections:
    """Weighted boxes of what several said about one picture, best first."""
    rows = [
        (float(score), int(label), box)
        for one in said
        for box, score, label in zip(one.boxes, one.scores, one.classes, strict=True)
    ]
    clusters: dict[int, list[_Cluster]] = {}
    for score, label, box in sorted(rows, key=lambda row: -row[0]):
        mine = clusters.setdefault(label, [])
        overlap = iou(np.stack([cluster.mean for cluster in mine]), box[None])[:, 0] if mine else np.zeros(0)
        if len(overlap) and overlap.max() >= SAME_IOU:
            mine[int(overlap.argmax())].add(box, score)
        else:
            mine.append(_Cluster(label, [box], [score], box))
    joined = [cluster for mine in clusters.values() for cluster in mine]
    scores = np.array([min(1.0, sum(cluster.scores) / len(said)) for cluster in joined], np.float32)
    order = [index for index in np.argsort(-scores, kind="stable") if scores[index] >= least_score]
    boxes = np.array([joined[index].mean for index in order], np.float32).reshape(-1, 4)
    return Detections(boxes, scores[order], np.array([joined[index].label for index in order], np.int64))


def load(path: Path = FUSED) -> dict[str, Detections]:
    """What was said of each picture, by its file. Raises FileNotFoundError before the first run."""
    with path.open() as lines:
        rows = [json.loads(line) for line in lines]
    return {
        row["file"]: Detections(np.array(row["boxes"], np.float32).reshape(-1, 4), np.array(row["scores"], np.float32),
                                np.array(row["classes"], np.int64))
        for row in rows
    }  # fmt: skip


def label_all(look: Look, files: Sequence[str], path: Path = FUSED) -> None:
    """Append a line for each picture that has none yet."""
    todo = unfinished(path, files)
    with path.open("a") as out:
        for name in tqdm(todo, desc="teachers", initial=len(files) - len(todo), total=len(files), mininterval=10):
            found = look(sources.read_picture(BUILD / "pictures" / name))
            row = {"file": name, "boxes": _short(found.boxes), "scores": _short(found.scores),
                   "classes": found.classes.tolist()}  # fmt: skip
            out.write(json.dumps(row) + "\n")
            out.flush()


def unfinished(path: Path, files: Sequence[str]) -> list[str]:
    """Files that have no line yet; a last line that was cut off is dropped."""
    lines = path.read_text().splitlines() if path.exists() else []
    whole = [line for line in lines if line.endswith("}")]
    if len(whole) < len(lines):
        path.write_text("".join(line + "\n" for line in whole))
    done = {str(json.loads(line)["file"]) for line in whole}
    return [name for name in files if name not in done]


def _short(values: Reals) -> list[Any]:
    return list(values.astype(np.float64).round(4).tolist())


def on_dev(looks: dict[str, Look]) -> Iterator[tuple[str, float, float]]:
    """(who, person AP50, AP) on the pictures of dev."""
    from models.vision import evaluate  # noqa: PLC0415 - it needs pycocotools, labelling does not

    stills = evaluate.dev_stills()
    for name, look in [*looks.items(), ("all together", together(list(looks.values())))]:
        found = [row for still in tqdm(stills, desc=name, leave=False) for row in evaluate.rows_of(still, look)]
        yield name, *evaluate.average_precision(stills, found, (1,))


def main() -> None:
    parser = argparse.ArgumentParser(description="Pseudo-labels of three published detectors.")
    add_repositories(parser)
    parser.add_argument("--dev", action="store_true", help="measure them on dev instead")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    looks = teachers(shared_folder(), options.repositories)
    if options.dev:
        for name, ap50, ap in on_dev(looks):
            print(f"{name}: person AP50 {ap50:.4f} AP {ap:.4f}", flush=True)
        return
    rows = [row for row in records.read(INDEX) if row.split == "train"]
    order = np.random.default_rng(8).permutation(len(rows))
    label_all(together(list(looks.values())), [rows[index].file for index in order])


if __name__ == "__main__":
    main()
