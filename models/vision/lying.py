"""Trains the detection heads alone, so that people who lie, crouch or are small are found: body and pyramid stay.

    python -m models.scenes.stills         # rendered people on floors (environment `render`)
    python -m models.vision.lying          # after `train`, `scene`, `posture`; writes build/vision/vision{,-stills}.pt

Body and pyramid are frozen to the bit, so the scene's heads, its embedding and what was trained beside it stay valid.
What the pyramid of the shipped int8 graph holds is computed once per view, in ONNX Runtime. Views: training pictures
with their drawn boxes or, where they looked, the joint boxes of `teachers`; some of them on their side; and the stills.
People learn from those boxes; all other classes from the head's own answers of before, which also speak for people in
real pictures, more softly. The person head reads the towers: what it said at people before is held, too.
"""

import argparse
import copy
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.features.letterbox import letterbox, to_tensor
from models.vision import augment, evaluate, graph, losses, quantise, records, sources, teachers, train
from models.vision.data import BUILD, INDEX, ROOT
from models.vision.detect import found_in
from models.vision.network import BINS, STRIDES, Head, PersonHead, Vision, cell_points, flat, flatten, grid_sizes
from models.vision.quantised import freeze_scales
from models.vision.records import IGNORE

CACHE = BUILD / "lying"
BEFORE = BUILD / "vision-before-lying.pt"
STILLS = ROOT / "build/stills"
SIZES = ((320, 192), (320, 320), (416, 416))
SHARES = (0.65, 0.12, 0.23)
STILL_VIEWS, TURNED = 3, 0.2
PERSON = 0
LEAST_VISIBLE, LEAST_PIXELS = 0.35, 120
"""Of a rendered person: less is neither learned from nor held against."""
BATCH = 12
LIVE_SHARE, STILL_SHARE = 0.7, 0.4
"""Of the way to the learned heads. All of it finds the most people who lie and loses the most in photographs, so the
wide graph, which watches cameras, goes further than the square ones, which serve stills."""
STOP = 900
"""The step whose moving average ships; the rate goes down until the last one."""
DEV_EVERY = 3
"""Of the dev stills, to save time."""
Level = NDArray[np.float16]


@dataclass(frozen=True)
class View:
    """A canvas's pyramid [96, N] over all strides, its boxes there, and whether the old head is to be believed."""

    size: tuple[int, int]
    pyramid: Level
    truth: losses.Truth
    believes_old: bool


class Pyramid(nn.Module):
    """The frozen network as far as the heads read it."""

    def __init__(self, net: Vision) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([flat(x) for x in self.net.pyramid(self.net.body(image - 114.0))], 2)


