"""Turns what the teachers heard into targets: cross-fitted soft labels and a 128-d embedding to regress.

AudioSet's own scores are poorly scaled for our labels (mn04_as gives breaking glass 0.1 and is right). So a
small head is fitted on the teachers' features, in five folds by group: each recording's soft labels come
from heads that never saw it. That denoises the clips' labels too: where all heads of other recordings
doubt a label, it counts less (`weight`), and in a long clip only the windows in which the event is heard
are its positives.

    python -m models.hearing.soften        # writes build/hearing/targets.npz, about two minutes
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agent.features.logmel import SAMPLES
from models.hearing import data
from models.hearing.labels import LABELS, SECURITY

FOLDS = 5
EMBEDDING = 128
KEPT = 320
HEARD_ANYWAY = 0.6
"""Probability from which the head contradicts a missing label."""
SHORT = int(1.1 * SAMPLES)


@dataclass(frozen=True)
class Targets:
    """Per window of teachers.npz: soft [n, L], embedding [n, 128], hard target and weight [n, L]."""

    piece: NDArray[np.int32]
    start: NDArray[np.int32]
    soft: NDArray[np.float32]
    embedding: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]


def load() -> Targets:
    with np.load(data.BUILD / "targets.npz") as file:
        return Targets(
            **{
                name: file[name].astype(np.float32) if file[name].dtype == np.float16 else file[name]
                for name in file.files
            }
        )


def doubtful(chosen: list[data.Piece]) -> NDArray[np.bool_]:
    """[pieces, L]: whether the teachers' head hears a label in any window of a piece, labelled or not."""
    return np.asarray(highest(chosen) > HEARD_ANYWAY)


def highest(chosen: list[data.Piece]) -> NDArray[np.float32]:
    """[pieces, L]: the most that the teachers' head says of a label in any window of a piece."""
    pieces, _ = data.load()
    targets = load()
    most = np.zeros((len(pieces), len(LABELS)), np.float32)
    np.maximum.at(most, targets.piece, targets.soft)
    place = {piece.start: row for row, piece in enumerate(pieces)}
    return np.asarray(most[[place[piece.start] for piece in chosen]], np.float32)


def clip_labels(pieces: list[data.Piece]) -> NDArray[np.float32]:
    """[pieces, L] of 0 and 1 as the manifest has it."""
    return np.array([[label in piece.labels.split(";") for label in LABELS] for piece in pieces], np.float32)


