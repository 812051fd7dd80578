"""Writes the five graphs of `vision` and its card from the trained weights.

    python -m models.vision.export         # reads build/vision/vision.pt, scene.json; writes models/zoo/vision*

Each file is checked before it counts: ONNX Runtime and OpenVINO (f32) must agree on real pictures.
Thresholds of the detector's groups are those of the best F1 on `dev`.
"""

import argparse
import copy
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from agent.features.letterbox import FEATURE_VERSION, letterbox, to_tensor
from agent.types import POSTURES
from models.vision import evaluate, graph, quantise, records
from models.vision.data import BUILD, INDEX
from models.vision.network import Vision
from models.vision.posture import NOTES as PERSON_NOTES
from models.vision.quantised import freeze_scales
from models.vision.records import COCO_IDS
from models.vision.train import RECIPE, STILL_WEIGHTS, WEIGHTS, load

VERSION = "0.4.0"
FLOAT_TOLERANCE = 1e-3
"""Mean score difference between the runtimes on cells that either finds likely, float files."""
INT8_TOLERANCE = 0.03
"""And int8 files: both round, at different places, and sixty layers pass that on (single cells differ by
up to 0.2); the figures on whole sets agree within a point."""
HEADS_IN_FLOAT = ((416, 416),)
"""Canvases, for stills, whose int8 file keeps its heads in float: half of what eight bits cost there is theirs."""
LIKELY = 0.25
LABELS = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
GROUPS = {
    "person": ["person"],
    "vehicle": ["bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"],
    "animal": ["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"],
    "bag": ["backpack", "handbag", "suitcase"],
}
LIMITS = [
    "Aerial thermal pictures: nearly blind (every teacher is).",
    "Bags and knives are found poorly (AP50 of the teacher: handbag 0.05, backpack 0.15, knife 0.06).",
    "Fire was learned from a few hundred scenes; lamps, sunsets and steam remain confusable.",
    "Smoke generalises badly: average precision about 0.3 on ten validation frames with smoke.",
    "Photographs lose a point of AP50 to what finds people who lie: the square graphs, for stills, go 0.4 of that "
    "way, the wide live graph 0.7 (`models.vision.lying`).",
    "Letterboxed onto a square canvas, wide pictures lose resolution: stills should use STILL_STRETCH.",
    "The embedding is a fixed projection of pooled features, not trained for any task.",
    "Posture is read off a frozen detector: sitting behind a table and standing look alike, and who lies along the "
    "camera's axis is taken for upright or crouched; most lying people it learned from are rendered or were turned.",
]


def write_files(live: Vision, stills: Vision, zoo: Path) -> list[dict[str, Any]]:
    """The five graphs, those of wide live pictures and those of stills; returns the card's entries for them."""
    entries = []
    for width, height, precision in evaluate.EXPORTS:
        int8 = precision == "int8"
        net = copy.deepcopy(stills if width == height else live)
        quantise.switch(net, int8)
        if (width, height) in HEADS_IN_FLOAT:
            quantise.switch(net.heads, False)
        if int8:
            freeze_scales(net)
        model = graph.int8_model(net, width, height) if int8 else graph.fp16_model(net, width, height)
        path = zoo / f"vision-{width}x{height}.{precision}.onnx"
        graph.save(model, path)
        print(path.name, path.stat().st_size, "bytes; runtimes differ by", agreement(path, width, height, int8))
        entries.append(entry(path, precision, width, height))
    return entries


def agreement(path: Path, width: int, height: int, int8: bool) -> float:
    """Mean score difference of the runtimes on likely cells of eight dev pictures.

    Raises ValueError beyond tolerance.
    """
    predicts = [load_file(path) for load_file in evaluate.RUNTIMES.values()]
    gaps = []
    for still in evaluate.dev_stills(8):
        image = to_tensor(letterbox(still.picture, width, height)[0])
        one, other = (predict(image)["scores"] for predict in predicts)
        gaps.append(np.abs(one - other)[np.maximum(one, other) > LIKELY])
    mean = float(np.concatenate(gaps).mean())
    if mean > (INT8_TOLERANCE if int8 else FLOAT_TOLERANCE):
        raise ValueError(f"{path.name}: ONNX Runtime and OpenVINO differ by {mean:.3f} in scores")
    return round(mean, 6)


