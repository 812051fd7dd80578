"""Weights of an ONNX graph in int8 with a scale per output channel; what is computed stays in float."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

QUANTISED_FROM = 256
"""Weights of fewer numbers stay in float."""


def in_int8(model: ModelProto) -> ModelProto:
    """The same graph with its larger weights in int8: a cast and a product, which runtimes fold when they read it."""
    users = {name for node in model.graph.node if node.op_type in ("Conv", "Gemm") for name in node.input[1:2]}
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        if tensor.name not in users or np.prod(tensor.dims) < QUANTISED_FROM:
            kept.append(tensor)
            continue
        weight = numpy_helper.to_array(tensor)
        scale = np.abs(weight).reshape(len(weight), -1).max(axis=1).clip(1e-8) / 127.0
        scale = scale.reshape(-1, *[1] * (weight.ndim - 1)).astype(np.float32)
        n = len(nodes)
        kept.append(numpy_helper.from_array(np.round(weight / scale).astype(np.int8), f"w{n}"))
        kept.append(numpy_helper.from_array(scale, f"s{n}"))
        nodes.append(helper.make_node("Cast", [f"w{n}"], [f"c{n}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"c{n}", f"s{n}"], [tensor.name]))
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model
