"""Fine-tunes `vision` with the 8-bit rounding in the loop.

    python -m models.vision.train                     # from NanoDet-Plus's weights; resumes where it stopped
    python -m models.vision.train --teachers --turned 0.1 --steps 1600 --drawn 0.5   # longer: see README

Reads the pictures of `models.vision.data`; writes build/vision/vision.pt (the moving average of the
weights, ranges included). The student starts as the float network with evened-out channels and calibrated
ranges; the float network is its teacher. Batch normalisation stays folded: at this length of training its
statistics would be worse than none. Every `--check` steps the moving average is measured on dev, and the best
is kept.
"""

import argparse
import copy
import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.features.letterbox import letterbox, to_tensor
from models.vision import augment, evaluate, losses, quantise, records, sources, teachers, weights
from models.vision.data import BUILD, INDEX, shared_folder
from models.vision.detect import Detections
from models.vision.network import CLASSES, Head, PersonHead, Vision, cell_points, grid_sizes
from models.vision.records import IGNORE, TWELVE_IDS, Record

WEIGHTS = BUILD / "vision.pt"
STILL_WEIGHTS = BUILD / "vision-stills.pt"
"""What `lying` writes for the square graphs; without it they are made from WEIGHTS like the live one."""
HEADS = BUILD / "scene.pt"
PERSON = BUILD / "person.pt"
STATE = BUILD / "train-state.pt"
LOG = BUILD / "log.csv"
NANODET = "data/vision/teachers/nanodet_plus_m_512.onnx"
CANVASES = ((320, 320), (416, 416), (320, 192))
SHARES = (0.7, 0.1, 0.2)
"""How often a batch has each canvas: rounding costs nothing measurable at 416, a point at 320."""
CALIBRATION_PICTURES = 192
LIKELY, UNLIKELY = 0.35, 0.12
"""A box that the teachers together score so high is learned from; below the second there is nothing."""
SEED = 8
AVERAGE = 0.98
RECIPE = {
    "command": "python -m models.vision.data && python -m models.vision.train && python -m models.scenes.stills "
    "&& python -m models.vision.scene && python -m models.vision.posture && python -m models.vision.lying",
    "seed": SEED,
    "initial_weights": "NanoDet-Plus-m, RangiLyu/nanodet v1.0 (Apache-2.0)",
    "teachers": ["NanoDet-Plus-m float32 (itself, before quantisation)"],
}


def load(path: Path, *, heads: bool = True) -> Vision:
    """The trained network, rounding off, with the scene's and the person's heads where they are trained and wanted.

    Raises FileNotFoundError before the first training.
    """
    net = Vision().eval()
    net.load_state_dict(torch.load(path, map_location="cpu"))
    if heads and HEADS.exists():
        kept = torch.load(HEADS, map_location="cpu")
        net.scene.load_state_dict(kept["scene"])
        net.embed.load_state_dict(kept["embed"])
    if heads and PERSON.exists():
        net.person = PersonHead()
        net.person.load_state_dict(torch.load(PERSON, map_location="cpu"))
    return net.eval()


def published(shared: Path) -> Vision:
    """The network with NanoDet-Plus-m's published weights, in float: the teacher."""
    net = Vision().eval()
    weights.load_nanodet(net, shared / NANODET)
    return net


def prepared(shared: Path, rows: list[Record], seed: int) -> Vision:
    """The published network with channels evened out and ranges calibrated: plain 8-bit conversion."""
    net = published(shared)
    quantise.equalise(net, lambda: calibration_batches(rows, seed))
    quantise.calibrate(net, calibration_batches(rows, seed), seed)
    return net


