"""The second judge of fire and smoke: what it learns from, and that nothing else of a graph changes with it."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
onnx = pytest.importorskip("onnx")

from agent.features.letterbox import letterbox, to_tensor
from agent.inference.device import AGREEMENT_FRAC, disagreement_frac
from agent.inference.vision import JUDGED, MAP, probe_picture
from models.vision import judge
from models.vision.judging import CHANNELS, EVIDENCE, Judge, add_judge, evidence_of, read_tensors, readers
from models.vision.network import pool_evidence
from models.vision.records import Record
from models.vision.teachers import session

FILES = sorted(path.name for path in judge.ZOO.glob("vision-*.onnx"))
WHOLE_PART = (0.25, 0.25, 0.75, 0.75)


def without_judge(name: str) -> onnx.ModelProto:
    """The shipped graph as it was before; that `models.vision.lean` went over it does not matter here."""
    model = onnx.load(str(judge.ZOO / name))
    del model.metadata_props[:]
    graph = model.graph
    kept = [node for node in graph.node if not any(out.startswith("judge_") or out == JUDGED for out in node.output)]
    outputs = [output for output in graph.output if output.name not in (MAP, JUDGED)]
    constants = [one for one in graph.initializer if not one.name.startswith("judge_")]
    for field, values in (("node", kept), ("output", outputs), ("initializer", constants)):
        del getattr(graph, field)[:]
        getattr(graph, field).extend(values)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["cells" if name == MAP else name for name in names]
    return model


def ran(model: onnx.ModelProto, size: tuple[int, int], more: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """All outputs for one picture, and tensors within by name."""
    for name in more:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    names = [output.name for output in model.graph.output]
    image = to_tensor(letterbox(probe_picture(320, 180), *size)[0])
    return dict(zip(names, session(model.SerializeToString()).run(names, {"image": image}), strict=True))


@pytest.mark.parametrize("name", FILES)
def test_with_a_judge_all_else_is_the_same_to_the_bit(name: str) -> None:
    size = tuple(int(side) for side in name.split(".", maxsplit=1)[0].removeprefix("vision-").split("x"))
    before, after = ran(without_judge(name), size), ran(onnx.load(str(judge.ZOO / name)), size)
    assert set(after) - set(before) == {MAP, JUDGED}
    for output, values in before.items():
        assert np.array_equal(values, after[output]), output
    assert pool_evidence(torch.from_numpy(after[MAP])).numpy() == pytest.approx(after["scene"], abs=1e-4)


def test_a_judge_says_in_the_graph_what_it_says_in_torch() -> None:
    torch.manual_seed(2)
    other = Judge(torch.randn(EVIDENCE) * 0.1, torch.rand(EVIDENCE) + 0.5).eval()
    model = without_judge("vision-320x192.int8.onnx")
    add_judge(model, other)
    read, shown = read_tensors(model.graph)
    assert shown == MAP
    found = ran(model, (320, 192), tuple(read))
    cells = np.concatenate([found[name][0] for name in read])
    evidence = evidence_of(cells, found[MAP][0])
    assert cells.shape[0] == CHANNELS
    assert evidence.shape == (EVIDENCE,)
    with torch.no_grad():
        said = other(torch.from_numpy(evidence)[None])[0].numpy()
    assert found[JUDGED][0] == pytest.approx(said, abs=0.02)


@pytest.mark.parametrize("name", FILES)
def test_openvino_judges_alike(name: str) -> None:
    openvino = pytest.importorskip("openvino")
    size = tuple(int(side) for side in name.split(".", maxsplit=1)[0].removeprefix("vision-").split("x"))
    image = to_tensor(letterbox(probe_picture(320, 180), *size)[0])
    trusted = ran(onnx.load(str(judge.ZOO / name)), size)[JUDGED]
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    found = openvino.Core().compile_model(str(judge.ZOO / name), "CPU", settings)(image)
    said = next(values for port, values in found.items() if port.get_any_name() == JUDGED)
    assert disagreement_frac(said, trusted) < AGREEMENT_FRAC["fp16"]


def test_a_graph_gets_one_judge_only() -> None:
    with pytest.raises(ValueError, match="already"):
        add_judge(onnx.load(str(judge.ZOO / FILES[0])), Judge().eval())


def test_the_card_calibrates_the_judge_and_says_how_it_was_made() -> None:
    card = json.loads((judge.ZOO / "vision.json").read_text("utf-8"))
    for label in judge.LABELS:
        assert set(card["calibration"][f"{label} judged"]) == {"scale", "offset", "prior"}
    assert card["training"]["judge"]["command"] == "python -m models.vision.judge"


def record(fire: int | None, smoke: int | None, *boxes: list[float]) -> Record:
    return Record("", "", "", "", "", fire=fire, smoke=smoke, scene_boxes=list(boxes))


@pytest.mark.parametrize(
    ("one", "logits", "expected"),
    [
        (record(0, 0), (9.0, 9.0), (0, 0)),
        (record(None, 1), (9.0, 0.0), (-1, -1)),  # smoke somewhere, and the head does not say here
        (record(1, 0), (2.0, 0.0), (1, 0)),
        (record(1, 0, [0.0, 0.3, 0.3, 0.6, 0.6]), (-9.0, 0.0), (1, 0)),  # drawn within
        (record(1, 0, [0.0, 0.0, 0.0, 0.1, 0.1]), (9.0, 0.0), (0, 0)),  # drawn elsewhere
        (record(1, 0, [0.0, 0.0, 0.0, 0.29, 0.5]), (9.0, 0.0), (-1, 0)),  # a little of it
        (record(1, 1, [1.0, 0.0, 0.0, 1.0, 1.0]), (2.0, 0.0), (1, 1)),  # larger than the part
    ],
)
def test_a_part_shows_what_is_drawn_in_it(one: Record, logits: tuple[float, float], expected: tuple[int, int]) -> None:
    assert judge.truth_of_part(one, WHOLE_PART, np.array(logits, np.float32)) == expected


def test_boxes_turn_with_the_picture() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    turned, shown = judge.mirrored(record(1, 0, [0.0, 0.1, 0.2, 0.4, 0.5]), picture)
    assert turned.scene_boxes == [[0.0, 0.6, 0.2, 0.9, 0.5]]
    assert np.array_equal(shown[:, 0], picture[:, -1])


def test_a_judge_learns_what_tells_fires_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "EPOCHS", 3)
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, (600, 2)).astype(np.int8)
    evidence = random.normal(size=(600, EVIDENCE)).astype(np.float32)
    evidence[:, :20] += 2.0 * truth[:, :1]
    evidence[:, 20:40] += 2.0 * truth[:, 1:]
    truth[:50, 1] = -1
    views = judge.Views(evidence, truth, np.array([str(n) for n in range(600)]))
    scales, figures = judge.calibration(judge.learned(views), views)
    assert min(figures.values()) > 0.95
    assert all(one["scale"] > 0 for one in scales.values())
    assert 0.02 < judge.is_dev(views.group).mean() < 0.3


def test_writing_names_the_new_files_in_both_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    card = json.loads((judge.ZOO / "vision.json").read_text("utf-8"))
    card["files"] = [one for one in card["files"] if one["file"] == "vision-320x192.int8.onnx"]
    (zoo / "vision-320x192.int8.onnx").write_bytes(without_judge("vision-320x192.int8.onnx").SerializeToString())
    fused = {"needs": {"vision": [card["files"][0]["sha256"], "another"], "hearing": ["h"]}}
    (zoo / "vision.json").write_text(json.dumps(card))
    (zoo / "fusion.json").write_text(json.dumps(fused))
    monkeypatch.setattr(judge, "WEIGHTS", tmp_path / "judge.pt")
    monkeypatch.setattr(judge, "NOTES", tmp_path / "judge.json")
    torch.save(Judge().state_dict(), judge.WEIGHTS)
    judge.NOTES.write_text(json.dumps({"calibration": {"fire judged": {"scale": 2.0}}, "dev": {}}))
    judge.write(zoo)
    after = json.loads((zoo / "vision.json").read_text("utf-8"))
    needs = json.loads((zoo / "fusion.json").read_text("utf-8"))["needs"]
    assert needs == {"vision": [after["files"][0]["sha256"], "another"], "hearing": ["h"]}
    assert after["files"][0]["outputs"][JUDGED] == [1, 2]
    assert after["calibration"]["fire judged"] == {"scale": 2.0}
    assert after["calibration"]["fire"] == card["calibration"]["fire"]


def test_a_graph_without_a_scene_head_is_refused() -> None:
    empty = onnx.helper.make_graph([], "empty", [], [])
    with pytest.raises(ValueError, match="scene head"):
        readers(empty)
