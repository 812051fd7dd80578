"""Teaches what tells postures by a person's whole box (`models.vision.stances`), and writes it into the graphs.

    python -m models.vision.stance collect --repositories DIR   # after `judge write`, before `lean`; resumes
    python -m models.vision.stance learn                        # build/vision/stance: stance.pt and .json, two minutes
    python -m models.vision.stance write                        # into the live graphs of models/zoo, and the cards

What the published int8 graph's body holds over the boxes of people whose posture is known (`people`) is sampled once,
of the two likeliest cells of each. Among real people the three postures are equally frequent, and so they are among
rendered ones, so that no posture is told by how a picture looks.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from agent.features.letterbox import letterbox, to_tensor
from agent.inference.vision import decode, places_of
from agent.types import POSTURES
from models.vision import people
from models.vision.columns import Columns
from models.vision.data import BUILD, ROOT, add_repositories, shared_folder
from models.vision.export import entry
from models.vision.judging import require_plain
from models.vision.people import Shown, View
from models.vision.posture import CELLS_PER_PERSON, LEAST_IOU, LEAST_SCORE, SIZE, training_views, whole_views
from models.vision.posture_figures import balanced, iou
from models.vision.stances import StanceHead, add_head, body_maps, has_head, sampled
from models.vision.teachers import session

ZOO = Path(__file__).resolve().parents[1] / "zoo"
KEPT = BUILD / "stance"
WEIGHTS, NOTES = KEPT / "stance.pt", KEPT / "stance.json"
VERSION = "0.6.0"
SURE_PROB = 0.3
"""Whom MoveNet is asked about in clips."""
SEED, TRIES, STEPS, BATCH, RATE, DECAY = 8, 4, 500, 128, 3e-3, 1e-2
REAL = (
    {"coco": 1.0, "coco-whole": 1.3, "clip": 0.4},
    {"coco": 1.0, "coco-whole": 1.3, "clip": 0.2},
    {"coco-turned": 0.55, "fallen": 0.2, "coco": 0.08, "coco-whole": 0.17},
)
"""How often each source is drawn for a posture, by POSTURES: few lie in photographs without having been turned."""
RENDERED_SHARE = 0.65
RENDERED = {"still": 0.8, "still-whole": 0.7, "rendered": 0.4, "rendered-whole": 0.6}
Samples = NDArray[np.float16]


@dataclass
class Rows(Columns):
    """What was sampled at many people; row i of each. `boxes` are the graph's, in canvas pixels."""

    samples: Samples  # [n, C, GRID, GRID]
    boxes: NDArray[np.float32]  # [n, 4]
    told: NDArray[np.float32]  # [n, 3], by the head of one cell
    posture: NDArray[np.int64]
    dev: NDArray[np.bool_]
    source: NDArray[np.str_]
    group: NDArray[np.str_]


