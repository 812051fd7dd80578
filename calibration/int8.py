"""Fits the activation ranges of a shipped int8 graph to a place: its light, its lens, its microphone.

Weights stay as they were trained. What each quantiser of the graph sees on the site's recordings is collected, two
candidates are made (ranges refitted to it; ranges widened to hold it), and judged against the FP16 graph on
recordings' parts that were used for neither. Needs the package `onnx`; no torch.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.capture.source import SourceSpec, open_media
from agent.errors import VedetteError
from agent.features.letterbox import letterbox, to_tensor
from agent.features.logmel import log_mel
from agent.inference.card import Card, ModelFile, load_card, sha256_of
from agent.inference.hearing import tensor_of
from agent.inference.onnx_runtime import OnnxRuntime
from agent.types import FloatArray, Frame
from calibration.recordings import CAMERA, require, sound_windows

if TYPE_CHECKING:
    from onnx import ModelProto

Name = Literal["vision", "hearing"]
JUDGED_OUTPUT: Mapping[Name, str] = {"vision": "scores", "hearing": "logits"}
LEAST_INPUTS, MOST_INPUTS = 30, 240
_PERCENTILE = 99.99
_STEPS = 255
_INT32 = (-(2**31), 2**31 - 1)
_WITH_BIAS = 3  # inputs of a layer: what flows, weights, bias
_LIVE_PX = (320, 192)

Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How far int8 is from FP16 on the part kept for judging: the share of FP16's variance that is lost."""

    file: str
    inputs: int
    lost_before: float
    lost_after: float
    candidate: str

    @property
    def better(self) -> bool:
        """Whether the new ranges are worth installing."""
        return self.lost_after < self.lost_before


def recalibrate(name: Name, recordings: Sequence[str], out: Path, source: Path | None = None) -> Outcome:
    """Write the models of folder `source` (None: the shipped) to `out`, with new ranges where they are better.

    Raises VedetteError where `onnx` is missing or too little was given; SourceError, ModelError.
    """
    _require_onnx()
    card = load_card(name, source)
    shipped = _live_file(card, "int8")
    path = card.path_of(shipped)
    inputs = _inputs(name, recordings)
    if len(inputs) < LEAST_INPUTS:
        raise VedetteError(
            f"{len(inputs)} pictures or windows are too few",
            cure=f"Give recordings with at least {LEAST_INPUTS}: a minute of ordinary life, day and night.",
        )
    fitting, choosing, judging = inputs[0::3], inputs[1::3], inputs[2::3]
    reference = OnnxRuntime(card.path_of(_live_file(card, "fp16")))
    graph = _read(path)
    seen = _seen(graph, fitting)
    candidates = {"refitted": seen, "widened": _widened(graph, seen)}
    out.mkdir(parents=True, exist_ok=True)
    tried: dict[str, tuple[float, Path]] = {"shipped": (_lost(path, reference, name, choosing), path)}
    for label, ranges in candidates.items():
        trial = out / f"{label}.{shipped.file}"
        _write(_with_ranges(_read(path), ranges), trial)
        tried[label] = (_lost(trial, reference, name, choosing), trial)
    best = min(tried, key=lambda label: tried[label][0])
    outcome = Outcome(
        file=shipped.file,
        inputs=len(judging),
        lost_before=_lost(path, reference, name, judging),
        lost_after=_lost(tried[best][1], reference, name, judging),
        candidate=best,
    )
    _deliver(card, shipped, tried[best][1] if outcome.better else path, out, outcome)
    for label in candidates:
        (out / f"{label}.{shipped.file}").unlink()
    return outcome


def _require_onnx() -> None:
    if find_spec("onnx") is None:
        raise VedetteError("Graphs cannot be changed", why="onnx is not installed", cure="pip install onnx")


def _live_file(card: Card, precision: Literal["int8", "fp16"]) -> ModelFile:
    files = card.files_of(precision)
    return next((file for file in files if file.size_px == _LIVE_PX), files[0])


