"""The rows with which the verifier's training begins: fitted on the published body, which stays as it is.

Each begins as the mean of the AudioSet classes that speak for its label and is fitted by logistic regression, pulled
towards that, on the sounds that may be learned. A source counts by the root of what its recordings do, so that many
little ones speak louder than a big one. There is one set for each of `PARTS`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.hearing import catalogue, data, soften
from models.hearing.labels import INDEX
from models.hearing.labels import VERIFIED as LABELS

PARTS = ("a", "b", "all")
"""What a training leaves out: either half of the later sources (models.hearing.catalogue), or nothing."""
ALL = PARTS.index("all")
UNITS = 192
"""Units of the published hidden layer that stay, those that the rows lean on most: nothing is lost by it."""
PLAUSIBLE = {
    "gunshot": ("explosion",),
    "explosion": ("gunshot", "crash"),
    "glass_break": ("crash",),
    "crash": ("glass_break", "explosion", "gunshot"),
}
"""Clips of these labels say neither yes nor no."""
PULL = 0.01
"""Of .1, .01 and .001; half of the later sources left out, gunshots alone .874, .872, .859 and .927, .925, .915."""
WITHIN = 1.5
"""Windows of a clip whose logit is that near its highest are where the event is."""
SURELY_NOT = 0.03
"""A label that the teachers' head hears less than that in all of a clip is not believed."""


@dataclass(frozen=True)
class Heard:
    """Every window of the sounds that may be learned, and of those kept apart.

    piece int32 [n]; embedding float32 [n, units] of the published hidden layer.
    """

    piece: NDArray[np.int32]
    embedding: NDArray[np.float32]


def part_of(source: str) -> int:
    """Which training never heard a source's sounds; for what all may learn, and what none may, the whole one."""
    half = None if source in catalogue.KEPT else catalogue.half(source)
    return ALL if half is None else PARTS.index(half)


@dataclass(frozen=True)
class Sounds:
    """What is known of the pieces; all [pieces] but truth [pieces, labels]."""

    truth: NDArray[np.bool_]
    excused: NDArray[np.bool_]
    group: NDArray[np.int64]
    source: NDArray[np.int64]
    part: NDArray[np.int64]
    dev: NDArray[np.bool_]
    may_learn: NDArray[np.bool_]
    later: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    @classmethod
    def of(cls, pieces: list[data.Piece]) -> "Sounds":
        """Read the manifest's labels; a label that the teachers do not hear at all is excused."""
        truth = np.array([[label in piece.labels.split(";") for label in LABELS] for piece in pieces])
        truth[:, LABELS.index("alarm")] |= truth[:, LABELS.index("siren")]
        excused = soften.highest(pieces)[:, [INDEX[label] for label in LABELS]] < SURELY_NOT
        excused &= truth
        for label, others in PLAUSIBLE.items():
            plausible = truth[:, [LABELS.index(name) for name in others]].any(axis=1)
            excused[:, LABELS.index(label)] |= plausible & ~truth[:, LABELS.index(label)]
        real = np.array([bool(piece.known) and piece.kind != "synthetic" for piece in pieces])
        kept = np.array([piece.repo in catalogue.KEPT for piece in pieces])
        split = np.array([piece.split for piece in pieces])
        return cls(
            truth,
            excused,
            np.unique([piece.group for piece in pieces], return_inverse=True)[1],
            np.unique([piece.repo for piece in pieces], return_inverse=True)[1],
            np.array([part_of(piece.repo) for piece in pieces]),
            split == "dev",
            real & ~kept & np.isin(split, ("train", "dev", "outside")),
            real & ~kept & np.isin(split, ("dev", "outside")),
            real & kept,
        )

    def taught(self, part: int) -> NDArray[np.bool_]:
        """The pieces that a training may hear: never those of `dev`, nor of the half that it leaves out."""
        return np.asarray(self.may_learn & ~self.dev & ((self.part != part) | (part == ALL)))


Row = tuple[NDArray[np.float32], float]


