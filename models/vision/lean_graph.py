"""The nodes and constants of a graph while it is made leaner (models.vision.lean)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

Values = NDArray[Any]


class Graph:
    """The nodes and constants of a model while they change; `write` puts them back."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.nodes = list(model.graph.node)
        self.constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
        inferred = onnx.shape_inference.infer_shapes(model).graph
        self.shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in [*inferred.value_info, *inferred.input, *inferred.output]
        }
        self.fillings: dict[str, tuple[int, ...] | None] = {}
        """Constants that are zero beyond this shape; None: of one value throughout."""
        self._count = 0

    def new(self) -> str:
        """A name that nothing has."""
        self._count += 1
        return f"n{self._count}"

    def constant(self, values: Values) -> str:
        """A constant of these values."""
        name = self.new()
        self.constants[name] = np.ascontiguousarray(values)
        return name

    def maker(self, name: str) -> NodeProto:
        """The node behind a tensor."""
        found: NodeProto = next(node for node in self.nodes if name in node.output)
        return found

    def makers(self) -> dict[str, NodeProto]:
        """The node behind each tensor."""
        return {name: node for node in self.nodes for name in node.output}

    def readers(self, name: str) -> list[NodeProto]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def before(self, node: NodeProto, added: Iterable[NodeProto]) -> None:
        """Put nodes before one."""
        place = next(index for index, one in enumerate(self.nodes) if one is node)
        self.nodes[place:place] = added

    def write(self) -> None:
        """Give the model what is still needed: what is equal once, and fillings as nodes that runtimes fold."""
        needed = {output.name for output in self.model.graph.output}
        kept = []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                needed |= set(node.input)
                kept.append(node)
        constants = {name: values for name, values in self.constants.items() if name in needed}
        fillings = [self._filling(constants, name) for name in self.fillings if name in needed]
        graph = self.model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend([*fillings, *reversed(kept)])
        first: dict[tuple[object, ...], str] = {}
        same = {k: first.setdefault((v.dtype.str, v.shape, v.tobytes()), k) for k, v in constants.items()}
        for node in graph.node:
            node.input[:] = [same.get(name, name) for name in node.input]
        graph.initializer.extend(numpy_helper.from_array(constants[k], k) for k, v in same.items() if k == v)

    def _filling(self, constants: dict[str, Values], name: str) -> NodeProto:
        """The node that makes a constant that is mostly nothing; without the filling it is stored."""
        values, shape = constants.pop(name), self.fillings[name]
        short, extent = f"{name}_short", f"{name}_fill"
        if shape is None:
            constants[extent] = np.array(values.shape, np.int64)
            value = numpy_helper.from_array(values.reshape(-1)[:1])
            return helper.make_node("ConstantOfShape", [extent], [name], value=value)
        constants[short] = np.ascontiguousarray(values[tuple(slice(side) for side in shape)])
        missing = [whole - side for whole, side in zip(values.shape, shape, strict=True)]
        constants[extent] = np.array([0] * len(shape) + missing, np.int64)
        return helper.make_node("Pad", [short, extent], [name])


def node_like(kind: str, inputs: Sequence[str], output: str, like: NodeProto | None = None) -> NodeProto:
    """A node, with the attributes of another."""
    node = helper.make_node(kind, list(inputs), [output])
    if like is not None:
        node.attribute.extend(like.attribute)
    return node


def group_of(conv: NodeProto) -> int:
    """The groups of a convolution."""
    return next(int(one.i) for one in conv.attribute if one.name == "group")


def change_outputs(graph: Graph, conv: NodeProto, change: Callable[[Values, bool], Values]) -> None:
    """Change weights, biases, scales and zero points of a rounded convolution along its output channels.

    `change` takes an array and whether it is one of scales.
    """
    for name in conv.input[1:3]:
        opened = graph.maker(name)
        for place, constant in enumerate(opened.input):
            graph.constants[constant] = change(graph.constants[constant], place == 1)
