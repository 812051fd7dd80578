"""What the scene head reads of a picture: the frozen body's and pyramid's answers, as the int8 graph gives them.

They are computed by ONNX Runtime with the graph that ships, without its heads: some thirty times as fast as torch with
the rounding emulated, and what the head will see. Rounding goes other ways in each runtime: the pyramid's values
differ by a fifth on average.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from agent.features.letterbox import to_tensor
from models.vision import graph, quantise
from models.vision.network import PAD_GREY, Vision
from models.vision.quantised import freeze_scales
from models.vision.teachers import session

NAMES = ("c8", "c16", "p16")
View = tuple[np.ndarray, np.ndarray, tuple[float, ...]]
"""Canvas [S,S,3], whether each cell holds a label [2,S/16,S/16], and the labels (nan: nobody said)."""
Look = Callable[[np.ndarray], list[Tensor]]


@dataclass(frozen=True)
class Example:
    """Frozen features (float16) of one view of a picture, and its labels (nan: nobody said)."""

    c8: Tensor
    c16: Tensor
    p16: Tensor
    labels: Tensor
    cells: Tensor
    """[2,20,20]: 1 where a cell is known to hold it, 0 where it is known to hold none of it, nan elsewhere."""


class _Frozen(nn.Module):
    def __init__(self, net: Vision) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        body = self.net.body(image - PAD_GREY)
        return body[0], body[1], self.net.pyramid(body)[1]


def looker(net: Vision, side_px: int) -> Look:
    """A function from a canvas to what the head reads of it, on one thread; `net` must be calibrated."""
    quantise.switch(net, True)
    freeze_scales(net)
    model = graph.int8_model(_Frozen(net).eval(), side_px, side_px, NAMES)
    running = session(model.SerializeToString())

    def look(canvas: np.ndarray) -> list[Tensor]:
        return [torch.from_numpy(out[0]).half() for out in running.run(None, {"image": to_tensor(canvas)})]

    return look


def example(look: Look, view: View) -> Example:
    canvas, cells, labels = view
    c8, c16, p16 = look(canvas)
    return Example(c8, c16, p16, torch.tensor(labels), torch.from_numpy(cells))


def examples(look: Look, views: Iterable[View], kept: Path, total: int | None = None) -> list[Example]:
    """One example a view; written to `kept`, and read from there if it exists."""
    if not kept.exists():
        seen = [example(look, view) for view in tqdm(views, desc=kept.stem, total=total, mininterval=10)]
        rows = [(one.c8, one.c16, one.p16, one.labels, one.cells) for one in seen]
        keep([torch.stack(column) for column in zip(*rows, strict=True)], kept)
    return kept_examples(kept)


def keep(columns: list[Tensor], kept: Path) -> None:
    """Write what the fields of all examples hold; a file is there whole or not at all."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    half_done = kept.with_suffix(".part")
    torch.save(columns, half_done)
    half_done.replace(kept)


def kept_examples(kept: Path) -> list[Example]:
    return [Example(*row) for row in zip(*torch.load(kept, mmap=True), strict=True)]


def stack(rows: list[Example], field: str) -> Tensor:
    return torch.stack([getattr(item, field) for item in rows]).float()
