"""The first convolution in float, and channels filled up to whole blocks with nothing (models.vision.lean)."""

import numpy as np
from onnx import NodeProto, TensorProto, helper

from models.vision.lean_graph import Graph, Values, change_outputs, group_of, node_like

BLOCK = 16
"""Channels that kernels take at once."""


def float_stem(graph: Graph) -> None:
    """The first convolution in float, its multiplication and rounding behind the pooling."""
    rounded = next(node for node in graph.nodes if node.op_type == "QuantizeLinear")
    found = [rounded]
    while len(found) < 7:
        found.append(graph.readers(found[-1].output[0])[0])
    _, opened, conv, outer, _, bent, pool = found
    kinds = [node.op_type for node in found]
    if kinds[1:] != ["DequantizeLinear", "Conv", "QuantizeLinear", "DequantizeLinear", "LeakyRelu", "MaxPool"]:
        raise ValueError(f"the graph does not begin as expected: {kinds}")
    taken = graph.maker(rounded.input[0])
    if graph.constants[rounded.input[1]].item() != 1.0 or (
        graph.constants[rounded.input[2]].item() != graph.constants[taken.input[1]].item()
    ):
        raise ValueError("the picture is not read as whole numbers")
    weight, bias, factors = _whole_numbers(graph, opened, conv, outer)
    cast, summed, pooled, scaled, again, once = (graph.new() for _ in range(6))
    one = graph.constant(np.array(1.0, np.float32))
    nodes = [
        helper.make_node("Cast", [graph.constant(weight)], [cast], to=TensorProto.FLOAT),
        node_like("Conv", [rounded.input[0], cast, graph.constant(bias.astype(np.float32))], summed, conv),
        node_like("MaxPool", [summed], pooled, pool),
        node_like("Mul", [pooled, graph.constant(factors.reshape(1, -1, 1, 1))], scaled),
        node_like("QuantizeLinear", [scaled, one, outer.input[2]], again),
        node_like("DequantizeLinear", [again, *outer.input[1:3]], once),
        node_like("LeakyRelu", [once], pool.output[0], bent),
    ]
    graph.before(pool, nodes)
    graph.nodes = [node for node in graph.nodes if not any(node is other for other in found)]
    channels = graph.shapes[pool.output[0]][1]
    if channels % BLOCK:
        _fill_readers(graph, pool.output[0], channels)


def _whole_numbers(graph: Graph, opened: NodeProto, conv: NodeProto, outer: NodeProto) -> tuple[Values, Values, Values]:
    """Weights, biases and factors of the first convolution, filled up; ValueError if float might not hold its sums."""
    weight, bias = (graph.constants[graph.maker(name).input[0]] for name in conv.input[1:3])
    scales = graph.constants[graph.maker(conv.input[1]).input[1]]
    # In the order in which the runtime multiplies, in float32.
    factors = graph.constants[opened.input[1]].reshape(()) * scales / graph.constants[outer.input[1]].reshape(())
    largest = np.abs(weight.astype(np.int64)).sum(axis=(1, 2, 3)) * 255 + np.abs(bias.astype(np.int64))
    if not (factors > 0).all() or largest.max() >= 1 << 24:
        raise ValueError("sums of the first convolution may not be exact in float")
    return _filled(weight, 0), _filled(bias, 0), _filled(factors.astype(np.float32), 0, scales=True)


def fill(graph: Graph) -> None:
    """Fill channels up to whole blocks with nothing: of joined bytes, and of what convolutions give."""
    for node in list(graph.nodes):
        shape = graph.shapes.get(node.output[0], [])
        if node.op_type == "Concat" and len(shape) == 4 and shape[1] % BLOCK:
            opened = graph.readers(node.output[0])[0]
            if opened.op_type == "DequantizeLinear":
                _fill_joined(graph, node, opened, shape[1])
    for conv in [node for node in graph.nodes if node.op_type == "Conv"]:
        weight, rounded = graph.maker(conv.input[1]), graph.readers(conv.output[0])[0]
        if weight.op_type == "DequantizeLinear" and rounded.op_type == "QuantizeLinear" and group_of(conv) == 1:
            channels = len(graph.constants[weight.input[0]])
            if channels % BLOCK:
                _fill_outputs(graph, conv, rounded.output[0], channels)


def _fill_joined(graph: Graph, node: NodeProto, opened: NodeProto, channels: int) -> None:
    shape = graph.shapes[node.output[0]]
    zero = graph.constants[opened.input[2]]
    nothing = graph.constant(np.full([1, -channels % BLOCK, *shape[2:]], zero.reshape(()), np.uint8))
    graph.fillings[nothing] = None
    node.input.append(nothing)
    _fill_readers(graph, node.output[0], channels)


def _fill_outputs(graph: Graph, conv: NodeProto, name: str, channels: int) -> None:
    """`name` is what comes of it, rounded."""
    cut = next((node for node in graph.readers(name) if node.op_type == "Split"), None)
    if cut is None and not _takes_more(graph, name):
        return
    _fill_weights(graph, conv, 0)
    if cut is not None:
        sizes = graph.constants[cut.input[1]]
        cut.input[1] = graph.constant(np.append(sizes, -channels % BLOCK))
        cut.output.append(graph.new())
        return
    _fill_readers(graph, name, channels)


def _takes_more(graph: Graph, name: str) -> bool:
    """Whether all that a rounded tensor goes to, layer by layer, is convolutions that round."""
    passed = ("DequantizeLinear", "QuantizeLinear", "LeakyRelu")
    return all(
        _takes_more(graph, node.output[0])
        if node.op_type in passed
        else node.op_type == "Conv" and graph.maker(node.input[1]).op_type == "DequantizeLinear"
        for node in graph.readers(name)
    ) and not any(name == output.name for output in graph.model.graph.output)


def _fill_weights(graph: Graph, conv: NodeProto, axis: int) -> None:
    """Fill what a convolution gives (axis 0) or takes (1)."""
    name = graph.maker(conv.input[1]).input[0]
    graph.fillings.setdefault(name, graph.constants[name].shape)
    if axis == 0:
        change_outputs(graph, conv, lambda values, scales: _filled(values, 0, scales))
    else:
        graph.constants[name] = _filled(graph.constants[name], 1)


def _filled(values: Values, axis: int, scales: bool = False) -> Values:
    wide = [(0, 0)] * values.ndim
    wide[axis] = (0, -values.shape[axis] % BLOCK)
    # A bias keeps the scale that its input and weights give, or the runtime does not take the convolution for rounded.
    return np.pad(values, wide, mode="edge") if scales else np.pad(values, wide)


def _fill_readers(graph: Graph, name: str, channels: int) -> None:
    """Take what reads a rounded tensor that now has more channels than `channels` along."""
    for node in graph.readers(name):
        if node.op_type in ("DequantizeLinear", "QuantizeLinear", "LeakyRelu"):
            _fill_readers(graph, node.output[0], channels)
        elif node.op_type == "Conv" and group_of(node) == 1:
            _fill_weights(graph, node, 1)
        elif node.op_type == "Conv":
            _fill_weights(graph, node, 0)
            next(one for one in node.attribute if one.name == "group").i = channels + -channels % BLOCK
            _fill_readers(graph, graph.readers(node.output[0])[0].output[0], channels)
        else:
            raise ValueError(f"{node.op_type} cannot read more channels")
