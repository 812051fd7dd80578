"""Evidence about the picture model, on val: float beside 8 bits, other detectors, slices of people, worst mistakes."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.features.letterbox import STILL_STRETCH
from models.report import counting, evidence
from models.vision import evaluate, graph, sources, teachers, train
from models.vision.data import shared_folder
from models.vision.evaluate import ZOO, Still
from models.vision.network import Vision
from models.vision.records import TWELVE_IDS

GRAPH = ZOO / "vision-416x416.int8.onnx"
SIDE_PX = 416
RIGHT_IOU = 0.5
WORST = 6
DARK_LUMA, BRIGHT_LUMA = 60.0, 110.0
Boxes = NDArray[np.float32]
Rows = list[dict[str, Any]]
Finder = Callable[[Still], Rows]


@dataclass(frozen=True)
class Person:
    """A person drawn by hand, and the best score that the graph gave a box over them (0: none)."""

    still: Still
    row: dict[str, Any]
    score: float
    overlap: float

    @property
    def height_frac(self) -> float:
        return float(self.row["bbox"][3] / self.still.picture.shape[0])


def measure(card: dict[str, Any], today: date) -> None:
    """Everything, into evidence/vision.json."""
    stills = evaluate.validation_stills()
    shipped = evaluate.onnxruntime_predict(GRAPH)
    found = [list(rows) for rows in map(finder(shipped, SIDE_PX), tqdm(stills, desc="int8"))]
    people = [person for still, rows in zip(stills, found, strict=True) for person in people_of(still, rows)]
    threshold = float(card["thresholds"]["person"])
    evidence.save("vision", [GRAPH], {
        "pictures": len(stills), "people": len(people), "threshold": threshold,
        "slices": list(slices(people, threshold)),
        "pictures_by": list(picture_slices(stills, found, threshold)),
        "false": [one for _, one in sorted(false_people(stills, found), key=lambda pair: -pair[0])[:WORST]],
        "missed": [missed(person) for person in worst_missed(people, threshold)],
        "beside": list(ours(stills)),
    }, today)  # fmt: skip


def finder(predict: evaluate.Predict, side_px: int, stretch: float = STILL_STRETCH) -> Finder:
    """What a graph of ours finds in one still in one look."""
    return lambda still: evaluate.find(predict, [still], side_px, side_px, stretch)


def people_of(still: Still, rows: Rows) -> Iterator[Person]:
    """Each drawn person with the likeliest box of the graph that overlaps them by half."""
    boxes, scores = person_boxes(rows)
    for row in still.annotations:
        if row["category_id"] != 1 or row.get("iscrowd"):
            continue
        overlaps = teachers.iou(boxes, _corners([row["bbox"]]))[:, 0] if len(boxes) else np.zeros(0)
        right = overlaps >= RIGHT_IOU
        score = float(scores[right].max()) if right.any() else 0.0
        yield Person(still, row, score, float(overlaps.max(initial=0.0)))


def person_boxes(rows: Rows) -> tuple[Boxes, NDArray[np.float64]]:
    """Boxes [n,4] x1 y1 x2 y2 in pixels, and scores [n], of the people found."""
    mine = [row for row in rows if row["category_id"] == 1]
    return _corners([row["bbox"] for row in mine]), np.array([row["score"] for row in mine], np.float64)


def _corners(boxes: Sequence[Sequence[float]]) -> Boxes:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners


def slices(people: Sequence[Person], threshold: float) -> Iterator[dict[str, Any]]:
    """Recall at the card's threshold by what makes people hard to see; only where labels say it."""
    for question, answer in QUESTIONS.items():
        groups: dict[str, list[Person]] = {}
        for person in people:
            groups.setdefault(answer(person), []).append(person)
        for name, mine in sorted(groups.items()):
            if name:
                recall = float(np.mean([person.score >= threshold for person in mine]))
                yield {"by": question, "slice": name, "people": len(mine), "recall": round(recall, 4)}


def _size(person: Person) -> str:
    share = person.height_frac
    return ("1: under 10 %" if share < 0.1 else "2: 10 to 25 %" if share < 0.25
            else "3: 25 to 50 %" if share < 0.5 else "4: over 50 %")  # fmt: skip