@dataclass(frozen=True)
class Asked:
    """The windows of which one label is asked, and what each counts; both sides of the label sum to a half. All [n]."""

    truth: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    weight: NDArray[np.float64]


def asked_of(label: int, start: Row, heard: Heard, sounds: Sounds, chosen: NDArray[np.bool_]) -> Asked:
    """Of the chosen pieces: those with the label where `start` hears it best, all windows of those without."""
    truth = sounds.truth[heard.piece, label]
    logit = heard.embedding @ start[0] + start[1]
    best = highest(logit, heard.piece, len(chosen))
    asked = chosen[heard.piece] & ~sounds.excused[heard.piece, label]
    asked &= ~truth | (logit >= best[heard.piece] - WITHIN)
    weight = asked / np.bincount(heard.piece[asked], minlength=len(chosen)).clip(1)[heard.piece]
    clips = np.bincount(sounds.group[chosen], minlength=sounds.group.max() + 1).clip(1)
    weight /= np.sqrt(clips[sounds.group[heard.piece]])
    for side in (truth & asked, ~truth & asked):
        source = sounds.source[heard.piece[side]]
        weight[side] /= np.sqrt(np.bincount(source, weight[side])[source])
        weight[side] *= 0.5 / weight[side].sum()
    return Asked(truth, asked, weight)


def fitted_row(label: int, start: Row, heard: Heard, sounds: Sounds, chosen: NDArray[np.bool_]) -> Row:
    """One row, [units] and its bias, fitted on the chosen pieces from what it was."""
    one = asked_of(label, start, heard, sounds, chosen)
    truth, asked, weight = one.truth, one.asked, one.weight
    x = torch.as_tensor(heard.embedding[asked])
    y = torch.as_tensor(truth[asked].astype(np.float32))
    share = torch.as_tensor(weight[asked].astype(np.float32))
    begun = torch.as_tensor(start[0])
    row, bias = begun.clone().requires_grad_(), torch.tensor(float(start[1]), requires_grad=True)
    optimiser = torch.optim.LBFGS([row, bias], max_iter=80, history_size=15, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        said = nn.functional.binary_cross_entropy_with_logits(x @ row + bias, y, reduction="none")
        value = (said * share).sum() + PULL * ((row - begun) ** 2).sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return row.detach().numpy(), float(bias.detach())


@dataclass(frozen=True)
class Rows:
    """Rows [parts, labels, units] and biases [parts, labels]; `units` are those of the hidden layer that are read."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    units: NDArray[np.int64]


def fit(published: nn.Linear, heard: Heard, sounds: Sounds) -> Rows:
    """The rows of every part, beginning with `published` (512 units), on the units that rows on all lean on most."""
    weight, bias = published.weight.detach().numpy(), published.bias.detach().numpy()
    whole = sounds.taught(ALL)
    first = [fitted_row(i, (weight[i], float(bias[i])), heard, sounds, whole) for i in range(len(LABELS))]
    leaning = (np.abs(np.stack([row for row, _ in first])) * heard.embedding.std(axis=0)).max(axis=0)
    units = np.sort(np.argsort(-leaning)[:UNITS])
    read = Heard(heard.piece, np.ascontiguousarray(heard.embedding[:, units]))
    rows = np.zeros((len(PARTS), len(LABELS), UNITS), np.float32)
    biases = np.zeros((len(PARTS), len(LABELS)), np.float32)
    for part in range(len(PARTS)):
        for label in range(len(LABELS)):
            start = (np.ascontiguousarray(weight[label, units]), float(bias[label]))
            rows[part, label], biases[part, label] = fitted_row(label, start, read, sounds, sounds.taught(part))
    return Rows(rows, biases, units)


def highest(logit: NDArray[np.floating], piece: NDArray[np.int32], pieces: int) -> NDArray[np.float32]:
    """Of each piece its highest window; minus infinity where it has none."""
    best = np.full(pieces, -np.inf, np.float32)
    np.maximum.at(best, piece, logit)
    return best
