"""Bytes instead of floats are rearranged: what a unit keeps of its input stays where it is (models.vision.lean)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from models.vision.judging import CHANNELS
from models.vision.lean_graph import Graph, change_outputs, group_of, node_like


@dataclass(frozen=True)
class Cut:
    """Channels `start` to `stop` of a tensor."""

    source: str
    start: int
    stop: int


def origins(graph: Graph, makers: dict[str, NodeProto], name: str) -> list[tuple[str, int]]:
    """For each channel of a tensor [1, C, h, w] the tensor that it was last computed in, and which it was there."""
    node, shape = makers.get(name), graph.shapes[name]
    own = [(name, channel) for channel in range(shape[1])]
    if node is None or len(shape) != 4:
        return own
    if node.op_type == "Concat" and node.attribute[0].i == 1:
        return [one for source in node.input for one in origins(graph, makers, source)]
    if node.op_type == "Slice" and graph.constants[node.input[3]].tolist() == [1]:
        start, stop = (int(graph.constants[node.input[place]][0]) for place in (1, 2))
        return origins(graph, makers, node.input[0])[start:stop]
    if node.op_type == "Reshape":  # of a shuffle: Reshape, Transpose, Reshape
        turned = makers.get(node.input[0])
        if turned is not None and turned.op_type == "Transpose":
            below = origins(graph, makers, makers[turned.input[0]].input[0])
            half = len(below) // 2
            return [below[channel // 2 + channel % 2 * half] for channel in range(len(below))]
    return own


def cuts_of(channels: Sequence[tuple[str, int]]) -> tuple[list[Cut], list[int]]:
    """Channels put together by the tensors they come from, and which channel went where."""
    first = {source: place for place, (source, _) in reversed(list(enumerate(channels)))}
    order = sorted(range(len(channels)), key=lambda place: (first[channels[place][0]], channels[place][1]))
    cuts: list[Cut] = []
    for source, channel in (channels[place] for place in order):
        if cuts and cuts[-1].source == source and cuts[-1].stop == channel:
            cuts[-1] = Cut(source, cuts[-1].start, channel + 1)
        else:
            cuts.append(Cut(source, channel, channel + 1))
    return cuts, order


def regroup(graph: Graph) -> None:
    """Rearrange bytes in place of floats, and readers' weights in place of channels."""
    makers = graph.makers()
    moved = ("Concat", "Slice", "Reshape")
    read: dict[str, list[NodeProto]] = {}
    for node in graph.nodes:
        if node.op_type in (*moved, "Transpose"):
            continue
        for name in node.input:
            maker = makers.get(name)
            if maker is not None and maker.op_type in moved and len(graph.shapes[name]) == 4:
                read.setdefault(name, []).append(node)
    judge = graph.maker("judge_read")
    read.setdefault(judge.input[0], []).append(judge)
    plans = {name: cuts_of(origins(graph, makers, name)) for name in read}
    edges = {(cut.source, edge) for cuts, _ in plans.values() for cut in cuts for edge in (cut.start, cut.stop)}
    pieces = _Pieces(graph, makers, edges)
    for name, nodes in read.items():
        cuts, order = plans[name]
        rounded = [node for node in nodes if node.op_type == "QuantizeLinear"]
        for node in rounded:
            _round_ahead(graph, pieces, node, cuts, order)
        others = [node for node in nodes if node.op_type != "QuantizeLinear"]
        if others and order != list(range(len(order))):
            _read_apart(graph, pieces, name, others, cuts, order)


class _Pieces:
    """Cuts of tensors as they are asked for: as bytes, or as floats."""

    def __init__(self, graph: Graph, makers: dict[str, NodeProto], edges: set[tuple[str, int]]) -> None:
        self._graph, self._makers = graph, makers
        self._edges = {source: sorted(at for one, at in edges if one == source) for source, _ in edges}
        self._split: dict[str, dict[int, str]] = {}

    def rounded(self, cut: Cut, like: NodeProto) -> list[tuple[list[NodeProto], str]]:
        """The nodes that round a cut as `like` does, part by part, and what they give."""
        found = []
        for nodes, name in self.floats(cut):
            out = self._graph.new()
            found.append(([*nodes, node_like("QuantizeLinear", [name, *like.input[1:]], out)], out))
        return found

    def floats(self, cut: Cut) -> list[tuple[list[NodeProto], str]]:
        """The nodes that give a cut, part by part."""
        bent = self._makers.get(cut.source)
        opened = self._makers.get(bent.input[0]) if bent is not None and bent.op_type == "LeakyRelu" else None
        if bent is None or opened is None or opened.op_type != "DequantizeLinear":
            if self._edges[cut.source] != [0, self._graph.shapes[cut.source][1]]:
                raise ValueError(f"{cut.source} is cut, and was not rounded before")
            return [([], cut.source)]
        found = []
        for name in self._bytes(opened.input[0], cut):
            one, other = self._graph.new(), self._graph.new()
            unrounded = node_like("DequantizeLinear", [name, *opened.input[1:]], one)
            found.append(([unrounded, node_like("LeakyRelu", [one], other, bent)], other))
        return found

    def _bytes(self, name: str, cut: Cut) -> list[str]:
        edges = self._edges[cut.source]
        channels = self._graph.shapes[cut.source][1]
        if edges == [0, channels]:
            return [name]
        if name not in self._split:
            all_edges = sorted({0, *edges, channels})
            outputs = {at: self._graph.new() for at in all_edges[:-1]}
            sizes = self._graph.constant(np.diff(all_edges).astype(np.int64))
            node = helper.make_node("Split", [name, sizes], list(outputs.values()), axis=1)
            place = next(i for i, one in enumerate(self._graph.nodes) if name in one.output)
            self._graph.nodes.insert(place + 1, node)
            self._split[name] = outputs
        return [part for at, part in self._split[name].items() if cut.start <= at < cut.stop]


