"""The second judge of fire and smoke as a piece of the published graphs, which change in nothing else.

The scene head's own map says where most speaks for fire, and where for smoke. What body, pyramid and head know of
these places and of the whole picture, `EVIDENCE` numbers, goes through two small layers: `scene_judged` [1, 2], logits.
The map itself becomes an output too, `scene_map` [1, 2, H/16, W/16].
"""

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from agent.inference.vision import JUDGED, MAP
from models.vision.network import SHARPNESS, SLOPE, SceneHead

CHANNELS = 232 + 96 + 48
"""Of body (stride 16), pyramid (stride 16) and scene head."""
EVIDENCE = 3 * CHANNELS
"""At the fire, at the smoke, in the mean."""
HIDDEN, DROP = 32, 0.5
CONVOLUTIONS = ("fine", "middle", "context", "mix", "map")
"""Of the scene head."""
LEAN = "lean"
"""Key in the metadata of graphs that `models.vision.lean` went over: their body's channels lie in another order."""
FloatArray = NDArray[np.float32]


class Judge(nn.Module):
    """[B, EVIDENCE] → [B, 2] logits of fire and smoke."""

    mean: Tensor
    spread: Tensor

    def __init__(self, mean: Tensor | None = None, spread: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(EVIDENCE) if mean is None else mean)
        self.register_buffer("spread", torch.ones(EVIDENCE) if spread is None else spread)
        self.first = nn.Linear(EVIDENCE, HIDDEN)
        self.last = nn.Linear(HIDDEN, 2)
        self.drop = nn.Dropout(DROP)

    def forward(self, evidence: Tensor) -> Tensor:
        standard = self.drop((evidence - self.mean) / self.spread)
        out: Tensor = self.last(self.drop(F.leaky_relu(self.first(standard), SLOPE)))
        return out

    def layers(self) -> list[tuple[FloatArray, FloatArray]]:
        """Weight and bias of both layers as the graph has them, the standardising folded in."""
        with torch.no_grad():
            weight = self.first.weight / self.spread
            bias = self.first.bias - weight @ self.mean
            pairs = [(weight, bias), (self.last.weight, self.last.bias)]
            return [(w.numpy().astype(np.float32), b.numpy().astype(np.float32)) for w, b in pairs]


def is_lean(model: onnx.ModelProto) -> bool:
    """Whether `models.vision.lean` went over a graph."""
    return any(one.key == LEAN for one in model.metadata_props)


def require_plain(model: onnx.ModelProto) -> None:
    """Raise ValueError for a graph that `models.vision.lean` went over: nothing can be learned from it, or added."""
    if is_lean(model):
        raise ValueError("the graph was made leaner: start from one of before (models.vision.export, judge, then lean)")


def read_tensors(graph: onnx.GraphProto) -> tuple[list[str], str]:
    """The tensors [1, C, H/16, W/16] that a judge reads, and the map that says where."""
    found = readers(graph)
    return [found["middle"].input[0], found["context"].input[0], found["map"].input[0]], found["map"].output[0]


def readers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The scene head's convolutions by name, found by the shapes of their weights."""
    shapes = {name: tuple(getattr(SceneHead(), name).weight.shape) for name in CONVOLUTIONS}
    constants = {one.name: tuple(one.dims) for one in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    below = ancestors(graph, "scene")
    found = {}
    for node in graph.node:
        if node.op_type == "Conv" and node.output[0] in below and node.input[1] in casts:
            shape = constants.get(casts[node.input[1]])
            found |= {name: node for name in CONVOLUTIONS if shapes[name] == shape}
    if set(found) != set(CONVOLUTIONS):
        raise ValueError(f"the graph's scene head is not as expected: {sorted(found)}")
    return found


def ancestors(graph: onnx.GraphProto, output: str) -> set[str]:
    """All tensors that an output is computed from."""
    made = {name: node for node in graph.node for name in node.output}
    seen, waiting = set[str](), [output]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += made[name].input if name in made else []
    return seen


def evidence_of(cells: FloatArray, maps: FloatArray) -> FloatArray:
    """What the graph makes of cells [CHANNELS, h, w] and maps [2, h, w]: float32 [EVIDENCE]."""
    places = maps.reshape(2, -1) * np.array(SHARPNESS, np.float32)[:, None]
    odds = np.exp(places - places.max(axis=1, keepdims=True))
    shares = odds / odds.sum(axis=1, keepdims=True)
    where = np.concatenate([shares, np.full((1, shares.shape[1]), 1 / shares.shape[1])])
    return np.asarray(where @ cells.reshape(len(cells), -1).T, np.float32).reshape(-1)


def add_judge(model: onnx.ModelProto, judge: Judge) -> None:
    """Add map and judge to a graph that has neither. Raises ValueError where it has, or was made leaner."""
    graph = model.graph
    require_plain(model)
    if {MAP, JUDGED} & {output.name for output in graph.output}:
        raise ValueError("the graph has a judge already")
    read, shown = read_tensors(graph)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [MAP if name == shown else name for name in names]
    height, width = (dim.dim_value // 16 for dim in graph.input[0].type.tensor_type.shape.dim[2:])
    (first, first_bias), (last, last_bias) = judge.layers()
    # A scale for each number of the evidence: how far they spread, folded into the weights, differs by decades.
    scale = (np.abs(first).max(axis=0)[:, None] / 127.0).clip(1e-12).astype(np.float32)
    constants = {
        "judge_cells": np.array([CHANNELS, height * width], np.int64),
        "judge_places": np.array([2, height * width], np.int64),
        "judge_row": np.array([1, EVIDENCE], np.int64),
        "judge_sharpness": np.array(SHARPNESS, np.float32)[:, None],
        "judge_mean": np.full((1, height * width), 1 / (height * width), np.float32),
        "judge_first_i8": np.round(first.T / scale).astype(np.int8),
        "judge_first_scale": scale.reshape(1, -1),
        "judge_first_bias": first_bias,
        "judge_last": last.T,
        "judge_last_bias": last_bias,
    }
    graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in constants.items())
    node = helper.make_node
    graph.node.extend([
        node("Concat", read, ["judge_read"], axis=1),
        node("Reshape", ["judge_read", "judge_cells"], ["judge_flat"]),
        node("Reshape", [MAP, "judge_places"], ["judge_logits"]),
        node("Mul", ["judge_logits", "judge_sharpness"], ["judge_sharp"]),
        node("Softmax", ["judge_sharp"], ["judge_shares"], axis=1),
        node("Concat", ["judge_shares", "judge_mean"], ["judge_where"], axis=0),
        node("Transpose", ["judge_flat"], ["judge_turned"], perm=[1, 0]),
        node("MatMul", ["judge_where", "judge_turned"], ["judge_three"]),
        node("Reshape", ["judge_three", "judge_row"], ["judge_evidence"]),
        # Scaled is what is multiplied: OpenVINO takes scales of eight-bit weights for those of their columns.
        node("Mul", ["judge_evidence", "judge_first_scale"], ["judge_scaled"]),
        node("Cast", ["judge_first_i8"], ["judge_first"], to=TensorProto.FLOAT),
        node("Gemm", ["judge_scaled", "judge_first", "judge_first_bias"], ["judge_hidden"]),
        node("LeakyRelu", ["judge_hidden"], ["judge_bent"], alpha=SLOPE),
        node("Gemm", ["judge_bent", "judge_last", "judge_last_bias"], [JUDGED]),
    ])  # fmt: skip
    for name, shape in ((MAP, [1, 2, height, width]), (JUDGED, [1, 2])):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model, full_check=True)
