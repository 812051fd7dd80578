"""The posture of people by what the body's maps hold over their whole box, as a piece of the published graphs.

A cell of the detector's tower knows little of a person of thirty pixels, and nothing of where in the box what is. So
the maps of body at strides 8 and 16 are squeezed to `WIDTH` channels and sampled in `GRID` × `GRID` places of the box,
of the `MOST` cells that are likeliest people; two small layers tell the posture. Their logits and those of the head of
one cell, which knows real people who lie better, are added: `posture` [1, 3, N] as before. All else stays to the bit.
"""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from agent.inference.vision import STRIDES_PX
from agent.types import POSTURES
from models.vision.judging import readers, require_plain
from models.vision.network import BINS
from models.vision.quantised import SLOPE

CHANNELS = (116, 232)
"""Of body at strides 8 and 16."""
GRID, GROWN = 6, 1.1
"""Places along each side of the box, which is so much larger in both directions."""
WIDTH, HIDDEN, DROP, DROP_MAPS = 16, 20, 0.3, 0.2
"""The last: of whole channels of body, while learning; without it rooms are learned by heart."""
MOST = 96
"""Cells: a dozen of people have eight each."""
USUAL_PX = 50.0
FloatArray = NDArray[np.float32]


class StanceHead(nn.Module):
    """Samples [B, sum(CHANNELS), GRID, GRID] and boxes [B, 4] in canvas pixels → logits [B, 3]."""

    mean: Tensor
    spread: Tensor
    sharpness: Tensor
    """By which the sum of both heads' logits is multiplied."""

    def __init__(self, mean: Tensor | None = None, spread: Tensor | None = None) -> None:
        super().__init__()
        channels = sum(CHANNELS)
        self.register_buffer("mean", torch.zeros(channels) if mean is None else mean)
        self.register_buffer("spread", torch.ones(channels) if spread is None else spread)
        self.register_buffer("sharpness", torch.ones(()))
        self.squeeze = nn.Conv2d(channels, WIDTH, 1)
        self.first = nn.Linear(WIDTH * GRID**2 + 2, HIDDEN)
        self.last = nn.Linear(HIDDEN, len(POSTURES))
        self.drop, self.drop_maps = nn.Dropout(DROP), nn.Dropout2d(DROP_MAPS)

    def forward(self, samples: Tensor, boxes: Tensor) -> Tensor:
        standard = (samples - self.mean[:, None, None]) / self.spread[:, None, None]
        seen = self.drop(F.leaky_relu(self.squeeze(self.drop_maps(standard)), SLOPE).flatten(1))
        sides = torch.log((boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0) / USUAL_PX)
        hidden = F.leaky_relu(self.first(torch.cat([seen, sides], 1)), SLOPE)
        out: Tensor = self.last(self.drop(hidden))
        return out

    def squeezing(self) -> tuple[list[FloatArray], FloatArray]:
        """Weights [WIDTH, C, 1, 1] of each map and their bias, the standardising folded in."""
        with torch.no_grad():
            weight = self.squeeze.weight / self.spread[None, :, None, None]
            shift = F.conv2d(-self.mean[None, :, None, None], weight, self.squeeze.bias)[0, :, 0, 0]
        return [part.numpy() for part in weight.split(CHANNELS, 1)], shift.numpy()


def sampled(feature: FloatArray, box: NDArray[np.floating], stride_px: int) -> FloatArray:
    """What a map [C, h, w] holds in the places of a box in canvas pixels: [C, GRID, GRID], as the graph samples it."""
    rows, columns = (_places(box[axis], box[axis + 2], stride_px, feature.shape[2 - axis]) for axis in (1, 0))
    (top, down), (left, right) = rows, columns
    upper, lower = feature[:, top], feature[:, np.minimum(top + 1, feature.shape[1] - 1)]
    lines = upper * (1 - down)[:, None] + lower * down[:, None]
    here, beside = lines[:, :, left], lines[:, :, np.minimum(left + 1, feature.shape[2] - 1)]
    return np.asarray(here * (1 - right) + beside * right, np.float32)


