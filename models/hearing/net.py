"""What the hearing graph gives out, and what a network costs; the network itself is in `net_mn.py`.

The first releases (to 0.2.1) were small dense networks trained from scratch; the history of this file holds them.
"""

import torch
from torch import nn

from agent.features.logmel import BANDS, FRAMES

TIME_STRIDE = 8
STEPS = FRAMES // TIME_STRIDE
EMBEDDING = 128
assert FRAMES % TIME_STRIDE == 0
assert BANDS == 64


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
