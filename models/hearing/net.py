"""The student: plain dense convolutions and ReLU over a log-mel picture, 9.7 million multiply-adds a window.

    logits, frame_logits, embedding = Hearing()(logmel)      # logmel float32 [batch, 1, 200, 64]

Four 3×3 convolutions shrink time by 8 (a frame of 80 ms) and frequency by 16, one collapses what is left of
frequency, two look along time. The mean and the highest of the time steps make a 128-d embedding and the
window's logits; each time step has logits of its own, which tell when. Nothing here resists int8: no
depthwise convolution, no swish, no squeeze; batch normalisation is folded at export.
"""

import torch
from torch import nn

from agent.features.logmel import BANDS, FRAMES
from models.hearing.labels import LABELS

TIME_STRIDE = 8
STEPS = FRAMES // TIME_STRIDE
EMBEDDING = 128
WIDTHS = (16, 24, 36, 56, 112, 112, 160)
assert FRAMES % TIME_STRIDE == 0
assert BANDS == 64


def _conv(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Hearing(nn.Module):
    """See the head of this file. `widths` are the channels of the seven convolutions."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, labels: int = len(LABELS)) -> None:
        super().__init__()
        a, b, c, d, e, f, g = widths
        self.body = nn.Sequential(
            _conv(1, a, (3, 3), (2, 2), (1, 1)),
            _conv(a, b, (3, 3), (2, 2), (1, 1)),
            _conv(b, c, (3, 3), (2, 2), (1, 1)),
            _conv(c, d, (3, 3), (1, 2), (1, 1)),
            _conv(d, e, (1, BANDS // 16), (1, 1), (0, 0)),
            _conv(e, f, (3, 1), (1, 1), (1, 0)),
            _conv(f, g, (3, 1), (1, 1), (1, 0)),
        )
        self.frames = nn.Conv2d(g, labels, 1)
        self.embed = nn.Conv2d(2 * g, EMBEDDING, 1)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Conv2d(EMBEDDING, labels, 1)

    def forward(self, logmel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """[batch, 1, 200, 64] → logits [batch, L], frame logits [batch, 25, L], embedding [batch, 128]."""
        steps = self.body(logmel)
        frame_logits = self.frames(steps).flatten(2).transpose(1, 2)
        pooled = torch.cat([steps.mean(dim=(2, 3), keepdim=True), steps.amax(dim=(2, 3), keepdim=True)], dim=1)
        embedding = torch.relu(self.embed(pooled))
        logits = self.head(self.drop(embedding))
        return logits.flatten(1), frame_logits, embedding.flatten(1)


def multiply_adds(net: nn.Module) -> int:
    """Multiply-adds of one window, counted at the convolutions and linear layers."""
    total = 0

    def count(layer: nn.Conv2d | nn.Linear, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output[0].numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    training = net.training
    with torch.inference_mode():
        net.eval()(torch.zeros(1, 1, FRAMES, BANDS))
    net.train(training)
    for hook in hooks:
        hook.remove()
    return total
