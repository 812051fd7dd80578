"""Teaches the second judge of fire and smoke: on whole pictures, and on the part that the agent looks at closer.

    python -m models.vision.judge collect   # after models.vision.data and models.vision.flames; resumes
    python -m models.vision.judge learn     # build/vision/judge/judge.pt and judge.json, half a minute
    python -m models.vision.judge write     # into the graphs of models/zoo, their card, and that of fusion; then
    python -m models.vision.lean            # makes them leaner, last of all: `collect` reads them as they were before

Of each of 4,000 photographs the published graph's evidence (`models.vision.judging`) is read twice: of the whole, and
of the half around the place where its map of fire is highest. In a picture without fire that is where it resembles one
most: what the judge has to learn not to believe. A part shows a fire where it holds enough of a drawn box.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from agent.features.letterbox import letterbox, to_tensor
from agent.inference.burning import PART_FRAC
from agent.inference.vision import SECOND, export_for
from models.vision import records
from models.vision.data import BUILD, INDEX
from models.vision.export import entry
from models.vision.flames import MORE
from models.vision.judging import EVIDENCE, Judge, add_judge, evidence_of, read_tensors, require_plain
from models.vision.network import SHARPNESS
from models.vision.records import Record
from models.vision.scene import platt
from models.vision.teachers import session

ZOO = Path(__file__).resolve().parents[1] / "zoo"
KEPT = BUILD / "judge"
WEIGHTS, NOTES = KEPT / "judge.pt", KEPT / "judge.json"
VERSION = "0.5.0"
LABELS = ("fire", "smoke")
SIZES_PX = ((320, 192), (320, 320), (416, 416))
LIVE_PX = (320, 192)
CHUNK, CHUNKS = 500, 8
MIRRORED = 0.3
HELD_FRAC, SURE_LOGIT = 0.3, 1.0
"""A part shows what is drawn where it holds this share of a box, or the box fills so much of it; of pictures without
boxes it is believed where the published head says so."""
SEED, EPOCHS, BATCH, RATE, DECAY = 0, 12, 128, 3e-3, 0.1
DEV_OF = 8
"""One group in so many is held back for the calibration and the figures."""
FloatArray = NDArray[np.float32]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Views:
    """Evidence [n, EVIDENCE] of n views, truth [n, 2] (-1: nobody said) and the groups [n] of their pictures."""

    evidence: FloatArray
    truth: NDArray[np.int8]
    group: NDArray[np.str_]


class Reader:
    """Reads the evidence off the published int8 graphs."""

    def __init__(self, zoo: Path = ZOO) -> None:
        self._runs = {size: _session(zoo / f"vision-{size[0]}x{size[1]}.int8.onnx") for size in SIZES_PX}

    def look(self, picture: Picture) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
        """Evidence [EVIDENCE], the pooled logits [2], and where the map of fire is highest, x y in fractions."""
        small = _shrunk(picture)
        size = export_for(SIZES_PX, small.shape[1], small.shape[0])
        canvas, fit = letterbox(small, *size)
        names, running = self._runs[size]
        *cells, maps = (out[0] for out in running.run(names, {"image": to_tensor(canvas)}))
        row, column = np.unravel_index(int(np.argmax(maps[0])), maps[0].shape)
        x, y = (column + 0.5) * 16, (row + 0.5) * 16
        hottest = fit.to_fractions(np.array([[x, y, x, y]]))[0, :2].tolist()
        return evidence_of(np.concatenate(cells), maps), _pooled(maps), (hottest[0], hottest[1])


def _session(path: Path) -> tuple[list[str], onnx.ModelProto]:
    model = onnx.load(str(path))
    require_plain(model)
    read, shown = read_tensors(model.graph)
    names = [*read, shown]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    return names, session(model.SerializeToString())


def _shrunk(picture: Picture) -> Picture:
    """As live pictures come: at most as large as the live canvas."""
    scale = min(1.0, LIVE_PX[0] / picture.shape[1], LIVE_PX[1] / picture.shape[0])
    if scale == 1.0:
        return picture
    size = tuple(max(2, round(side * scale)) for side in picture.shape[1::-1])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _pooled(maps: FloatArray) -> FloatArray:
    flat = maps.reshape(2, -1)
    odds = np.exp(flat * np.array(SHARPNESS, np.float32)[:, None])
    return np.asarray((flat * odds).sum(1) / odds.sum(1), np.float32)


def part_around(hottest: tuple[float, float]) -> tuple[float, float, float, float]:
    """The corners of the part that is looked at closer."""
    left, top = (min(max(middle - PART_FRAC / 2, 0.0), 1.0 - PART_FRAC) for middle in hottest)
    return left, top, left + PART_FRAC, top + PART_FRAC


def truth_of_part(record: Record, corners: Sequence[float], logits: FloatArray) -> tuple[int, int]:
    """Whether a part shows fire, smoke: 1, 0, or -1 where that is not known. `logits` are the head's of the part."""
    told = []
    for index, whole in enumerate((record.fire, record.smoke)):
        boxes = [row[1:] for row in record.scene_boxes if int(row[0]) == index]
        if whole != 1:
            told.append(-1 if whole is None else 0)
        elif not boxes:
            told.append(1 if logits[index] > SURE_LOGIT else -1)
        else:
            held = max(_held(box, corners) for box in boxes)
            told.append(1 if held > HELD_FRAC else 0 if held == 0 else -1)
    return told[0], told[1]


