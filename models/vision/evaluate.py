"""Figures of `vision` on validation, per file, runtime and precision.

    python -m models.vision.evaluate --card                # the exported files; writes the figures into the card
    python -m models.vision.evaluate --split dev           # while developing: pictures of training's dev part

Person: average precision by pycocotools on the validation pictures that are not thermal (364), letterboxed
to the canvas and scored in pixels of the stored picture. Twelve classes: the pictures with all twelve
labelled (164). Posture: `posture_figures` (drawn joints need the labels' repository in $VEDETTE_REPOSITORIES). Fire
and smoke: average precision and F1 over the validation frames. Time: processor time on one thread.
"""

import argparse
import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from agent.features.letterbox import STILL_STRETCH, letterbox, to_tensor
from agent.inference.parts import joined, parts_of
from models.measured import measured
from models.vision import posture_figures, records, sources
from models.vision.data import BUILD, INDEX, ROOT, shared_folder
from models.vision.detect import Detections, Look, found_in
from models.vision.records import COCO_IDS, IGNORE, TWELVE_IDS

ZOO = ROOT / "models/zoo"
COMMANDS = {
    "val": "python -m models.vision.evaluate --card",
    "dev": "python -m models.vision.evaluate --split dev",
}
LEAST_SCORE = 0.01
BOOTSTRAPS = 200
PARTS = "_in_parts"
"""Ending of the metrics of stills looked at as `vedette detect` does: whole and in four parts."""
SIZES = ((320, 320), (416, 416), (320, 192))
# No fp16 at 320×320: the whole zoo has to stay below 16 MB, and a GPU or NPU shows tall pictures at 416×416.
EXPORTS = tuple((*size, kind) for size in SIZES for kind in ("int8", "fp16") if (*size, kind) != (320, 320, "fp16"))

Outputs = dict[str, NDArray[np.float32]]
Predict = Callable[[NDArray[np.float32]], Outputs]


@dataclass(frozen=True)
class Figure:
    """One row of the card: a metric with its interval and how it was got."""

    metric: str
    label: str
    value: float
    ci95: tuple[float, float] | None
    n: int
    split: str
    precision: str
    runtime: str
    size: str
    command: str
    date: str


@dataclass(frozen=True)
class Still:
    """A picture with its truth in COCO's form."""

    picture: NDArray[np.uint8]
    image: dict[str, Any]
    annotations: list[dict[str, Any]]
    complete: bool
    """All twelve classes labelled, not people only."""


def onnxruntime_predict(path: Path) -> Predict:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda image: dict(zip(names, session.run(None, {"image": image}), strict=True))


def openvino_predict(path: Path) -> Predict:
    import openvino  # noqa: PLC0415 - an optional extra

    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    names = [output.get_any_name() for output in compiled.outputs]

    def predict(image: NDArray[np.float32]) -> Outputs:
        out = compiled(image)
        return {name: out[name].copy() for name in names}

    return predict


RUNTIMES = {"onnxruntime": onnxruntime_predict, "openvino": openvino_predict}


def validation_stills() -> list[Still]:
    """The shared validation pictures, thermal ones left out."""
    root = shared_folder() / "data/vision"
    labels = sources.coco_labels(json.loads((root / "annotations.json").read_text()))
    manifest = {Path(row["file"]).name: row for row in json.loads((root / "manifest_images.json").read_text())}
    return [
        Still(sources.read_picture(root / "images" / name), image, rows, image["complete_classes"] == "all")
        for name, (image, rows) in labels.items()
        if image["split"] == "val" and "HIT-UAV" not in manifest[name]["source_repo"]
    ]


