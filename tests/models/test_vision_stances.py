"""The head that reads a person's whole box: the graph says what torch says, and all else stays as it was."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("tqdm")
onnxruntime = pytest.importorskip("onnxruntime")

from agent.inference.vision import places_of
from models.vision import stance
from models.vision.stances import CHANNELS, GRID, MOST, StanceHead, add_head, body_maps, has_head, sampled
from models.vision.teachers import session

ZOO = Path(__file__).resolve().parents[2] / "models" / "zoo"
CARD = json.loads((ZOO / "vision.json").read_text())
PLAIN = [one["file"] for one in CARD["files"] if one["width_px"] == one["height_px"] and one["precision"] == "fp16"]
LIVE = [one["file"] for one in CARD["files"] if one["width_px"] != one["height_px"]]
SIZE = (320, 192)


def some_head() -> StanceHead:
    torch.manual_seed(0)
    head = StanceHead(torch.randn(sum(CHANNELS)) * 0.1, torch.rand(sum(CHANNELS)) + 0.5).eval()
    with torch.no_grad():
        head.last.weight.mul_(5.0)
        head.sharpness.fill_(0.5)
    return head


def noise(size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(5).uniform(0, 255, (1, 3, size[1], size[0])).astype(np.float32)


def outputs(model: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    running = session(model.SerializeToString())
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(names, {"image": image}), strict=True))


def test_a_linear_map_is_sampled_exactly_and_its_border_holds_beyond_it() -> None:
    rows, columns = np.mgrid[0:12, 0:20].astype(np.float32)
    box = np.array([40.0, 24.0, 88.0, 72.0])
    across, down = sampled(np.stack([columns, rows]), box, 8)
    wide = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    np.testing.assert_allclose(across[0], (64 + wide * 24 * 1.1) / 8 - 0.5, rtol=1e-5)
    np.testing.assert_allclose(down[:, 3], (48 + wide * 24 * 1.1) / 8 - 0.5, rtol=1e-5)
    beyond = sampled(columns[None], np.array([-60.0, 0.0, -20.0, 30.0]), 8)
    assert not beyond.any()


def size_of(model: onnx.ModelProto) -> tuple[int, int]:
    height, width = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[2:])
    return width, height


@pytest.mark.parametrize("name", PLAIN)
def test_the_graph_tells_what_torch_tells_of_the_same_boxes_beside_the_other_head(name: str) -> None:
    head, before, model = some_head(), onnx.load(str(ZOO / name)), onnx.load(str(ZOO / name))
    add_head(model, head)
    size, maps = size_of(model), body_maps(model.graph)
    model.graph.output.extend(onnx.helper.make_tensor_value_info(one, onnx.TensorProto.FLOAT, None) for one in maps)
    old, out = (outputs(one, noise(size)) for one in (before, model))
    scores, boxes_at = places_of(out, size)
    likely = np.argsort(-scores[0], kind="stable")[: MOST // 2]
    boxes = boxes_at(likely)
    inside = (boxes.min(axis=1) >= 0) & (boxes[:, 2] <= size[0]) & (boxes[:, 3] <= size[1])
    assert inside.sum() > 5
    samples = np.stack([
        np.concatenate([sampled(out[one][0], box, px) for one, px in zip(maps, (8, 16), strict=True)])
        for box in boxes[inside]
    ])  # fmt: skip
    with torch.no_grad():
        expected = head(torch.from_numpy(samples), torch.from_numpy(boxes[inside])).numpy()
    assert np.ptp(expected, axis=0).max() > 0.05
    expected = (expected + old["posture"][0][:, likely[inside]].T) * 0.5
    np.testing.assert_allclose(out["posture"][0][:, likely[inside]].T, expected, atol=0.03)
    others = np.argsort(-scores[0], kind="stable")[MOST:]
    np.testing.assert_allclose(out["posture"][0][:, others], old["posture"][0][:, others] * 0.5, atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_else_that_a_graph_says_changes(name: str) -> None:
    before, after = onnx.load(str(ZOO / name)), onnx.load(str(ZOO / name))
    add_head(after, some_head())
    old, new = (outputs(model, noise(size_of(after))) for model in (before, after))
    assert set(old) == set(new)
    assert old["posture"].shape == new["posture"].shape
    assert not np.array_equal(old["posture"], new["posture"])
    for output in set(old) - {"posture", "scene_embedding"}:
        assert np.array_equal(old[output], new[output]), output
    np.testing.assert_allclose(old["scene_embedding"], new["scene_embedding"], atol=2e-6)


@pytest.mark.parametrize("name", LIVE)
def test_the_live_graphs_have_a_head_and_take_no_second_one(name: str) -> None:
    model = onnx.load(str(ZOO / name))
    assert has_head(model.graph)
    with pytest.raises(ValueError, match="already"):
        add_head(model, some_head())


def rows(count: int) -> stance.Rows:
    random = np.random.default_rng(0)
    posture = np.arange(count) % 3
    samples = random.normal(size=(count, sum(CHANNELS), GRID, GRID)).astype(np.float16)
    samples[:, :200] += (posture[:, None] == np.arange(200) % 3)[:, :, None, None]
    source = np.array([("coco", "still", "fallen", "rendered")[index // 3 % 4] for index in range(count)])
    boxes = np.tile(np.array([10, 10, 40, 90], np.float32), (count, 1))
    told = np.zeros((count, 3), np.float32)
    return stance.Rows(samples, boxes, told, posture, np.arange(count) % 5 == 4, source, source)


def test_all_postures_of_real_and_of_rendered_people_are_drawn_equally_often() -> None:
    some = rows(240)
    chosen = np.flatnonzero(~some.dev)
    weight = stance.shares(some, chosen)
    real = np.isin(some.source[chosen], ("coco", "fallen"))
    assert weight.sum() == pytest.approx(1.0)
    for posture in range(3):
        for kind, share in ((real, 1 - stance.RENDERED_SHARE), (~real, stance.RENDERED_SHARE)):
            assert weight[kind & (some.posture[chosen] == posture)].sum() == pytest.approx(share / 3)


def test_a_head_learns_what_tells_postures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stance, "STEPS", 40)
    some = rows(240)
    head = stance.learned(some, 0)
    assert (stance.logits_of(head, some, some.dev).argmax(1) == some.posture[some.dev]).mean() > 0.9
    some.told[:] = 1.0
    before = stance.logits_of(head, some, some.dev)
    divisor = stance.temperature(head, some)
    np.testing.assert_allclose(stance.logits_of(head, some, some.dev) * divisor, before, atol=1e-4)