def _held(box: Sequence[float], corners: Sequence[float]) -> float:
    wide = max(0.0, min(box[2], corners[2]) - max(box[0], corners[0]))
    high = max(0.0, min(box[3], corners[3]) - max(box[1], corners[1]))
    area = max(1e-6, (box[2] - box[0]) * (box[3] - box[1]))
    return max(wide * high / area, wide * high / PART_FRAC**2 * 4)


def mirrored(record: Record, picture: Picture) -> tuple[Record, Picture]:
    """Both turned left to right."""
    boxes = [[label, 1 - x2, y1, 1 - x1, y2] for label, x1, y1, x2, y2 in record.scene_boxes]
    turned = Record(**(vars(record) | {"scene_boxes": boxes}))
    return turned, np.ascontiguousarray(picture[:, ::-1])


def views_of(record: Record, picture: Picture, reader: Reader) -> Iterator[tuple[FloatArray, tuple[int, int]]]:
    """Evidence and truth of the whole, and of the part where most speaks for fire."""
    evidence, _, hottest = reader.look(picture)
    yield evidence, tuple(-1 if said is None else int(said) for said in (record.fire, record.smoke))  # type: ignore
    corners = part_around(hottest)
    x1, y1, x2, y2 = (round(c * side) for c, side in zip(corners, (*picture.shape[1::-1],) * 2, strict=True))
    evidence, logits, _ = reader.look(np.ascontiguousarray(picture[y1:y2, x1:x2]))
    yield evidence, truth_of_part(record, corners, logits)


def wanted() -> list[Record]:
    """The pictures that are learned from, by lot, those with fire or smoke and others in turn."""
    rows = [row for path in (INDEX, MORE) for row in records.read(path) if (row.fire, row.smoke) != (None, None)]
    Random(3).shuffle(rows)
    burning = [row for row in rows if 1 in (row.fire, row.smoke)]
    others = [row for row in rows if 1 not in (row.fire, row.smoke)]
    return [row for pair in zip(burning, others, strict=False) for row in pair][: CHUNK * CHUNKS]


def collect() -> None:
    """Read the evidence of all that is learned from; chunks that are there stay."""
    rows, reader = wanted(), Reader()
    for number in range(CHUNKS):
        path = KEPT / f"views-{number}.npz"
        if not path.exists():
            _collect(rows[number * CHUNK :][:CHUNK], reader, Random(f"photos_{number:02d}"), path)
            print(path.name, flush=True)


def _collect(rows: Sequence[Record], reader: Reader, random: Random, path: Path) -> None:
    evidence, truth, group = [], [], []
    for row in rows:
        read = cv2.imread(str(BUILD / "pictures" / row.file))
        record, picture = row, np.ascontiguousarray(np.asarray(read, np.uint8)[..., ::-1])
        if random.random() < MIRRORED:
            record, picture = mirrored(record, picture)
        for found, told in views_of(record, picture, reader):
            evidence.append(found.astype(np.float16))
            truth.append(told)
            group.append(row.group)
    np.savez(path, evidence=np.array(evidence), truth=np.array(truth, np.int8), group=np.array(group))


