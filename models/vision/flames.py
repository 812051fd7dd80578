"""Teaches the published scene head (fire, smoke) more fires, to see what that gives; nothing that ships was made so.

    python -m models.vision.flames collect --repositories DIR    # after models.vision.data: more pictures of fires
    python -m models.vision.flames learn                         # features, then the head: build/vision/flames/head.pt
    python -m models.vision.flames write --zoo FOLDER            # a copy of models/zoo with that head

What it gave stands in models/vision/README.md: surer on films from elsewhere, less sure on validation and in grey.

Only the head's ten weights change: every other number of the graphs stays, and with it boxes, postures and embeddings
to the last bit. The head goes on from what ships. It reads the body's and pyramid's answers off the shipped int8 graph
of live pictures, on its own canvas of 320×192, as the agent sees (`models.vision.scene` learned on square canvases,
which show the same at the same scale but for the grey border, and smoke is a mean over all cells).

Pictures come from three public repositories whose boxes or names say what burns (`photographs`). What resembles
validation, a film of `benchmarks.fires` or an earlier picture is left out, as is what never_train.txt names.
"""

import argparse
import copy
import hashlib
import json
import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import av
import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tqdm import tqdm

from agent.features.letterbox import to_tensor
from benchmarks import fires
from models.vision import exclude, records, sources
from models.vision.burning import plumes
from models.vision.data import (
    BUILD,
    INDEX,
    add_repositories,
    shared_folder,
    store,
    validation_groups,
    validation_prints,
)
from models.vision.frozen import Example, Look, View, examples
from models.vision.network import SceneHead
from models.vision.records import Record
from models.vision.scene import DEV_PLUMES, DEV_SHARE, calibration, dev_figures, learn_once
from models.vision.scene_views import boxes_of, burning_views, chosen, framed, viewed
from models.vision.teachers import session

ZOO = Path(__file__).resolve().parents[1] / "zoo"
LIVE = "vision-320x192.int8.onnx"
LIVE_PX = (320, 192)
KEPT = BUILD / "flames"
MORE = KEPT / "index.jsonl"
HEAD = KEPT / "head.pt"
BOXED = "674137120/infrared-T-and-yolo-fire-identification"
FLAMES = "xiapinquan/fire_dataset"
NATURE = "WeliaI/Forest-Fire"
QUIET_NATURE, BURNING_NATURE = 700, 300
"""Pictures of forests and hills without and with fire, of 2,500 and 2,111."""
NEIGHBOURS = 20
"""Numbered pictures are neighbours by so many: often of one fire."""
BURNING, LAMPS = 500, 150
"""Quiet pictures with flames of our own (each without, too) and with a lamp; the head learned from more before."""
LONG_SIDE_PX = 416
"""Pictures are made so small before they are looked at in another way: the agent's own are 320 wide."""
SEED, EPOCHS, BATCH, RATE = 8, 5, 32, 1e-3
SURER = {"fire": 0.3, "smoke": 0.75}
"""How much more each score says than photographs of dev bear out: half of them burn, and large. Chosen on training
clips, dev films (`benchmarks.hours`) and `looked` ones (`benchmarks.fires`): most opens there, nothing more falsely."""
CONVOLUTIONS = ("fine", "middle", "context", "mix", "map")


def photographs(repositories: Path) -> Iterator[sources.Item]:
    """More pictures of fires and smoke, and of places where nothing burns."""
    yield from boxed_pictures(repositories)
    yield from flame_pictures(repositories)
    yield from nature_pictures(repositories)


