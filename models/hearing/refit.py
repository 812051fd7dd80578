"""Fits the label head anew on a body that was moved: a small step from the rows it has, on hard labels.

    python -m models.hearing.refit between --out refitted     # build/hearing/refitted/best.pt, five minutes

`interpolate` moves body and head alike, and what the head knew of shots and breaking glass no longer fits the body as
well as it did. So windows of the training part are drawn, half of them with another sound behind, and every row is
fitted to the labels, pulled towards what it is. The rows of alarms stay: their training sounds are mostly synthesised,
and each step towards those lost real sirens that nobody trained on (models/hearing/HISTORY.md). The embedding's layer
takes the step that keeps the embedding what the student made of the same windows: opinions and fusion read it.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import trange

from agent.features.logmel import SAMPLES, log_mel
from models.hearing import data, interpolate
from models.hearing.labels import ALARMS, INDEX, LABELS
from models.hearing.mixing import BACKGROUND_SHARE, CONFUSER_SHARE, SHARES
from models.hearing.net_mn import HearingMn
from models.hearing.train import as_float

WINDOWS = 7_000
PULL = 0.03
"""Ridge on each row's step; a tenth of it on the bias's."""
EMBEDDING_PULL = 10.0
SECOND_SHARE, NOISE_SHARE = 0.55, 0.6
SURE_UNDER_DB = 3.0
"""A second sound that much under the first is not asked about: nobody knows whether it can be heard."""
PLACES = 3
"""So many places of a long clip are tried; the loudest is taken."""
KEPT_ROWS = ("alarm", *ALARMS)


@dataclass(frozen=True)
class Drawn:
    """Windows float16 [n, 1, 200, 64] with what is in them, float32 [n, L] of 0 and 1, and where that may be asked."""

    x: NDArray[np.float16]
    truth: NDArray[np.float32]
    asked: NDArray[np.float32]


class Drawer:
    """Draws windows of training clips over labels and recordings. All randomness comes from the seed."""

    def __init__(self, pieces: Sequence[data.Piece], waves: NDArray[np.int16], seed: int) -> None:
        self._waves, self._rng = waves, np.random.default_rng(seed)
        trained = [piece for piece in pieces if piece.split == "train" and piece.known]
        self._pools = {label: pool for label in (*LABELS, "") if (pool := _by_recording(trained, label))}
        share = [SHARES.get(name, CONFUSER_SHARE if name else BACKGROUND_SHARE) for name in self._pools]
        self._names, self._shares = list(self._pools), np.array(share) / sum(share)

    def draw(self, count: int) -> Drawn:
        x = np.zeros((count, 1, 200, 64), np.float16)
        truth, asked = np.zeros((count, len(LABELS)), np.float32), np.ones((count, len(LABELS)), np.float32)
        for row in trange(count, desc="drawing"):
            sound, truth[row], asked[row] = self._window()
            x[row, 0] = log_mel(sound)
        return Drawn(x, truth, asked)

    def _window(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        rng = self._rng
        sound, truth = self._clip(self._name())
        asked, power = np.ones(len(LABELS), np.float32), _rms(sound)
        if rng.random() < SECOND_SHARE:
            second, also = self._clip("" if rng.random() < 0.5 else self._name())
            under_db = rng.uniform(0, 25)
            sound = sound + second * (power / _rms(second) * 10.0 ** (-under_db / 20.0))
            unsure = (also > truth) & (under_db > SURE_UNDER_DB)
            truth, asked = np.where(unsure, truth, np.maximum(truth, also)), np.where(unsure, 0.0, asked)
        if rng.random() < NOISE_SHARE:
            noise = rng.normal(0, 1, SAMPLES)
            noise = noise if rng.random() < 0.5 else np.cumsum(noise) - np.cumsum(noise).mean()
            sound = sound + noise * (power / _rms(noise) * 10.0 ** (-rng.uniform(3, 50) / 20.0))
        loudest = 10.0 ** (rng.uniform(-30, 0) / 20.0)
        return np.asarray(sound * (loudest / (np.abs(sound).max() + 1e-6)), np.float32), truth, asked

    def _name(self) -> str:
        return self._names[self._rng.choice(len(self._names), p=self._shares)]

    def _clip(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """A window of a clip with the label: anywhere in silence when short, the loudest of three places when long."""
        pool = self._pools[name]
        recording = pool[self._rng.integers(len(pool))]
        piece = recording[self._rng.integers(len(recording))]
        samples = as_float(self._waves[piece.start : piece.start + piece.samples])
        truth = np.array([label in piece.labels.split(";") for label in LABELS], np.float32)
        if len(samples) < SAMPLES:
            first = self._rng.integers(SAMPLES - len(samples) + 1)
            return np.pad(samples, (first, SAMPLES - len(samples) - first)).astype(np.float64), truth
        firsts = self._rng.integers(len(samples) - SAMPLES + 1, size=PLACES)
        return max((samples[first : first + SAMPLES].astype(np.float64) for first in firsts), key=_loudest), truth


def _by_recording(pieces: Sequence[data.Piece], label: str) -> list[list[data.Piece]]:
    """The label's clips ("": those without any) by recording; one of many clips counts as several, by their root."""
    groups: dict[str, list[data.Piece]] = defaultdict(list)
    for piece in pieces:
        if label in piece.labels.split(";"):
            groups[piece.group.rpartition("_")[0] if piece.kind == "synthetic" else piece.group].append(piece)
    return [group for group in groups.values() for _ in range(max(1, int(len(group) ** 0.5)))]


