"""Convolutions that train as the exported graph will run them: 8-bit rounding of inputs, outputs and weights.

Every convolution of body and pyramid owns a `FakeQuant` for its input and one for its output before the activation.
That is what the exported file holds, operator for operator. All of it is off until it is calibrated
(`models.vision.quantise`).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1
"""Of LeakyReLU below nothing."""


class _Round(torch.autograd.Function):
    """Round to the grid of `scale` within [low, high] steps; the gradient passes where nothing was clipped.

    The same as torch's own fake quantisation, ten times faster on a CPU (which matters: there are 170).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor | float, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = (scale, low, high)
        return (x / scale).round_().clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        scale, low, high = ctx.limits
        if isinstance(scale, Tensor):  # weights: the scale follows the largest, nothing clips
            return grad, None, None, None
        limits = ((low - 0.5) * scale, (high + 0.5) * scale)
        return torch.ops.aten.hardtanh_backward(grad, x, *limits), None, None, None


class FakeQuant(nn.Module):
    """Rounds to 8 unsigned bits as QuantizeLinear and DequantizeLinear do; off until calibrated."""

    def __init__(self) -> None:
        super().__init__()
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.enabled = False
        self.observer: nn.Module | None = None

    def set_range(self, low: float, high: float) -> None:
        """Zero must be exact (padding), so the range always holds it."""
        self.low.fill_(min(low, 0.0))
        self.high.fill_(max(high, 1e-6))

    def scale_zero(self) -> tuple[float, int]:
        """Size of a step, and the step that is zero (0..255)."""
        scale = (float(self.high) - float(self.low)) / 255.0
        return scale, round(-float(self.low) / scale)

    def forward(self, x: Tensor) -> Tensor:
        if self.observer is not None:
            self.observer(x.detach())
        if not self.enabled:
            return x
        scale, zero = self.scale_zero()
        if torch.onnx.is_in_onnx_export():
            return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)
        out: Tensor = _Round.apply(x, scale, float(-zero), float(255 - zero))  # type: ignore[no-untyped-call]
        return out


class Conv(nn.Module):
    """A convolution with bias, its quantisers, and LeakyReLU(0.1) unless `act` is off.

    `rounded_input`: what comes in was rounded by the convolution before; once is enough.
    """

    def __init__(
        self, c_in: int, c_out: int, k: int = 1, stride: int = 1, *,
        depthwise: bool = False, act: bool = True, rounded_input: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, k, stride, k // 2, groups=c_in if depthwise else 1)
        self.act = act
        self.quant_in: nn.Module = nn.Identity() if rounded_input else FakeQuant()
        self.quant_out = FakeQuant()
        self.quant_weight = False
        self.frozen_scale: Tensor | None = None
        """Set for export, so that the graph holds the scales as constants."""

    def weight(self) -> Tensor:
        """The weights [c_out, c_in, k, k] as they are used: rounded to 8 bits for each output channel, or not."""
        weight = self.conv.weight
        if not self.quant_weight:
            return weight
        scale = weight_scale(weight.detach()) if self.frozen_scale is None else self.frozen_scale
        if not torch.onnx.is_in_onnx_export():
            out: Tensor = _Round.apply(weight, scale.view(-1, 1, 1, 1), -127.0, 127.0)  # type: ignore[no-untyped-call]
            return out
        zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -128, 127)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        x = F.conv2d(self.quant_in(x), self.weight(), conv.bias, conv.stride, conv.padding, 1, conv.groups)
        x = self.quant_out(x)
        return F.leaky_relu(x, SLOPE) if self.act else x


def weight_scale(weight: Tensor) -> Tensor:
    """Symmetric scale of each output channel: its largest weight becomes 127."""
    return weight.abs().flatten(1).amax(1).clamp(min=1e-8) / 127.0


def convs(net: nn.Module) -> list[Conv]:
    """Every quantisable convolution, in the order it runs in NanoDet's own file."""
    return [module for module in net.modules() if isinstance(module, Conv)]


def freeze_scales(net: nn.Module) -> None:
    """Fix the weight scales at their present values, for export."""
    for conv in convs(net):
        conv.frozen_scale = weight_scale(conv.conv.weight.detach())