def _hidden(person: Person) -> str:
    """By COCO's key points, where they were drawn: visible (2), hidden (1), outside or unknown (0)."""
    states = np.array(person.row.get("keypoints") or [0] * 51)[2::3]
    if not states.any():
        return ""
    seen = int((states == 2).sum())
    return "1: 13 to 17 of 17" if seen >= 13 else "2: 7 to 12 of 17" if seen >= 7 else "3: under 7 of 17"


def _crowding(person: Person) -> str:
    """How much of the person's box another person's box covers."""
    mine = _corners([person.row["bbox"]])
    others = [r["bbox"] for r in person.still.annotations if r is not person.row and r["category_id"] == 1]
    if not others:
        return "1: alone or apart"
    boxes = _corners(others)
    inside = np.clip(np.minimum(boxes[:, 2:], mine[:, 2:]) - np.maximum(boxes[:, :2], mine[:, :2]), 0, None).prod(1)
    covered = float(inside.max() / max(1e-6, (mine[:, 2:] - mine[:, :2]).prod()))
    return "1: alone or apart" if covered < 0.1 else "2: 10 to 50 %" if covered < 0.5 else "3: over 50 %"


def _light(person: Person) -> str:
    return light_of(person.still)


def light_of(still: Still) -> str:
    """Mean luma of the picture: the labels do not say when it was taken."""
    luma = float((still.picture @ np.array([0.299, 0.587, 0.114])).mean())
    return "1: dark (luma < 60)" if luma < DARK_LUMA else "2: dim (60 to 110)" if luma < BRIGHT_LUMA else "3: bright"


def _edge(person: Person) -> str:
    height, width = person.still.picture.shape[:2]
    x, y, w, h = person.row["bbox"]
    cut = x < 2 or y < 2 or x + w > width - 2 or y + h > height - 2
    return "2: cut off by the picture's edge" if cut else "1: whole"


def _colour(person: Person) -> str:
    picture = person.still.picture.astype(np.int16)
    grey = float(np.abs(picture - picture.mean(2, keepdims=True)).mean()) < 2.0
    return "2: grey picture" if grey else "1: colour"


QUESTIONS: dict[str, Callable[[Person], str]] = {
    "height in the picture": _size,
    "key points to be seen": _hidden,
    "covered by another": _crowding,
    "light": _light,
    "edge": _edge,
    "colour": _colour,
}


def picture_slices(stills: Sequence[Still], found: Sequence[Rows], threshold: float) -> Iterator[dict[str, Any]]:
    """Average precision and false boxes a picture, by light."""
    lights = [light_of(still) for still in stills]
    for name in sorted(set(lights)):
        mine = [index for index, light in enumerate(lights) if light == name]
        some, rows = [stills[i] for i in mine], [row for i in mine for row in found[i]]
        ap50, ap = evaluate.average_precision(some, rows, (1,))
        scores, right, truths = evaluate.ranked_hits(some, rows)
        hits = right[scores >= threshold]
        yield {"slice": name, "pictures": len(some), "people": truths, "ap50": round(ap50, 4), "ap": round(ap, 4),
               "precision": round(float(hits.mean()), 4), "recall": round(float(hits.sum()) / truths, 4)}  # fmt: skip


def false_people(stills: Sequence[Still], found: Sequence[Rows]) -> Iterator[tuple[float, dict[str, Any]]]:
    """(score, description) of boxes that no drawn person or crowd overlaps at all to speak of."""
    for still, rows in zip(stills, found, strict=True):
        boxes, scores = person_boxes(rows)
        drawn = _corners([row["bbox"] for row in still.annotations if row["category_id"] == 1])
        for box, score in zip(boxes, scores, strict=True):
            near = float(teachers.iou(drawn, box[None]).max()) if len(drawn) else 0.0
            if near < 0.1:
                yield float(score), placed(still, box) | {"score": round(float(score), 3)}


def worst_missed(people: Sequence[Person], threshold: float) -> list[Person]:
    """The largest people that no box over the threshold shows, one a picture."""
    rows = sorted((one for one in people if one.score < threshold), key=lambda one: -one.height_frac)
    each = {int(one.still.image["id"]): one for one in reversed(rows)}
    return sorted(each.values(), key=lambda one: -one.height_frac)[:WORST]


