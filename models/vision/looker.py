"""What a cell of the shipped int8 network holds: the features that the person head is trained on.

Computed in ONNX Runtime from the same graph that is exported, so that the head learns on what it will see.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.features.letterbox import letterbox, to_tensor
from models.vision import graph, quantise
from models.vision.network import STRIDES, Vision, cell_points, decode, flat, flatten, grid_sizes
from models.vision.posture_figures import iou
from models.vision.quantised import freeze_scales
from models.vision.teachers import session

REACH = 2
CHANNELS = 192
Patch = tuple[NDArray[np.float16], NDArray[np.float16]]
Look = tuple[NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]
SURE_PROB = 0.3


class Features(nn.Module):
    """The frozen network as far as the person head reads it: person score, boxes, and pyramid beside tower."""

    def __init__(self, net: Vision) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw = self.net.raw(image)
        logits, sides = flatten(raw.levels)
        points = cell_points(grid_sizes(raw.levels), image.device)
        seen = torch.cat([flat(x) for x in raw.seen], 2)
        return logits[..., :1].sigmoid(), decode(sides, points), seen


class Looker:
    """Runs the int8 features in ONNX Runtime on one thread."""

    def __init__(self, net: Vision, size: tuple[int, int]) -> None:
        rounded = copy.deepcopy(net)
        quantise.switch(rounded, True)
        freeze_scales(rounded)
        model = graph.int8_model(Features(rounded), *size, ("person", "boxes", "seen"))
        self.size = size
        self._session = session(model.SerializeToString())
        self.sizes = [(-(-size[1] // stride), -(-size[0] // stride)) for stride in STRIDES]

    def look(self, canvas: NDArray[np.uint8]) -> Look:
        """Scores [N], boxes [N, 4] canvas px, and the features of each stride [192, h, w]."""
        score, boxes, seen = self._session.run(None, {"image": to_tensor(canvas)})
        ends = np.cumsum([h * w for h, w in self.sizes])[:-1]
        levels = [
            part.reshape(CHANNELS, *size) for part, size in zip(np.split(seen[0], ends, 1), self.sizes, strict=True)
        ]
        return score[0, :, 0], boxes[0], levels

    def people(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Boxes of people in a picture's pixels, best first."""
        canvas, fit = letterbox(picture, *self.size)
        score, boxes, _ = self.look(canvas)
        order = np.argsort(-score)[: (score >= SURE_PROB).sum()]
        kept: list[int] = []
        for index in order:
            if all(iou(boxes[index], boxes[other][None])[0] < 0.5 for other in kept):
                kept.append(int(index))
        height, width = picture.shape[:2]
        return np.asarray(fit.to_fractions(boxes[kept]) * (width, height, width, height), np.float64)


def patch_at(levels: list[NDArray[np.float32]], cell: int) -> Patch:
    """Features [192, 5, 5] around a cell, and [1, 5, 5] which of them lie on the canvas."""
    for level in levels:
        _, height, width = level.shape
        if cell >= height * width:
            cell -= height * width
            continue
        row, column = divmod(cell, width)
        rows, columns = np.arange(row - REACH, row + REACH + 1), np.arange(column - REACH, column + REACH + 1)
        there = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
        around = level[:, rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)[None]] * there
        return around.astype(np.float16), there[None].astype(np.float16)
    raise IndexError(cell)
