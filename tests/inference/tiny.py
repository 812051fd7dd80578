"""Small graphs and cards for tests: right shapes, a few hundred bytes, and outputs one can compute by hand."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from agent.features.finemel import FEATURE_VERSION as FINE_SOUND_VERSION
from agent.features.kinematics import FEATURE_VERSION as KINEMATICS_VERSION
from agent.features.letterbox import FEATURE_VERSION as PICTURE_VERSION
from agent.features.logmel import FEATURE_VERSION as SOUND_VERSION
from agent.features.motion import FEATURE_VERSION as MOTION_VERSION

HEARING_LABELS = ("gunshot", "explosion", "glass_break", "scream", "alarm", "crash", "siren", "speech")
VISION_LABELS = ("person", "car", *(f"thing{index}" for index in range(78)))
SIZES_PX = ((320, 192), (320, 320), (416, 416))
PLACES = 16


def _value(name: str, shape: list[int]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _constant(name: str, array: NDArray[Any]) -> Any:
    return numpy_helper.from_array(array, name)


def _saved(graph: Any, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def save_hearing(path: Path, labels: int = len(HEARING_LABELS)) -> Path:
    """`logits[l]` = mean of the log-mel picture + l; the other outputs have the right shape."""
    nodes = [
        helper.make_node("ReduceMean", ["logmel"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "one_one"], ["column"]),
        helper.make_node("Add", ["column", "steps"], ["logits"]),
        helper.make_node("ReduceMean", ["logmel"], ["frames"], axes=[3], keepdims=1),
        helper.make_node("Reshape", ["frames", "frames_shape"], ["frames_column"]),
        helper.make_node("Add", ["frames_column", "steps_3d"], ["frame_logits"]),
        helper.make_node("Expand", ["column", "embedding_shape"], ["embedding"]),
    ]
    steps = np.arange(labels, dtype=np.float32)
    constants = [
        _constant("one_one", np.array([1, 1], np.int64)),
        _constant("steps", steps[None]),
        _constant("steps_3d", steps[None, None]),
        _constant("frames_shape", np.array([1, 200, 1], np.int64)),
        _constant("embedding_shape", np.array([1, 128], np.int64)),
    ]
    outputs = [
        _value("logits", [1, labels]), _value("frame_logits", [1, 200, labels]), _value("embedding", [1, 128])
    ]  # fmt: skip
    graph = helper.make_graph(nodes, "hearing", [_value("logmel", [1, 1, 200, 64])], outputs, constants)
    return _saved(graph, path)


VERIFIER_LABELS = ("gunshot", "alarm")


def save_verifier(path: Path) -> Path:
    """`logits[l]` = mean of the finer mel picture + l; the embedding is that mean."""
    nodes = [
        helper.make_node("ReduceMean", ["finemel"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "one_one"], ["column"]),
        helper.make_node("Add", ["column", "steps"], ["logits"]),
        helper.make_node("Expand", ["column", "embedding_shape"], ["embedding"]),
    ]
    constants = [
        _constant("one_one", np.array([1, 1], np.int64)),
        _constant("steps", np.arange(len(VERIFIER_LABELS), dtype=np.float32)[None]),
        _constant("embedding_shape", np.array([1, 8], np.int64)),
    ]
    outputs = [_value("logits", [1, len(VERIFIER_LABELS)]), _value("embedding", [1, 8])]
    graph = helper.make_graph(nodes, "verifier", [_value("finemel", [1, 1, 128, 200])], outputs, constants)
    return _saved(graph, path)


def save_vision(path: Path, width_px: int, height_px: int, *, scale: float = 1.0 / 255.0) -> Path:
    """Place n is a square in the middle of the n-th of 16 columns; its score is the column's mean grey."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1, 2], keepdims=0),
        helper.make_node("Reshape", ["grey", "columns"], ["by_column"]),
        helper.make_node("ReduceMean", ["by_column"], ["column_mean"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["column_mean", "scale"], ["probability"]),
        helper.make_node("Mul", ["probability", "per_class"], ["scores"]),
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "one_one"], ["mean_column"]),
        helper.make_node("Mul", ["mean_column", "zeros"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "one_one_one"], ["nothing_3d"]),
        helper.make_node("Add", ["nothing_3d", "squares"], ["boxes"]),
        helper.make_node("Expand", ["mean_column", "scene_shape"], ["scene"]),
        helper.make_node("Expand", ["nothing", "embedding_shape"], ["scene_embedding"]),
    ]
    step = width_px / PLACES
    top, bottom = (height_px - step) / 2, (height_px + step) / 2
    squares = np.array([[n * step, top, (n + 1) * step, bottom] for n in range(PLACES)], np.float32)
    per_class = np.full((1, 1, len(VISION_LABELS)), 0.01, np.float32)
    per_class[0, 0, 0] = 1.0
    constants = [
        _constant("columns", np.array([1, PLACES, width_px // PLACES], np.int64)),
        _constant("scale", np.array(scale, np.float32)),
        _constant("per_class", per_class),
        _constant("one_one", np.array([1, 1], np.int64)),
        _constant("one_one_one", np.array([1, 1, 1], np.int64)),
        _constant("zeros", np.array([[0.0]], np.float32)),
        _constant("squares", squares[None]),
        _constant("scene_shape", np.array([1, 2], np.int64)),
        _constant("embedding_shape", np.array([1, 128], np.int64)),
    ]
    outputs = [
        _value("scores", [1, PLACES, len(VISION_LABELS)]), _value("boxes", [1, PLACES, 4]),
        _value("scene", [1, 2]), _value("scene_embedding", [1, 128]),
    ]  # fmt: skip
    image = _value("image", [1, 3, height_px, width_px])
    return _saved(helper.make_graph(nodes, "vision", [image], outputs, constants), path)


FUSION_LABELS = ("fight", "fall", "fire", "smoke", "explosion", "gunshot", "glass_break", "scream", "alarm", "crash")
FUSION_WIDTHS = {"scene": 131, "people": 157, "sound": 160}


def save_fusion(path: Path, widths: dict[str, int] = FUSION_WIDTHS) -> Path:
    """`logits[l]` = known half seconds of people − those of sound + l; attention is the masks over 48."""
    nodes = [
        helper.make_node("ReduceSum", ["people_known", "axis_1"], ["people_sum"], keepdims=1),
        helper.make_node("ReduceSum", ["sound_known", "axis_1"], ["sound_sum"], keepdims=1),
        helper.make_node("ReduceSum", ["scene", "axes_12"], ["scene_sum"], keepdims=0),
        helper.make_node("ReduceSum", ["people", "axes_12"], ["rows_sum"], keepdims=0),
        helper.make_node("ReduceSum", ["sound", "axes_12"], ["heard_sum"], keepdims=0),
        helper.make_node("Sum", ["scene_sum", "rows_sum", "heard_sum"], ["all_sum"]),
        helper.make_node("Mul", ["all_sum", "zero"], ["nothing"]),
        helper.make_node("Sub", ["people_sum", "sound_sum"], ["difference"]),
        helper.make_node("Add", ["difference", "nothing"], ["anomaly"]),
        helper.make_node("Add", ["anomaly", "steps"], ["logits"]),
        helper.make_node("Concat", ["scene_known", "people_known", "sound_known"], ["flat"], axis=1),
        helper.make_node("Reshape", ["flat", "attention_shape"], ["shaped"]),
        helper.make_node("Mul", ["shaped", "forty_eighth"], ["attention"]),
    ]
    constants = [
        _constant("axis_1", np.array([1], np.int64)),
        _constant("axes_12", np.array([1, 2], np.int64)),
        _constant("zero", np.array(0.0, np.float32)),
        _constant("steps", np.arange(len(FUSION_LABELS), dtype=np.float32)[None]),
        _constant("attention_shape", np.array([1, 3, 16], np.int64)),
        _constant("forty_eighth", np.array(1 / 48, np.float32)),
    ]
    inputs = [_value(name, [1, 16, width]) for name, width in widths.items()]
    inputs += [_value(f"{name}_known", [1, 16]) for name in widths]
    outputs = [_value("logits", [1, len(FUSION_LABELS)]), _value("anomaly", [1, 1]), _value("attention", [1, 3, 16])]
    return _saved(helper.make_graph(nodes, "fusion", inputs, outputs, constants), path)


def file_entry(path: Path, precision: str, size_px: tuple[int, int] | None = None) -> dict[str, Any]:
    """What a card says about one file."""
    content = path.read_bytes()
    entry: dict[str, Any] = {"file": path.name, "precision": precision, "bytes": len(content)}
    entry["sha256"] = hashlib.sha256(content).hexdigest()
    if size_px:
        entry["width_px"], entry["height_px"] = size_px
    return entry


def save_hearing_card(folder: Path, **changes: Any) -> Path:
    """A hearing model in both precisions with its card; `changes` replace keys of the card."""
    files = [
        file_entry(save_hearing(folder / f"hearing.{precision}.onnx"), precision) for precision in ("int8", "fp16")
    ]
    card = {
        "schema": "vedette.card/1", "name": "hearing", "version": "0.0.1", "feature_version": SOUND_VERSION,
        "files": files, "labels": list(HEARING_LABELS), "groups": {"alarm": ["siren"]},
        "calibration": {label: {"scale": 1.0, "offset": -3.0, "prior": 0.01} for label in HEARING_LABELS},
        "thresholds": {}, "training": {}, "figures": {}, "intended_use": "tests", "not_for": "use", "limits": "all",
    }  # fmt: skip
    return _write(folder / "hearing.json", card | changes)


def save_verifier_card(
    folder: Path, *, scale: float = 1.0, offset: float = 0.0, needs: tuple[str, ...] | None = None
) -> Path:
    """A verifier of the hearing model that lies in `folder`, with its card."""
    hearing = [hashlib.sha256((folder / f"hearing.{kind}.onnx").read_bytes()).hexdigest() for kind in ("int8", "fp16")]
    card = {
        "schema": "vedette.card/1", "name": "hearing-verifier", "version": "0.0.1",
        "feature_version": FINE_SOUND_VERSION, "labels": list(VERIFIER_LABELS),
        "files": [file_entry(save_verifier(folder / "hearing-verifier.onnx"), "int8")],
        "calibration": {label: {"scale": scale, "offset": offset, "prior": 0.01} for label in VERIFIER_LABELS},
        "needs": {"hearing": list(hearing if needs is None else needs)},
    }  # fmt: skip
    return _write(folder / "hearing-verifier.json", card)


def save_vision_card(folder: Path, **changes: Any) -> Path:
    """A vision model in three sizes and both precisions with its card."""
    files = []
    for width, height in SIZES_PX:
        for precision in ("int8", "fp16"):
            path = save_vision(folder / f"vision-{width}x{height}.{precision}.onnx", width, height)
            files.append(file_entry(path, precision, (width, height)))
    card = {
        "schema": "vedette.card/1", "name": "vision", "version": "0.0.1", "feature_version": PICTURE_VERSION,
        "files": files, "labels": list(VISION_LABELS), "groups": {"person": ["person"]},
        "coco_ids": [1, 3, *range(100, 178)], "scene_labels": ["fire", "smoke"],
        "calibration": {"fire": {"scale": 0.1, "offset": -8.0, "prior": 0.01}},
    }  # fmt: skip
    return _write(folder / "vision.json", card | changes)


def save_fusion_card(folder: Path, **changes: Any) -> Path:
    """A fusion model with its card; it needs no particular graphs beside it unless `needs` says so."""
    entry = file_entry(save_fusion(folder / "fusion.onnx"), "fp32")
    entry["inputs"] = {name: [1, 16, width] for name, width in FUSION_WIDTHS.items()}
    card = {
        "schema": "vedette.card/1", "name": "fusion", "version": "0.0.1",
        "feature_version": f"{KINEMATICS_VERSION} {MOTION_VERSION}", "files": [entry], "labels": list(FUSION_LABELS),
        "calibration": {"fight": {"scale": 1.0, "offset": -8.0, "prior": 0.5}},
    }  # fmt: skip
    return _write(folder / "fusion.json", card | changes)


def _write(path: Path, card: dict[str, Any]) -> Path:
    path.write_text(json.dumps(card))
    return path
