"""Trains the verifier's upper blocks, hidden layer and rows, on maps of its lower blocks (models.hearing.maps).

Three trainings of three minutes on one core, each kept below build/hearing/verifier-tuned when it is done: an
interrupted run of models.hearing.verifier goes on with the next. A training begins with the published body and rows
fitted on it (models.hearing.verifier_rows). Half of each batch are windows in which one of the labels is, half are
windows of other sounds, those that the hearing graph half believes in three times as often; a source counts by the root
of what its recordings do. Beside the labels, the published classifier's other classes are held where they were: what is
told apart from shots (jackhammers, doors, dogs) must not be forgotten. What ships is `SHARE` of the way from the
beginning to the end (Wortsman et al. 2022) of averaged weights.

There is one training without either half of the later sources, by which sounds nobody learned from are judged and the
card is calibrated, and one on all. `dev` and what is kept apart teach none of them.
"""

import copy
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.hearing import data, maps, mn04
from models.hearing.labels import VERIFIED as LABELS
from models.hearing.teachers import FOLDER, class_columns
from models.hearing.verifier_rows import PARTS, Asked, Heard, Rows, Sounds, asked_of

STEPS, BATCH = 700, 64
RATE, WARM_UP = 7e-4, 50
SEED = 2
HOLD = 0.5
"""What the published classes count beside the labels."""
HALF_BELIEVED = 3.0
SHARE = 0.7
OFTEN = (0.24, 0.08, 0.14, 0.18, 0.16, 0.12, 0.08)
"""How often each label is drawn."""
KEPT = data.BUILD / "verifier-tuned"
NETS = KEPT / "nets.pt"


class Upper(nn.Module):
    """Maps [batch, 32, 8, 13] → logits [batch, 7]."""

    def __init__(self, rows: Rows, part: int) -> None:
        super().__init__()
        teacher = mn04.load(FOLDER / "mn04_as_mAP_432.pt")
        hidden = teacher.classifier[2]
        assert isinstance(hidden, nn.Linear)
        self.body = teacher.features[maps.CUT :]
        self.hidden = nn.Linear(hidden.in_features, len(rows.units))
        self.rows = nn.Linear(len(rows.units), len(LABELS))
        with torch.no_grad():
            self.hidden.weight.copy_(hidden.weight[rows.units])
            self.hidden.bias.copy_(hidden.bias[rows.units])
            self.rows.weight.copy_(torch.as_tensor(rows.weight[part]))
            self.rows.bias.copy_(torch.as_tensor(rows.bias[part]))
        self.eval()

    def pooled(self, here: Tensor) -> Tensor:
        """The body's features, [batch, 384]."""
        features: Tensor = self.body(here)
        return features.mean(dim=(2, 3))

    def embed(self, pooled: Tensor) -> Tensor:
        """What the rows read, [batch, units]."""
        return nn.functional.hardswish(self.hidden(pooled))

    def forward(self, here: Tensor) -> Tensor:
        logits: Tensor = self.rows(self.embed(self.pooled(here)))
        return logits

    @torch.inference_mode()
    def logits(self, kept: NDArray[np.float16], rows: NDArray[np.integer] | None = None) -> NDArray[np.float32]:
        """Of kept maps, or of some of them, [n, 7]."""
        rows = np.arange(len(kept)) if rows is None else rows
        said = [self(torch.as_tensor(kept[rows[i : i + 128]].astype(np.float32))) for i in range(0, len(rows), 128)]
        return torch.cat([torch.zeros(0, len(LABELS)), *said]).numpy()


