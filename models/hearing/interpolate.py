"""Takes the trained network part of the way back to its teacher's weights: less is forgotten of other sounds.

    python -m models.hearing.interpolate --student build/hearing/averaged/best.pt --share 0.3 --out between
    python -m models.hearing.interpolate --student hearing.fp16.onnx --share 0.3 --out between

Fine-tuned weights and those that they began with lie in one valley, and points between them know both what was learned
and what was known before (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903). Batch
normalisation is folded into the convolutions first, of both; the frame and embedding heads, which the teacher lacks,
stay the student's. The student may also be read from a published FP16 file: it holds the same folded weights.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.hearing import data
from models.hearing.net_mn import MIDDLE_CHANNELS, HearingMn, start_from_teacher
from models.hearing.teachers import FOLDER

NEW_HEADS = ("frames_middle.", "frames_last.", "embed.")
"""The layers that the teacher lacks."""
_HALF = "_half"


def folded(net: HearingMn) -> HearingMn:
    """The same network without batch normalisation: each convolution does its part, as in an exported file."""
    net.eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
            assert isinstance(module[0], nn.Conv2d)
            module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()
    return net


def is_folded(weights: dict[str, Tensor]) -> bool:
    """Whether a state dict is that of a folded network."""
    return not any(name.endswith("running_mean") for name in weights)


def load(path: Path) -> HearingMn:
    """The folded network of a training's `best.pt`, of an interpolation, or of a published FP16 file.

    Raises RuntimeError or ValueError when the weights are another network's.
    """
    if path.suffix == ".onnx":
        return _from_onnx(path)
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    net = folded(HearingMn()) if is_folded(weights) else HearingMn()
    net.load_state_dict(weights)
    return folded(net)


def teacher() -> HearingMn:
    """The network as a training begins with it, folded."""
    net = HearingMn()
    start_from_teacher(net, FOLDER / "mn04_as_mAP_432.pt", FOLDER / "audioset_class_labels_indices.csv")
    return folded(net)


def between(student: HearingMn, start: HearingMn, share: float) -> dict[str, Tensor]:
    """Weights `share` of the way from the student back to the start; new heads stay the student's.

    Raises ValueError when the share is not one, or a network is not folded.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    ours, theirs = student.state_dict(), start.state_dict()
    if not (is_folded(ours) and is_folded(theirs)):
        raise ValueError("batch normalisation has to be folded in before weights are mixed")
    return {
        name: x if name.startswith(NEW_HEADS) or not x.is_floating_point() else torch.lerp(x, theirs[name], share)
        for name, x in ours.items()
    }


def _from_onnx(path: Path) -> HearingMn:
    """Convolutions stand in the file in the order of the network's; all else has its name there."""
    graph = onnx.load(path).graph
    stored = {one.name: np.asarray(numpy_helper.to_array(one), np.float32) for one in graph.initializer}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in stored]
    cast = {node.output[0]: stored[node.input[0]] for node in casts}
    net = folded(HearingMn())
    weights = net.state_dict()

    def put(name: str, value: NDArray[np.float32]) -> None:
        if tuple(weights[name].shape) != value.shape:
            raise ValueError(f"{path}: {name} is {value.shape} there, {tuple(weights[name].shape)} here")
        weights[name] = torch.tensor(value)

    nodes = [node for node in graph.node if node.op_type == "Conv"]
    names = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    if len(nodes) != len(names):
        raise ValueError(f"{path} has {len(nodes)} convolutions, the network {len(names)}")
    for node, name in zip(nodes, names, strict=True):
        put(f"{name}.weight", cast[node.input[1]])
        put(f"{name}.bias", cast[node.input[2]])
    for name, value in stored.items():
        if name.removesuffix(_HALF) in weights:
            put(name.removesuffix(_HALF), value)
        elif "MatMul" in name:
            put(f"frames_{'middle' if len(value) == MIDDLE_CHANNELS else 'last'}.weight", np.ascontiguousarray(value.T))
    if f"frames_last.bias{_HALF}" not in stored:  # the exporter stores equal tensors once
        weights["frames_last.bias"] = weights["frames_middle.bias"].clone()
    net.load_state_dict(weights)
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", type=Path, required=True, help="best.pt of a training, or a published FP16 file")
    parser.add_argument("--share", type=float, required=True, help="how much of the way back, 0 to 1")
    parser.add_argument("--out", required=True, help="name of the folder under build/hearing that gets best.pt")
    options = parser.parse_args()
    folder = data.BUILD / options.out
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(between(load(options.student), teacher(), options.share), folder / "best.pt")
    said = {
        "interpolated": options.share,
        "towards": "mn04_as",
        "student": options.student.name,
        "student_sha256": hashlib.sha256(options.student.read_bytes()).hexdigest(),
    }
    (folder / "options.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    print(f"{folder / 'best.pt'}: {options.share:.0%} of the way back")


if __name__ == "__main__":
    main()
