"""More photographs of fires, and of places where nothing burns, for the second judge (`models.vision.judge`).

    python -m models.vision.flames --repositories DIR    # after models.vision.data: build/vision/flames/index.jsonl

They come from three public repositories whose boxes or names say what burns (`photographs`). What resembles
validation, a film of `benchmarks.fires` or an earlier picture is left out, as is what never_train.txt names.
"""

import argparse
import hashlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import fires
from models.vision import exclude, records, sources
from models.vision.data import (
    BUILD,
    INDEX,
    add_repositories,
    shared_folder,
    store,
    validation_groups,
    validation_prints,
)
from models.vision.records import Record

KEPT = BUILD / "flames"
MORE = KEPT / "index.jsonl"
BOXED = "674137120/infrared-T-and-yolo-fire-identification"
FLAMES = "xiapinquan/fire_dataset"
NATURE = "WeliaI/Forest-Fire"
QUIET_NATURE, BURNING_NATURE = 700, 300
"""Pictures of forests and hills without and with fire, of 2,500 and 2,111."""
NEIGHBOURS = 20
"""Numbered pictures are neighbours by so many: often of one fire."""


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


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_repositories(parser)
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    records.write(MORE, collect(options.repositories))


if __name__ == "__main__":
    main()
