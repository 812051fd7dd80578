"""Trains the scene head (fire, smoke) and fits the embedding, with body and pyramid frozen.

    python -m models.vision.scene          # after `train`; reads build/vision/vision.pt, writes scene.pt, scene.json
    python -m models.vision.scene --judge  # average precisions of the scene.pt that lies there, on dev

One command; needs the rendered stills (`models.scenes.stills`). What lies under build/vision/scene is not computed
again (5 GB, may be deleted after). The head, always anew, learns from

- a view of each training picture, through torch with the rounding emulated (these views also fit the embedding), and
  another one through the int8 graph (`frozen.py`): runtimes round other ways, the pyramid's values by a fifth;
- flames and lamps of our own in quiet pictures and rendered rooms (`burning.py`), for real fires are filmed large and
  by day. Each view with flames comes with the same view without them, so that nothing but the flames makes the
  difference; a third is seen by night, without colour.

All at once, from nothing; what is kept is the running average of the weights after the epoch that ranks `dev` best,
real and with flames of ours.

Loss: binary cross-entropy of the picture's logits, of every cell outside the boxes of a labelled picture (a cell
outside the flames is no flame), of the cells in the middle of our flames, and of the boxes' own evidence. The cells
teach small fires: by the pictures' logits alone, which one cell hardly moves, none of 14×25 pixels was learned.
Fires are also shown far away, as cameras see them when it matters. Calibration and thresholds are fitted on `dev`:
real pictures, and flames of ours, from other seeds, in quiet pictures of `dev`.
"""

import argparse
import copy
import json
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from models.vision import quantise, records
from models.vision.burning import plumes
from models.vision.data import BUILD, INDEX
from models.vision.evaluate import f1_at, ranked_precision
from models.vision.frozen import Example, Look, example, examples, keep, kept_examples, looker, stack
from models.vision.network import EMBEDDING, SceneHead, Vision, pool_evidence, pooled
from models.vision.records import Record
from models.vision.scene_views import LABELS, SIDE_PX, SOMEWHERE, as_many, burning_views, chosen, prepare, rooms
from models.vision.train import HEADS, WEIGHTS, load

KEPT = BUILD / "scene"
BATCH = 32
NOISE = {"c8": 0.05, "c16": 0.05, "p16": 0.05}
"""What is added to each feature, in standard deviations of a batch; with .1 for `c16` and .2 for `p16` fire was hardly
learned (dev .75)."""
BURNING, LAMPS = 1800, 400
"""Quiet training pictures with flames (each without, too) and with a lamp in them; an eighth as many of dev."""
DEV_SHARE = 8
DEV_PLUMES = range(100, 104)
NONE_WEIGHT, FLAME_WEIGHT, SOMEWHERE_WEIGHT = 1.0, 0.25, 0.5
"""How much the cells that hold none, the cells that are flames, and the boxes' own evidence count beside the pictures'
logits."""
SMOKE_WEIGHT = 2.0
"""How much a picture with smoke counts: there are half as many as with fire."""
EAGER = 4.0
"""The head's first weights are so many times torch's: its inputs are small, and it learned nothing in two epochs."""
RATE = 3e-3
"""The highest learning rate."""
AVERAGE = 0.99
"""How much of the average of weights each step keeps."""


def real(look: Look, rows: list[Record], seed: int) -> list[Example]:
    """One augmented view of each training picture."""
    random, learned = np.random.default_rng((seed, 3)), [row for row in rows if row.split == "train"]
    return examples(look, (prepare(row, random) for row in learned), KEPT / "real.pt", len(learned))


