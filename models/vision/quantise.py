"""Prepares `Vision` for 8 bits: evens out channels, finds the ranges, switches the rounding on.

Why plain 8-bit conversion hurts: one scale serves all channels of a tensor, and depthwise outputs differ
a hundredfold between channels. LeakyReLU passes positive factors through, so a channel may be divided
by a factor that the next convolution multiplies back (cross-layer equalisation, Nagel et al. 2019).
For a depthwise consumer that is free, as its weights have one scale per channel.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.vision.network import Ghost, Head, Unit, Vision
from models.vision.quantised import SLOPE, Conv, FakeQuant, convs

_SAMPLES_PER_BATCH = 4096
_SHRINKS = torch.linspace(1.0, 0.3, 15)


class Sampler(nn.Module):
    """Keeps a few thousand values of every batch, its extremes among them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = torch.Generator().manual_seed(seed)
        self._kept: list[Tensor] = []

    def forward(self, x: Tensor) -> None:
        flat = x.flatten()
        picks = torch.randint(len(flat), (_SAMPLES_PER_BATCH,), generator=self._random)
        self._kept.append(torch.cat([flat[picks], flat.min()[None], flat.max()[None]]))

    def values(self) -> Tensor:
        return torch.cat(self._kept)


def quantised_convs(net: nn.Module) -> list[Conv]:
    """All but the last convolution of each head, the scene head and the embedding."""
    return convs(net)


def calibrate(net: Vision, batches: Iterable[Tensor], seed: int = 0) -> None:
    """Set the range of every quantiser to what costs the least squared error on `batches`.

    For an output before LeakyReLU the error counts after it: negatives weigh a hundredth.
    """
    slots = [(q, conv.act and q is conv.quant_out) for conv in quantised_convs(net)
             for q in (conv.quant_in, conv.quant_out) if isinstance(q, FakeQuant)]  # fmt: skip
    samplers = [Sampler(seed + index) for index in range(len(slots))]
    for (quant, _), sampler in zip(slots, samplers, strict=True):
        quant.observer, quant.enabled = sampler, False
    with torch.no_grad():
        for batch in batches:
            net.raw(batch)
    for (quant, before_act), sampler in zip(slots, samplers, strict=True):
        quant.observer = None
        quant.set_range(*best_range(sampler.values(), before_act))
    stem = net.body.stem.quant_in
    assert isinstance(stem, FakeQuant)
    stem.set_range(-114.0, 141.0)  # the bytes themselves: lossless


def best_range(values: Tensor, before_act: bool) -> tuple[float, float]:
    """The [low, high] ⊇ {0} with the least squared rounding and clipping error."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 1e-6)
    weight = torch.where(values < 0, SLOPE**2, 1.0) if before_act else torch.ones_like(values)
    best = (float("inf"), low, high)
    for shrink_low in _SHRINKS if low < 0 else _SHRINKS[:1]:
        for shrink_high in _SHRINKS:
            a, b = low * float(shrink_low), high * float(shrink_high)
            scale = (b - a) / 255
            zero = round(-a / scale)
            rounded = (values / scale).round_().clamp_(-zero, 255 - zero).mul_(scale)
            error = float(((rounded - values).square() * weight).sum())
            best = min(best, (error, a, b))
    return best[1], best[2]


def switch(net: nn.Module, on: bool) -> None:
    """Rounding of activations and weights on or off, in the whole network or a part of it."""
    for conv in quantised_convs(net):
        conv.quant_weight = on
        for quant in (conv.quant_in, conv.quant_out):
            if isinstance(quant, FakeQuant):
                quant.enabled = on


def equalise(net: Vision, batches: Callable[[], Iterable[Tensor]]) -> None:
    """Even out the channels between neighbouring convolutions; the float function stays the same."""
    pairs = list(neighbours(net))
    ranges = channel_ranges(net, [first for first, _ in pairs], batches())
    with torch.no_grad():
        for first, second in pairs:
            _even_out(first, second, ranges[id(first)])


def neighbours(net: Vision) -> Iterable[tuple[Conv, nn.Conv2d]]:
    """Pairs where the second convolution is the only reader of the first."""
    for module in net.modules():
        chains: list[list[Conv]] = []
        if isinstance(module, Unit):
            chains = [_chain(module.body)] + ([_chain(module.down)] if module.down is not None else [])
        elif isinstance(module, Ghost):
            chains = [[module.short_depth, module.short]]
        elif isinstance(module, Head):
            chains = [_chain(module.tower)]
            yield chains[0][3], module.last
        elif isinstance(module, nn.Sequential) and len(module) == 2 and module in _downs(net):
            chains = [_chain(module)]
        for chain in chains:
            for first, second in pairwise(chain):
                yield first, second.conv


def _chain(parts: nn.Sequential) -> list[Conv]:
    return [part for part in parts if isinstance(part, Conv)]


def _downs(net: Vision) -> list[nn.Module]:
    pyramid = net.pyramid
    return [pyramid.down8, pyramid.down16, pyramid.extra_in, pyramid.extra_out]


def channel_ranges(net: Vision, wanted: list[Conv], batches: Iterable[Tensor]) -> dict[int, Tensor]:
    """Largest magnitude of each channel after the activation (mean over batches of the batch maximum)."""
    found: dict[int, list[Tensor]] = {id(conv): [] for conv in wanted}

    def watch(conv: nn.Module, _: object, out: Tensor) -> None:
        found[id(conv)].append(out.detach().abs().amax((0, 2, 3)))

    hooks = [conv.register_forward_hook(watch) for conv in wanted]
    with torch.no_grad():
        for batch in batches:
            net.raw(batch)
    for hook in hooks:
        hook.remove()
    return {key: torch.stack(rows).mean(0) for key, rows in found.items()}


def _even_out(first: Conv, second: nn.Conv2d, span: Tensor) -> None:
    span = span.clamp(min=1e-4 * float(span.max()))
    if second.groups > 1:
        factor = span / span.max()
    else:
        column = second.weight.abs().amax((0, 2, 3)).clamp(min=1e-6)
        factor = (span / column).sqrt()
        factor = factor / factor.max()
    factor = factor.clamp(min=1e-3)
    first.conv.weight /= factor.view(-1, 1, 1, 1)
    assert first.conv.bias is not None
    first.conv.bias /= factor
    second.weight *= factor.view(-1, 1, 1, 1) if second.groups > 1 else factor.view(1, -1, 1, 1)
