"""The fusion network: three streams of sixteen half seconds → ten logits, one anomaly logit, and where it looked.

streams: scene (embedding and scores of the whole picture), people (kinematics and motion), sound (embedding and
scores of what was heard); each float32 [batch, 16, features] with a mask [batch, 16], 1 where the step is known.
Seven ways of fusing are kept side by side, for the ablation; the shipped one is several small networks (trained on
different parts of the data) whose logits are averaged within one graph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agent.features.kinematics import KINEMATIC_NAMES
from agent.scene.rolling_window import PEOPLE_WIDTH
from agent.types import FUSION_STEPS

LABELS = ("fight", "fall", "fire", "smoke", "explosion", "gunshot", "glass_break", "scream", "alarm", "crash")
STREAMS = ("scene", "people", "sound")
OUT = len(LABELS) + 1  # the last one is the anomaly
MOST_SIGMA = 4.0
GLANCE_STEPS, EMBEDDING = 4, 128
"""The glance is at the picture's embedding in the newest two seconds."""
FAR = -1e4  # instead of minus infinity: a window without any known step must stay finite

Kind = Literal["gated", "early", "late", "cross", "mutual", "vision", "sound"]
KINDS: tuple[Kind, ...] = ("vision", "sound", "early", "late", "gated", "cross", "mutual")
HEADS = 2


AGE_PLACES = [KINEMATIC_NAMES.index("age_most") + half for half in (0, len(KINEMATIC_NAMES))]
"""How long somebody has been tracked, in a row of people: its mean and its maximum over the step
(agent/scene/rolling_window.py). In clips of two seconds that tells when the recording began, which on a camera that has
been running says nothing."""
KINEMATIC_PLACES = list(range(2 * len(KINEMATIC_NAMES)))
MOTION_PLACES = list(range(2 * len(KINEMATIC_NAMES), PEOPLE_WIDTH))


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a member is, what share of its features and inputs is dropped in training, and what it looks at."""

    streams: tuple[str, ...] = ("people", "sound")  # which are looked at; the picture's embedding is learned by heart
    width: int = 32
    drop: float = 0.3
    input_drop: float = 0.1
    recent: int = FUSION_STEPS  # of the window's steps only the newest so many are looked at
    ages: bool = True  # whether it looks at how long people have been tracked
    kinematics: bool = True  # whether it looks at how people move and stand
    motion: bool = True  # whether it looks at optical flow
    brief: int = 2  # what so many newest steps alone say of a fight holds, whatever was before; 0: it does not

    @property
    def unread(self) -> list[int]:
        """The features of people that are not looked at."""
        parts = ((self.ages, AGE_PLACES), (self.kinematics, KINEMATIC_PLACES), (self.motion, MOTION_PLACES))
        return [place for looked_at, places in parts if not looked_at for place in places]


class Stream(nn.Module):
    """One stream's steps [b, 16, n] as features [b, 16, width]: normalised, projected, mixed with their neighbours."""

    mean: Tensor
    deviation: Tensor
    read: Tensor

    def __init__(self, features: int, shape: Shape, unread: Sequence[int] = ()) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.register_buffer("read", torch.ones(features), persistent=False)
        self.read[list(unread)] = 0.0
        self.into = nn.Linear(features, shape.width)
        self.near = nn.Conv1d(shape.width, shape.width, 3, padding=1)
        self.drop = nn.Dropout(shape.drop)
        self.input_drop = nn.Dropout(shape.input_drop)

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        scaled = ((steps - self.mean) / self.deviation).clamp(-MOST_SIGMA, MOST_SIGMA) * self.read
        mask = known[..., None]
        found = self.drop(F.relu(self.into(self.input_drop(scaled * mask)))) * mask
        near = self.near(found.transpose(1, 2)).transpose(1, 2)
        return (found + F.relu(near)) * mask


