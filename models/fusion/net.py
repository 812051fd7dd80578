"""The fusion network: three streams of sixteen half seconds → ten logits, one anomaly logit, and where it looked.

streams: scene (embedding and scores of the whole picture), people (kinematics and motion), sound (embedding and
scores of what was heard); each float32 [batch, 16, features] with a mask [batch, 16], 1 where the step is known.
Six ways of fusing are kept side by side, for the ablation; the shipped one is several small networks (trained on
different parts of the data) whose logits are averaged within one graph.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.types import FUSION_STEPS

LABELS = ("fight", "fall", "fire", "smoke", "explosion", "gunshot", "glass_break", "scream", "alarm", "crash")
STREAMS = ("scene", "people", "sound")
OUT = len(LABELS) + 1  # the last one is the anomaly
WIDTH = 32
DROP = 0.3
INPUT_DROP = 0.1
MOST_SIGMA = 4.0
FAR = -1e4  # instead of minus infinity: a window without any known step must stay finite

Kind = Literal["gated", "early", "late", "cross", "vision", "sound"]
KINDS: tuple[Kind, ...] = ("vision", "sound", "early", "late", "gated", "cross")


class Stream(nn.Module):
    """One stream's steps [b, 16, n] as features [b, 16, WIDTH]: normalised, projected, mixed with their neighbours."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.into = nn.Linear(features, WIDTH)
        self.near = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.drop = nn.Dropout(DROP)
        self.input_drop = nn.Dropout(INPUT_DROP)

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        scaled = ((steps - self.mean) / self.deviation).clamp(-MOST_SIGMA, MOST_SIGMA)
        mask = known[..., None]
        found = self.drop(F.relu(self.into(self.input_drop(scaled * mask)))) * mask
        near = self.near(found.transpose(1, 2)).transpose(1, 2)
        return (found + F.relu(near)) * mask


class Member(nn.Module):
    """One network."""

    def __init__(self, widths: Mapping[str, int], kind: Kind = "gated") -> None:
        super().__init__()
        self.kind = kind
        self.streams = nn.ModuleDict({name: Stream(widths[name]) for name in STREAMS})
        self.weight = nn.ModuleDict({name: nn.Linear(WIDTH, 1) for name in STREAMS})
        self.when = nn.Parameter(torch.linspace(-1.0, 0.5, FUSION_STEPS).repeat(len(STREAMS), 1))
        self.alone = nn.ModuleDict({name: nn.Linear(WIDTH, OUT) for name in STREAMS})
        self.mix = nn.Linear(3 * WIDTH, WIDTH) if kind == "early" else None
        self.look = nn.MultiheadAttention(WIDTH, 2, batch_first=True) if kind == "cross" else None
        self.which = nn.Parameter(torch.zeros(len(STREAMS), WIDTH))
        self.out = nn.Linear(WIDTH, OUT)
        self.drop = nn.Dropout(DROP)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Fused logits [b, 11], each stream's own [b, 3, 11], attention [b, 3, 16]."""
        steps, known = inputs[:3], torch.stack(list(inputs[3:]), 1)
        tokens = torch.stack([self.streams[n](steps[i], known[:, i]) for i, n in enumerate(STREAMS)], 1)
        if self.look is not None:
            tokens = self._looked(tokens, known)
        scores = torch.stack([self.weight[name](tokens[:, i])[..., 0] for i, name in enumerate(STREAMS)], 1)
        scores = scores + self.when + FAR * (1.0 - known)
        within = F.softmax(scores, dim=2) * known
        each = (tokens * within[..., None]).sum(2)
        own = torch.stack([self.alone[name](self.drop(each[:, i])) for i, name in enumerate(STREAMS)], 1)
        return *self._fused(tokens, scores, known, within, own), own

    def _fused(
        self, tokens: Tensor, scores: Tensor, known: Tensor, within: Tensor, own: Tensor
    ) -> tuple[Tensor, Tensor]:
        present = known.amax(2)
        if self.kind in ("vision", "sound"):
            index = 1 if self.kind == "vision" else 2
            used = [0, 1] if index == 1 else [2]
            shares = present[:, used] / present[:, used].sum(1, keepdim=True).clamp(min=1.0)
            return (own[:, used] * shares[..., None]).sum(1), within
        if self.kind == "late":
            shares = present / present.sum(1, keepdim=True).clamp(min=1.0)
            return (own * shares[..., None]).sum(1), within * shares[..., None]
        if self.mix is not None:
            joined = F.relu(self.mix(torch.cat(list(tokens.unbind(1)), 2)))
            any_known = known.amax(1)
            weight = F.softmax(scores.mean(1) + FAR * (1.0 - any_known), 1) * any_known
            attention = weight[:, None] * known / known.sum(1, keepdim=True).clamp(min=1.0)
            return self.out(self.drop((joined * weight[..., None]).sum(1))), attention
        flat = F.softmax(scores.flatten(1), 1).reshape(scores.shape) * known
        return self.out(self.drop((tokens * flat[..., None]).sum((1, 2)))), flat

    def _looked(self, tokens: Tensor, known: Tensor) -> Tensor:
        """Every step of every stream looks at all the others."""
        batch = tokens.shape[0]
        flat = (tokens + self.which[None, :, None] * known[..., None]).reshape(batch, -1, WIDTH)
        closed = (1.0 - known.reshape(batch, 1, -1)) * FAR
        heads = 2
        query, key, value = F.linear(flat, self.look.in_proj_weight, self.look.in_proj_bias).chunk(3, 2)  # type: ignore[union-attr]
        size = WIDTH // heads
        split = [t.reshape(batch, -1, heads, size).transpose(1, 2) for t in (query, key, value)]
        weight = F.softmax(split[0] @ split[1].transpose(2, 3) / size**0.5 + closed[:, None], 3)
        seen = (weight @ split[2]).transpose(1, 2).reshape(batch, -1, WIDTH)
        seen = self.look.out_proj(seen)  # type: ignore[union-attr]
        return (flat + seen).reshape(tokens.shape) * known[..., None]


class Fusion(nn.Module):
    """Several members as one graph."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [b, 10], anomaly logit [b, 1], attention [b, 3, 16]; inputs: three streams, then three masks."""
        told = [member(inputs) for member in self.members]
        logits = torch.stack([fused for fused, _, _ in told]).mean(0)
        attention = torch.stack([where for _, where, _ in told]).mean(0)
        attention = attention / attention.sum((1, 2), keepdim=True).clamp(min=1e-6)
        return logits[:, :-1], logits[:, -1:], attention


def normalise(member: Member, name: str, rows: Tensor) -> None:
    """Teach a stream its usual values, from rows [n, features] of training steps."""
    stream = member.streams[name]
    stream.mean.copy_(rows.mean(0))
    stream.deviation.copy_(rows.std(0).clamp(min=1e-2))
