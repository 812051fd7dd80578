"""Builds the manifest and the caches from which the sound model is trained. Nothing is downloaded.

    python -m models.hearing.data                         # ../shared/data/audio only
    python -m models.hearing.data --extra DIR             # besides: DIR/<owner>+<name>/… (see catalogue.py)
    python -m models.hearing.data --extra DIR --teachers  # and the teachers' outputs (minutes to an hour)

Writes under build/hearing (or $VEDETTE_BUILD/hearing, for a run from nothing beside an older one): `manifest.csv`
(a row for each piece of at most 10 s), `waves.npy` (int16, 16 kHz, all pieces in a row), and with --teachers
`teachers.npz`. Each step is skipped when its file is there;
delete it to do it anew. `--extra` takes clones of public repositories, e.g. made by
`git clone https://github.com/Alejandro-131004/AC-II DIR/Alejandro-131004+AC-II` with the old commit that
holds the sounds checked out; `models/hearing/README.md` lists them with what is read.
"""

import argparse
import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly
from tqdm import tqdm

from agent.features.logmel import RATE_HZ
from models.hearing import catalogue, synth
from models.hearing.exclude import Fences, content_key, read_never_train
from models.hearing.labels import LABELS, SECURITY, ours

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))
BUILD = Path(os.environ.get("VEDETTE_BUILD", ROOT / "build")) / "hearing"
PIECE_S = 10.0
PIECES_PER_FILE = 12
DEV_SHARE = 0.15
SYNTHESISED = 720
SOUNDS = {".wav", ".ogg", ".mp3", ".flac"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A row of the manifest: `samples` int16 from `start` in waves.npy; labels are joined by `;`.

    `known` is 0 where the labels are not to be believed (`suspect_label`, rules without a label): then
    only the teachers speak. `split` is train, dev, val, or outside: found after the shipped weights were trained, which
    therefore never heard it.
    """

    repo: str
    clip: str
    labels: str
    group: str
    split: str
    known: int
    kind: str
    licence: str
    start: int
    samples: int


def decode(path: Path) -> NDArray[np.int16]:
    """Any sound file as mono 16 kHz int16; the channels' mean. Raises soundfile.LibsndfileError."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate_hz != RATE_HZ:
        shared = gcd(rate_hz, RATE_HZ)
        mono = resample_poly(mono, RATE_HZ // shared, rate_hz // shared)
    return np.asarray(np.clip(mono * 32768.0, -32768, 32767), np.int16)


def dev_groups(pieces: list["Piece"]) -> set[str]:
    """Training groups that become dev: about 15 % of each label's pieces, chosen by the groups' names alone.

    Rare labels choose first; a group that holds more than a quarter of a label's pieces stays in training, and so
    does what we synthesised: thresholds rest on recordings alone. Sources that were found later do not choose.
    """
    held = [
        piece
        for piece in pieces
        if piece.split != "val" and piece.kind != "synthetic" and piece.repo not in catalogue.LATER
    ]
    sizes = {label: Counter(p.group for p in held if label in p.labels.split(";")) for label in (*LABELS, "")}
    chosen: set[str] = set()
    for counts in sorted(sizes.values(), key=lambda counts: sum(counts.values())):
        total, taken = sum(counts.values()), sum(counts[group] for group in chosen)
        for group in sorted(counts, key=_shuffled):
            if group not in chosen and counts[group] <= total / 4 and taken + counts[group] <= DEV_SHARE * total * 1.2:
                chosen.add(group)
                taken += counts[group]
            if taken >= DEV_SHARE * total:
                break
    return chosen


def _shuffled(group: str) -> str:
    return hashlib.sha256(f"dev:{group}".encode()).hexdigest()


def shared_rows() -> list[dict[str, str]]:
    with (SHARED / "data/audio/manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Store:
    """Collects pieces; drops what the fences forbid and what was heard before."""

    def __init__(self, fences: Fences) -> None:
        self.fences = fences
        self.pieces: list[Piece] = []
        self.waves: list[NDArray[np.int16]] = []
        self.dropped: Counter[str] = Counter()
        self.known_sounds = Fences(frozenset())
        self._seen: set[str] = set()
        self._start = 0

    def add(self, samples: NDArray[np.int16], repo: str, clip: str, listed: catalogue.Listing, split: str) -> None:
        """Take one clip of at most 10 s (val clips are taken as they are)."""
        reason = None if split == "val" else self._reason(samples, repo, clip, listed.group)
        if reason:
            self.dropped[f"{repo}: {reason}"] += 1
            return
        self.pieces.append(
            Piece(repo, clip, ";".join(ours(list(listed.labels))), listed.group, split, int(listed.known),
                  listed.kind, listed.licence, self._start, samples.size)
        )  # fmt: skip
        self.waves.append(samples)
        self._start += samples.size

    def _reason(self, samples: NDArray[np.int16], repo: str, clip: str, group: str) -> str | None:
        key = content_key(samples)
        if key in self._seen:
            return "heard before"
        self._seen.add(key)
        if repo in catalogue.LAST:
            known = self.known_sounds.recognises(samples)
            self.known_sounds.fence_off(repo, clip, group, samples)
            if known:
                return "another's sound"
        return self.fences.forbids(repo, clip, group) or self.fences.recognises(samples)

    def know(self) -> None:
        """Recognise from here on, in whatever codec, the security sounds that are in the store already."""
        for piece, samples in zip(self.pieces, self.waves, strict=True):
            if {*piece.labels.split(";")} & {*SECURITY}:
                self.known_sounds.fence_off(piece.repo, piece.clip, piece.group, samples)

    def write(self) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        dev = dev_groups(self.pieces)
        self.pieces = [replace(p, split="dev") if p.group in dev and p.split != "val" else p for p in self.pieces]
        heard = {p.group for p in self.pieces if p.repo not in catalogue.LATER}
        self.pieces = [
            replace(piece, split="outside") if piece.repo in catalogue.LATER and piece.group not in heard else piece
            for piece in self.pieces
        ]
        np.save(BUILD / "waves.npy", np.concatenate(self.waves))
        with (BUILD / "manifest.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Piece)])
            writer.writeheader()
            writer.writerows(asdict(piece) for piece in self.pieces)


def load() -> tuple[list[Piece], NDArray[np.int16]]:
    """The manifest's rows and the samples they point into (memory-mapped)."""
    with (BUILD / "manifest.csv").open(newline="") as file:
        rows = [
            Piece(**{**row, "known": int(row["known"]), "start": int(row["start"]), "samples": int(row["samples"])})
            for row in csv.DictReader(file)
        ]
    return rows, np.load(BUILD / "waves.npy", mmap_mode="r")


def add_shared(store: Store) -> None:
    """Validation first (it builds the fences), then training."""
    rows = shared_rows()
    for row in tqdm([*filter(_is_val, rows), *(row for row in rows if not _is_val(row))], desc="shared"):
        samples = decode(SHARED / "data/audio" / row["file"])
        if _is_val(row):
            store.fences.fence_off(row["source_repo"], row["source_clip"], row["group"], samples)
        listed = catalogue.Listing(
            tuple(row["labels"].split(";")), row["group"], row["suspect_label"] != "1", row["kind"], row["licence"]
        )
        store.add(samples, row["source_repo"], row["source_clip"], listed, "val" if _is_val(row) else "train")


def _is_val(row: dict[str, str]) -> bool:
    return row["split"] == "val"


def pieces_of(samples: NDArray[np.int16]) -> Iterator[tuple[float, NDArray[np.int16]]]:
    """Cut into pieces of 10 s with their starting seconds; a long file gives evenly spread ones."""
    length = int(PIECE_S * RATE_HZ)
    starts = np.arange(0, max(1, samples.size - RATE_HZ // 2), length)
    for index in np.unique(np.linspace(0, len(starts) - 1, min(len(starts), PIECES_PER_FILE)).round().astype(int)):
        yield starts[index] / RATE_HZ, samples[starts[index] : starts[index] + length]


def add_extra(store: Store, folder: Path) -> None:
    """Sources found later come last: what they share with others was heard there."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS and path.is_file())
    named = [path.relative_to(folder).as_posix().partition("/") for path in files]
    listed_files = [(top.replace("+", "/", 1), inner, path) for (top, _, inner), path in zip(named, files, strict=True)]
    listed_files.sort(key=lambda one: (one[0] in catalogue.LATER, one[0] in catalogue.LAST))
    for repo, inner, path in tqdm(listed_files, desc="extra"):
        if repo in catalogue.LAST and not store.known_sounds.fingerprints:
            store.know()
        listed = catalogue.listing(repo, inner)
        if listed is None or (store.fences.forbids(repo, inner, listed.group)):
            store.dropped[f"{repo}: not listed or fenced"] += 1
            continue
        try:
            samples = decode(path)
        except soundfile.LibsndfileError:
            store.dropped[f"{repo}: not decodable"] += 1
            continue
        for start_s, piece in pieces_of(samples):
            if piece.size >= 1600:
                store.add(piece, repo, f"{inner}@{start_s:.2f}s", listed, "train")


def add_synthetic(store: Store) -> None:
    """Our own alarm beeps and sirens (`synth.py`): exact patterns that no recording here has."""
    for index, (label, samples) in enumerate(synth.alarms(SYNTHESISED)):
        listed = catalogue.Listing(("alarm", label), f"synth_{label}_{index // 8}", kind="synthetic", licence="ours")
        store.add(np.asarray(samples * 32767.0, np.int16), "vedette/synth", f"{label}/{index}", listed, "train")


def build(extra: Path | None) -> None:
    if (BUILD / "manifest.csv").exists():
        return
    store = Store(Fences(read_never_train(SHARED / "data/never_train.txt")))
    add_shared(store)
    if extra:
        add_extra(store, extra)
    add_synthetic(store)
    store.write()
    report(store)


def report(store: Store) -> None:
    hours: Counter[str] = Counter()
    for piece in store.pieces:
        hours[piece.split] += piece.samples / RATE_HZ / 3600
    print({split: round(value, 2) for split, value in hours.items()}, "hours,", len(store.pieces), "pieces")
    for reason, count in sorted(store.dropped.items()):
        print(f"  dropped {count:5d}  {reason}")
    counts = Counter((label, p.split) for p in store.pieces if p.known for label in p.labels.split(";"))
    for label in sorted({label for label, _ in counts}):
        print(
            f"  {label or '(none)':18s}",
            *(f"{split} {counts[label, split]:5d}" for split in ("train", "dev", "val", "outside")),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", type=Path, help="folder of public repositories, <owner>+<name>/…")
    parser.add_argument(
        "--teachers", nargs="?", const="both", choices=("both", "mn04"), help="run the teachers over every piece"
    )
    options = parser.parse_args()
    build(options.extra)
    if options.teachers:
        from models.hearing import teachers  # noqa: PLC0415 - needs torch and OpenVINO, the rest does not

        teachers.build(with_yamnet=options.teachers == "both")


if __name__ == "__main__":
    main()