def _rms(sound: NDArray[np.floating]) -> float:
    return float(np.sqrt((sound**2).mean()) + 1e-6)


def _loudest(sound: NDArray[np.floating]) -> float:
    return float((sound**2).max())


def hidden_of(net: HearingMn, x: NDArray[np.float16]) -> Tensor:
    """What head and embedding read: float32 [n, 512]."""
    kept: list[Tensor] = []
    hook = net.hidden.register_forward_hook(lambda _, __, out: kept.append(nn.functional.hardswish(out)))
    with torch.inference_mode():
        for first in range(0, len(x), 128):
            net(torch.as_tensor(x[first : first + 128]).float())
    hook.remove()
    return torch.cat(kept).clone()


def refit_head(head: nn.Linear, hidden: Tensor, drawn: Drawn, pull: float = PULL) -> tuple[Tensor, Tensor]:
    """Weight and bias a pulled step from the head's; the rows of alarms are the head's own."""
    start, start_bias = head.weight.detach().clone(), head.bias.detach().clone()
    weight, bias = start.clone().requires_grad_(), start_bias.clone().requires_grad_()
    truth, asked = torch.as_tensor(drawn.truth), torch.as_tensor(drawn.asked)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=80, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        said = nn.functional.binary_cross_entropy_with_logits(hidden @ weight.T + bias, truth, reduction="none")
        away = ((weight - start) ** 2).sum() + 0.1 * ((bias - start_bias) ** 2).sum()
        value = (said * asked).mean(dim=0).sum() + pull * away
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    fitted, fitted_bias = weight.detach(), bias.detach()
    rows = [INDEX[label] for label in KEPT_ROWS]
    fitted[rows], fitted_bias[rows] = start[rows], start_bias[rows]
    return fitted, fitted_bias


def refit_embedding(
    embed: nn.Linear, hidden: Tensor, wanted: Tensor, pull: float = EMBEDDING_PULL
) -> tuple[Tensor, Tensor]:
    """Weight and bias a ridge step from the layer's, with which `hidden` gives what is wanted before rectifying."""
    with_one = torch.cat([hidden, torch.ones(len(hidden), 1)], dim=1).double()
    rest = wanted.double() - (hidden @ embed.weight.T + embed.bias).detach().double()
    step = torch.linalg.solve(with_one.T @ with_one + pull * torch.eye(with_one.shape[1]), with_one.T @ rest).float()
    return (embed.weight + step[:-1].T).detach(), (embed.bias + step[-1]).detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="folder under build/hearing with an interpolation")
    parser.add_argument("--student", type=Path, required=True, help="what was interpolated: whose embedding is kept")
    parser.add_argument("--out", required=True, help="name of the folder under build/hearing that gets best.pt")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    pieces, waves = data.load()
    drawn = Drawer(pieces, waves, options.seed).draw(WINDOWS)
    net, student = interpolate.load(data.BUILD / options.name / "best.pt"), interpolate.load(options.student)
    hidden = hidden_of(net, drawn.x)
    wanted = (hidden_of(student, drawn.x) @ student.embed.weight.T + student.embed.bias).detach()
    weights = net.state_dict()
    weights["head.weight"], weights["head.bias"] = refit_head(net.head, hidden, drawn)
    weights["embed.weight"], weights["embed.bias"] = refit_embedding(net.embed, hidden, wanted)
    folder = data.BUILD / options.out
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(weights, folder / "best.pt")
    said = json.loads((data.BUILD / options.name / "options.json").read_text("utf-8"))
    said["refitted"] = {"windows": WINDOWS, "pull": PULL, "embedding_pull": EMBEDDING_PULL, "seed": options.seed}
    (folder / "options.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    print(f"{folder / 'best.pt'} after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