def calibration_batches(rows: list[Record], seed: int) -> Iterator[Tensor]:
    """Plain training pictures, alternately at both square sizes."""
    picks = np.random.default_rng(seed).permutation(len(rows))[:CALIBRATION_PICTURES]
    for start in range(0, len(picks), 8):
        side = (416, 320)[start // 8 % 2]
        pictures = (sources.read_picture(BUILD / "pictures" / rows[pick].file) for pick in picks[start : start + 8])
        yield torch.cat([torch.from_numpy(to_tensor(letterbox(picture, side, side)[0])) for picture in pictures])


def view(
    record: Record,
    size: tuple[int, int],
    random: np.random.Generator,
    said: Detections | None = None,
    turned: float = 0.0,
) -> tuple[Tensor, losses.Truth]:
    """One augmented picture on its canvas, with its boxes there; `said` adds what the teachers see.

    `turned` is the share of pictures that are laid on their side first, for people who lie.
    """
    picture = sources.read_picture(BUILD / "pictures" / record.file)
    drawn = np.array(record.boxes, np.float32).reshape(-1, 4), np.array(record.classes, np.int64).reshape(-1)
    boxes, labels, sure, complete = believed(*drawn, record.complete, said)
    if turned and random.random() < turned:
        picture, boxes = augment.quarter_turned(picture, boxes, random)
    picture, boxes, visible = augment.camera_view(picture, boxes, random)
    canvas, fit = letterbox(picture, *size)
    classes = np.where(visible, labels, IGNORE)
    placed = fit.to_canvas(boxes)
    big = ((placed[:, 2:] - placed[:, :2]) >= 2).all(1)
    truth = losses.Truth(torch.from_numpy(placed[big]), torch.from_numpy(classes[big]),
                         losses.complete_mask(complete), torch.from_numpy(sure[big]))  # fmt: skip
    return torch.from_numpy(to_tensor(canvas)), truth


def believed(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], complete: list[int], said: Detections | None
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], list[int]]:
    """Boxes, classes, how far each is believed, and the classes whose absence may be learned from.

    People's drawing stands for the classes that they drew completely. Of the others the teachers' likely boxes count,
    and their absence where no box of the class is doubtful.
    """
    sure = np.ones(len(boxes), np.float32)
    if said is None:
        return boxes, classes, sure, complete
    foreign = ~np.isin(said.classes, complete)
    if len(boxes) and len(said.boxes):
        same = (teachers.iou(said.boxes, boxes) > 0.5) & (said.classes[:, None] == classes[None])
        foreign &= ~same.any(1)
    likely = foreign & (said.scores >= LIKELY)
    doubtful = set(said.classes[foreign & (said.scores >= UNLIKELY) & ~likely].tolist())
    known = [label for label in range(CLASSES) if label in complete or label not in doubtful]
    return (
        np.concatenate([boxes, said.boxes[likely]]),
        np.concatenate([classes, said.classes[likely]]),
        np.concatenate([sure, said.scores[likely]]),
        known,
    )


def batches(
    rows: list[Record],
    size: int,
    start: int,
    seed: int,
    said: dict[str, Detections] | None = None,
    turned: float = 0.0,
) -> Iterator[tuple[Tensor, list[losses.Truth]]]:
    """Endless; batch number k depends on `seed` and k alone, so that training resumes exactly."""
    step = start
    while True:
        random = np.random.default_rng((seed, step))
        canvas = CANVASES[random.choice(len(CANVASES), p=SHARES)]
        picks = [rows[pick] for pick in random.integers(0, len(rows), size)]
        views = [view(record, canvas, random, (said or {}).get(record.file), turned) for record in picks]
        yield torch.cat([image for image, _ in views]), [truth for _, truth in views]
        step += 1


def loss_of(
    student: Vision, teacher: Vision, image: Tensor, truths: list[losses.Truth], part: losses.Weights
) -> Tensor:
    with torch.no_grad():
        theirs = teacher.raw(image).levels
    ours = student.raw(image).levels
    points = cell_points(grid_sizes(ours), image.device)
    return losses.distilled(ours, theirs, part) + part.drawn * losses.drawn(ours, theirs, points, truths)


class RelativeAdam:
    """Adam whose step is a share of each output channel's own size.

    Evened-out channels differ a thousandfold in the size of their weights; one absolute step would wipe
    out the small ones. A bias moves by a share of the range of its tensor.
    """

    def __init__(self, net: Vision, rate: float) -> None:
        self._pairs = [(parameter, size) for layer in _layers(net) for parameter, size in _sizes(*layer)]
        self.unit = [nn.Parameter(parameter.detach() / size) for parameter, size in self._pairs]
        self.adam = torch.optim.Adam(self.unit, rate, betas=(0.9, 0.99))

    def step(self, rate: float) -> None:
        """Apply the gradients that lie in the network's parameters, and clear them."""
        for (parameter, size), unit in zip(self._pairs, self.unit, strict=True):
            unit.grad = None if parameter.grad is None else parameter.grad * size
            parameter.grad = None
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()
        with torch.no_grad():
            for (parameter, size), unit in zip(self._pairs, self.unit, strict=True):
                parameter.copy_(unit * size)

    def state_dict(self) -> dict[str, Any]:
        return {"adam": self.adam.state_dict(), "unit": [unit.detach() for unit in self.unit],
                "size": [size for _, size in self._pairs]}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pairs = [(parameter, size) for (parameter, _), size in zip(self._pairs, state["size"], strict=True)]
        for unit, value in zip(self.unit, state["unit"], strict=True):
            unit.data.copy_(value)
        self.adam.load_state_dict(state["adam"])


def _layers(net: Vision) -> list[tuple[nn.Conv2d, float]]:
    """The detector's convolutions, each with the span of its output; the scene's heads are fitted afterwards."""
    rounded = [(conv.conv, float(conv.quant_out.high - conv.quant_out.low)) for conv in quantise.quantised_convs(net)]
    return [*rounded, *((head.last, 10.0) for head in net.heads if isinstance(head, Head))]


def _sizes(conv: nn.Conv2d, span: float) -> list[tuple[Tensor, Tensor]]:
    assert conv.bias is not None
    rms = conv.weight.detach().square().mean((1, 2, 3), keepdim=True).sqrt()
    rms = rms.clamp(min=1e-3 * float(rms.max())).expand_as(conv.weight).clone()
    return [(conv.weight, rms), (conv.bias, torch.full_like(conv.bias, max(span, 1e-3) / 40).detach())]


