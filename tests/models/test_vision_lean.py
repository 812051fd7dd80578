"""Leaner graphs: the same numbers, and nothing in float between roundings that only rearranges channels."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
onnx = pytest.importorskip("onnx")

from agent.features.letterbox import letterbox, to_tensor
from models.vision import graph, judge, lean, lean_blocks, lean_cuts, lean_graph, quantise
from models.vision.judging import EVIDENCE, Judge, add_judge, is_lean
from models.vision.network import PersonHead, Vision
from models.vision.quantised import freeze_scales
from models.vision.teachers import session

SIDE_PX = 128
OPENVINO_FRAC = 0.05
"""Of an untrained graph's outputs, all of which are far from borders of roundings."""


def tensor(number: int) -> np.ndarray:
    picture = np.random.default_rng(number).integers(0, 256, (9 + number, 9 + number, 3)).astype(np.uint8)
    return to_tensor(letterbox(np.kron(picture, np.ones((12, 12, 1), np.uint8)), SIDE_PX, SIDE_PX)[0])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """An untrained graph as `export` and `judge write` make it."""
    torch.manual_seed(4)
    net = Vision()
    net.person = PersonHead()
    quantise.calibrate(net, [torch.from_numpy(tensor(number)) for number in range(4)])
    quantise.switch(net, True)
    freeze_scales(net)
    path = tmp_path_factory.mktemp("lean") / "plain.onnx"
    graph.save(graph.int8_model(net, SIDE_PX, SIDE_PX), path)
    model = onnx.load(str(path))
    add_judge(model, Judge(torch.randn(EVIDENCE) * 0.1, torch.rand(EVIDENCE) + 0.5).eval())
    return model


def ran(model: onnx.ModelProto, number: int) -> dict[str, np.ndarray]:
    names = [output.name for output in model.graph.output]
    return dict(zip(names, session(model.SerializeToString()).run(names, {"image": tensor(number)}), strict=True))


def test_a_leaner_graph_gives_the_same(plain: onnx.ModelProto) -> None:
    made = lean.leaner(plain)
    for number in range(3):
        before, after = ran(plain, number), ran(made, number)
        assert list(before) == list(after)
        for name, values in before.items():
            if name in (*lean.EXACT, "posture"):
                assert np.array_equal(values, after[name]), name
            else:
                assert after[name] == pytest.approx(values, abs=lean.TOLERANCE)
        assert np.ptp(before["scores"]) > 0, "an empty graph would prove nothing"


def test_channels_are_rearranged_as_bytes_and_fill_whole_blocks(plain: onnx.ModelProto) -> None:
    kinds = [node.op_type for node in lean.leaner(plain).graph.node]
    assert [node.op_type for node in plain.graph.node].count("Transpose") > 16
    assert kinds.count("Transpose") == 1, "the judge's"
    made = lean_graph.Graph(lean.leaner(plain))
    depthwise = [node for node in made.nodes if node.op_type == "Conv" and lean_graph.group_of(node) > 1]
    assert len(depthwise) > 30
    assert all(lean_graph.group_of(node) % lean_blocks.BLOCK == 0 for node in depthwise)


def test_a_leaner_graph_is_no_larger(plain: onnx.ModelProto) -> None:
    assert lean.leaner(plain).ByteSize() < plain.ByteSize()


def test_what_would_go_wrong_is_refused(plain: onnx.ModelProto) -> None:
    made = lean.leaner(plain)
    with pytest.raises(ValueError, match="made leaner"):
        lean.leaner(made)
    with pytest.raises(ValueError, match="made leaner"):
        add_judge(made, Judge())
    without = onnx.ModelProto()
    without.CopyFrom(plain)
    outputs = [output for output in without.graph.output if output.name != "scene_judged"]
    del without.graph.output[:]
    without.graph.output.extend(outputs)
    with pytest.raises(ValueError, match="second judge"):
        lean.leaner(without)


def test_a_graph_that_gives_something_else_is_not_believed(
    plain: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean_cuts, "_reorder", lambda *_: None)
    with pytest.raises(ValueError, match="no longer the same"):
        lean.leaner(plain)


def test_openvino_agrees(plain: onnx.ModelProto) -> None:
    openvino = pytest.importorskip("openvino")
    made = lean.leaner(plain)
    core, settings = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(openvino.Core().read_model(made.SerializeToString()), "CPU", settings)(tensor(1))
    for name, values in ran(made, 1).items():
        gap = np.sqrt(np.mean((found[name] - values) ** 2)) / max(0.05, np.sqrt(np.mean(values**2)))
        assert gap < OPENVINO_FRAC, name


def test_writing_goes_over_int8_graphs_and_tells_the_cards(tmp_path: Path, plain: onnx.ModelProto) -> None:
    (tmp_path / "vision-128x128.int8.onnx").write_bytes(plain.SerializeToString())
    (tmp_path / "vision-128x128.fp16.onnx").write_bytes(b"as it is")
    entries = [
        {"file": f"vision-128x128.{kind}.onnx", "precision": kind, "width_px": 128, "height_px": 128,
         "sha256": kind, "bytes": 1}
        for kind in ("int8", "fp16")
    ]  # fmt: skip
    measured = {"files": {"vision-128x128.int8.onnx": "int8", "vision-128x128.fp16.onnx": "fp16"}}
    (tmp_path / "vision.json").write_text(json.dumps({"files": entries, "measured": measured}))
    (tmp_path / "fusion.json").write_text(json.dumps({"needs": {"vision": ["int8", "fp16"]}}))
    lean.write(tmp_path)
    card = json.loads((tmp_path / "vision.json").read_text("utf-8"))
    first = card["files"]
    assert card["measured"]["files"] == {one["file"]: one["sha256"] for one in first}
    assert card["measured"]["made_leaner_since"]["files"] == {"vision-128x128.int8.onnx": "int8"}
    assert is_lean(onnx.load(str(tmp_path / "vision-128x128.int8.onnx")))
    assert first[0]["bytes"] == (tmp_path / "vision-128x128.int8.onnx").stat().st_size
    assert first[1] == entries[1]
    assert json.loads((tmp_path / "fusion.json").read_text("utf-8"))["needs"] == {
        "vision": [first[0]["sha256"], "fp16"]
    }
    lean.write(tmp_path)
    assert json.loads((tmp_path / "vision.json").read_text("utf-8"))["files"] == first, "twice changes nothing"


@pytest.mark.parametrize("path", sorted(judge.ZOO.glob("vision-*.int8.onnx")), ids=lambda path: path.name)
def test_shipped_graphs_are_lean(path: Path) -> None:
    model = onnx.load(str(path))
    assert is_lean(model)
    posture_over_boxes = 2 if path.name.startswith("vision-320x192") else 0
    assert [node.op_type for node in model.graph.node].count("Transpose") == 1 + posture_over_boxes