def dev_stills(limit: int = 300) -> list[Still]:
    """Pictures of training's dev part where at least people are complete (thermal ones left out)."""
    chosen = [r for r in records.read(INDEX) if r.split == "dev" and 0 in r.complete and "HIT-UAV" not in r.source]
    stills = []
    for number, record in enumerate(chosen[:limit], 1):
        picture = sources.read_picture(BUILD / "pictures" / record.file)
        height, width = picture.shape[:2]
        rows = []
        for box, index in zip(record.boxes, record.classes, strict=True):
            x1, y1, x2, y2 = np.array(box) * (width, height, width, height)
            crowd = index == IGNORE
            bbox = [x1, y1, x2 - x1, y2 - y1]
            rows.append({"category_id": 1 if crowd else COCO_IDS[index], "bbox": bbox, "iscrowd": int(crowd),
                         "image_id": number, "area": bbox[2] * bbox[3]})  # fmt: skip
        image = {"id": number, "width": width, "height": height}
        stills.append(Still(picture, image, rows, len(record.complete) >= 12))
    return stills


def find(
    predict: Predict, stills: list[Still], width_px: int, height_px: int, most_stretch: float = 1.0
) -> list[dict[str, Any]]:
    """COCO results of all classes, boxes in the stored picture's pixels."""
    look = look_with(predict, width_px, height_px, most_stretch)
    return [row for still in stills for row in rows_of(still, look)]


def look_with(predict: Predict, width_px: int, height_px: int, most_stretch: float) -> Look:
    """A function from a picture to what is found in it, boxes as fractions of it."""

    def look(picture: NDArray[np.uint8]) -> Detections:
        canvas, fit = letterbox(picture, width_px, height_px, most_stretch)
        out = predict(to_tensor(canvas))
        found = found_in(out, (width_px, height_px), LEAST_SCORE)
        return replace(found, boxes=fit.to_fractions(found.boxes))

    return look


def in_parts(look: Look) -> Look:
    """The same at the whole picture and its parts, joined as `vedette detect` joins them."""

    def closely(picture: NDArray[np.uint8]) -> Detections:
        found = [(part, look(part.picture)) for part in parts_of(picture)]
        held = [part.holds(one.boxes) for part, one in found]
        boxes = np.concatenate([part.to_whole(one.boxes[rows]) for (part, one), rows in zip(found, held, strict=True)])
        scores = np.concatenate([one.scores[rows] for (_, one), rows in zip(found, held, strict=True)])
        classes = np.concatenate([one.classes[rows] for (_, one), rows in zip(found, held, strict=True)])
        kept = joined(boxes, scores, classes)
        return Detections(boxes[kept], scores[kept], classes[kept])

    return closely


def rows_of(still: Still, look: Look) -> list[dict[str, Any]]:
    """COCO results of one picture; `look` gives boxes as fractions of it."""
    height, width = still.picture.shape[:2]
    found, rows = look(still.picture), []
    boxes = found.boxes * (width, height, width, height)
    for box, score, index in zip(boxes, found.scores, found.classes, strict=True):
        x1, y1, x2, y2 = map(float, box)
        rows.append({"image_id": still.image["id"], "category_id": COCO_IDS[index],
                     "bbox": [x1, y1, x2 - x1, y2 - y1], "score": float(score)})  # fmt: skip
    return rows