def missed(person: Person) -> dict[str, Any]:
    """A missed person, described."""
    box = _corners([person.row["bbox"]])[0]
    return placed(person.still, box) | {"score": round(person.score, 3), "best_overlap": round(person.overlap, 2)}


def placed(still: Still, box: Boxes) -> dict[str, Any]:
    """Which picture, where in it (per cent of its sides), and how light."""
    height, width = still.picture.shape[:2]
    share = (box / (width, height, width, height) * 100).round().astype(int)
    return {"picture": int(still.image["id"]), "file": still.image["file_name"], "box_percent": share.tolist(),
            "light": light_of(still)[3:]}  # fmt: skip


def ours(stills: Sequence[Still]) -> Iterator[dict[str, Any]]:
    """The shipped graphs at both square sizes, and the shipped file without eight-bit rounding."""
    for side_px in (416, 320):
        path = ZOO / f"vision-{side_px}x{side_px}.int8.onnx"
        yield quality(f"vision {side_px} int8", path, finder(evaluate.onnxruntime_predict(path), side_px), stills)
    path = ZOO / "vision-416x416.fp16.onnx"
    yield quality("vision 416 float16", path, finder(evaluate.onnxruntime_predict(path), 416), stills)


def measure_peers(today: date) -> None:
    """The network that ours came from and other published detectors, into evidence/peers.json."""
    evidence.save("peers", [], {"beside": list(peers(evaluate.validation_stills()))}, today)


def peers(stills: Sequence[Still]) -> Iterator[dict[str, Any]]:
    """NanoDet-Plus as our graphs show pictures, and three detectors as they were published."""
    yield from floats("NanoDet-Plus-m {} as published", train.published(shared_folder()), stills)
    folder = Path(os.environ.get("VEDETTE_REPOSITORIES", "build/repositories"))
    looks = teachers.teachers(shared_folder(), folder)
    shared = shared_folder() / "data/vision/teachers"
    files: dict[str, Path | bytes] = {
        "NanoDet-Plus-m 512": shared / "nanodet_plus_m_512.onnx",
        "PicoDet-S 416": shared / "picodet_s_416_coco.onnx",
        "YOLOX-nano 416": sources.Repository.find(folder, teachers.YOLOX_REPOSITORY).read(teachers.YOLOX_PATH),
    }
    for name, look in looks.items():
        yield quality(name, files[name], _rows_by(look), stills)


def _rows_by(look: teachers.Look) -> Finder:
    return lambda still: evaluate.rows_of(still, look)


def floats(name: str, net: Vision, stills: Sequence[Still]) -> Iterator[dict[str, Any]]:
    """A network of ours without rounding, at both square sizes."""
    for side_px in (416, 320):
        model = graph.trace(net, side_px, side_px, graph.outputs_of(net)).SerializeToString()
        yield quality(name.format(side_px), model, finder(predictor(model), side_px), stills)


def predictor(model: bytes) -> Callable[[NDArray[np.float32]], evaluate.Outputs]:
    """Return what runs a graph on one picture [1, 3, height, width] and gives its outputs by name."""
    run = teachers.session(model)
    names = [output.name for output in run.get_outputs()]
    return lambda image: dict(zip(names, run.run(None, {"image": image}), strict=True))


def quality(name: str, model: Path | bytes, find: Finder, stills: Sequence[Still]) -> dict[str, Any]:
    """A row: cost, and average precision of people (all pictures) and of twelve classes (those labelled whole)."""
    found = [row for still in tqdm(stills, desc=name, leave=False) for row in find(still)]
    whole = [still for still in stills if still.complete]
    ap50, ap = evaluate.average_precision(list(stills), found, (1,))
    interval = evaluate.person_ap50_interval(list(stills), found)
    twelve = evaluate.average_precision(whole, found, TWELVE_IDS)[0]
    return {"graph": name, **counting.cost(model), "ap50": round(ap50, 4), "ci95": list(interval), "ap": round(ap, 4),
            "twelve": round(twelve, 4)}  # fmt: skip