def read_views() -> Views:
    """All that `collect` wrote. FileNotFoundError where it has not."""
    chunks = [np.load(KEPT / f"views-{number}.npz") for number in range(CHUNKS)]
    evidence, truth, group = (
        np.concatenate([chunk[name] for chunk in chunks]) for name in ("evidence", "truth", "group")
    )
    return Views(evidence.astype(np.float32), truth, group)


def is_dev(group: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which views are held back."""
    return np.array([int(hashlib.sha256(name.encode()).hexdigest(), 16) % DEV_OF == 0 for name in group.tolist()])


def learned(views: Views) -> Judge:
    """A judge of what is not held back."""
    torch.manual_seed(SEED)
    evidence = torch.as_tensor(views.evidence)
    spread = evidence.std(0)
    judge = Judge(evidence.mean(0), spread + 0.05 * spread.mean() + 1e-3)
    truth = torch.as_tensor(views.truth.astype(np.float32))
    known, truth = (truth >= 0).float(), truth.clamp(min=0)
    optimiser = torch.optim.AdamW(judge.parameters(), RATE / 3, weight_decay=DECAY)
    steps = EPOCHS * (len(evidence) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    judge.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(evidence)).split(BATCH):
            said = F.binary_cross_entropy_with_logits(judge(evidence[rows]), truth[rows], reduction="none")
            loss = (said * known[rows]).sum() / known[rows].sum().clamp(min=1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return judge.eval()


def calibration(judge: Judge, views: Views) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """By label, as the card tells it, and the average precision: both of views that are held back."""
    with torch.no_grad():
        logits = judge(torch.as_tensor(views.evidence)).numpy()
    told, figures = {}, {}
    for index, label in enumerate(LABELS):
        known = views.truth[:, index] >= 0
        truth, said = views.truth[known, index].astype(float), logits[known, index].astype(float)
        scale, offset = platt(said, truth)
        told[f"{label}{SECOND}"] = {
            "scale": round(scale, 4), "offset": round(offset, 4), "prior": round(float(truth.mean()), 4)
        }  # fmt: skip
        figures[label] = round(average_precision(truth, said), 4)
    return told, figures


def average_precision(truth: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    """The mean precision at each hit, by falling score."""
    hits = truth[np.argsort(-said, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits == 1].mean())


def learn() -> None:
    """Learn, calibrate, keep."""
    torch.set_num_threads(1)
    views = read_views()
    dev = is_dev(views.group)
    parts = [Views(views.evidence[rows], views.truth[rows], views.group[rows]) for rows in (~dev, dev)]
    judge = learned(parts[0])
    scales, figures = calibration(judge, parts[1])
    print(len(parts[0].truth), "views;", len(parts[1].truth), "held back, average precision", figures, scales)
    torch.save(judge.state_dict(), WEIGHTS)
    NOTES.write_text(json.dumps({"calibration": scales, "dev": figures}, indent=1))


def write(zoo: Path = ZOO) -> None:
    """Put the judge into the graphs; all else in them stays. ValueError where they have one."""
    judge, notes = Judge(), json.loads(NOTES.read_text())
    judge.load_state_dict(torch.load(WEIGHTS))
    card, fused = (json.loads((zoo / name).read_text("utf-8")) for name in ("vision.json", "fusion.json"))
    new = {}
    for number, before in enumerate(card["files"]):
        path = zoo / before["file"]
        model = onnx.load(str(path))
        add_judge(model, judge.eval())
        path.write_bytes(model.SerializeToString())
        after = card["files"][number] = entry(path, before["precision"], before["width_px"], before["height_px"])
        new[before["sha256"]] = after["sha256"]
    card["version"] = VERSION
    card["calibration"] |= notes["calibration"]
    card["training"]["judge"] = {"command": "python -m models.vision.judge", "views": EVIDENCE, "dev": notes["dev"]}
    # What the fusion graph reads of them is the same to the bit.
    fused["needs"] |= {"vision": [new.get(sha256, sha256) for sha256 in fused["needs"]["vision"]]}
    for name, content in (("vision.json", card), ("fusion.json", fused)):
        (zoo / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run: dict[str, Callable[[], None]] = {"collect": collect, "learn": learn, "write": write}
    parser.add_argument("command", choices=run)
    chosen = parser.parse_args().command
    KEPT.mkdir(parents=True, exist_ok=True)
    run[chosen]()


if __name__ == "__main__":
    main()
