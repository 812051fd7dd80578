"""The rebuilt network computes what the published file computes, at any canvas."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training extra not installed")
pytest.importorskip("onnx", reason="training extra not installed")

from models.vision import quantise, weights
from models.vision.network import (
    CLASSES,
    MEAN_RGB,
    PAD_GREY,
    STD_RGB,
    STRIDES,
    Vision,
    cell_points,
    decode,
    flatten,
    grid_sizes,
    shuffle,
)
from models.vision.quantised import FakeQuant, convs

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VEDETTE_SHARED", str(ROOT.parent / "shared")))
NANODET = SHARED / "data/vision/teachers/nanodet_plus_m_512.onnx"
needs_teacher = pytest.mark.skipif(not NANODET.exists(), reason="the shared teacher weights are not here")


@pytest.fixture(scope="module")
def net() -> Vision:
    torch.manual_seed(0)
    return Vision().eval()


@pytest.fixture(scope="module")
def published() -> Vision:
    net = Vision().eval()
    weights.load_nanodet(net, NANODET)
    return net


def picture(width: int, height: int) -> np.ndarray:
    """Smooth blobs with hard edges: busy enough to excite every layer."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    out = np.zeros((height, width, 3), np.float32)
    for _ in range(40):
        cx, cy, r = random.uniform(0, width), random.uniform(0, height), random.uniform(8, 90)
        out[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = random.uniform(0, 255, 3)
    return np.rint(out)


def planar(rgb: np.ndarray) -> "torch.Tensor":
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32))


@needs_teacher
def test_with_the_published_normalisation_every_output_equals_the_published_file() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net = Vision().eval()
    weights.load_nanodet(net, NANODET)
    stem_weight, stem_bias = weights.nanodet_convolutions(NANODET)[0]
    net.body.stem.conv.weight.data.copy_(stem_weight)
    net.body.stem.conv.bias.data.copy_(stem_bias)
    rgb = picture(512, 512)
    normal = ((rgb - np.array(MEAN_RGB)) / np.array(STD_RGB))[:, :, ::-1]
    session = onnxruntime.InferenceSession(str(NANODET), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"data": planar(normal).numpy()})[0]
    with torch.no_grad():
        logits, sides = flatten(net.raw(planar(normal) + PAD_GREY).levels)
    assert np.abs(logits.sigmoid().numpy() - theirs[..., :CLASSES]).max() < 1e-4
    assert np.abs(sides.numpy() - theirs[..., CLASSES:]).max() < 1e-2


@needs_teacher
def test_taking_rgb_bytes_changes_scores_only_near_the_border(published: Vision) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    rgb = picture(512, 512)
    normal = ((rgb - np.array(MEAN_RGB)) / np.array(STD_RGB))[:, :, ::-1]
    session = onnxruntime.InferenceSession(str(NANODET), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"data": planar(normal).numpy()})[0]
    with torch.no_grad():
        logits, _ = flatten(published.raw(planar(rgb)).levels)
    gap = np.abs(logits.sigmoid().numpy() - theirs[..., :CLASSES])
    assert gap.max() < 0.05
    assert np.median(gap.max(2)) < 2e-3


@pytest.mark.parametrize(("width", "height"), [(320, 192), (320, 320), (416, 416)])
def test_each_canvas_gives_its_own_number_of_cells(net: Vision, width: int, height: int) -> None:
    with torch.no_grad():
        scores, sides, scene, embedding = net(torch.zeros(1, 3, height, width))
    cells = sum(math.ceil(width / stride) * math.ceil(height / stride) for stride in STRIDES)
    assert scores.shape == (1, 80, cells)
    assert sides.shape == (1, 32, cells)
    assert scene.shape == (1, 2)
    assert embedding.shape == (1, 128)


def test_a_side_distribution_peaked_at_three_means_three_strides_from_the_cell() -> None:
    sides = torch.full((1, 1, 32), -50.0)
    sides[0, 0, [3, 11, 19, 27]] = 50.0
    box = decode(sides, torch.tensor([[80.0, 40.0, 8.0]]))
    assert box[0, 0].tolist() == pytest.approx([56, 16, 104, 64])


def test_points_follow_the_order_of_the_rows_of_each_level() -> None:
    points = cell_points([(2, 3), (1, 1), (1, 1), (1, 1)], torch.device("cpu"))
    assert points[:7].tolist() == [[0, 0, 8], [8, 0, 8], [16, 0, 8], [0, 8, 8], [8, 8, 8], [16, 8, 8], [0, 0, 16]]


def test_shuffling_interleaves_the_halves() -> None:
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert shuffle(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_rounding_is_what_quantise_and_dequantise_do() -> None:
    quant = FakeQuant()
    quant.set_range(-1.0, 3.0)
    quant.enabled = True
    x = torch.linspace(-2, 4, 1001)
    scale, zero = quant.scale_zero()
    expected = (np.clip(np.rint(x.numpy() / np.float32(scale)) + zero, 0, 255) - zero) * np.float32(scale)
    np.testing.assert_allclose(quant(x).numpy(), expected, atol=1e-6)
    assert float(quant(torch.zeros(1))) == 0.0


def test_gradients_pass_where_nothing_is_clipped_and_stop_where_it_is() -> None:
    quant = FakeQuant()
    quant.set_range(-1.0, 1.0)
    quant.enabled = True
    x = torch.tensor([-2.0, 0.3, 2.0], requires_grad=True)
    quant(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_evening_out_the_channels_leaves_the_float_function_as_it_was() -> None:
    torch.manual_seed(1)
    net = Vision().eval()
    image = planar(picture(128, 128))
    with torch.no_grad():
        before = flatten(net.raw(image).levels)[0]
        old = net.body.stages[0][1].body[0].conv.weight.clone()
        quantise.equalise(net, lambda: [image])
        after = flatten(net.raw(image).levels)[0]
    assert not torch.equal(old, net.body.stages[0][1].body[0].conv.weight)
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-3)


def test_calibration_gives_every_rounding_a_range_that_holds_zero() -> None:
    torch.manual_seed(1)
    net = Vision().eval()
    quantise.calibrate(net, [planar(picture(128, 128))])
    found = [q for conv in convs(net) for q in (conv.quant_in, conv.quant_out) if isinstance(q, FakeQuant)]
    assert len(found) > 150
    assert all(float(q.low) <= 0 < float(q.high) for q in found)
    stem = net.body.stem.quant_in
    assert isinstance(stem, FakeQuant)
    assert stem.scale_zero() == (1.0, 114)


def test_one_outlier_does_not_take_the_range_of_thousands() -> None:
    values = torch.cat([torch.rand(200_000, generator=torch.Generator().manual_seed(0)), torch.tensor([3.0])])
    assert quantise.best_range(values, before_act=False)[1] < 3.0


def test_grid_sizes_are_plain_numbers() -> None:
    assert grid_sizes([torch.zeros(1, 2, 3, 4)]) == [(3, 4)]