def ours(look: Look, rows: list[Record], split: str, seed: int) -> list[Example]:
    """Views with flames of our own of one split; dev's plumes and pictures are not those that are learned from."""
    dev = split == "dev"
    quiet = [row for row in rows if row.split == split and row.fire == 0 and row.smoke == 0]
    quiet = quiet + as_many(rooms(split), len(quiet))
    fires, lamps = (count // DEV_SHARE if dev else count for count in (BURNING, LAMPS))
    moments = plumes(DEV_PLUMES.start, len(DEV_PLUMES)) if dev else plumes()
    views = burning_views(quiet, moments, fires, lamps, seed)
    return examples(look, views, KEPT / f"burning-{split}.pt", 2 * fires + lamps)


def of_fire_only(one: Example) -> Example:
    """The same, nothing said of smoke: thousands of our quiet pictures would drown the few real ones with smoke."""
    nobody = torch.full_like(one.cells[1], torch.nan)
    return replace(one, labels=torch.stack([one.labels[0], nobody[0, 0]]), cells=torch.stack([one.cells[0], nobody]))


def plain(look: Look, rows: list[Record]) -> list[Example]:
    """The pictures of dev as they are."""
    dev = [row for row in rows if row.split == "dev"]
    return examples(look, (prepare(row, None) for row in dev), KEPT / "dev.pt", len(dev))


def emulated(net: Vision, rows: list[Record], seed: int) -> list[Example]:
    """One augmented view of each training picture, rounded as torch emulates it; fits the embedding of `net` on them.

    The embedding is fitted on the plain views of dev's pictures, too.
    """
    random = np.random.default_rng(seed)
    jobs = [(row, random) for row in rows if row.split == "train"] + [(row, None) for row in rows if row.split == "dev"]
    if not (KEPT / "emulated.pt").exists():
        views, vectors = (prepare(*job) for job in jobs), []
        columns: list[list[Tensor]] = [[], [], [], [], []]
        with torch.no_grad():
            for _ in tqdm(range(0, len(jobs), 8), desc="emulated", mininterval=10):
                some = list(islice(views, 8))
                image = np.stack([canvas for canvas, _, _ in some]).transpose(0, 3, 1, 2).astype(np.float32)
                raw = net.raw(torch.from_numpy(image))
                vectors.append(pooled(raw))
                told = torch.tensor([labels for _, _, labels in some])
                cells = torch.from_numpy(np.stack([known for _, known, _ in some]))
                for column, part in zip(columns, (raw.body[0], raw.body[1], raw.pyramid[1]), strict=False):
                    column.append(part.half())
                columns[3].append(told)
                columns[4].append(cells)
        fit_embedding(net, torch.cat(vectors).float())
        torch.save(net.embed.state_dict(), KEPT / "embedding.pt")
        keep(
            [torch.cat(column)[: sum(row.split == "train" for row in rows)] for column in columns], KEPT / "emulated.pt"
        )
    net.embed.load_state_dict(torch.load(KEPT / "embedding.pt"))
    return kept_examples(KEPT / "emulated.pt")


def maps_of(head: SceneHead, views: list[Example], *, noisy: bool = False) -> Tensor:
    features = [stack(views, field) for field in NOISE]
    if noisy:
        shares = NOISE.values()
        features = [x + share * x.std() * torch.randn_like(x) for x, share in zip(features, shares, strict=True)]
    return head.maps(*features)


def loss_of(head: SceneHead, batch: list[Example]) -> Tensor:
    maps, labels, cells = maps_of(head, batch, noisy=True), stack(batch, "labels"), stack(batch, "cells")
    known = ~labels.isnan()
    weight = torch.tensor([1.0, SMOKE_WEIGHT]).expand_as(labels)[known]
    wanted = labels[known] * 0.96 + 0.02
    picture = F.binary_cross_entropy_with_logits(pool_evidence(maps)[known], wanted, pos_weight=weight)
    none = (F.softplus(maps) * (cells == 0)).sum() / (cells == 0).sum().clamp(min=1)
    flame = (F.softplus(-maps) * (cells == 1)).sum() / (cells == 1).sum().clamp(min=1)
    return picture + NONE_WEIGHT * none + FLAME_WEIGHT * flame + SOMEWHERE_WEIGHT * boxed(maps, cells == SOMEWHERE)


def boxed(maps: Tensor, inside: Tensor) -> Tensor:
    """How little the boxes' cells alone, `inside` [B,2,h,w], say of what is in them."""
    some = inside.flatten(2).any(2)
    cells = maps.flatten(2).masked_fill(~inside.flatten(2), -30.0)
    evidence = (cells.softmax(2) * cells).sum(2)
    return (F.softplus(-evidence) * some).sum() / some.sum().clamp(min=1)


def anew() -> SceneHead:
    """A head that knows nothing yet."""
    head = SceneHead()
    with torch.no_grad():
        for layer in (head.fine, head.middle, head.context, head.mix):
            layer.weight.mul_(EAGER)
    return head


def fit_head(
    head: SceneHead,
    train: list[Example],
    dev: list[Example],
    burning_dev: list[Example],
    epochs: int,
    seed: int,
) -> dict[str, float]:
    """Trains in place, keeps the running average of weights of the epoch that ranks both devs best; their figures."""
    random = np.random.default_rng(seed)
    steps = len(train) // BATCH
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * steps + 1)
    average = copy.deepcopy(head)
    best: tuple[float, dict[str, Tensor], dict[str, float]] | None = None
    for epoch in range(epochs):
        loss = learn_once(head, average, train, random, optimiser, schedule)
        figures = dev_figures(average, dev) | {"burning_fire_ap": dev_figures(average, burning_dev)["fire_ap"]}
        print(f"epoch {epoch} loss {loss:.3f}", figures, flush=True)
        if best is None or sum(figures.values()) > best[0]:
            best = (sum(figures.values()), copy.deepcopy(average.state_dict()), figures)
    assert best is not None
    head.load_state_dict(best[1])
    return best[2]