class Reader:
    """Runs a published int8 graph, on one thread, and tells what its body holds."""

    def __init__(self, zoo: Path = ZOO, size: tuple[int, int] = SIZE) -> None:
        model = onnx.load(str(zoo / f"vision-{size[0]}x{size[1]}.int8.onnx"))
        if has_head(model.graph):
            raise ValueError("the graphs have the head already: what is learned from is read off those of before")
        require_plain(model)
        self.size, self._names = size, ["scores", "sides", "posture", *body_maps(model.graph)]
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in self._names[3:]
        )
        self._session = session(model.SerializeToString())

    def look(self, canvas: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Outputs `scores`, `sides` and `posture`, and the body's maps `8` and `16` [C, h, w]."""
        scores, sides, told, fine, middle = self._session.run(self._names, {"image": to_tensor(canvas)})
        return {"scores": scores, "sides": sides, "posture": told, "8": fine[0], "16": middle[0]}

    def people(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Boxes of people in a picture's pixels, best first."""
        canvas, fit = letterbox(picture, *self.size)
        scores, boxes = places_of(self.look(canvas), self.size)
        found = decode(scores[:1], boxes, SURE_PROB)
        height, width = picture.shape[:2]
        return np.asarray(fit.to_fractions(found.boxes) * (width, height, width, height), np.float64)


def rows_of(reader: Reader, views: Iterator[tuple[View, Shown, str]]) -> Rows:
    kept: list[tuple[object, ...]] = []
    for view, shown, source in views:
        out = reader.look(view.canvas)
        scores, boxes_at = places_of(out, reader.size)
        cells = np.flatnonzero(scores[0] >= LEAST_SCORE)
        boxes = boxes_at(cells)
        for truth, posture in zip(view.boxes, view.postures, strict=True):
            fits = iou(truth, boxes) >= LEAST_IOU
            best = np.argsort(-scores[0][cells] * fits, kind="stable")[: min(CELLS_PER_PERSON, int(fits.sum()))]
            for cell, box in zip(cells[best], boxes[best], strict=True):
                samples = np.concatenate([sampled(out["8"], box, 8), sampled(out["16"], box, 16)])
                told = out["posture"][0, :, cell]
                kept.append((samples.astype(np.float16), box, told, posture, shown.is_dev, source, shown.group))
    return Rows(*(np.array(column) for column in zip(*kept, strict=True)))


def collect(repositories: Path) -> None:
    """Sample all that is learned from; parts that are there stay."""
    reader, shared = Reader(), shared_folder()
    scenes, stills = ROOT / "build/scenes", ROOT / "build/stills"
    shown: dict[str, Callable[[], Iterator[Shown]]] = {
        "rendered": lambda: people.rendered_people(scenes, held=False),
        "stills": lambda: people.still_people(stills),
        "coco": lambda: people.coco_people(repositories),
        "clips": lambda: people.clip_people(shared, "train", reader.people, people.movenet(shared)),
    }
    for name, find in shown.items():
        for ending in ("",) if name == "clips" else ("", "-whole"):
            path = KEPT / f"rows-{name}{ending}.npz"
            if not path.exists():
                views = whole_views(find(), SIZE) if ending else training_views(find(), SEED)
                rows_of(reader, views).save(path)
                print(path.name, flush=True)


def read_rows() -> Rows:
    """All that `collect` wrote. FileNotFoundError where it has not."""
    parts = [Rows.read(path) for path in sorted(KEPT.glob("rows-*.npz"))]
    if not parts:
        raise FileNotFoundError(f"nothing in {KEPT}: run `collect`")
    return Rows(*(np.concatenate([getattr(one, name) for one in parts]) for name in vars(parts[0])))


def shares(rows: Rows, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """How often each of the rows `chosen` is drawn: all postures of real, and of rendered people equally often."""
    source, posture = rows.source[chosen], rows.posture[chosen]
    weight = np.zeros(len(chosen))
    for index in range(len(POSTURES)):
        for table, all_of_them in ((REAL[index], 1 - RENDERED_SHARE), (RENDERED, RENDERED_SHARE)):
            part = np.zeros(len(chosen))
            for name, share in table.items():
                mine = (source == name) & (posture == index)
                part[mine] = share / max(1, mine.sum())
            weight += all_of_them * part / max(part.sum(), 1e-9)
    return np.asarray(weight / weight.sum())


def learned(rows: Rows, seed: int) -> StanceHead:
    """A head of all that is not for choosing."""
    torch.manual_seed(seed)
    random, train = np.random.default_rng(seed), np.flatnonzero(~rows.dev)
    some = torch.from_numpy(rows.samples[train[:: max(1, len(train) // 2000)]]).float()
    head = StanceHead(some.mean((0, 2, 3)), some.std((0, 2, 3)).clamp(min=1e-2))
    weight = shares(rows, train)
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS + 1)
    head.train()
    for _ in range(STEPS):
        batch = random.choice(train, BATCH, p=weight)
        samples, boxes = (torch.from_numpy(values[batch]).float() for values in (rows.samples, rows.boxes))
        loss = F.cross_entropy(head(samples, boxes), torch.from_numpy(rows.posture[batch]), label_smoothing=0.03)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return head.eval()


def logits_of(head: StanceHead, rows: Rows, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Both heads' together [n, 3], as the graph tells them."""
    places = np.flatnonzero(chosen)
    with torch.no_grad():
        parts = [
            head(torch.from_numpy(rows.samples[part]).float(), torch.from_numpy(rows.boxes[part]).float())
            for part in np.split(places, range(512, len(places), 512))
        ]
    told = torch.cat(parts) + torch.from_numpy(rows.told[places])
    return (told * head.sharpness).double().numpy()


def dev_figures(head: StanceHead, rows: Rows) -> dict[str, float]:
    """Balanced accuracy on dev: of people as they were found, of rendered ones, and of those who were turned."""
    turned, rendered = np.char.endswith(rows.source, "-turned"), np.isin(rows.source, list(RENDERED))
    out = {}
    for name, kind in (("as_found", ~turned & ~rendered), ("rendered", rendered), ("turned", turned)):
        chosen = rows.dev & kind
        out[name] = round(balanced(rows.posture[chosen], logits_of(head, rows, chosen).argmax(1)), 4)
    return out | {"mean": round(float(np.mean(list(out.values()))), 4)}


def temperature(head: StanceHead, rows: Rows) -> float:
    """The divisor of the logits that makes dev likeliest, weighted as what is learned from; kept in the head."""
    dev = np.flatnonzero(rows.dev)
    logits, truth = torch.from_numpy(logits_of(head, rows, rows.dev)), torch.from_numpy(rows.posture[dev])
    weight = torch.from_numpy(shares(rows, dev))
    choices = np.exp(np.linspace(np.log(0.4), np.log(4.0), 60))
    losses = [float((F.cross_entropy(logits / one, truth, reduction="none") * weight).sum()) for one in choices]
    best = float(choices[int(np.argmin(losses))])
    head.sharpness.fill_(1.0 / best)
    return best


def learn() -> None:
    """The best of four seeds on dev, its temperature; kept."""
    torch.set_num_threads(1)
    rows = read_rows()
    counts = Counter(f"{source} {POSTURES[posture]}" for source, posture in zip(rows.source, rows.posture, strict=True))
    heads = [learned(rows, seed) for seed in range(SEED, SEED + TRIES)]
    figures = [dev_figures(head, rows) for head in heads]
    best = max(range(TRIES), key=lambda index: figures[index]["mean"])
    print(*figures, "temperature", temperature(heads[best], rows), sep="\n")
    torch.save(heads[best].state_dict(), WEIGHTS)
    NOTES.write_text(json.dumps({"posture_dev": figures[best], "rows": counts}, indent=1))


def write(zoo: Path = ZOO) -> None:
    """Put the head into the graphs; all else in them stays."""
    head, notes = StanceHead(), json.loads(NOTES.read_text())
    head.load_state_dict(torch.load(WEIGHTS))
    card, fused = (json.loads((zoo / name).read_text("utf-8")) for name in ("vision.json", "fusion.json"))
    new = {}
    for number, before in enumerate(card["files"]):
        if (before["width_px"], before["height_px"]) != SIZE:
            continue  # stills: their heads lie nearer to photographs, and all files together stay below 16 MB
        path = zoo / before["file"]
        model = onnx.load(str(path))
        add_head(model, head)
        path.write_bytes(model.SerializeToString())
        after = card["files"][number] = entry(path, before["precision"], before["width_px"], before["height_px"])
        new[before["sha256"]] = after["sha256"]
    card["version"] = VERSION
    card["training"]["stance"] = {"command": "python -m models.vision.stance"} | notes
    # Fusion reads no postures, and all else is the same.
    fused["needs"] |= {"vision": [new.get(sha256, sha256) for sha256 in fused["needs"]["vision"]]}
    for name, content in (("vision.json", card), ("fusion.json", fused)):
        (zoo / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("collect", "learn", "write"))
    add_repositories(parser)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    KEPT.mkdir(parents=True, exist_ok=True)
    if options.command == "collect":
        collect(options.repositories)
    else:
        {"learn": learn, "write": write}[options.command]()


if __name__ == "__main__":
    main()
