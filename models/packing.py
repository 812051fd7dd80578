"""Makes the published ONNX files small: weights as float16, tensors by short names; what is computed stays float32."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def halve(source: Path, target: Path, users: tuple[str, ...] = ()) -> None:
    """Store float32 weights as float16, each followed by a cast back; with `users`, only those operators' weights."""
    model = onnx.load(source)
    kept, casts = [], []
    spared = {name for node in model.graph.node if users and node.op_type not in users for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 2 or tensor.name in spared:
            kept.append(tensor)
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_half")
        kept.append(half)
        casts.append(
            helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT, name=half.name + "_cast")
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def shorten(path: Path) -> None:
    """Name the tensors between inputs and outputs t0, t1 and so on, in place: a tenth of a small graph is names."""
    model = onnx.load(path)
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    short: dict[str, str] = {}

    def named(name: str) -> str:
        return name if not name or name in kept else short.setdefault(name, f"t{len(short)}")

    for node in graph.node:
        node.input[:], node.output[:] = [named(name) for name in node.input], [named(name) for name in node.output]
        node.name = ""
    for tensor in graph.initializer:
        tensor.name = named(tensor.name)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)
