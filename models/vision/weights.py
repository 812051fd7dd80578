"""Loads NanoDet-Plus's published weights (Apache-2.0, ONNX) into `network.Vision`.

The file's convolutions come in a fixed order; ours are listed in the same order. Its input was BGR,
mean subtracted and divided; ours is RGB minus 114, so the first convolution is rewritten: channels
swapped, weights divided by the deviation, and the bias moved by (114 - mean) / deviation.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from models.vision.network import MEAN_RGB, PAD_GREY, STD_RGB, Head, Vision
from models.vision.quantised import Conv

_STEM = 0


def nanodet_convolutions(path: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases in the order of the graph's nodes."""
    graph = onnx.load(str(path)).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    pairs = [[torch.from_numpy(np.array(values[name])) for name in node.input[1:3]] for node in nodes]
    return [(weight, bias) for weight, bias in pairs]


def load_nanodet(net: Vision, path: Path) -> None:
    """Copy the weights in place. Raises ValueError when the file is not NanoDet-Plus-m."""
    given = nanodet_convolutions(path)
    ours = published_order(net)
    if [w.shape for w, _ in given] != [conv.weight.shape for conv in ours]:
        raise ValueError(f"{path.name} is not NanoDet-Plus-m: its convolutions have other shapes")
    with torch.no_grad():
        for index, ((weight, bias), conv) in enumerate(zip(given, ours, strict=True)):
            ours_now = _for_our_input(weight, bias) if index == _STEM else (weight, bias)
            conv.weight.copy_(ours_now[0])
            assert conv.bias is not None
            conv.bias.copy_(ours_now[1])


def published_order(net: Vision) -> list[torch.nn.Conv2d]:
    """Our convolutions in the order of NanoDet's graph; the scene head has none there."""
    parts = [net.body, net.pyramid, net.heads]
    found: list[torch.nn.Conv2d] = []
    for part in parts:
        for module in part.modules():
            if isinstance(module, Conv):
                found.append(module.conv)
            elif isinstance(module, Head):
                continue
            elif isinstance(module, torch.nn.Conv2d) and module.out_channels == 112:
                found.append(module)
    return found


def _for_our_input(weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    std, mean = torch.tensor(STD_RGB).view(1, 3, 1, 1), torch.tensor(MEAN_RGB).view(1, 3, 1, 1)
    rgb = weight.flip(1)
    return rgb / std, bias + (rgb * (PAD_GREY - mean) / std).sum((1, 2, 3))