def _places(low: float, high: float, stride_px: int, length: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Cells, and how far towards the next one, of the places along one side."""
    middle, half = (low + high) / 2, (high - low) / 2 * GROWN
    along = middle + ((np.arange(GRID) + 0.5) / GRID * 2 - 1) * half
    cells = np.clip(along / stride_px - 0.5, 0, length - 1)
    first = cells.astype(np.intp)
    return first, cells - first


def body_maps(graph: onnx.GraphProto) -> tuple[str, str]:
    """The tensors of body at strides 8 and 16."""
    found = readers(graph)
    return found["fine"].input[0], found["middle"].input[0]


def add_head(model: onnx.ModelProto, head: StanceHead) -> None:
    """Let `head` tell the posture in a graph beside what tells it already. ValueError where it has one, or is lean."""
    graph = model.graph
    if has_head(graph):
        raise ValueError("the graph has a head that reads whole boxes already")
    require_plain(model)
    maps = body_maps(graph)
    for node in graph.node:
        node.output[:] = [".one_cell" if name == "posture" else name for name in node.output]
    height, width = (dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim[2:])
    sizes = [(-(-height // stride), -(-width // stride)) for stride in STRIDES_PX]
    constants = {f".{name}": value for name, value in _constants(head.eval(), sizes).items()}
    nodes = _nodes(maps)
    # Short names: what nine hundred long ones weigh, see `graph.save`.
    made = (name for node in nodes for name in node.output if name.startswith("."))
    ours = dict.fromkeys([*constants, ".one_cell", *made])
    short = {name: f"s{number}" for number, name in enumerate(ours)}
    graph.node.extend(nodes)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [short.get(name, name) for name in names]
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), short[name]) for name, value in constants.items()
    )
    onnx.checker.check_model(model, full_check=True)


def has_head(graph: onnx.GraphProto) -> bool:
    """Whether `add_head` was here."""
    return any(node.op_type == "RoiAlign" for node in graph.node)


def _constants(head: StanceHead, sizes: list[tuple[int, int]]) -> dict[str, NDArray[np.generic]]:
    """The graph's by name; `sizes` are rows and columns of each stride's cells."""
    (fine, middle), bias = head.squeezing()
    first, first_bias, last, last_bias = (
        value.detach().numpy().astype(np.float32)
        for value in (head.first.weight, head.first.bias, head.last.weight, head.last.bias)
    )
    seen, sides = first[:, :-2], first[:, -2:]
    scale = (np.abs(seen).max(axis=1) / 127.0).clip(1e-12).astype(np.float32)
    starts = np.cumsum([0, *(rows * columns for rows, columns in sizes)])
    levels = (starts[:-1], [columns for _, columns in sizes], STRIDES_PX)
    outwards = np.diag(np.array([-1, -1, 1, 1], np.float32))
    both = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    grown = np.array([[-1, 0, 1, 0], [0, -1, 0, 1]], np.float32) * (GROWN - 1) / 2
    whole = {
        "zero": [0], "one": [1], "two": [2], "axis": [1], "most": [MOST], "shape_bins": [4, BINS, MOST],
        "shape_places": [MOST, 1], "shape_row": [MOST, -1],
        "shape_sides": [1, 4 * BINS, MOST], "shape_told": [1, len(POSTURES), MOST],
        "shape_all": [1, len(POSTURES), int(starts[-1])], "thirds": [1, 1, 1],
    }  # fmt: skip
    floats = {
        "bias": bias, "scale": scale, "sides": sides.T, "first_bias": first_bias, "last": last.T,
        "last_bias": last_bias, "starts": starts[None, :-1], "bins": np.arange(BINS)[None, :, None],
        "steps": np.stack([np.diff(values, prepend=0) for values in levels], 1), "corner": both.T,
        "both": both, "outwards": outwards + both @ grown, "usual": USUAL_PX, "least": 1.0,
        "sharpness": float(head.sharpness),
    }  # fmt: skip
    return {
        **{name: np.array(value, np.int64) for name, value in whole.items()},
        **{name: np.array(value, np.float32) for name, value in floats.items()},
        "fine_f16": fine.astype(np.float16), "middle_f16": middle.astype(np.float16),
        "seen_i8": np.round(seen.T / scale).astype(np.int8),
    }  # fmt: skip


def _nodes(maps: tuple[str, str]) -> list[onnx.NodeProto]:
    """In order; what begins with a dot is ours."""
    node = helper.make_node
    around: dict[str, Any] = {
        "output_height": GRID, "output_width": GRID, "sampling_ratio": 1, "mode": "avg",
        "coordinate_transformation_mode": "half_pixel",
    }  # fmt: skip
    return [
        # The likeliest people's cells: places, their stride and corner.
        node("Slice", ["scores", ".zero", ".one", ".axis"], [".people"]),
        node("TopK", [".people", ".most"], [".probs", ".at"], axis=2),
        node("Cast", [".at"], [".number"], to=TensorProto.FLOAT),
        node("Reshape", [".number", ".shape_places"], [".place"]),
        node("GreaterOrEqual", [".place", ".starts"], [".passed"]),
        node("Cast", [".passed"], [".steps_taken"], to=TensorProto.FLOAT),
        node("MatMul", [".steps_taken", ".steps"], [".level"]),
        node("Split", [".level", ".thirds"], [".start", ".columns", ".stride"], axis=1),
        node("Sub", [".place", ".start"], [".within"]),
        node("Div", [".within", ".columns"], [".rows"]),
        node("Floor", [".rows"], [".row"]),
        node("Mul", [".row", ".columns"], [".before"]),
        node("Sub", [".within", ".before"], [".column"]),
        node("Concat", [".column", ".row"], [".cell"], axis=1),
        node("Mul", [".cell", ".stride"], [".corner_px"]),
        # Their boxes, as agent.inference.vision has them.
        node("Expand", [".at", ".shape_sides"], [".at_sides"]),
        node("GatherElements", ["sides", ".at_sides"], [".sides_there"], axis=2),
        node("Reshape", [".sides_there", ".shape_bins"], [".logits"]),
        node("Softmax", [".logits"], [".odds"], axis=1),
        node("Mul", [".odds", ".bins"], [".parts"]),
        node("ReduceSum", [".parts", ".axis"], [".strides_away"], keepdims=0),
        node("Transpose", [".strides_away"], [".away"], perm=[1, 0]),
        node("Mul", [".away", ".stride"], [".away_px"]),
        node("MatMul", [".corner_px", ".corner"], [".corners"]),
        node("MatMul", [".away_px", ".outwards"], [".apart"]),
        node("Add", [".corners", ".apart"], [".box"]),
        node("MatMul", [".away_px", ".both"], [".size"]),
        node("Max", [".size", ".least"], [".size_px"]),
        node("Div", [".size_px", ".usual"], [".size_ratio"]),
        node("Log", [".size_ratio"], [".size_log"]),
        # What the maps hold there.
        node("Cast", [".fine_f16"], [".fine"], to=TensorProto.FLOAT),
        node("Cast", [".middle_f16"], [".middle"], to=TensorProto.FLOAT),
        node("Conv", [maps[0], ".fine", ".bias"], [".map8"]),
        node("Conv", [maps[1], ".middle"], [".map16"]),
        node("ConstantOfShape", [".most"], [".batch"], value=numpy_helper.from_array(np.zeros(1, np.int64))),
        node("RoiAlign", [".map8", ".box", ".batch"], [".seen8"], spatial_scale=1 / 8, **around),
        node("RoiAlign", [".map16", ".box", ".batch"], [".seen16"], spatial_scale=1 / 16, **around),
        node("Add", [".seen8", ".seen16"], [".squeezed"]),
        node("LeakyRelu", [".squeezed"], [".bent"], alpha=SLOPE),
        node("Reshape", [".bent", ".shape_row"], [".flat"]),
        node("Cast", [".seen_i8"], [".seen"], to=TensorProto.FLOAT),
        node("MatMul", [".flat", ".seen"], [".unscaled"]),
        node("Mul", [".unscaled", ".scale"], [".scaled"]),
        node("Gemm", [".size_log", ".sides", ".first_bias"], [".sized"]),
        node("Add", [".scaled", ".sized"], [".hidden"]),
        node("LeakyRelu", [".hidden"], [".hidden_bent"], alpha=SLOPE),
        node("Gemm", [".hidden_bent", ".last", ".last_bias"], [".told"]),
        # To where they were read.
        node("Transpose", [".told"], [".told_turned"], perm=[1, 0]),
        node("Reshape", [".told_turned", ".shape_told"], [".updates"]),
        node("Expand", [".at", ".shape_told"], [".at_told"]),
        node("ConstantOfShape", [".shape_all"], [".nothing"]),
        node("ScatterElements", [".nothing", ".at_told", ".updates"], [".over_boxes"], axis=2),
        node("Add", [".one_cell", ".over_boxes"], [".both_heads"]),
        node("Mul", [".both_heads", ".sharpness"], ["posture"]),
    ]