@dataclass(frozen=True)
class Store:
    """Windows [n] with several renderings of each: maps [n, 32, 8, 13], and what the published body said [n, 384].

    `served` rows are heard as serving cuts them; they come after the others and have one rendering.
    """

    renderings: tuple[tuple[NDArray[np.float16], NDArray[np.float16]], ...]
    served: tuple[NDArray[np.float16], NDArray[np.float16]]

    def drawn(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Maps and pooled features of some windows, each from one of its renderings."""
        plain, which = len(self.renderings[0][0]), rng.integers(len(self.renderings), size=len(rows))
        sources = [
            (*self.renderings[one], row) if row < plain else (*self.served, row - plain)
            for one, row in zip(which, rows, strict=True)
        ]
        here, pooled = (np.stack([source[i][source[2]] for source in sources]) for i in (0, 1))
        return torch.as_tensor(here.astype(np.float32)), torch.as_tensor(pooled.astype(np.float32))


@torch.inference_mode()
def published_pooled(kept: NDArray[np.float16]) -> NDArray[np.float16]:
    """What the published upper blocks make of kept maps, [n, 384]."""
    upper = mn04.load(FOLDER / "mn04_as_mAP_432.pt").features[maps.CUT :]
    said = [
        upper(torch.as_tensor(kept[i : i + 128].astype(np.float32))).mean(dim=(2, 3)) for i in range(0, len(kept), 128)
    ]
    return torch.cat([torch.zeros(0, maps.POOLED), *said]).numpy().astype(np.float16)


class Draws:
    """Which windows a batch holds. All randomness comes from the generator."""

    def __init__(self, asked: list[Asked], half_believed: NDArray[np.bool_], rng: np.random.Generator) -> None:
        self._rng = rng
        self._true = [_ladder(np.where(one.truth, one.weight, 0.0)) for one in asked]
        others = np.mean([np.where(one.truth, 0.0, one.weight) for one in asked], axis=0)
        others *= np.all([one.asked & ~one.truth for one in asked], axis=0)
        self._false = _ladder(others * np.where(half_believed, HALF_BELIEVED, 1.0))

    def batch(self, size: int) -> NDArray[np.int64]:
        """Half true of one of the labels, half true of none."""
        labels = self._rng.choice(len(LABELS), size // 2, p=OFTEN)
        true = [self._one(self._true[label]) for label in labels]
        return np.array(true + [self._one(self._false) for _ in range(size - len(true))])

    def _one(self, ladder: tuple[NDArray[np.int64], NDArray[np.float64]]) -> int:
        rows, up_to = ladder
        return int(rows[np.searchsorted(up_to, self._rng.random(), side="right").clip(max=len(rows) - 1)])


def _ladder(weight: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows that can be drawn, and up to which number between 0 and 1 each is."""
    rows = np.flatnonzero(weight)
    return rows, np.cumsum(weight[rows]) / weight[rows].sum()


class Published(nn.Module):
    """The published classifier on pooled features: logits of the classes that speak for none of our labels."""

    def __init__(self) -> None:
        super().__init__()
        teacher = mn04.load(FOLDER / "mn04_as_mAP_432.pt")
        columns = class_columns(FOLDER / "audioset_class_labels_indices.csv")
        ours = {column for label in LABELS for column in columns[label]}
        self.classifier, self.others = teacher.classifier, [one for one in range(527) if one not in ours]
        self.requires_grad_(False).eval()

    def forward(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.classifier(pooled)[:, self.others]
        return logits


def trained(
    start: Upper, store: Store, asked: list[Asked], draws: Draws, rng: np.random.Generator, steps: int
) -> Upper:
    """The averaged weights after `steps` steps; `start` stays as it is."""
    net, averaged, published = copy.deepcopy(start), copy.deepcopy(start), Published()
    truth = np.stack([one.truth for one in asked], axis=1).astype(np.float32)
    counts = np.stack([one.asked for one in asked], axis=1).astype(np.float32)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.0)
    for step in tqdm(range(steps), desc="upper blocks", mininterval=20):
        for group in optimiser.param_groups:
            falling = 0.05 + 0.95 * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * falling
        rows = draws.batch(BATCH)
        here, was = store.drawn(rows, rng)
        pooled = net.pooled(here)
        said, wanted = net.rows(net.embed(pooled)), torch.as_tensor(truth[rows])
        loss = nn.functional.binary_cross_entropy_with_logits(said, wanted, reduction="none")
        loss = (loss * torch.as_tensor(counts[rows])).sum(dim=1).mean()
        held = nn.functional.binary_cross_entropy_with_logits(
            published(pooled), torch.sigmoid(published(was)), reduction="none"
        )
        optimiser.zero_grad()
        torch.autograd.backward(loss + HOLD * held.sum(dim=1).mean())
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        kept = min(0.99, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(averaged.parameters(), net.parameters(), strict=True):
                mean.lerp_(now, 1.0 - kept)
    return averaged


def between(start: Upper, end: Upper, share: float) -> Upper:
    """Weights that share of the way from one to the other."""
    made = copy.deepcopy(start)
    with torch.no_grad():
        for here, there in zip(made.parameters(), end.parameters(), strict=True):
            here.lerp_(there, share)
    return made


def tuned(
    rows: Rows, heard: Heard, sounds: Sounds, store: Store, half_believed: NDArray[np.bool_], *, steps: int = STEPS
) -> list[Upper]:
    """The upper blocks of every part, from the disk where their training is done; `heard` has the store's windows."""
    options = f"{steps} {BATCH} {RATE} {WARM_UP} {SEED} {HOLD} {HALF_BELIEVED} {OFTEN} {len(heard.piece)}"
    key = hashlib.sha256(options.encode() + rows.weight.tobytes()).hexdigest()[:12]
    found = []
    for part, name in enumerate(PARTS):
        path, start = KEPT / f"{name}-{key}.pt", Upper(rows, part)
        if not path.is_file():
            torch.manual_seed(SEED)
            rng, chosen = np.random.default_rng(SEED), sounds.taught(part)
            asked = [
                asked_of(label, (rows.weight[part, label], float(rows.bias[part, label])), heard, sounds, chosen)
                for label in range(len(LABELS))
            ]
            end = trained(start, store, asked, Draws(asked, half_believed, rng), rng, steps)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            torch.save(end.state_dict(), partial)
            partial.rename(path)
        end = Upper(rows, part)
        end.load_state_dict(torch.load(path, weights_only=True))
        found.append(between(start, end, SHARE))
    KEPT.mkdir(parents=True, exist_ok=True)
    torch.save((rows, [one.state_dict() for one in found]), NETS)
    return found


@dataclass(frozen=True)
class Nets:
    """The upper blocks of every part, of the last run."""

    parts: list[Upper]

    @classmethod
    def load(cls) -> "Nets":
        """Raises FileNotFoundError where there was no run."""
        rows, states = torch.load(NETS, weights_only=False)  # our own, from build/
        parts = [Upper(rows, part) for part in range(len(PARTS))]
        for one, state in zip(parts, states, strict=True):
            one.load_state_dict(state)
        return cls(parts)