def _round_ahead(graph: Graph, pieces: _Pieces, node: NodeProto, cuts: Sequence[Cut], order: Sequence[int]) -> None:
    """Round each cut by itself, then join them, and give what reads them its weights in that order."""
    parts = [part for cut in cuts for part in pieces.rounded(cut, node)]
    joined = helper.make_node("Concat", [name for _, name in parts], [node.output[0]], axis=1)
    graph.before(node, [*(one for nodes, _ in parts for one in nodes), joined])
    graph.nodes = [one for one in graph.nodes if one is not node]
    for opened in graph.readers(node.output[0]):
        for conv in graph.readers(opened.output[0]):
            _reorder(graph, conv, order)


def _reorder(graph: Graph, conv: NodeProto, order: Sequence[int]) -> None:
    """A rounded convolution whose input channels come in another order."""
    if list(order) == sorted(order):
        return
    if group_of(conv) == 1:
        weight = graph.maker(conv.input[1])
        graph.constants[weight.input[0]] = graph.constants[weight.input[0]][:, order]
        return
    change_outputs(graph, conv, lambda values, _: values[list(order)])
    rounded = graph.readers(conv.output[0])[0]
    for opened in graph.readers(rounded.output[0]):
        for following in graph.readers(opened.output[0]):
            if following.op_type != "Conv":
                raise ValueError(f"{following.op_type} behind a depthwise convolution cannot be reordered")
            _reorder(graph, following, order)


def _read_apart(
    graph: Graph, pieces: _Pieces, name: str, nodes: Sequence[NodeProto], cuts: Sequence[Cut], order: Sequence[int]
) -> None:
    """Join the cuts as floats, for readers whose weights are then in that order."""
    parts = [part for cut in cuts for part in pieces.floats(cut)]
    joined = graph.new()
    graph.shapes[joined] = graph.shapes[name]
    earliest = next(node for node in graph.nodes if any(node is one for one in nodes))
    graph.before(
        earliest,
        [
            *(one for some, _ in parts for one in some),
            helper.make_node("Concat", [part for _, part in parts], [joined], axis=1),
        ],
    )
    for node in nodes:
        node.input[:] = [joined if one == name else one for one in node.input]
        if node.op_type == "Conv":
            _reorder_plain(graph, node.input[1], 1, order)
        elif node.op_type == "ReduceMean":
            _reorder_embedding(graph, node, order)
        elif node.output[0] == "judge_read":
            _reorder_judge(graph, order)
        else:
            raise ValueError(f"{node.op_type} reads channels that were reordered")


def _reorder_plain(graph: Graph, name: str, axis: int, order: Sequence[int]) -> None:
    """Weights that are stored in half precision, behind a Cast."""
    stored = graph.maker(name).input[0]
    graph.constants[stored] = np.take(graph.constants[stored], order, axis)


def _reorder_embedding(graph: Graph, node: NodeProto, order: Sequence[int]) -> None:
    joined = graph.readers(node.output[0])[0]
    if joined.op_type != "Concat" or joined.input[0] != node.output[0]:
        raise ValueError("the scene embedding does not read the body first")
    gemm = graph.readers(joined.output[0])[0]
    stored = graph.maker(gemm.input[1]).input[0]
    rest = range(len(order), graph.constants[stored].shape[1])
    _reorder_plain(graph, gemm.input[1], 1, [*order, *rest])


def _reorder_judge(graph: Graph, order: Sequence[int]) -> None:
    one = [*order, *range(len(order), CHANNELS)]
    whole = [CHANNELS * part + place for part in range(3) for place in one]
    graph.constants["judge_first_i8"] = graph.constants["judge_first_i8"][whole]
    graph.constants["judge_first_scale"] = graph.constants["judge_first_scale"][:, whole]
