"""The vision network in torch: ShuffleNetV2 body, ghost pyramid, one light head per stride.

It is NanoDet-Plus-m (Apache-2.0) rebuilt with batch normalisation folded into the convolutions, so
that its published weights load as they are (`weights.load_nanodet`), plus a scene head for fire and
smoke and an embedding of the whole picture.

    image [B,3,H,W] RGB 0..255 → scores [B,80,N], sides [B,32,N], scene [B,2], embedding [B,128], posture [B,3,N]

Boxes are made of `sides` outside (`agent.inference.vision.boxes_at`): a look needs them at few of its N places.

Convolutions made of `Conv` (`models.vision.quantised`) can be quantised. Joins, resizes, the last convolution of each
head, and the decoding stay in float.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agent.types import POSTURES
from models.vision.quantised import SLOPE, Conv

STRIDES = (8, 16, 32, 64)
CLASSES = 80
BINS = 8
"""A box side is the mean of a distribution over 0..7 strides."""
EMBEDDING = 128
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)
PAD_GREY = 114.0
POOLED = 464 + 96 + 96
"""Channels behind the embedding: body at stride 32, pyramid at strides 16 and 32, each averaged."""


def shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels; as Reshape and Transpose, never as Gather."""
    b, c, h, w = map(int, x.shape)
    return x.reshape(b, 2, c // 2, h * w).transpose(1, 2).reshape(b, c, h, w)


class Unit(nn.Module):
    """ShuffleNetV2 unit; with `c_in` given it halves the resolution and doubles the channels."""

    def __init__(self, c_out: int, c_in: int | None = None) -> None:
        super().__init__()
        half, stride = c_out // 2, 1 if c_in is None else 2
        self.down = (
            None
            if c_in is None
            else nn.Sequential(Conv(c_in, c_in, 3, 2, depthwise=True, act=False), Conv(c_in, half, rounded_input=True))
        )
        self.body = nn.Sequential(
            Conv(half if c_in is None else c_in, half),
            Conv(half, half, 3, stride, depthwise=True, act=False),
            Conv(half, half, rounded_input=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] → [B, c_out, h, w], or half of h and w where the unit halves them."""
        if self.down is not None:
            return shuffle(torch.cat([self.down(x), self.body(x)], 1))
        half = int(x.shape[1]) // 2
        return shuffle(torch.cat([x[:, :half], self.body(x[:, half:])], 1))


class Body(nn.Module):
    """ShuffleNetV2 1.0x: features at strides 8, 16, 32 with 116, 232, 464 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, 24, 3, 2)
        stages, c_in = [], 24
        for c_out, units in ((116, 4), (232, 8), (464, 4)):
            stages.append(nn.Sequential(Unit(c_out, c_in), *(Unit(c_out) for _ in range(units - 1))))
            c_in = c_out
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Picture less PAD_GREY [B, 3, H, W] → features of the three strides, finest first."""
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out


class Ghost(nn.Module):
    """Ghost bottleneck of the pyramid: 192 channels in, 96 out, half of each made cheaply."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Conv(192, 48)
        self.first_cheap = Conv(48, 48, 3, depthwise=True)
        self.second = Conv(96, 48, act=False)
        self.second_cheap = Conv(48, 48, 3, depthwise=True, act=False, rounded_input=True)
        self.short_depth = Conv(192, 192, 5, depthwise=True, act=False)
        self.short = Conv(192, 96, act=False, rounded_input=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 192, h, w] → [B, 96, h, w]."""
        y = self.first(x)
        y = self.second(torch.cat([y, self.first_cheap(y)], 1))
        short: Tensor = self.short(self.short_depth(x))
        return torch.cat([y, self.second_cheap(y)], 1) + short


def down(c: int = 96) -> nn.Sequential:
    """Layers that halve height and width and keep the channels."""
    return nn.Sequential(Conv(c, c, 5, 2, depthwise=True), Conv(c, c))


class Pyramid(nn.Module):
    """GhostPAN: strides 8 to 64, 96 channels each."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(Conv(c, 96) for c in (116, 232, 464))
        self.top_down = nn.ModuleList(Ghost() for _ in range(2))
        self.down8, self.up16 = down(), Ghost()
        self.down16, self.up32 = down(), Ghost()
        self.extra_in, self.extra_out = down(), down()

    def forward(self, body: list[Tensor]) -> list[Tensor]:
        """Features of the body → [B, 96, h, w] for each of STRIDES."""
        c8, c16, c32 = (reduce(x) for reduce, x in zip(self.reduce, body, strict=True))
        t16 = self.top_down[0](torch.cat([double(c32), c16], 1))
        p8 = self.top_down[1](torch.cat([double(t16), c8], 1))
        p16 = self.up16(torch.cat([self.down8(p8), t16], 1))
        p32 = self.up32(torch.cat([self.down16(p16), c32], 1))
        return [p8, p16, p32, self.extra_in(c32) + self.extra_out(p32)]


def double(x: Tensor) -> Tensor:
    """Twice the height and width, interpolated."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Head(nn.Module):
    """Scores and side distributions of one stride: [B, 112, h, w]."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            Conv(96, 96, 5, depthwise=True), Conv(96, 96), Conv(96, 96, 5, depthwise=True), Conv(96, 96)
        )
        self.last = nn.Conv2d(96, CLASSES + 4 * BINS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A level of the pyramid [B, 96, h, w] → logits [B, 112, h, w]: 80 classes, then 8 bins of each side."""
        out: Tensor = self.last(self.tower(x))
        return out


class PersonHead(nn.Module):
    """What a person who is found at a cell does: posture logits per cell.

    One head for all strides, in float. It reads the pyramid and the detector's own tower, which already knows the
    box; a depthwise 5×5 lets the cell of a large person see the limbs.
    """

    WIDTH = 32

    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(2 * 96, self.WIDTH, 1)
        self.around = nn.Conv2d(self.WIDTH, self.WIDTH, 5, 1, 2, groups=self.WIDTH)
        self.mix = nn.Conv2d(self.WIDTH, self.WIDTH, 1)
        self.posture = nn.Conv2d(self.WIDTH, len(POSTURES), 1)

    def forward(self, level: Tensor, tower: Tensor) -> Tensor:
        """Pyramid and tower of a stride, [B, 96, h, w] each → logits [B, 3, h, w]."""
        weight = self.squeeze.weight
        # Two convolutions, their sum: joining the maps first costs more than it saves.
        squeezed = F.conv2d(level, weight[:, :96], self.squeeze.bias) + F.conv2d(tower, weight[:, 96:])
        x = F.leaky_relu(squeezed, SLOPE)
        x = x + F.leaky_relu(self.mix(self.around(x)), SLOPE)
        out: Tensor = self.posture(x)
        return out


SHARPNESS = (3.0, 1.0)
"""Of fire and of smoke."""


class SceneHead(nn.Module):
    """Fire and smoke: a small map at stride 16, pooled by its own evidence, so small flames count.

    The pooled logit is Σ softmax(s·m)·m over the cells: close to the maximum where one cell stands out, close to
    the mean where all agree, and safe in float16. The sharper (SHARPNESS, s), the nearer to the maximum: a small flame
    is one cell of hundreds, smoke is many.
    """

    WIDTH = 48

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(116, self.WIDTH, 3, 2, 1)
        self.middle = nn.Conv2d(232, self.WIDTH, 1)
        self.context = nn.Conv2d(96, self.WIDTH, 1)
        self.mix = nn.Conv2d(self.WIDTH, self.WIDTH, 3, 1, 1)
        self.map = nn.Conv2d(self.WIDTH, 2, 1)

    def maps(self, c8: Tensor, c16: Tensor, p16: Tensor) -> Tensor:
        """Body at strides 8 and 16, pyramid at 16 → logits of fire and smoke for each cell [B, 2, h16, w16]."""
        x = F.leaky_relu(self.fine(c8) + self.middle(c16) + self.context(p16), SLOPE)
        x = x + F.leaky_relu(self.mix(x), SLOPE)
        out: Tensor = self.map(x)
        return out

    def forward(self, c8: Tensor, c16: Tensor, p16: Tensor) -> Tensor:
        """The same → logits of fire and smoke for the picture [B, 2]."""
        return pool_evidence(self.maps(c8, c16, p16))


def pool_evidence(maps: Tensor) -> Tensor:
    """Logits of cells [B, 2, h, w] → of the picture [B, 2], as `SceneHead` says."""
    cells = flat(maps)
    return ((cells * cells.new_tensor(SHARPNESS).reshape(1, 2, 1)).softmax(2) * cells).sum(2)


def flat(x: Tensor) -> Tensor:
    """[B,C,h,w] → [B,C,h·w], with the sides as constants of the exported graph."""
    b, c, h, w = map(int, x.shape)
    return x.reshape(b, c, h * w)


@dataclass(frozen=True)
class Raw:
    """Before decoding: per stride [B,112,h,w] logits, and what the other heads read."""

    levels: list[Tensor]
    body: list[Tensor]
    pyramid: list[Tensor]
    towers: list[Tensor]

    @property
    def seen(self) -> list[Tensor]:
        """Per stride [B,192,h,w]: what the person head reads."""
        return [torch.cat(pair, 1) for pair in zip(self.pyramid, self.towers, strict=True)]


class Vision(nn.Module):
    """The whole network. `raw` for training, `forward` for the exported graph."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.pyramid = Pyramid()
        self.heads = nn.ModuleList(Head() for _ in STRIDES)
        self.scene = SceneHead()
        self.embed = nn.Linear(POOLED, EMBEDDING)
        self.person: PersonHead | None = None
        """Trained last; weights of before know nothing of it."""

    def raw(self, image: Tensor) -> Raw:
        """Picture [B, 3, H, W] RGB 0..255 → what the heads say and read; H and W are multiples of 32."""
        body = self.body(image - PAD_GREY)
        pyramid = self.pyramid(body)
        towers = [head.tower(x) for head, x in zip(self.heads, pyramid, strict=True)]
        levels = [head.last(x) for head, x in zip(self.heads, towers, strict=True)]
        return Raw(levels, body, pyramid, towers)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Picture [B, 3, H, W] RGB 0..255 → the outputs of the graph, as the head of this file lists them."""
        raw = self.raw(image)
        logits, sides = torch.cat([flat(level) for level in raw.levels], 2).split((CLASSES, 4 * BINS), 1)
        scene = self.scene(raw.body[0], raw.body[1], raw.pyramid[1])
        out = (logits.sigmoid(), sides, scene, self.embed(pooled(raw)))
        if self.person is None:
            return out
        told = [self.person(level, tower) for level, tower in zip(raw.pyramid, raw.towers, strict=True)]
        return *out, torch.cat([flat(level) for level in told], 2)


def pooled(raw: Raw) -> Tensor:
    """[B, POOLED]: what the embedding is a projection of."""
    return torch.cat([x.mean((2, 3)) for x in (raw.body[2], raw.pyramid[1], raw.pyramid[2])], 1)


def flatten(levels: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Per-stride maps → class logits [B,N,80] and side logits [B,N,32]."""
    rows = torch.cat([flat(level) for level in levels], 2).transpose(1, 2)
    return rows[..., :CLASSES], rows[..., CLASSES:]


def grid_sizes(levels: list[Tensor]) -> list[tuple[int, int]]:
    """Rows and columns of each level."""
    return [(int(level.shape[2]), int(level.shape[3])) for level in levels]


def cell_points(sizes: list[tuple[int, int]], device: torch.device) -> Tensor:
    """[N,3]: x, y in canvas pixels and the stride of every cell, in the order of `flatten`.

    NanoDet's points are the cells' corners, not their centres.
    """
    rows = [
        (column * stride, row * stride, stride)
        for (height, width), stride in zip(sizes, STRIDES, strict=True)
        for row in range(height)
        for column in range(width)
    ]
    return torch.tensor(rows, dtype=torch.float32, device=device)


def decode(sides: Tensor, points: Tensor) -> Tensor:
    """Side logits [B,N,32] → boxes [B,N,4] x1 y1 x2 y2 in canvas pixels."""
    b, n, _ = map(int, sides.shape)
    bins = torch.arange(BINS, dtype=sides.dtype, device=sides.device)
    distance = (sides.reshape(b, n, 4, BINS).softmax(3) * bins).sum(3) * points[:, 2:3]
    xy = points[:, :2]
    return torch.cat([xy - distance[..., :2], xy + distance[..., 2:]], 2)