def boxed_pictures(repositories: Path) -> Iterator[sources.Item]:
    """Pictures with boxes of fire (0) and smoke (1), one of three versions of each; they were squeezed into squares.

    Who drew flames did not always draw the smoke over them, nor the other way about: what has no box is not known.
    """
    repository = sources.Repository.find(repositories, BOXED)
    seen = set[str]()
    for path in repository.paths("datas"):
        stem = re.split(r"_(?:jpg|png|jpeg)\.rf", PurePosixPath(path).name, flags=re.IGNORECASE)[0]
        if "/images/" not in path or stem in seen:
            continue
        picture = picture_at(repository, path)
        if picture is None:
            continue
        lines = repository.read(str(PurePosixPath(path.replace("/images/", "/labels/")).with_suffix(".txt"))).decode()
        boxes = [[float(line.split()[0]), *sources.from_centre(line)] for line in lines.splitlines() if line.strip()]
        seen.add(stem)
        record = Record("", BOXED, path, "CC BY 4.0 (Roboflow, fire-and-smoke-mbhix v6)", f"boxed-{tens(stem)}")
        record.scene_boxes = boxes
        drawn = {int(box[0]) for box in boxes}
        record.fire, record.smoke = (1 if label in drawn else None if drawn else 0 for label in (0, 1))
        yield record, unsqueezed(picture)


def picture_at(repository: sources.Repository, path: str) -> sources.Picture | None:
    """A picture, or None where it is none or a partial clone lacks it."""
    try:
        return sources.decode(repository.read(path))
    except subprocess.CalledProcessError:
        return None


