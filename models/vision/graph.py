"""Writes `Vision` as ONNX: an int8 file with QDQ pairs and a float file with float16 weights.

int8: the rounding of `network.FakeQuant` becomes QuantizeLinear/DequantizeLinear (U8, per tensor); weights
are stored as S8 per channel, biases as S32 with scale = input scale × weight scale, the form that both
ONNX Runtime and OpenVINO fuse. Everything else is float32.

float16: each weight is stored as float16 behind a Cast; compute follows the runtime's own hint.
"""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from models.vision.network import Vision

OPSET = 17
OUTPUTS = ("scores", "sides", "scene", "scene_embedding", "posture")
"""The last one only where the network has its person head."""
_SMALL = 32
"""Constants with fewer values than this stay float32."""


def trace(net: nn.Module, width_px: int, height_px: int, outputs: Sequence[str]) -> ModelProto:
    """The graph as torch writes it, static shapes; `outputs` names what `net` returns."""
    buffer = io.BytesIO()
    stream: Any = buffer  # torch takes a stream, its types do not say so
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (torch.zeros(1, 3, height_px, width_px),), stream, dynamo=False,
                          opset_version=OPSET, input_names=["image"], output_names=list(outputs),
                          do_constant_folding=True)  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    inline_constants(model)
    return model


def inline_constants(model: ModelProto) -> None:
    """Constant nodes become initialisers, so that each weight is found in one place."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        tensor = onnx.TensorProto()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


class _Values:
    """The initialisers of a graph by name; replaced ones are written back by `store`."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self._arrays = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def add(self, name: str, array: NDArray[np.generic]) -> str:
        self._arrays[name] = array
        return name

    def store(self) -> None:
        used = {name for node in self.model.graph.node for name in node.input}
        del self.model.graph.initializer[:]
        for name, array in self._arrays.items():
            if name in used:
                self.model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))


def int8_model(net: nn.Module, width_px: int, height_px: int, outputs: Sequence[str] | None = None) -> ModelProto:
    """`net` must be calibrated and switched on; `outputs` names what it returns where it is no `Vision`."""
    model = trace(net, width_px, height_px, outputs or outputs_of(net))
    values = _Values(model)
    merge_twins(model)
    producer = {name: node for node in model.graph.node for name in node.output}
    extra: list[NodeProto] = []
    for node in [node for node in model.graph.node if node.op_type == "Conv"]:
        weight_dq = producer.get(node.input[1])
        if weight_dq is not None and weight_dq.op_type == "DequantizeLinear":
            fold_weight(model, values, weight_dq, producer)
            extra.append(fold_bias(values, node, producer[node.input[0]], weight_dq))
    nodes = extra + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    values.store()
    store_halves(model)
    return checked(model)


def merge_twins(model: ModelProto) -> None:
    """Several readers of one tensor each brought their own, equal, pair: keep one."""
    graph = model.graph
    constants = {item.name: item.raw_data or numpy_helper.to_array(item).tobytes() for item in graph.initializer}
    first: dict[tuple[object, ...], str] = {}
    renamed: dict[str, str] = {}
    for node in list(graph.node):
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            key = (node.op_type, node.input[0], *(constants[name] for name in node.input[1:]))
            if key in first and node.input[0] not in constants:
                renamed[node.output[0]] = first[key]
                graph.node.remove(node)
            first.setdefault(key, node.output[0])


def fold_weight(model: ModelProto, values: _Values, dq: NodeProto, producer: dict[str, NodeProto]) -> None:
    """float weight → Q → DQ becomes S8 weight → DQ."""
    q = producer[dq.input[0]]
    weight, scale = values[q.input[0]], values[q.input[1]]
    rounded = np.rint(weight / scale.reshape(-1, *[1] * (weight.ndim - 1)))
    dq.input[0] = values.add(q.input[0] + "_s8", np.clip(rounded, -127, 127).astype(np.int8))
    model.graph.node.remove(q)


def fold_bias(values: _Values, conv: NodeProto, input_dq: NodeProto, weight_dq: NodeProto) -> NodeProto:
    """The float bias becomes S32; returns the DequantizeLinear that feeds it."""
    name = conv.input[2]
    scale = (values[input_dq.input[1]] * values[weight_dq.input[1]]).astype(np.float32)
    limit = 2**31 - 1
    whole = np.clip(np.rint(values[name].astype(np.float64) / scale), -limit, limit).astype(np.int32)
    inputs = [values.add(name + "_s32", whole), values.add(name + "_scale", scale),
              values.add(name + "_zero", np.zeros(len(whole), np.int32))]  # fmt: skip
    conv.input[2] = name + "_dq"
    return helper.make_node("DequantizeLinear", inputs, [name + "_dq"], name=name + "_dq", axis=0)


def outputs_of(net: nn.Module) -> tuple[str, ...]:
    """The names of what `net` returns."""
    return OUTPUTS[: 4 if getattr(net, "person", None) is None else 5]


def fp16_model(net: Vision, width_px: int, height_px: int) -> ModelProto:
    """`net` with the rounding off."""
    model = trace(net, width_px, height_px, outputs_of(net))
    store_halves(model)
    return checked(model)


def store_halves(model: ModelProto) -> None:
    """Float weights become float16 behind a Cast; the scales of quantisers stay as they are."""
    graph, casts = model.graph, []
    scales = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.input[1:]}
    for item in list(graph.initializer):
        array = numpy_helper.to_array(item)
        if array.dtype != np.float32 or array.size < _SMALL or item.name in scales:
            continue
        name = item.name
        item.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name + "_f16"))
        casts.append(helper.make_node("Cast", [name + "_f16"], [name], name=name + "_cast", to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def checked(model: ModelProto) -> ModelProto:
    """Valid, and without the one operator that OpenVINO was seen to get wrong in channel shuffles."""
    onnx.checker.check_model(model, full_check=True)
    if any(node.op_type == "Gather" for node in model.graph.node):
        raise ValueError("the graph holds a Gather; write the channel shuffle as Reshape and Transpose")
    return model


def save(model: ModelProto, path: Path) -> None:
    """Write the file with short tensor names: nine hundred long ones weigh as much as the stem and stages."""
    del model.graph.value_info[:]
    fixed = {"image", *OUTPUTS}
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        return name if name in fixed or not name else short.setdefault(name, f"t{len(short)}")

    for node in model.graph.node:
        node.doc_string, node.name = "", ""
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
    for item in model.graph.initializer:
        item.name = renamed(item.name)
    path.write_bytes(model.SerializeToString())