def average_precision(
    stills: list[Still], found: list[dict[str, Any]], categories: tuple[int, ...]
) -> tuple[float, float]:
    """(AP50, AP50:95), the mean over `categories`, by pycocotools."""
    evaluation = _coco(stills, found, categories)
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def _coco(stills: list[Still], found: list[dict[str, Any]], categories: tuple[int, ...]) -> COCOeval:
    truth, ids = COCO(), {still.image["id"] for still in stills}
    with contextlib.redirect_stdout(io.StringIO()):
        rows = [dict(row) for still in stills for row in still.annotations if row["category_id"] in categories]
        for number, row in enumerate(rows, 1):
            row["id"] = number
        truth.dataset = {"info": {}, "images": [still.image for still in stills], "annotations": rows,
                         "categories": [{"id": number} for number in categories]}  # fmt: skip
        truth.createIndex()
        mine = [row for row in found if row["image_id"] in ids and row["category_id"] in categories]
        evaluation = COCOeval(truth, truth.loadRes(mine or [_nothing(stills, categories)]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _nothing(stills: list[Still], categories: tuple[int, ...]) -> dict[str, Any]:
    return {"image_id": stills[0].image["id"], "category_id": categories[0], "bbox": [0, 0, 1, 1], "score": 0.0}


def bootstrap(values: Callable[[NDArray[np.int64]], float], n: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval of a statistic under resampling of `n` items."""
    random = np.random.default_rng(seed)
    draws = [values(random.integers(0, n, n)) for _ in range(BOOTSTRAPS)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def person_ap50_interval(stills: list[Still], found: list[dict[str, Any]]) -> tuple[float, float]:
    """Bootstrap of person AP50 over pictures, from one matching."""
    rows = _matches(stills, found)

    def ap50(picks: NDArray[np.int64]) -> float:
        _, hits, truths = _ranked([rows[pick] for pick in picks])
        return _interpolated(hits, truths)

    return bootstrap(ap50, len(rows))


def ranked_hits(stills: list[Still], found: list[dict[str, Any]]) -> tuple[NDArray[np.float64], NDArray[np.bool_], int]:
    """Detections of category 1 by falling score: (scores, whether each is right at IoU 0.5, truths)."""
    return _ranked(_matches(stills, found))


def _matches(stills: list[Still], found: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """pycocotools' matching of category 1 per picture, all areas."""
    return list(_coco(stills, found, (1,)).evalImgs[: len(stills)])


def _ranked(rows: list[dict[str, Any] | None]) -> tuple[NDArray[np.float64], NDArray[np.bool_], int]:
    there = [row for row in rows if row is not None]
    scores = np.concatenate([np.array(row["dtScores"], np.float64) for row in there])
    counted = np.concatenate([row["dtIgnore"][0] == 0 for row in there])
    hits = np.concatenate([row["dtMatches"][0] > 0 for row in there])
    truths = sum(int((np.array(row["gtIgnore"]) == 0).sum()) for row in there)
    order = np.argsort(-scores[counted], kind="mergesort")
    return scores[counted][order], hits[counted][order], truths


def _interpolated(hits: NDArray[np.bool_], truths: int) -> float:
    """COCO's 101-point average precision of ranked hits."""
    if truths == 0 or len(hits) == 0:
        return float("nan")
    right = np.cumsum(hits)
    recall, precision = right / truths, right / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.mean([precision[i] if i < len(precision) else 0.0 for i in at]))


def ranked_precision(truth: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """Average precision of a ranking (area under the step curve)."""
    order = np.argsort(-score, kind="stable")
    hits = truth[order]
    if hits.sum() == 0:
        return float("nan")
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits == 1].mean())


def f1_at(truth: NDArray[np.int64], score: NDArray[np.float64], threshold: float) -> float:
    said = score >= threshold
    right = float((said & (truth == 1)).sum())
    return 2 * right / max(float(said.sum() + truth.sum()), 1.0)


def scene_logits(
    predict: Predict, pictures: list[NDArray[np.uint8]], width_px: int, height_px: int
) -> NDArray[np.float64]:
    """Fire and smoke logits, float [n, 2]."""
    rows = [predict(to_tensor(letterbox(picture, width_px, height_px)[0]))["scene"][0] for picture in pictures]
    return np.array(rows, np.float64)


def cpu_ms(predict: Predict, width_px: int, height_px: int, runs: int = 60) -> float:
    """Processor time of one picture, median of `runs` after ten to warm up: what a busy machine measures best."""
    image = np.full((1, 3, height_px, width_px), 120, np.float32)
    times = []
    for _ in range(runs + 10):
        start = time.process_time()
        predict(image)
        times.append((time.process_time() - start) * 1000)
    return float(np.median(times[10:]))


def figures(split: str, zoo: Path, card: dict[str, Any], only: str | None = None) -> Iterator[Figure]:
    """All rows, file by file; of those for one canvas, such as 320x192, where `only` names it."""
    stills = validation_stills() if split == "val" else dev_stills()
    fires = list(sources.shared_fire_pictures(shared_folder(), "val")) if split == "val" else []
    postures = posture_figures.validation_sets() if split == "val" else {}
    command, today = COMMANDS[split], date.today().isoformat()
    for width, height, precision in (one for one in EXPORTS if only in (None, f"{one[0]}x{one[1]}")):
        for runtime, load in RUNTIMES.items():
            predict = load(zoo / f"vision-{width}x{height}.{precision}.onnx")

            def row(metric: str, label: str, value: float, ci95: tuple[float, float] | None, n: int) -> Figure:
                return Figure(metric, label, round(value, 4), ci95, n, split, precision, runtime,  # noqa: B023
                              f"{width}x{height}", command, today)  # noqa: B023  # fmt: skip

            yield row("cpu_ms", "picture", cpu_ms(predict, width, height), None, 60)
            for metric, label, value, ci95, n in posture_figures.rows_of(predict, postures, (width, height)):
                yield row(metric, label, value, ci95, n)
            if height == width:
                yield from detection_figures(predict, stills, (width, height), row, parts=runtime == "onnxruntime")
            if fires:
                yield from scene_figures(predict, fires, card, (width, height), row)


def detection_figures(
    predict: Predict, stills: list[Still], size: tuple[int, int], row: Callable[..., Figure], *, parts: bool
) -> Iterator[Figure]:
    """Person and the twelve classes: letterboxed, with stills' stretch into the border, and also `parts`, in parts."""
    whole = [still for still in stills if still.complete]
    stretched = look_with(predict, *size, STILL_STRETCH)
    looks = {"": look_with(predict, *size, 1.0), "_stretched": stretched}
    looks |= {PARTS: in_parts(stretched)} if parts else {}
    for ending, look in looks.items():
        found = [found for still in stills for found in rows_of(still, look)]
        ap50, ap = average_precision(stills, found, (1,))
        yield row("ap50" + ending, "person", ap50, person_ap50_interval(stills, found), len(stills))
        yield row("ap" + ending, "person", ap, None, len(stills))
        yield row("map50" + ending, "twelve", average_precision(whole, found, TWELVE_IDS)[0], None, len(whole))


def scene_figures(
    predict: Predict, fires: list[sources.Item], card: dict[str, Any], size: tuple[int, int], row: Callable[..., Figure]
) -> Iterator[Figure]:
    logits = scene_logits(predict, [picture for _, picture in fires], *size)
    for column, label in enumerate(("fire", "smoke")):
        truth = np.array([getattr(record, label) for record, _ in fires])
        scale = card["calibration"][label]
        prob = 1 / (1 + np.exp(-(scale["scale"] * logits[:, column] + scale["offset"])))
        threshold = card["thresholds"][label]
        n = len(truth)
        for metric, value in (("ap", ranked_precision), ("f1", partial(f1_at, threshold=threshold))):
            of_some = partial(_of_some, value, truth, prob)
            yield row(metric, label, value(truth, prob), bootstrap(of_some, n), n)


def _of_some(
    value: Callable[..., float], truth: NDArray[np.int64], score: NDArray[np.float64], picks: NDArray[np.int64]
) -> float:
    return value(truth[picks], score[picks])


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of vision.")
    parser.add_argument("--split", choices=("val", "dev"), default="val")
    parser.add_argument("--zoo", type=Path, default=ZOO)
    parser.add_argument("--card", action="store_true", help="write the figures into the card")
    parser.add_argument("--only", metavar="WxH", help="files for this canvas; figures of the others stay as they are")
    options = parser.parse_args()
    if options.card and options.split != "val":
        parser.error("--card takes the figures of --split val")
    path = options.zoo / "vision.json"
    card = json.loads(path.read_text())
    kept = [one for one in card["files"] if options.only not in (None, f"{one['width_px']}x{one['height_px']}")]
    if any(card["measured"]["files"].get(one["file"]) != one["sha256"] for one in kept):
        parser.error(f"files other than {options.only} are not those that were measured either")
    rows = [row for row in card["figures"] if options.only not in (None, row["size"])]
    for figure in figures(options.split, options.zoo, card, options.only):
        where = (figure.size, figure.precision, figure.runtime)
        print(*where, figure.metric, figure.label, figure.value, figure.ci95 or "", flush=True)
        rows.append(asdict(figure))
    (BUILD / f"figures-{options.split}.json").write_text(json.dumps(rows, indent=1))
    if options.card:
        card |= {"measured": measured(COMMANDS["val"], options.zoo, card["files"], date.today()), "figures": rows}
        path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
