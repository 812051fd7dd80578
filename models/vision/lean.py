"""Makes the published int8 graphs leaner: the same numbers from fewer, and better fed, kernels.

    python -m models.vision.lean            # the int8 graphs of models/zoo, their card, and that of fusion; last of all

ONNX Runtime leaves the eight-bit form wherever channels are shuffled, joined or cut between rounding and convolution:
each such place cost a pass through float, and two through another order in memory. Here (decision 053)

- roundings move ahead of what only rearranges channels, so that bytes are rearranged. What a unit of the body keeps of
  its input stays where it is, in cuts of the tensors it came from; readers have their weights in the order of the cuts;
- channels are filled up with nothing to multiples of 16, for which kernels are two to three times as fast;
- the first convolution, whose products are whole numbers that float holds exactly, runs in float, and the largest of
  its neighbours is taken before rounding instead of after it: the same, for rounding keeps the order.

All of that is exact. What reads the body's channels in float (scene head, second judge, scene embedding) adds them up
in another order: `scene`, `scene_map`, `scene_judged` and `scene_embedding` may move by some 1e-6. Scores and boxes
are the same to the last bit, and so are postures where their head reads no body.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from agent.features.letterbox import to_tensor
from agent.inference.vision import JUDGED, probe_picture
from models.vision.export import entry
from models.vision.judging import CHANNELS, LEAN, is_lean, require_plain
from models.vision.teachers import session

ZOO = Path(__file__).resolve().parents[1] / "zoo"
TOLERANCE = 1e-4
"""How far sums in another order may be off: those of all that reads the body's channels in float."""
EXACT = ("scores", "sides")
"""What stays the same to the last bit."""
BLOCK = 16
"""Channels that kernels take at once."""
Values = NDArray[Any]


@dataclass(frozen=True)
class Cut:
    """Channels `start` to `stop` of a tensor."""

    source: str
    start: int
    stop: int


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
            found.append(([*nodes, _node("QuantizeLinear", [name, *like.input[1:]], out)], out))
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
            unrounded = _node("DequantizeLinear", [name, *opened.input[1:]], one)
            found.append(([unrounded, _node("LeakyRelu", [one], other, bent)], other))
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


def _node(kind: str, inputs: Sequence[str], output: str, like: NodeProto | None = None) -> NodeProto:
    """A node, with the attributes of another."""
    node = helper.make_node(kind, list(inputs), [output])
    if like is not None:
        node.attribute.extend(like.attribute)
    return node


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
        _node("Conv", [rounded.input[0], cast, graph.constant(bias.astype(np.float32))], summed, conv),
        _node("MaxPool", [summed], pooled, pool),
        _node("Mul", [pooled, graph.constant(factors.reshape(1, -1, 1, 1))], scaled),
        _node("QuantizeLinear", [scaled, one, outer.input[2]], again),
        _node("DequantizeLinear", [again, *outer.input[1:3]], once),
        _node("LeakyRelu", [once], pool.output[0], bent),
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


def leaner(model: ModelProto) -> ModelProto:
    """A graph that gives what this one gives. Raises ValueError where it has no judge, is lean, or built otherwise."""
    require_plain(model)
    if JUDGED not in {output.name for output in model.graph.output}:
        raise ValueError("the graph has no second judge: that is written first (models.vision.judge)")
    lean = ModelProto()
    lean.CopyFrom(model)
    graph = Graph(lean)
    regroup(graph)
    float_stem(graph)
    fill(graph)
    graph.write()
    lean.metadata_props.add(key=LEAN, value="yes")
    onnx.checker.check_model(lean, full_check=True)
    _require_same(model, lean)
    return lean


def _require_same(model: ModelProto, lean: ModelProto) -> None:
    names = [output.name for output in model.graph.output]
    height, width = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[2:])
    runs = [session(one.SerializeToString()) for one in (model, lean)]
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    for picture in (probe_picture(width, height), noise):
        before, after = (run.run(names, {"image": to_tensor(picture)}) for run in runs)
        for name, one, other in zip(names, before, after, strict=True):
            if np.abs(one - other).max() > (0.0 if name in EXACT else TOLERANCE):
                raise ValueError(f"{name} is no longer the same")


def _tell(card: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """What was measured on a graph holds for its leaner one; the card says on which it was measured."""
    measured = card.get("measured", {})
    if measured.get("files", {}).get(before["file"]) == before["sha256"]:
        measured["files"][before["file"]] = after["sha256"]
        lean = measured.setdefault("made_leaner_since", {"command": "python -m models.vision.lean", "files": {}})
        lean["files"][before["file"]] = before["sha256"]


def write(zoo: Path = ZOO) -> None:
    """Make the int8 graphs of a folder leaner, and tell their card and fusion's; those that are stay."""
    card, fused = (json.loads((zoo / name).read_text("utf-8")) for name in ("vision.json", "fusion.json"))
    new = {}
    for number, before in enumerate(card["files"]):
        path = zoo / before["file"]
        if before["precision"] != "int8" or is_lean(model := onnx.load(str(path))):
            continue
        path.write_bytes(leaner(model).SerializeToString())
        after = card["files"][number] = entry(path, before["precision"], before["width_px"], before["height_px"])
        new[before["sha256"]] = after["sha256"]
        _tell(card, before, after)
        print(path.name, before["bytes"], "->", after["bytes"], "bytes")
    # What the fusion graph reads of them is rounded to four digits, and moves by less.
    fused["needs"] |= {"vision": [new.get(sha256, sha256) for sha256 in fused["needs"]["vision"]]}
    for name, content in (("vision.json", card), ("fusion.json", fused)):
        (zoo / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=ZOO)
    write(parser.parse_args().zoo)


if __name__ == "__main__":
    main()
