"""Recorded sounds as the product hears them, to be paired with clips that have none of their own.

    python -m models.fusion.sounds         # a few dozen of each label of ../shared/data/audio, split train

Rows of the sound stream, cached beside the clips' (build/fusion/observations/heard-<sha>/sounds.npz).
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
from tqdm import tqdm

from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.service.observe import observations
from agent.service.senses import Senses
from agent.types import Heard
from models.fusion.clips import CAMERA, SHARED, folders, load_senses
from models.fusion.windows import Sound, windows_of
from models.hearing.exclude import hits, read_never_train

MOST_PER_LABEL = 30


def chosen(shared: Path = SHARED) -> list[dict[str, str]]:
    """Rows of the manifest that may be trained on: at most `MOST_PER_LABEL` by first label, undoubted, real."""
    never_train = read_never_train(shared / "data" / "never_train.txt")
    with (shared / "data" / "audio" / "manifest.csv").open(encoding="utf-8", newline="") as rows:
        known = list(csv.DictReader(rows))
    held_out = {row["group"] for row in known if row["split"] == "val"}
    taken: Counter[str] = Counter()
    found = []
    for row in sorted(known, key=lambda row: row["file"][::-1]):
        label = row["labels"].split(";")[0]
        fits = row["split"] == "train" and row["kind"] == "real" and row["suspect_label"] == "0"
        allowed = row["group"] not in held_out and not hits(never_train, row["source_repo"], row["source_clip"])
        if fits and allowed and taken[label] < MOST_PER_LABEL:
            taken[label] += 1
            found.append(row)
    return found


def load(senses: Senses) -> list[Sound]:
    """The cached sounds. Raises FileNotFoundError where this module was not run."""
    with np.load(folders(senses)["heard"] / "sounds.npz") as kept:
        ends = np.cumsum(kept["lengths"])
        parts = np.split(kept["rows"].astype(np.float32), ends[:-1])
        labels = [frozenset(str(text).split(";")) for text in kept["labels"]]
        groups = [str(group) for group in kept["groups"]]
    return [Sound(rows, names, group) for rows, names, group in zip(parts, labels, groups, strict=True) if len(rows)]


def main() -> None:
    senses = load_senses()
    path = folders(senses)["heard"] / "sounds.npz"
    if path.exists():
        return
    rows, lengths, labels, groups = [], [], [], []
    for row in tqdm(chosen(), mininterval=10.0):
        spec = SourceSpec(camera=CAMERA, url=str(SHARED / "data" / "audio" / row["file"]))
        try:
            with open_media(spec) as media:
                stream = list(observations(media, camera=CAMERA, seer=None, listener=senses.listener()))
        except SourceError as error:
            print(error.line())
            continue
        windows = windows_of([one for one in stream if isinstance(one, Heard)])
        steps = [window.sound[-1] for window in windows if window.sound_known[-1]]
        rows += steps
        lengths.append(len(steps))
        labels.append(row["labels"])
        groups.append(row["group"])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, rows=np.asarray(rows, np.float16), lengths=lengths, labels=labels, groups=groups)


if __name__ == "__main__":
    main()