def entry(path: Path, precision: str, width: int, height: int) -> dict[str, Any]:
    model = onnx.load(str(path))
    shapes = [
        {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
        for values in (model.graph.input, model.graph.output)
    ]
    data = path.read_bytes()
    return {"file": path.name, "precision": precision, "width_px": width, "height_px": height,
            "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data),
            "inputs": shapes[0], "outputs": shapes[1]}  # fmt: skip


def group_thresholds(zoo: Path) -> dict[str, float]:
    """Per group the score of the best F1 (IoU 0.5) on dev pictures that label it completely, int8 at 320×320."""
    predict = evaluate.onnxruntime_predict(zoo / "vision-320x320.int8.onnx")
    stills = evaluate.dev_stills()
    found = evaluate.find(predict, stills, 320, 320)
    out = {}
    for group, names in GROUPS.items():
        numbers = {COCO_IDS[LABELS.index(name)] for name in names}
        complete = stills if group == "person" else [still for still in stills if still.complete]
        out[group] = best_threshold(complete, found, numbers)
    return out


def best_threshold(stills: list[evaluate.Still], found: list[dict[str, Any]], numbers: set[int]) -> float:
    """The score with the best F1, classes of the group counted as one."""
    merged = [evaluate.Still(still.picture, still.image, [row | {"category_id": 1} for row in still.annotations
              if row["category_id"] in numbers], still.complete) for still in stills]  # fmt: skip
    mine = [row | {"category_id": 1} for row in found if row["category_id"] in numbers]
    scores, hits, truths = evaluate.ranked_hits(merged, mine)
    right = np.cumsum(hits)
    f1 = 2 * right / (np.arange(1, len(hits) + 1) + truths)
    return round(float(scores[int(np.argmax(f1))]), 2) if len(hits) else 0.5


def data_rows() -> list[dict[str, Any]]:
    """What the weights were trained on, by source, with licences as the manifests give them."""
    rows = Counter((record.source, record.licence.split(";")[0]) for record in records.read(INDEX))
    return [{"source": source, "licence": licence, "items": count} for (source, licence), count in sorted(rows.items())]


def card(
    entries: list[dict[str, Any]], thresholds: dict[str, float], scene: dict[str, Any], person: dict[str, Any]
) -> dict[str, Any]:
    return {
        "schema": "vedette.card/1",
        "name": "vision",
        "version": VERSION,
        "feature_version": FEATURE_VERSION,
        "files": entries,
        "labels": list(LABELS),
        "groups": GROUPS,
        "coco_ids": list(COCO_IDS),
        "scene_labels": ["fire", "smoke"],
        "postures": list(POSTURES),
        "calibration": scene["calibration"],
        "thresholds": thresholds | scene["thresholds"],
        "training": RECIPE | {"person_head": person, "data": data_rows()},
        "figures": [],
        "intended_use": "Finding people, vehicles, animals and bags, fire and smoke in the pictures of fixed cameras, "
        "on the device, for a person who decides.",
        "not_for": "Identifying persons; life safety as the only means; thermal or aerial pictures.",
        "limits": LIMITS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the graphs and the card of vision.")
    parser.add_argument("--zoo", type=Path, default=evaluate.ZOO)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.zoo.mkdir(parents=True, exist_ok=True)
    entries = write_files(load(WEIGHTS), load(STILL_WEIGHTS if STILL_WEIGHTS.exists() else WEIGHTS), options.zoo)
    scene = json.loads((BUILD / "scene.json").read_text())
    person = json.loads(PERSON_NOTES.read_text())
    document = card(entries, group_thresholds(options.zoo), scene, person)
    (options.zoo / "vision.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print("thresholds", document["thresholds"])


if __name__ == "__main__":
    main()