def blend(average: Vision, net: Vision, step: int) -> None:
    """Move the average's weights towards those of `net`: fast at first, then by 1 − AVERAGE a step."""
    keep = min(AVERAGE, (step + 1) / (step + 10))
    with torch.no_grad():
        for mine, new in zip(average.parameters(), net.parameters(), strict=True):
            mine.mul_(keep).add_(new, alpha=1 - keep)


def dev_quality(net: Vision) -> tuple[float, float]:
    """Person AP50 and AP on dev at 320×320, rounding on: what is kept is judged by their sum."""

    def predict(image: np.ndarray) -> evaluate.Outputs:
        with torch.no_grad():
            scores, sides, _, _ = net(torch.from_numpy(image))
        return {"scores": scores.numpy(), "sides": sides.numpy()}

    stills = evaluate.dev_stills(200)
    found = evaluate.find(predict, stills, 320, 320)
    person = evaluate.average_precision(stills, found, (1,))
    whole = [still for still in stills if still.complete]
    twelve = evaluate.average_precision(whole, found, TWELVE_IDS)
    print(f"dev at 320: person AP50 {person[0]:.4f} AP {person[1]:.4f}; twelve AP50 {twelve[0]:.4f}", flush=True)
    return person


def train(options: argparse.Namespace, rows: list[Record]) -> None:
    teacher = published(shared_folder())
    student = prepared(shared_folder(), rows, options.seed)
    average = copy.deepcopy(student)
    for net in (student, average):
        quantise.switch(net, True)
    optimiser = RelativeAdam(student, options.rate)
    step, best = 0, -1.0
    if STATE.exists() and not options.restart:
        state = torch.load(STATE, map_location="cpu")
        student.load_state_dict(state["student"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, best = int(state["step"]), float(state["best"])
        print("resuming at step", step)
    else:
        LOG.unlink(missing_ok=True)
    if options.first and step == 0:
        best = keep_best(average, best, step)
    part = losses.Weights(drawn=options.drawn)
    began, recent = time.monotonic(), []
    said = teachers.load() if options.teachers else None
    for image, truths in batches(rows, options.batch, step, options.seed, said, options.turned):
        if step >= options.steps:
            break
        loss = loss_of(student, teacher, image, truths, part)
        loss.backward()
        optimiser.step(options.rate * rate_at(step, options.steps))
        blend(average, student, step)
        step += 1
        recent.append(float(loss.detach()))
        if step % 10 == 0:
            spent_s = time.monotonic() - began
            mean = round(float(np.mean(recent[-10:])), 4)
            print(f"step {step}/{options.steps} loss {mean:.3f} {spent_s:.0f} s", flush=True)
            note({"step": step, "loss": mean})
        if step % options.check == 0 or step == options.steps:
            best = keep_best(average, best, step)
        if step % options.save == 0 or step % options.check == 0 or step == options.steps:
            save_state({"student": student, "average": average, "optimiser": optimiser}, step, best)


def keep_best(average: Vision, best: float, step: int) -> float:
    """Measure on dev, log it, and write the weights if none were better; return the best sum of AP50 and AP so far."""
    ap50, ap = dev_quality(average)
    note({"step": step, "ap50": round(ap50, 4), "ap": round(ap, 4)})
    if ap50 + ap > best:
        torch.save(average.state_dict(), WEIGHTS)
    return max(best, ap50 + ap)


def note(row: dict[str, float]) -> None:
    """A line of build/vision/log.csv, for the learning curve."""
    fresh = not LOG.exists()
    with LOG.open("a", newline="") as file:
        lines = csv.DictWriter(file, ("step", "loss", "ap50", "ap"))
        if fresh:
            lines.writeheader()
        lines.writerow(row)


def save_state(parts: dict[str, Any], step: int, best: float) -> None:
    """Write what an interrupted run needs to go on."""
    rows = {name: part.state_dict() for name, part in parts.items()}
    part = STATE.with_suffix(".part")
    torch.save(rows | {"step": step, "best": best}, part)
    part.replace(STATE)  # an interruption while writing must not cost the run


def rate_at(step: int, steps: int) -> float:
    """Warm up over 30 steps, then half a cosine to a twentieth."""
    return min(1.0, (step + 1) / 30) * (0.05 + 0.475 * (1 + math.cos(math.pi * step / steps)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tune vision with quantisation in the loop.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-4, help="share of a weight's size per step")
    parser.add_argument("--drawn", type=float, default=0.2, help="weight of the loss against drawn boxes")
    parser.add_argument("--check", type=int, default=160, help="steps between measurements on dev")
    parser.add_argument("--save", type=int, default=20, help="steps between states that a resumed run goes on from")
    parser.add_argument("--teachers", action="store_true", help="learn also from models.vision.teachers' boxes")
    parser.add_argument("--turned", type=float, default=0.0, help="share of pictures laid on their side")
    parser.add_argument("--first", action="store_true", help="measure (and keep, if best) plain conversion first")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--restart", action="store_true", help="forget an interrupted run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.manual_seed(options.seed)
    train(options, [record for record in records.read(INDEX) if record.split == "train"])


if __name__ == "__main__":
    main()