def unsqueezed(picture: sources.Picture) -> sources.Picture:
    """A picture that was squeezed into a square, at 4:3, as most were."""
    height = picture.shape[0]
    return np.asarray(cv2.resize(picture, (height * 4 // 3, height), interpolation=cv2.INTER_AREA), np.uint8)


def flame_pictures(repositories: Path) -> Iterator[sources.Item]:
    """Pictures with boxes of fire (class 0); of smoke nothing is said."""
    repository = sources.Repository.find(repositories, FLAMES)
    labels = set(repository.paths("labels"))
    for path in repository.paths("images"):
        label = str(PurePosixPath(path.replace("images/", "labels/", 1)).with_suffix(".txt"))
        picture = picture_at(repository, path) if label in labels else None
        if picture is None:
            continue
        lines = repository.read(label).decode().splitlines()
        boxes = [[0.0, *sources.from_centre(line)] for line in lines if line.split()[:1] == ["0"]]
        if boxes:
            record = Record("", FLAMES, path, "none stated", f"flames-{tens(PurePosixPath(path).stem)}", fire=1)
            record.scene_boxes = boxes
            yield record, picture


def nature_pictures(repositories: Path) -> Iterator[sources.Item]:
    """Forests, hills and lakes, with fire somewhere or without fire and smoke, by the folder's name."""
    repository = sources.Repository.find(repositories, NATURE)
    for folder, most in (("no_fire", QUIET_NATURE), ("fire", BURNING_NATURE)):
        paths = sorted(repository.paths(f"dataset/{folder}"), key=lambda path: hashlib.sha256(path.encode()).digest())
        for path in paths[:most]:
            picture = picture_at(repository, path)
            if picture is None:
                continue
            burns = folder == "fire"
            group = f"nature-{folder}-{tens(PurePosixPath(path).stem)}"
            yield Record("", NATURE, path, "none stated", group, fire=int(burns), smoke=None if burns else 0), picture


def tens(stem: str) -> str:
    """The name without its number, and which tens it is of: neighbours are one group."""
    number = re.search(r"[0-9]+", stem)
    return stem if number is None or len(stem) > 20 else f"{stem[: number.start()]}{int(number[0]) // NEIGHBOURS}"


def outside_prints() -> list[NDArray[np.float32]]:
    """Fingerprints of the films of `benchmarks.fires`, once a second. FileNotFoundError where they are not fetched."""
    missing = [row.path for row in fires.listed() if not row.file.exists()]
    if missing:
        raise FileNotFoundError(f"{len(missing)} films are missing: python -m benchmarks.fires fetch DIR")
    return [exclude.fingerprint(picture) for row in fires.listed() for picture in moments(row.file)]


def moments(path: Path) -> Iterator[sources.Picture]:
    """A film's pictures, one a second, small."""
    next_s = 0.0
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            if frame.time is not None and frame.time >= next_s:
                next_s = frame.time + 1.0
                yield np.asarray(frame.reformat(160, 96, "rgb24").to_ndarray(), np.uint8)


def collect(repositories: Path) -> list[Record]:
    """Store what may be learned from."""
    shared = shared_folder()
    never = exclude.load_never_train(shared / "data/never_train.txt")
    groups = validation_groups(shared)
    known = [exclude.fingerprint(sources.read_picture(BUILD / "pictures" / row.file)) for row in records.read(INDEX)]
    kept: list[Record] = []
    prints: list[NDArray[np.float32]] = []
    dropped: Counter[str] = Counter()
    (BUILD / "pictures").mkdir(parents=True, exist_ok=True)
    for record, picture in tqdm(photographs(repositories), desc="pictures", mininterval=20):
        if exclude.is_forbidden(never, record.source, record.item) or record.group in groups:
            dropped["never_train"] += 1
            continue
        record.file = f"{90000 + len(kept)}-{exclude.content_hash(picture)[:12]}.jpg"
        store(picture, BUILD / "pictures" / record.file)
        kept.append(record)
        prints.append(exclude.fingerprint(picture))
    rows = np.array(prints)
    measured = exclude.drop_lookalikes(rows, [*validation_prints(shared), *outside_prints()])
    new = measured & (exclude.SeenScenes(known).likeness(rows) < exclude.SAME_SCENE) & first_of_each(rows)
    dropped["looks like what is measured on"], dropped["known"] = int((~measured).sum()), int((measured & ~new).sum())
    kept = [record for record, good in zip(kept, new, strict=True) if good]
    print("kept", dict(Counter((record.source, record.split) for record in kept)), "dropped", dict(dropped))
    return kept


def first_of_each(prints: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which prints [n, 576] look like none before them."""
    alike = np.tril(prints @ prints.T, -1) >= exclude.SAME_SCENE
    return ~alike.any(axis=1)


def readers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The scene head's convolutions by name, found by the shapes of their weights."""
    shapes = {name: tuple(getattr(SceneHead(), name).weight.shape) for name in CONVOLUTIONS}
    constants = {one.name: tuple(one.dims) for one in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    below = ancestors(graph, "scene")
    found = {}
    for node in graph.node:
        if node.op_type == "Conv" and node.output[0] in below and node.input[1] in casts:
            shape = constants.get(casts[node.input[1]])
            found |= {name: node for name in CONVOLUTIONS if shapes[name] == shape}
    if set(found) != set(CONVOLUTIONS):
        raise ValueError(f"the graph's scene head is not as expected: {sorted(found)}")
    return found


def ancestors(graph: onnx.GraphProto, output: str) -> set[str]:
    """All tensors that an output is computed from."""
    made = {name: node for node in graph.node for name in node.output}
    seen, waiting = set[str](), [output]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += made[name].input if name in made else []
    return seen


def initializer_of(graph: onnx.GraphProto, tensor: str) -> onnx.TensorProto:
    """The constant behind a convolution's weight or bias, through the cast from float16 where there is one."""
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    name = casts.get(tensor, tensor)
    return next(one for one in graph.initializer if one.name == name)


def shipped_head(graph: onnx.GraphProto) -> SceneHead:
    """The head with the weights of a graph."""
    head = SceneHead()
    with torch.no_grad():
        for name, node in readers(graph).items():
            layer = getattr(head, name)
            layer.weight.copy_(torch.from_numpy(array_of(graph, node.input[1])))
            if len(node.input) > 2:
                layer.bias.copy_(torch.from_numpy(array_of(graph, node.input[2])))
            else:
                layer.bias.zero_()
    return head


def array_of(graph: onnx.GraphProto, tensor: str) -> NDArray[np.float32]:
    return np.asarray(numpy_helper.to_array(initializer_of(graph, tensor)), np.float32).copy()


def put(graph: onnx.GraphProto, head: SceneHead) -> None:
    """Write the head's weights over those of a graph, each in the precision that it has there."""
    for name, node in readers(graph).items():
        layer = getattr(head, name)
        for tensor, value in zip(node.input[1:], (layer.weight, layer.bias), strict=False):
            constant = initializer_of(graph, tensor)
            old = numpy_helper.to_array(constant)
            constant.CopyFrom(numpy_helper.from_array(value.detach().numpy().astype(old.dtype), constant.name))


def looker(path: Path) -> Look:
    """A function from a canvas to what the head reads of it, in a shipped graph on one thread."""
    model = onnx.load(str(path))
    convolutions = readers(model.graph)
    tensors = [convolutions[name].input[0] for name in ("fine", "middle", "context")]
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in tensors
    )
    running = session(model.SerializeToString())

    def look(canvas: NDArray[np.uint8]) -> list[torch.Tensor]:
        return [torch.from_numpy(out[0]).half() for out in running.run(tensors, {"image": to_tensor(canvas)})]

    return look


def view_of(record: Record, random: np.random.Generator | None) -> View:
    """One view on the live canvas: augmented for training, plain for dev (`random` None)."""
    picture = shrunk(sources.read_picture(BUILD / "pictures" / record.file))
    if random is None:
        return framed(picture, boxes_of(record), record, size_px=LIVE_PX)
    return viewed(picture, record, random, size_px=LIVE_PX)


def shrunk(picture: sources.Picture) -> sources.Picture:
    """A picture whose longer side is at most LONG_SIDE_PX."""
    scale = LONG_SIDE_PX / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def of_fire_only(one: Example) -> Example:
    """The same, nothing said of smoke: our quiet pictures would drown the real ones with smoke."""
    labels, cells = one.labels.clone(), one.cells.clone()
    labels[1], cells[1] = torch.nan, torch.nan
    return Example(one.c8, one.c16, one.p16, labels, cells)


def parts(look: Look) -> dict[str, list[Example]]:
    """What is learned from (`known`, `more`, `ours`) and judged on (the same names with `dev `)."""
    out: dict[str, list[Example]] = {}
    known, more = chosen(list(records.read(INDEX)), SEED), list(records.read(MORE))
    for number, (name, rows) in enumerate((("known", known), ("more", more))):
        random = np.random.default_rng((SEED, 30 + number))
        learned, held = ([row for row in rows if row.split == split] for split in ("train", "dev"))
        views = (view_of(row, random) for row in learned)
        out[name] = examples(look, views, KEPT / f"{name}.pt", len(learned))
        plain = (view_of(row, None) for row in held)
        out[f"dev {name}"] = examples(look, plain, KEPT / f"{name}-dev.pt", len(held))
    for name, split, share in (("ours", "train", 1), ("dev ours", "dev", DEV_SHARE)):
        quiet = [row for row in known if row.split == split and row.fire == 0 and row.smoke == 0]
        steps = plumes() if split == "train" else plumes(DEV_PLUMES.start, len(DEV_PLUMES))
        views = burning_views(quiet, steps, BURNING // share, LAMPS // share, SEED, size_px=LIVE_PX)
        both = examples(look, views, KEPT / f"ours-{split}.pt", (2 * BURNING + LAMPS) // share)
        out[name] = [of_fire_only(one) for one in both]
    return out


def judged(head: SceneHead, seen: dict[str, list[Example]]) -> dict[str, float]:
    """Average precisions on each part of dev."""
    out = {}
    for part in ("known", "more", "ours"):
        out |= {f"{part} {label}": value for label, value in dev_figures(head, seen[f"dev {part}"]).items()}
    return out


def learn(head: SceneHead, seen: dict[str, list[Example]], epochs: int = EPOCHS, rate: float = RATE) -> SceneHead:
    """A running average of the head's weights, after the epoch that ranks the parts of dev best."""
    train = [*seen["known"], *seen["more"], *seen["ours"]]
    random, average = np.random.default_rng(SEED), copy.deepcopy(head)
    torch.manual_seed(SEED)
    steps = len(train) // BATCH
    optimiser = torch.optim.AdamW(head.parameters(), rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * steps + 1)
    print("before", judged(average, seen), flush=True)
    best, best_sum = copy.deepcopy(average), 0.0
    for epoch in range(epochs):
        loss = learn_once(head, average, train, random, optimiser, schedule)
        figures = judged(average, seen)
        print("epoch", epoch, "loss", round(loss, 3), figures, flush=True)
        if sum(figures.values()) > best_sum:
            best, best_sum = copy.deepcopy(average), sum(figures.values())
    return best


def write(head: SceneHead, notes: dict[str, dict[str, dict[str, float]]], folder: Path) -> None:
    """Copy the zoo into `folder`, with the head in the five graphs, its calibration in their card, and new hashes.

    The fusion graph takes them for the same eye: what it reads of them is the same.
    """
    shutil.copytree(ZOO, folder, dirs_exist_ok=True)
    path, fused = folder / "vision.json", folder / "fusion.json"
    card, sheet = json.loads(path.read_text("utf-8")), json.loads(fused.read_text("utf-8"))
    new = {}
    for entry in card["files"]:
        model = onnx.load(str(folder / entry["file"]))
        put(model.graph, head)
        data = model.SerializeToString()
        (folder / entry["file"]).write_bytes(data)
        new[entry["sha256"]] = hashlib.sha256(data).hexdigest()
        entry["sha256"], entry["bytes"] = new[entry["sha256"]], len(data)
    card["calibration"] |= notes["calibration"]
    card["thresholds"] |= notes["thresholds"]
    sheet["needs"] |= {"vision": [new.get(sha256, sha256) for sha256 in sheet["needs"]["vision"]]}
    for file, content in ((path, card), (fused, sheet)):
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Teach the scene head more fires.")
    commands = parser.add_subparsers(dest="command", required=True)
    add_repositories(commands.add_parser("collect"))
    commands.add_parser("learn")
    writing = commands.add_parser("write")
    writing.add_argument("--zoo", type=Path, required=True, help="the folder that gets the copy")
    options = parser.parse_args()
    run: dict[str, Callable[[], None]] = {
        "collect": lambda: records.write(MORE, collect(options.repositories)),
        "learn": learned,
        "write": lambda: write(*kept_head(), options.zoo),
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    run[options.command]()


def learned() -> None:
    """Learn, calibrate on all parts of dev, and keep both."""
    torch.set_num_threads(1)
    seen = parts(looker(ZOO / LIVE))
    head = learn(shipped_head(onnx.load(str(ZOO / LIVE)).graph), seen)
    scales, thresholds = calibration(head, [*seen["dev known"], *seen["dev more"]], seen["dev ours"])
    for label, more in SURER.items():
        scales[label]["offset"] = round(scales[label]["offset"] + more, 4)
        odds = thresholds[label] / (1 - thresholds[label]) * math.exp(more)
        thresholds[label] = round(odds / (1 + odds), 2)
    print("kept", judged(head, seen), scales, thresholds)
    torch.save(head.state_dict(), HEAD)
    HEAD.with_suffix(".json").write_text(json.dumps({"calibration": scales, "thresholds": thresholds}, indent=1))


def kept_head() -> tuple[SceneHead, dict[str, dict[str, dict[str, float]]]]:
    head = SceneHead()
    head.load_state_dict(torch.load(HEAD))
    return head, json.loads(HEAD.with_suffix(".json").read_text())


if __name__ == "__main__":
    main()
