"""The committed vision graphs are what their card says, in both runtimes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.features.letterbox import FEATURE_VERSION, letterbox, to_tensor
from agent.inference.vision import boxes_at

ROOT = Path(__file__).resolve().parents[2]
ZOO = ROOT / "models/zoo"
CLIPS = ROOT / "agent/service/clips"
CARD = json.loads((ZOO / "vision.json").read_text())
FILES = {entry["file"]: entry for entry in CARD["files"]}
CELLS = {(320, 192): 1275, (320, 320): 2125, (416, 416): 3598}
SIZES = [(320, 192), (320, 320), (416, 416)]
EVERY_FILE = pytest.mark.parametrize("name", sorted(FILES))


def frames(clip: str, every: int) -> list[np.ndarray]:
    """Every so-many-th frame of a rendered clip, RGB."""
    av = pytest.importorskip("av")
    with av.open(str(CLIPS / f"{clip}.mp4")) as container:
        return [frame.to_ndarray(format="rgb24") for n, frame in enumerate(container.decode(video=0)) if n % every == 0]


def run_onnxruntime(entry: dict[str, Any], image: np.ndarray) -> dict[str, np.ndarray]:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(ZOO / entry["file"]), options, providers=["CPUExecutionProvider"])
    return dict(zip([out.name for out in session.get_outputs()], session.run(None, {"image": image}), strict=True))


def run_openvino(entry: dict[str, Any], image: np.ndarray) -> dict[str, np.ndarray]:
    openvino = pytest.importorskip("openvino")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    out = openvino.Core().compile_model(str(ZOO / entry["file"]), "CPU", settings)(image)
    return {port.get_any_name(): value for port, value in out.items()}


def test_there_are_three_canvases_in_int8_and_two_in_fp16() -> None:
    found = {(entry["width_px"], entry["height_px"], entry["precision"]) for entry in CARD["files"]}
    assert found == {(*size, "int8") for size in SIZES} | {(320, 192, "fp16"), (416, 416, "fp16")}
    assert CARD["feature_version"] == FEATURE_VERSION


@EVERY_FILE
def test_each_file_has_the_hash_the_size_and_the_shapes_of_the_card(name: str) -> None:
    entry = FILES[name]
    data = (ZOO / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert len(data) == entry["bytes"]
    width, height = entry["width_px"], entry["height_px"]
    cells = CELLS[width, height]
    assert name == f"vision-{width}x{height}.{entry['precision']}.onnx"
    assert entry["inputs"] == {"image": [1, 3, height, width]}
    assert entry["outputs"] == {
        "scores": [1, 80, cells],
        "sides": [1, 32, cells],
        "scene": [1, 2],
        "scene_embedding": [1, 128],
        "posture": [1, 3, cells],
        "scene_map": [1, 2, height // 16, width // 16],
        "scene_judged": [1, 2],
    }


def test_the_card_names_eighty_classes_and_groups_made_of_them() -> None:
    assert len(CARD["labels"]) == len(CARD["coco_ids"]) == len(set(CARD["labels"])) == 80
    assert (CARD["labels"][0], CARD["coco_ids"][0], CARD["labels"][79], CARD["coco_ids"][79]) == (
        "person", 1, "toothbrush", 90,
    )  # fmt: skip
    assert set(CARD["groups"]) == {"person", "vehicle", "animal", "bag"}
    assert all(name in CARD["labels"] for names in CARD["groups"].values() for name in names)
    for label in CARD["scene_labels"]:
        assert set(CARD["calibration"][label]) == {"scale", "offset", "prior"}
        assert CARD["calibration"][label]["scale"] > 0
        assert 0 < CARD["thresholds"][label] < 1


@EVERY_FILE
def test_both_runtimes_agree_on_frames_of_people(name: str) -> None:
    """Float files to a thousandth; int8 rounds at different places, so likely cells agree in the mean."""
    entry = FILES[name]
    int8 = entry["precision"] == "int8"
    gaps = []
    for picture in frames("walkby", 30) if int8 else frames("walkby", 30)[1:2]:
        image = to_tensor(letterbox(picture, entry["width_px"], entry["height_px"])[0])
        one, other = run_onnxruntime(entry, image), run_openvino(entry, image)
        for output, shape in entry["outputs"].items():
            assert list(one[output].shape) == list(other[output].shape) == shape
            assert np.isfinite(one[output]).all()
        assert one["scores"].min() >= 0
        assert one["scores"].max() <= 1
        gaps.append(np.abs(one["scores"] - other["scores"])[np.maximum(one["scores"], other["scores"]) > 0.25])
        if not int8:
            size_px, everywhere = (entry["width_px"], entry["height_px"]), np.arange(one["sides"].shape[2])
            boxes = [boxes_at(out["sides"][0], size_px, everywhere) for out in (one, other)]
            assert np.abs(boxes[0] - boxes[1]).max() < 0.1
    likely = np.concatenate(gaps)
    assert len(likely) >= 2
    assert likely.mean() < (0.04 if int8 else 1e-3)


def postures(out: dict[str, np.ndarray]) -> np.ndarray:
    odds = np.exp(out["posture"][0].T - out["posture"][0].T.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@EVERY_FILE
def test_both_runtimes_tell_nearly_the_same_posture_where_somebody_walks(name: str) -> None:
    entry = FILES[name]
    gaps, upright = [], []
    for picture in frames("walkby", 30)[1:3]:
        image = to_tensor(letterbox(picture, entry["width_px"], entry["height_px"])[0])
        one, other = run_onnxruntime(entry, image), run_openvino(entry, image)
        place = int(np.argmax(one["scores"][0, 0]))
        gaps.append(np.abs(postures(one)[place] - postures(other)[place]).max())
        upright.append(postures(one)[place, 0])
    assert max(gaps) < (0.25 if entry["precision"] == "int8" else 1e-2)
    assert max(upright) > 0.5


@EVERY_FILE
def test_no_graph_holds_a_gather_and_int8_is_unsigned_activations_and_signed_weights(name: str) -> None:
    onnx = pytest.importorskip("onnx", reason="training extra not installed")
    model = onnx.load(str(ZOO / name))
    kinds = [node.op_type for node in model.graph.node]
    assert "Gather" not in kinds
    assert max(opset.version for opset in model.opset_import if opset.domain == "") <= 20
    types = {item.name: item.data_type for item in model.graph.initializer}
    scales = {item.name: list(item.dims) for item in model.graph.initializer}
    if FILES[name]["precision"] == "fp16":
        assert "QuantizeLinear" not in kinds
        return
    quantisers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert len(quantisers) > 100
    assert all(types[node.input[2]] == onnx.TensorProto.UINT8 for node in quantisers)
    filled = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Pad"}
    signed = [node for node in model.graph.node if node.op_type == "DequantizeLinear"
              and types.get(filled.get(node.input[0], node.input[0])) == onnx.TensorProto.INT8]  # fmt: skip
    assert len(signed) == (89 if "416x416" in name else 105), "at 416×416 the 16 convolutions of the heads are in float"
    assert all(scales[node.input[1]][0] > 1 for node in signed)


def test_the_files_together_leave_room_in_the_zoo() -> None:
    assert sum(entry["bytes"] for entry in CARD["files"]) <= 14_500_000


def probability(label: str, logit: float) -> float:
    scale = CARD["calibration"][label]
    return float(1 / (1 + np.exp(-(scale["scale"] * logit + scale["offset"]))))


@pytest.mark.parametrize("clip", ["fire", "fall", "intrude", "walkby"])
def test_the_rendered_fire_is_seen_and_the_other_scenes_are_not(clip: str) -> None:
    """The live canvas, int8: the fifth-highest frame decides, as one frame proves nothing."""
    entry = FILES["vision-320x192.int8.onnx"]
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(ZOO / entry["file"]), providers=["CPUExecutionProvider"])
    images = (to_tensor(letterbox(picture, 320, 192)[0]) for picture in frames(clip, 3))
    fifth = sorted(probability("fire", session.run(["scene"], {"image": image})[0][0, 0]) for image in images)[-5]
    if clip == "fire":
        assert fifth > CARD["thresholds"]["fire"]
    else:
        assert fifth < CARD["thresholds"]["fire"] / 2