def reduced(said: dict[str, NDArray[np.floating]], train: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Teachers' features → whitened principal components [n, KEPT], fitted on the training windows."""
    raw = said["features"].astype(np.float32)
    scores = np.concatenate([said["yamnet"], said["mn04"]], axis=1).astype(np.float32)
    logits = np.log(scores + 1e-4) - np.log1p(1e-4 - np.minimum(scores, 0.9999))
    columns = np.concatenate([raw, logits], axis=1)
    mean, spread = columns[train].mean(axis=0), columns[train].std(axis=0) + 1e-3
    columns = np.clip((columns - mean) / spread, -6, 6)
    some = columns[train][:: max(1, int(train.sum() / 12_000))]
    values, vectors = np.linalg.eigh(some.T @ some / len(some))
    best = np.argsort(values)[::-1][: min(KEPT, raw.shape[1] // 2)]
    return np.asarray(columns @ (vectors[:, best] / np.sqrt(values[best])), np.float32)


def fit_head(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, seed: int, epochs: int = 12) -> nn.Module:
    """A two-layer head by weighted binary cross-entropy; heavy dropout, for there are few recordings."""
    torch.manual_seed(seed)
    head = nn.Sequential(
        nn.Dropout(0.3), nn.Linear(x.shape[1], 192), nn.ReLU(), nn.Dropout(0.5), nn.Linear(192, y.shape[1])
    )
    steps = epochs * (len(x) // 256 + 1)
    optimiser = torch.optim.AdamW(head.parameters(), 2e-3, weight_decay=3e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (256,))
        loss = nn.functional.binary_cross_entropy_with_logits(head(x[rows]), y[rows], weight[rows])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return head.eval()


def crossfit(
    x: NDArray[np.float32], y: NDArray[np.float32], weight: NDArray[np.float32], fold: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Probabilities [n, L]; windows of fold k come from a head fitted without it, fold −1 from all folds."""
    x_, y_, w_ = (torch.as_tensor(a) for a in (x, y, weight))
    out = np.zeros_like(y)
    with_labels = weight.max(axis=1) > 0
    for held in range(-1, FOLDS):
        rows = torch.as_tensor((fold >= 0) & (fold != held) & with_labels)
        head = fit_head(x_[rows], y_[rows], w_[rows], seed=held + 1)
        with torch.inference_mode():
            out[fold == held] = torch.sigmoid(head(x_[torch.as_tensor(fold == held)])).numpy()
    return out


def balance(y: NDArray[np.float32], known: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weights [n, L]: each group counts with the square root of its windows; nothing where unknown."""
    sizes = np.bincount(group)[group]
    return np.asarray((known / np.sqrt(sizes) * 3.0)[:, None] * np.ones_like(y), np.float32)


def make_targets(
    soft: NDArray[np.float32],
    y: NDArray[np.float32],
    known: NDArray[np.bool_],
    piece: NDArray[np.int32],
    short: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Blend hard and soft labels per window, with how much each may be believed.

    Labelled: the window must be among those of the clip in which the heads hear it. Not labelled:
    security sounds are absent unless the heads insist; confusers, which nobody annotates completely, are
    what the heads say.
    """
    highest = np.zeros((piece.max() + 1, soft.shape[1]), np.float32)
    np.maximum.at(highest, piece, soft)
    heard = (soft >= 0.5 * highest[piece]) | short[:, None]
    positive = (y > 0) & known[:, None]
    security = np.isin(np.arange(soft.shape[1]), range(len(SECURITY)))
    target = np.where(positive, 0.7 + 0.3 * soft, np.where(known[:, None] & security, 0.2 * soft, soft))
    doubted = highest[piece] < 0.03
    weight = np.where(positive, np.where(heard, np.where(doubted, 0.3, 1.0), 0.0), 1.0)
    weight = np.where(~positive & (soft > HEARD_ANYWAY) & security & known[:, None], 0.0, weight)
    weight = np.where(~positive & ~security, 0.5, weight) * np.where(known[:, None], 1.0, 0.5)
    return target.astype(np.float32), weight.astype(np.float32)


def main() -> None:
    torch.set_num_threads(1)
    pieces, _ = data.load()
    with np.load(data.BUILD / "teachers.npz") as file:
        said = {name: file[name] for name in file.files}
    piece = said["piece"]
    split = np.array([p.split for p in pieces])[piece]
    known = np.array([bool(p.known) for p in pieces])[piece]
    short = np.array([p.samples <= SHORT for p in pieces])[piece]
    _, group = np.unique([p.group for p in pieces], return_inverse=True)
    y, train = clip_labels(pieces)[piece], split == "train"
    x = reduced(said, train)
    fold = np.where(train, group[piece] * 7919 % FOLDS, -1)
    usable = balance(y, known & train, group[piece])
    soft = crossfit(x, y, usable, fold)
    for _ in range(1):  # once more, with the events' windows only
        target, weight = make_targets(soft, y, known, piece, short)
        soft = crossfit(x, y, usable * ((weight > 0) | (y == 0)), fold)
    target, weight = make_targets(soft, y, known, piece, short)
    kept: dict[str, Any] = {"soft": soft, "embedding": x[:, :EMBEDDING], "target": target, "weight": weight}
    np.savez(
        data.BUILD / "targets.npz",
        piece=piece,
        start=said["start"],
        **{k: v.astype(np.float16) for k, v in kept.items()},
    )
    print(f"{len(soft)} windows; doubted labels:", {
        label: int(((y[:, i] > 0) & (weight[:, i] < 1) & known).sum()) for i, label in enumerate(LABELS[:6])
    })  # fmt: skip


if __name__ == "__main__":
    main()