class Heads(nn.Module):
    """The part that learns; named as in Vision, so that `train.RelativeAdam` finds its way."""

    def __init__(self, net: Vision) -> None:
        super().__init__()
        self.heads = net.heads

    def forward(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Pyramid levels → towers and the logits of `Raw.levels`."""
        heads = [head for head in self.heads if isinstance(head, Head)]
        towers = [head.tower(x) for head, x in zip(heads, levels, strict=True)]
        return towers, [head.last(x) for head, x in zip(heads, towers, strict=True)]


def session_of(net: Vision, size: tuple[int, int]) -> onnxruntime.InferenceSession:
    """The int8 pyramid on one thread."""
    rounded = copy.deepcopy(net)
    quantise.switch(rounded, True)
    freeze_scales(rounded)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    model = graph.int8_model(Pyramid(rounded), *size, ("pyramid",))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


@dataclass(frozen=True)
class Picture:
    """What a view is made from: a file, boxes in fractions, classes, beliefs, classes that are complete."""

    file: Path
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    sure: NDArray[np.float32]
    complete: list[int]
    drawn: bool


def photographs() -> Iterator[Picture]:
    """Training pictures whose people are known: drawn, or by the word of the teachers where they looked."""
    said = teachers.load() if teachers.FUSED.exists() else {}
    for record in records.read(INDEX):
        known = PERSON in record.complete
        if record.split == "train" and (known or record.file in said) and "HIT-UAV" not in record.source:
            drawn = np.array(record.boxes, np.float32).reshape(-1, 4), np.array(record.classes, np.int64).reshape(-1)
            believed = train.believed(*drawn, record.complete, said.get(record.file))
            yield Picture(BUILD / "pictures" / record.file, *believed, True)


def stills() -> Iterator[Picture]:
    """The rendered pictures to learn from, each as often as it is shown."""
    for line in (STILLS / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not row["dev"]:
            yield from [_still(row)] * STILL_VIEWS


def _still(row: dict[str, list[dict[str, float]]]) -> Picture:
    boxes = np.array([one["box"] for one in row["people"]], np.float32).reshape(-1, 4) / (640, 360, 640, 360)
    seen = [one["pixels"] >= LEAST_PIXELS and one["visible"] >= LEAST_VISIBLE for one in row["people"]]
    classes = np.where(np.array(seen, bool), PERSON, IGNORE).astype(np.int64)
    return Picture(STILLS / str(row["file"]), boxes.astype(np.float32), classes, np.ones(len(boxes), np.float32),
                   [PERSON], False)  # fmt: skip


def view_of(
    one: Picture, size: tuple[int, int], random: np.random.Generator
) -> tuple[NDArray[np.uint8], losses.Truth, bool]:
    """A canvas with its boxes, seen as cameras see, and whether the old head is to be believed about its people."""
    picture, boxes = sources.read_picture(one.file), one.boxes
    people = bool((one.classes == PERSON).any())
    turned = one.drawn and people and random.random() < TURNED
    if turned:
        picture, boxes = augment.quarter_turned(picture, boxes, random)
    picture, boxes, visible = augment.camera_view(picture, boxes, random)
    canvas, fit = letterbox(picture, *size)
    placed = fit.to_canvas(boxes)
    big = ((placed[:, 2:] - placed[:, :2]) >= 2).all(1)
    classes = np.where(visible, one.classes, IGNORE)
    truth = losses.Truth(torch.from_numpy(placed[big]), torch.from_numpy(classes[big]),
                         losses.complete_mask([PERSON] if PERSON in one.complete else []),
                         torch.from_numpy(one.sure[big]))  # fmt: skip
    return canvas, truth, one.drawn and not turned


def gather(net: Vision, part: str, seed: int) -> list[View]:
    """All views of a part with their features; kept, so that an interrupted run goes on."""
    path = CACHE / f"{part}.pt"
    if path.exists():
        kept: list[View] = torch.load(path, weights_only=False)
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    sessions = {size: session_of(net, size) for size in SIZES}
    views, began = [], time.monotonic()
    for number, one in enumerate(PARTS[part]()):
        random = np.random.default_rng((seed, len(part), number))
        size = SIZES[random.choice(len(SIZES), p=SHARES)]
        canvas, truth, believes_old = view_of(one, size, random)
        pyramid = sessions[size].run(None, {"image": to_tensor(canvas)})[0][0].astype(np.float16)
        views.append(View(size, pyramid, truth, believes_old))
        if number % 500 == 0:
            print(f"{number} {part}, {time.monotonic() - began:.0f} s", flush=True)
    torch.save(views, path)
    return views


PARTS: Mapping[str, Callable[[], Iterator[Picture]]] = {"photographs": photographs, "stills": stills}


def batches(views: list[View], random: np.random.Generator) -> Iterator[list[View]]:
    """One round through all views, each batch of one size."""
    by_size: dict[tuple[int, int], list[View]] = defaultdict(list)
    for index in random.permutation(len(views)):
        by_size[views[index].size].append(views[index])
    made = [rows[at : at + BATCH] for rows in by_size.values() for at in range(0, len(rows) - BATCH + 1, BATCH)]
    yield from (made[index] for index in random.permutation(len(made)))


def levels_of(views: list[View]) -> list[Tensor]:
    width, height = views[0].size
    sizes = [(-(-height // stride), -(-width // stride)) for stride in STRIDES]
    together = torch.from_numpy(np.stack([view.pyramid for view in views])).float()
    parts = together.split([h * w for h, w in sizes], 2)
    return [part.reshape(len(views), -1, h, w) for part, (h, w) in zip(parts, sizes, strict=True)]


@dataclass(frozen=True)
class Weights:
    """How much each part counts."""

    drawn: float = 1.0
    old_person: float = 0.3
    person_head: float = 0.3


def loss_of(new: Heads, old: Heads, told: PersonHead | None, views: list[View], part: Weights) -> Tensor:
    levels = levels_of(views)
    with torch.no_grad():
        old_towers, theirs = old(levels)
    towers, ours = new(levels)
    total = held(ours, theirs, [view.believes_old for view in views], part)
    points = cell_points(grid_sizes(ours), levels[0].device)
    # Judged on its own answers of now: the old boxes of lying people are no measure of what fits them.
    total = total + part.drawn * losses.drawn(ours, [x.detach() for x in ours], points, [view.truth for view in views])
    if told is not None and part.person_head:
        total = total + part.person_head * same_word(told, levels, old_towers, towers, theirs)
    return total


def held(ours: list[Tensor], theirs: list[Tensor], believed: list[bool], part: Weights) -> Tensor:
    """`losses.distilled`, with people counting as `old_person` says where the old head is believed, else not at all."""
    logits, sides = flatten(ours)
    their_logits, their_sides = flatten(theirs)
    wanted = their_logits.sigmoid()
    counts = torch.ones_like(wanted)
    counts[:, :, PERSON] = torch.tensor(believed).float()[:, None] * part.old_person
    seen = (wanted * (counts > 0)).amax(2)
    rows = seen > 0.1
    mass = seen[rows].sum().clamp(min=1.0)
    score = (losses.quality_focal(logits, wanted) * counts).sum() / mass
    logs = sides[rows].reshape(-1, 4, BINS).log_softmax(2)
    aims = their_sides[rows].reshape(-1, 4, BINS).softmax(2)
    divergence = F.kl_div(logs, aims, reduction="none").sum((1, 2))
    return score + 0.5 * (divergence * seen[rows]).sum() / mass


def same_word(
    told: PersonHead, levels: list[Tensor], before: list[Tensor], now: list[Tensor], theirs: list[Tensor]
) -> Tensor:
    """How differently the person head speaks at people because its towers changed."""
    total, mass = levels[0].new_zeros(()), 1e-6
    for level, old_tower, tower, old in zip(levels, before, now, theirs, strict=True):
        at = (old[:, PERSON].sigmoid() > 0.15).float()
        with torch.no_grad():
            was = told(level, old_tower)
        apart = F.kl_div(told(level, tower).log_softmax(1), was.softmax(1), reduction="none").sum(1)
        total = total + (apart * at).sum()
        mass += float(at.sum())
    return total / mass


def figures(net: Vision, stills: list[evaluate.Still], threshold: float) -> dict[str, float]:
    """Person AP50 on drawn dev pictures at 320×320; and `rendered_figures`."""

    def predict(image: NDArray[np.float32]) -> evaluate.Outputs:
        with torch.no_grad():
            scores, sides, *_ = net(torch.from_numpy(image))
        return {"scores": scores.numpy(), "sides": sides.numpy()}

    found = evaluate.find(predict, stills, 320, 320)
    ap50, ap = evaluate.average_precision(stills, found, (1,))
    scores, hits, truths = evaluate.ranked_hits(stills, [row for row in found if row["category_id"] == 1])
    sure = scores >= threshold
    out = {"ap50": ap50, "ap": ap, "precision": float(hits[sure].mean()), "recall": float(hits[sure].sum() / truths)}
    return {name: round(value, 4) for name, value in (out | rendered_figures(predict, threshold)).items()}


def rendered_figures(predict: evaluate.Predict, threshold: float) -> dict[str, float]:
    """By posture the share of people on the dev stills whom a box shows, and false boxes per picture."""
    rows = [json.loads(line) for line in (STILLS / "index.jsonl").read_text().splitlines()]
    seen: dict[str, list[bool]] = defaultdict(list)
    false = []
    for row in [row for row in rows if row["dev"]][::DEV_EVERY]:
        canvas, fit = letterbox(sources.read_picture(STILLS / row["file"]), 320, 192)
        out = predict(to_tensor(canvas))
        told = found_in(out, (320, 192), threshold, classes=1)
        boxes = fit.to_fractions(told.boxes) * (640, 360, 640, 360)
        truths = np.array([one["box"] for one in row["people"]], np.float32).reshape(-1, 4)
        overlaps = teachers.iou(truths, boxes) if len(truths) and len(boxes) else np.zeros((len(truths), len(boxes)))
        false.append(int((overlaps.max(0, initial=0) < 0.1).sum()))
        for one, overlap in zip(row["people"], overlaps, strict=True):
            if one["pixels"] >= 250 and one["visible"] >= LEAST_VISIBLE:
                seen[one["posture"]].append(bool((overlap >= 0.5).any()))
    return {posture: float(np.mean(hits)) for posture, hits in sorted(seen.items())} | {"false": float(np.mean(false))}


def mixed(before: Mapping[str, Tensor], after: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between the heads of before and those that learned; everything else stays, to the bit."""
    learned = {name for name, value in before.items() if name.startswith("heads.") and value.is_floating_point()}
    return {
        name: value + share * (after[name] - value) if name in learned else value for name, value in before.items()
    }  # fmt: skip


def write(before: Mapping[str, Tensor], after: Mapping[str, Tensor], live_share: float, still_share: float) -> None:
    """Keep what was learned, and the weights of both kinds of graph."""
    torch.save(dict(after), CACHE / "learned.pt")
    torch.save(mixed(before, after, live_share), train.WEIGHTS)
    torch.save(mixed(before, after, still_share), train.STILL_WEIGHTS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the detection heads on frozen features.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="share of a weight's size per step")
    parser.add_argument("--drawn", type=float, default=Weights.drawn)
    parser.add_argument("--old-person", type=float, default=Weights.old_person)
    parser.add_argument("--person-head", type=float, default=Weights.person_head)
    parser.add_argument("--threshold", type=float, default=0.36)
    parser.add_argument("--stop", type=int, default=STOP, help="end at this step, however many rounds are planned")
    parser.add_argument("--live-share", type=float, default=LIVE_SHARE, help="of the learned heads, wide graph")
    parser.add_argument("--still-share", type=float, default=STILL_SHARE, help="of the learned heads, square graphs")
    parser.add_argument("--check", type=int, default=300, help="steps between measurements on dev")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dev-pictures", type=int, default=120)
    parser.add_argument("--gather", action="store_true", help="only compute the features")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.manual_seed(options.seed)
    if not BEFORE.exists():
        BEFORE.write_bytes(train.WEIGHTS.read_bytes())
    before = torch.load(BEFORE, map_location="cpu")
    net = train.load(BEFORE)
    views = [view for part in PARTS for view in gather(net, part, options.seed)]
    if options.gather:
        return
    print(len(views), "views", flush=True)
    quantise.switch(net, True)
    old, told = Heads(copy.deepcopy(net)), net.person
    average = copy.deepcopy(net)
    new, mean = Heads(net), Heads(average)
    optimiser = train.RelativeAdam(new, options.rate)  # type: ignore[arg-type]
    part = Weights(options.drawn, options.old_person, options.person_head)
    dev = evaluate.dev_stills(options.dev_pictures)
    print("before", figures(average, dev, options.threshold), flush=True)
    steps = options.rounds * sum(1 for _ in batches(views, np.random.default_rng(0)))
    step, began, recent = 0, time.monotonic(), []
    for number in range(options.rounds):
        for rows in batches(views, np.random.default_rng((options.seed, 1, number))):
            loss = loss_of(new, old, told, rows, part)
            loss.backward()
            optimiser.step(options.rate * train.rate_at(step, steps))
            train.blend(mean, new, step)  # type: ignore[arg-type]
            step += 1
            recent.append(float(loss.detach()))
            if step % 20 == 0:
                spent_s = time.monotonic() - began
                print(f"step {step}/{steps} loss {np.mean(recent[-20:]):.3f} {spent_s:.0f} s", flush=True)
            if step % options.check == 0 or step in (options.stop, steps):
                print(f"step {step}", figures(average, dev, options.threshold), flush=True)
                write(before, average.state_dict(), options.live_share, options.still_share)
            if step == options.stop:
                return


if __name__ == "__main__":
    main()
