"""Writing another scene head into the published graphs: nothing else of them may change."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
onnx = pytest.importorskip("onnx")

from agent.config.schema import Models
from agent.features.letterbox import letterbox, to_tensor
from agent.inference.vision import JUDGED, MAP, VisionModel, probe_picture
from models.vision import flames
from models.vision.network import SceneHead, pool_evidence
from models.vision.teachers import session

LIVE = flames.ZOO / flames.LIVE
CHANGES = ("scene", MAP, JUDGED)
"""The judge reads the head."""


def other_head() -> SceneHead:
    torch.manual_seed(1)
    return SceneHead()


@pytest.mark.parametrize("name", sorted(path.name for path in flames.ZOO.glob("vision-*.onnx")))
def test_a_graph_with_its_own_head_put_in_is_the_same_to_the_byte(name: str) -> None:
    model = onnx.load(str(flames.ZOO / name))
    flames.put(model.graph, flames.shipped_head(model.graph))
    assert model.SerializeToString() == (flames.ZOO / name).read_bytes()


def test_another_head_changes_the_scene_alone_and_says_what_it_says_in_torch() -> None:
    model, head = onnx.load(str(LIVE)), other_head()
    flames.put(model.graph, head)
    canvas = letterbox(probe_picture(320, 180), *flames.LIVE_PX)[0]
    names = [output.name for output in model.graph.output]
    image = {"image": to_tensor(canvas)}
    before, after = (dict(zip(names, session(graph).run(names, image), strict=True))
                     for graph in (LIVE.read_bytes(), model.SerializeToString()))  # fmt: skip
    for name in names:
        assert np.array_equal(before[name], after[name]) == (name not in CHANGES), name
    features = [part[None].float() for part in flames.looker(LIVE)(canvas)]
    with torch.no_grad():
        said = pool_evidence(head.maps(*features))[0].numpy()
    assert after["scene"][0] == pytest.approx(said, abs=0.02)


def test_what_is_written_is_half_as_precise_and_reads_back_so() -> None:
    model, head = onnx.load(str(LIVE)), other_head()
    flames.put(model.graph, head)
    again = flames.shipped_head(model.graph)
    assert torch.equal(again.fine.weight, head.fine.weight.half().float())


def test_a_zoo_with_another_head_is_whole_and_the_one_that_ships_untouched(tmp_path: Path) -> None:
    shipped = {path.name: path.read_bytes() for path in flames.ZOO.iterdir()}
    notes = {"calibration": {"fire": {"scale": 2.0, "offset": -1.0, "prior": 0.5}}, "thresholds": {"fire": 0.7}}
    flames.write(other_head(), notes, tmp_path / "zoo")
    assert {path.name: path.read_bytes() for path in flames.ZOO.iterdir()} == shipped
    model = VisionModel.load(Models(folder=str(tmp_path / "zoo"), runtime="onnxruntime"))
    assert model.card.calibration_of("fire").scale == 2.0
    assert len(model.look(probe_picture(320, 180)).scene) == 2
    eyes = {entry["sha256"] for entry in json.loads((tmp_path / "zoo" / "vision.json").read_text())["files"]}
    assert set(json.loads((tmp_path / "zoo" / "fusion.json").read_text())["needs"]["vision"]) == eyes


def test_a_graph_without_such_a_head_is_refused() -> None:
    empty = onnx.helper.make_graph([], "empty", [], [])
    with pytest.raises(ValueError, match="scene head"):
        flames.readers(empty)


def test_neighbours_by_number_are_one_group_and_others_are_not() -> None:
    assert flames.tens("FIRE-123-") == flames.tens("FIRE-121-") != flames.tens("FIRE-141-")
    assert flames.tens("a-very-long-name-of-hexadecimals-123") == "a-very-long-name-of-hexadecimals-123"


def test_of_two_pictures_that_look_alike_the_first_stays() -> None:
    prints = np.eye(3, 576, dtype=np.float32)[[0, 1, 0, 2]]
    assert flames.first_of_each(prints).tolist() == [True, True, False, True]