class Member(nn.Module):
    """One network."""

    looked_at: Tensor
    glance: Tensor

    def __init__(self, widths: Mapping[str, int], kind: Kind = "gated", shape: Shape | None = None) -> None:
        super().__init__()
        self.kind, self.shape = kind, shape or Shape()
        width = self.shape.width
        unread = {"people": self.shape.unread}
        self.streams = nn.ModuleDict({n: Stream(widths[n], self.shape, unread.get(n, ())) for n in STREAMS})
        newest = torch.arange(FUSION_STEPS) >= FUSION_STEPS - self.shape.recent
        streams = torch.tensor([name in self.shape.streams for name in STREAMS])
        self.register_buffer("looked_at", streams[:, None] & newest, persistent=False)
        self.weight = nn.ModuleDict({name: nn.Linear(width, 1) for name in STREAMS})
        self.when = nn.Parameter(torch.linspace(-1.0, 0.5, FUSION_STEPS).repeat(len(STREAMS), 1))
        self.alone = nn.ModuleDict({name: nn.Linear(width, OUT) for name in STREAMS})
        self.mix = nn.Linear(3 * width, width) if kind == "early" else None
        self.look = nn.MultiheadAttention(width, HEADS, batch_first=True) if kind in ("cross", "mutual") else None
        self.which = nn.Parameter(torch.zeros(len(STREAMS), width))
        self.out = nn.Linear(width, OUT)
        self.drop = nn.Dropout(self.shape.drop)
        # What `models.fusion.glance` fits when everything else is learned; nothing until then.
        self.register_buffer("glance", torch.zeros(EMBEDDING + 1))

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Fused logits [b, 11], attention [b, 3, 16], each stream's own logits [b, 3, 11]."""
        return self.told(inputs)[:3]

    def told(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `forward` says, and each stream's summary [b, 3, width] that its own logits are made of."""
        steps, known = inputs[:3], torch.stack(list(inputs[3:]), 1) * self.looked_at
        tokens = torch.stack([self.streams[n](steps[i], known[:, i]) for i, n in enumerate(STREAMS)], 1)
        if self.look is not None:
            tokens = self._looked(tokens, known)
        scores = torch.stack([self.weight[name](tokens[:, i])[..., 0] for i, name in enumerate(STREAMS)], 1)
        scores = scores + self.when + FAR * (1.0 - known)
        within = F.softmax(scores, dim=2) * known
        each = (tokens * within[..., None]).sum(2)
        own = torch.stack([self.alone[name](self.drop(each[:, i])) for i, name in enumerate(STREAMS)], 1)
        return *self._fused(tokens, scores, known, within, own), own, each

    def glanced(self, inputs: Sequence[Tensor]) -> Tensor:
        """What the picture's mean embedding in the newest two seconds adds to a fight: [b, 1]; 0 unseen."""
        known = inputs[len(STREAMS)][:, -GLANCE_STEPS:, None]
        count = known.sum(1)
        mean = (inputs[0][:, -GLANCE_STEPS:, :EMBEDDING] * known).sum(1) / count.clamp(min=1.0)
        said = (mean * self.glance[:EMBEDDING]).sum(1, keepdim=True) + self.glance[EMBEDDING:]
        return said * count.clamp(max=1.0)

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
        """Every step of every stream looks at all steps (`cross`), or at those of the other streams (`mutual`)."""
        batch, width = tokens.shape[0], self.shape.width
        flat = (tokens + self.which[None, :, None] * known[..., None]).reshape(batch, -1, width)
        allowed = known.reshape(batch, 1, -1)
        if self.kind == "mutual":
            stream = torch.arange(len(STREAMS)).repeat_interleave(FUSION_STEPS)
            allowed = allowed * (stream[:, None] != stream).to(known)
        query, key, value = F.linear(flat, self.look.in_proj_weight, self.look.in_proj_bias).chunk(3, 2)  # type: ignore[union-attr]
        size = width // HEADS
        split = [t.reshape(batch, -1, HEADS, size).transpose(1, 2) for t in (query, key, value)]
        weight = F.softmax(split[0] @ split[1].transpose(2, 3) / size**0.5 + (1.0 - allowed[:, None]) * FAR, 3)
        weight = weight * allowed[:, None]  # where nothing is allowed, the softmax would look at everything
        seen = (weight @ split[2]).transpose(1, 2).reshape(batch, -1, width)
        seen = self.look.out_proj(seen)  # type: ignore[union-attr]
        return (flat + seen).reshape(tokens.shape) * known[..., None]


FIGHT = LABELS.index("fight")


def unlowered(member: Member, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Fused logits [b, 11] and attention [b, 3, 16], the fight's logit at least that of less than is known.

    A sound may add to the belief in a fight and never takes from it: that of the picture alone holds. The sounds of
    training were paired with the clips by chance, so that one speaks against a fight is nothing that was learned; yet
    a third of the fights that the picture alone found were lost when any sound was heard (models.fusion.ablation). Nor
    does what was calm before: that of the picture's newest second alone holds. A camera has been running when a fight
    begins, and attention that is shared with calm steps lost most of those (models.fusion.running). What a glance at
    the picture says (models.fusion.glance) is added to that, whatever it rests on.
    """
    steps, masks = inputs[: len(STREAMS)], inputs[len(STREAMS) :]
    known = [mask * looked_at for mask, looked_at in zip(masks, member.looked_at, strict=True)]
    deaf = [mask * 0.0 if name == "sound" else mask for name, mask in zip(STREAMS, known, strict=True)]
    asks = [known, deaf]
    if member.shape.brief:
        newest = (torch.arange(FUSION_STEPS) >= FUSION_STEPS - member.shape.brief).to(known[0])
        asks.append([mask * newest for mask in deaf])
    # All at once: the graph is small, and each of its operators costs more than what it computes.
    asked = [torch.cat(each) for each in zip(*asks, strict=True)]
    told, where, _ = member([*(torch.cat([one] * len(asks)) for one in steps), *asked])
    # What is said where no step is known says nothing: it is put far below anything.
    counted = told + FAR * (1.0 - torch.stack(asked, 1).amax((1, 2)))[:, None]
    batch = int(known[0].shape[0])
    fused, raised = told[:batch], told[:batch]
    for part in counted[batch:].split(batch):
        raised = torch.maximum(raised, part)
    is_fight = (torch.arange(OUT) == FIGHT).to(fused)
    return fused + (raised - fused + member.glanced(inputs)) * is_fight, where[:batch]


class Fusion(nn.Module):
    """Several members as one graph."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [b, 10], anomaly logit [b, 1], attention [b, 3, 16]; inputs: three streams, then three masks."""
        told = [unlowered(member, inputs) for member in self.members]
        logits = torch.stack([fused for fused, _ in told]).mean(0)
        attention = torch.stack([where for _, where in told]).mean(0)
        attention = attention / attention.sum((1, 2), keepdim=True).clamp(min=1e-6)
        return logits[:, :-1], logits[:, -1:], attention


def normalise(member: Member, name: str, rows: Tensor) -> None:
    """Teach a stream its usual values, from rows [n, features] of training steps."""
    stream = member.streams[name]
    stream.mean.copy_(rows.mean(0))
    stream.deviation.copy_(rows.std(0).clamp(min=1e-2))