def _inputs(name: Name, recordings: Sequence[str]) -> list[Mapping[str, FloatArray]]:
    """Tensors from all recordings, evenly chosen."""
    found: list[Mapping[str, FloatArray]] = []
    for source in recordings:
        found += _pictures(source) if name == "vision" else _windows(source)
    step = max(1, -(-len(found) // MOST_INPUTS))
    return found[::step]


def _pictures(source: str) -> list[Mapping[str, FloatArray]]:
    width_px, height_px = _LIVE_PX
    spec = SourceSpec(
        camera=CAMERA, url=source, width_px=width_px, height_px=height_px, analysis_fps=2.0, want_sound=False
    )
    with open_media(spec) as media:
        require(media.info.has_picture, source, "picture")
        frames = (item for item in media.read() if isinstance(item, Frame))
        return [{"image": to_tensor(letterbox(frame.picture, width_px, height_px)[0])} for frame in frames]


def _windows(source: str) -> list[Mapping[str, FloatArray]]:
    return [{"logmel": tensor_of(log_mel(window))} for window in sound_windows(source)]


def _read(path: Path) -> "ModelProto":
    import onnx  # noqa: PLC0415 - not part of the runtime install

    return onnx.load(str(path))


def _write(graph: "ModelProto", path: Path) -> None:
    path.write_bytes(graph.SerializeToString())


def _quantisers(graph: "ModelProto") -> list[Any]:
    """The nodes that quantise activations: what they read is no constant."""
    constants = {initializer.name for initializer in graph.graph.initializer}
    return [node for node in graph.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in constants]


def _seen(graph: "ModelProto", inputs: Sequence[Mapping[str, FloatArray]]) -> Ranges:
    """The range of what each quantiser reads, by the name of its scale, tails cut off."""
    import onnx  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415 - with outputs of its own, which the product's runtime has no use for

    probed = onnx.ModelProto()
    probed.CopyFrom(graph)
    read_by = {node.input[1]: node.input[0] for node in _quantisers(graph)}
    known = {output.name for output in probed.graph.output}
    probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in set(read_by.values()) - known)
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = sorted(set(read_by.values()))
    lows: dict[str, list[float]] = {name: [] for name in wanted}
    highs: dict[str, list[float]] = {name: [] for name in wanted}
    for tensors in inputs:
        for name, values in zip(wanted, session.run(wanted, dict(tensors)), strict=True):
            low, high = np.percentile(values.astype(np.float32), [100.0 - _PERCENTILE, _PERCENTILE])
            lows[name].append(float(low))
            highs[name].append(float(high))
    return {scale: (min(0.0, *lows[name]), max(0.0, *highs[name])) for scale, name in read_by.items()}


def _constants(graph: "ModelProto") -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper  # noqa: PLC0415

    wanted = {name for node in _quantisers(graph) for name in node.input[1:3]}
    return {
        initializer.name: numpy_helper.to_array(initializer)
        for initializer in graph.graph.initializer
        if initializer.name in wanted
    }


def _widened(graph: "ModelProto", seen: Ranges) -> Ranges:
    """The shipped ranges, widened to hold what was seen."""
    constants = _constants(graph)
    ranges = {}
    for node in _quantisers(graph):
        scale, zero = float(constants[node.input[1]].item()), int(constants[node.input[2]].item())
        low, high = seen[node.input[1]]
        ranges[node.input[1]] = (min(low, -scale * zero), max(high, scale * (_STEPS - zero)))
    return ranges


def _with_ranges(graph: "ModelProto", ranges: Ranges) -> "ModelProto":
    """The graph with other scales and zero points for its activations (uint8, asymmetric)."""
    from onnx import numpy_helper  # noqa: PLC0415

    biases = _biases(graph)
    changed: dict[str, NDArray[Any]] = {}
    constants = _constants(graph)
    for node in _quantisers(graph):
        low, high = ranges[node.input[1]]
        scale = max(high - low, 1e-8) / _STEPS
        kind = constants[node.input[2]].dtype
        if kind != np.uint8:
            continue
        changed[node.input[1]] = np.array(scale, constants[node.input[1]].dtype)
        changed[node.input[2]] = np.array(round(-low / scale), np.uint8)
    for bias in biases:
        if (activation_scale := changed.get(bias.activation_scale)) is not None:
            scales = activation_scale * bias.weight_scales
            changed[bias.scale_name] = scales
            changed[bias.name] = np.clip(np.round(bias.values / scales), *_INT32).astype(np.int32)
    for initializer in graph.graph.initializer:
        if initializer.name in changed:
            value = changed[initializer.name].reshape(tuple(initializer.dims))
            initializer.CopyFrom(numpy_helper.from_array(value, initializer.name))
    return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bias:
    """The int32 bias of a layer, per output channel, and what its scale is made of."""

    name: str
    scale_name: str
    values: NDArray[np.float64]  # dequantised
    activation_scale: str
    weight_scales: NDArray[np.float32]


def _biases(graph: "ModelProto") -> list[_Bias]:
    """The biases whose scale is the activation's times the weights': they have to move with the activation's.

    ONNX Runtime makes one int8 layer of a convolution only where that holds; else it computes in floats, at more than
    twice the time.
    """
    from onnx import numpy_helper  # noqa: PLC0415

    constants = {initializer.name: initializer for initializer in graph.graph.initializer}
    dequantised = {node.output[0]: node.input for node in graph.graph.node if node.op_type == "DequantizeLinear"}
    found = []
    for node in graph.graph.node:
        parts = [dequantised.get(name) for name in node.input] if node.op_type in ("Conv", "Gemm") else []
        if len(parts) != _WITH_BIAS or any(part is None for part in parts):
            continue
        activation, weight, bias = (part for part in parts if part is not None)
        if any(name not in constants for name in (activation[1], weight[1], *bias[:2])):
            continue
        old, sw, sb = (numpy_helper.to_array(constants[part[1]]) for part in (activation, weight, bias))
        if np.allclose(sb, old * sw, rtol=1e-3, atol=0.0):
            values = numpy_helper.to_array(constants[bias[0]]).astype(np.float64) * sb
            found.append(
                _Bias(name=bias[0], scale_name=bias[1], values=values, activation_scale=activation[1], weight_scales=sw)
            )
    return found


def _lost(path: Path, reference: OnnxRuntime, name: Name, inputs: Sequence[Mapping[str, FloatArray]]) -> float:
    """The share of the reference's variance that the graph's main output loses."""
    runtime, output = OnnxRuntime(path), JUDGED_OUTPUT[name]
    ours = np.stack([runtime.run(tensors)[output] for tensors in inputs]).astype(np.float64)
    theirs = np.stack([reference.run(tensors)[output] for tensors in inputs]).astype(np.float64)
    return float(np.square(ours - theirs).mean() / max(float(theirs.var()), 1e-12))


def _deliver(card: Card, shipped: ModelFile, chosen: Path, out: Path, outcome: Outcome) -> None:
    """Put the model's files and its card, with the new bytes named, into `out`."""
    for entry in card.files:
        shutil.copyfile(card.path_of(entry), out / entry.file)
    if chosen != card.folder / shipped.file:
        shutil.copyfile(chosen, out / shipped.file)
    content = json.loads((card.folder / f"{card.name}.json").read_text("utf-8"))
    for entry in content["files"]:
        if entry["file"] == shipped.file:
            entry["sha256"], entry["bytes"] = sha256_of(out / shipped.file), (out / shipped.file).stat().st_size
    content["site_calibration"] = {
        "command": f"vedette calibrate int8 {card.name}",
        "candidate": outcome.candidate,
        "inputs_judged": outcome.inputs,
        "variance_lost_before": outcome.lost_before,
        "variance_lost_after": outcome.lost_after,
    }
    (out / f"{card.name}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
