"""The teacher mn04_as (EfficientAT: MobileNetV3 of width 0.4 trained on AudioSet, MIT), rebuilt in torch.

Written from the published architecture; the names of the modules follow the state dict, so that the weights
load as they are. Input: log-mel [batch, 1, 128, frames] of 32 kHz sound, see `log_mel_32k`.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

RATE_HZ = 32_000
HOP_SAMPLES = 320
STRIDE = 32
"""Frames per column of the last feature map: 0.32 s."""

_BLOCKS = (
    # kernel, expanded, out, squeeze, hard swish, stride; channels before the width of 0.4
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1), (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
)  # fmt: skip


def _even(channels: float, step: int = 8) -> int:
    rounded = max(step, int(channels + step / 2) // step * step)
    return rounded + step if rounded < 0.9 * channels else rounded


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: type[nn.Module] | None = None
) -> nn.Sequential:
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class _Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = nn.Module()
        inner.fc1 = nn.Linear(channels, _even(channels / 4))
        inner.fc2 = nn.Linear(_even(channels / 4), channels)
        self.conc_se_layers = nn.ModuleList([inner])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.conc_se_layers[0]
        scale = torch.sigmoid(inner.fc2(torch.relu(inner.fc1(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class _Block(nn.Module):
    def __init__(
        self, inputs: int, kernel: int, expanded: int, outputs: int, squeeze: bool, swish: bool, stride: int
    ) -> None:
        super().__init__()
        act = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers.append(_conv(inputs, expanded, 1, act=act))
        layers.append(_conv(expanded, expanded, kernel, stride, groups=expanded, act=act))
        if squeeze:
            layers.append(_Squeeze(expanded))
        layers.append(_conv(expanded, outputs, 1))
        self.block = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.block(x)
        return x + y if self.adds else y


class Mn04(nn.Module):
    """`forward` gives the feature map [batch, 384, 4, columns]; `classify` makes 527 logits of its mean."""

    def __init__(self) -> None:
        super().__init__()
        inputs = _even(16 * 0.4)
        layers: list[nn.Module] = [_conv(1, inputs, 3, 2, act=nn.Hardswish)]
        for kernel, expanded, outputs, squeeze, swish, stride in _BLOCKS:
            layers.append(_Block(inputs, kernel, _even(expanded * 0.4), _even(outputs * 0.4), squeeze, swish, stride))
            inputs = _even(outputs * 0.4)
        layers.append(_conv(inputs, 6 * inputs, 1, act=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Identity(), nn.Identity(), nn.Linear(384, 512), nn.Hardswish(), nn.Identity(), nn.Linear(512, 527)
        )

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return self.features(mel)

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.classifier(pooled)


def load(path: Path) -> Mn04:
    """The net with its weights, ready to infer. Raises RuntimeError when a weight does not fit."""
    net = Mn04()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()


def log_mel_32k(samples: NDArray[np.float32]) -> torch.Tensor:
    """EfficientAT's features of 32 kHz sound: float32 [1, 1, 128, frames]."""
    x = torch.as_tensor(samples, dtype=torch.float32)[None]
    x = x[:, 1:] - 0.97 * x[:, :-1]
    spectrum = torch.stft(
        x, 1024, HOP_SAMPLES, 800, torch.hann_window(800, periodic=False), center=True, return_complex=True
    )
    power = spectrum.real**2 + spectrum.imag**2
    return ((torch.log(_bank() @ power + 1e-5) + 4.5) / 5.0)[:, None]


def _bank() -> torch.Tensor:
    """Kaldi's triangles on 1127 · ln(1 + f / 700) from 0 to 15 kHz: [128, 513]."""

    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1127.0 * np.log1p(hz / 700.0))

    edges = np.linspace(mel(np.array(0.0)), mel(np.array(15_000.0)), 130)
    bins = mel(np.arange(513) * RATE_HZ / 1024)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[0]
    falling = (edges[2:, None] - bins) / np.diff(edges)[0]
    bank = np.maximum(0.0, np.minimum(rising, falling))
    bank[:, -1] = 0.0
    return torch.as_tensor(bank, dtype=torch.float32)