def learn_once(
    head: SceneHead,
    average: SceneHead,
    train: list[Example],
    random: np.random.Generator,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """One epoch in shuffled batches, `average` running along; the loss of its last batch."""
    head.train()
    order, loss = random.permutation(len(train)), torch.zeros(())
    for step in range(len(train) // BATCH):
        loss = loss_of(head, [train[index] for index in order[step * BATCH : (step + 1) * BATCH]])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        blend(average, head)
    return float(loss.detach())


def blend(average: SceneHead, head: SceneHead) -> None:
    with torch.no_grad():
        for mine, new in zip(average.parameters(), head.parameters(), strict=True):
            mine.mul_(AVERAGE).add_(new, alpha=1 - AVERAGE)


def logits_of(head: SceneHead, views: list[Example]) -> np.ndarray:
    head.eval()
    with torch.no_grad():
        parts = [pool_evidence(maps_of(head, views[i : i + 64])) for i in range(0, len(views), 64)]
    return torch.cat(parts).numpy()


def dev_figures(head: SceneHead, dev: list[Example]) -> dict[str, float]:
    logits, labels = logits_of(head, dev), stack(dev, "labels").numpy()
    out = {}
    for index, label in enumerate(LABELS):
        known = ~np.isnan(labels[:, index])
        if not labels[known, index].any():
            continue
        out[f"{label}_ap"] = round(ranked_precision(labels[known, index].astype(np.int64), logits[known, index]), 4)
    return out


def calibration(
    head: SceneHead, dev: list[Example], burning_dev: list[Example]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Platt scaling per label on dev and flames of ours there, and the threshold of the best F1 on dev."""
    parts = [(logits_of(head, part), stack(part, "labels").numpy()) for part in (dev, burning_dev)]
    logits, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    real = np.arange(len(labels)) < len(dev)
    scales, thresholds = {}, {}
    for index, label in enumerate(LABELS):
        known = ~np.isnan(labels[:, index])
        truth, x = labels[known, index].astype(np.int64), logits[known, index].astype(np.float64)
        scale, offset = platt(x, truth)
        prob = 1 / (1 + np.exp(-(scale * x + offset)))
        candidates = np.linspace(0.05, 0.95, 91)
        seen = real[known]
        best = int(np.argmax([f1_at(truth[seen], prob[seen], t) for t in candidates]))
        thresholds[label] = round(float(candidates[best]), 2)
        scales[label] = {"scale": round(scale, 4), "offset": round(offset, 4), "prior": round(float(truth.mean()), 4)}
    return scales, thresholds


def platt(x: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Logistic regression on one logit, targets softened as Platt does."""
    hits = truth.sum()
    target = np.where(truth == 1, (hits + 1) / (hits + 2), 1 / (len(truth) - hits + 2))
    both = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    values, wanted = torch.tensor(x), torch.tensor(target)
    solver = torch.optim.LBFGS([both], max_iter=200)

    def closure() -> Tensor:
        solver.zero_grad()
        loss = F.binary_cross_entropy_with_logits(both[0] * values + both[1], wanted)
        loss.backward()
        return loss

    solver.step(closure)
    return float(both[0]), float(both[1])


def fit_embedding(net: Vision, rows: Tensor) -> None:
    """The first 128 principal directions of the pooled features, each scaled to unit spread.

    Small directions are scaled less (a floor on the deviation), so that noise does not speak loudest.
    """
    rows = rows.double()
    mean, spread = rows.mean(0), rows.std(0).clamp(min=1e-3)
    standard = (rows - mean) / spread
    values, vectors = torch.linalg.eigh(standard.T @ standard / len(standard))
    values, vectors = values.flip(0)[:EMBEDDING], vectors.flip(1)[:, :EMBEDDING]
    matrix = vectors.T / (values.sqrt() + 0.1 * values[0].sqrt()).unsqueeze(1) / spread
    with torch.no_grad():
        net.embed.weight.copy_(matrix.float())
        net.embed.bias.copy_((-matrix @ mean).float())


def judged(net: Vision, rows: list[Record], *, infrared: bool) -> dict[str, float]:
    """Average precisions on dev, as it is or as infrared would show it."""
    look = looker(net, SIDE_PX)
    views = (prepare(row, None, infrared=infrared) for row in rows if row.split == "dev")
    return dev_figures(net.scene, [example(look, view) for view in views])


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the scene head.")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge", action="store_true", help="only measure the scene.pt that lies there on dev")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    net = load(WEIGHTS, heads=options.judge)
    rows = chosen(list(records.read(INDEX)), options.seed)
    if options.judge:
        print("dev", judged(net, rows, infrared=False), "in infrared", judged(net, rows, infrared=True))
        return
    quantise.switch(net, True)
    KEPT.mkdir(parents=True, exist_ok=True)
    pictures = emulated(net, rows, options.seed)
    look = looker(net, SIDE_PX)
    dev, burning_dev = plain(look, rows), ours(look, rows, "dev", options.seed)
    pictures = pictures + real(look, rows, options.seed)
    flames = [of_fire_only(one) for one in ours(look, rows, "train", options.seed)]
    torch.manual_seed(options.seed)
    head = anew()
    figures = fit_head(head, pictures + flames, dev, burning_dev, options.epochs, options.seed)
    scales, thresholds = calibration(head, dev, burning_dev)
    print("dev", figures, scales, thresholds)
    torch.save({"scene": head.state_dict(), "embed": net.embed.state_dict()}, HEADS)
    notes = {"calibration": scales, "thresholds": thresholds, "dev": figures}
    (BUILD / "scene.json").write_text(json.dumps(notes, indent=1))


if __name__ == "__main__":
    main()
