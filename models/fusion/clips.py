"""What the product's own senses make of every clip: observations, cached, resumable.

    python -m models.fusion.clips                       # every clip of ../shared/data/video, as it is
    python -m models.fusion.clips --variants 1          # besides: training clips mirrored, cropped, darkened, …
    python -m models.fusion.clips --kinds fight,normal  # some of them first
    python -m models.fusion.clips --variants 1 --long   # and training clips played to and fro for ten seconds
    python -m models.fusion.clips --only-more           # instead of all those the clips of models.fusion.more

One file a clip, sense and variant, as `vedette run --record` writes observations, under build/fusion/observations/:
folders carry the sha of the graphs that looked or listened, so a new graph means a new folder, and only its sense is
asked again; and the runtime if it was not ONNX Runtime, for int8 graphs are rounded otherwise in each. The clips lie
in ../shared/data (or $VEDETTE_SHARED/data); those of more_clips.csv below build/fights, where they were brought there.
"""

import argparse
import csv
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from agent.capture.source import Media, SourceSpec, open_media
from agent.config.load import of_data
from agent.errors import SourceError
from agent.features.motion import FEATURE_VERSION as MOTION_VERSION
from agent.features.motion import Motion
from agent.inference.card import Card
from agent.inference.device import TRUSTED, Chosen
from agent.inference.hearing import HearingModel, probe_sound
from agent.inference.see import people_of
from agent.inference.verifier import Verifier
from agent.inference.vision import VisionModel
from agent.service.observe import observations
from agent.service.recordings import journal
from agent.service.senses import Senses
from agent.types import Frame, Heard, Observation, Seen, SoundBlock, Uint8Array
from models.fusion.more import Row, listed
from models.fusion.to_and_fro import LONG_S, ToAndFro
from models.hearing.exclude import hits, read_never_train

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VEDETTE_SHARED", ROOT.parent / "shared"))
BUILD = ROOT / "build" / "fusion"
CAMERA = "clip"
LONGEST_VARIANT_S = 20.0
LONG = 100
"""Variant 100 is the clip itself, 101 its first altered copy, and so on, played to and fro."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of the manifest; `events` are (start_s, end_s, label)."""

    name: str
    path: Path
    kind: str
    events: tuple[tuple[float, float, str], ...]
    repo: str
    licence: str
    group: str
    split: str
    duration_s: float
    has_sound: bool = True


def manifest(shared: Path = SHARED) -> list[Clip]:
    """Every clip of the video manifest. Raises FileNotFoundError where the data is missing."""
    folder = shared / "data" / "video"
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as rows:
        return [_clip(folder, row) for row in csv.DictReader(rows)]


def more(shared: Path = SHARED) -> list[Clip]:
    """The clips of more_clips.csv that lie below build/fights, without what never_train.txt names.

    Says how many do not lie there. Nobody has listened to them, so their sound counts as unknown.
    """
    never_train = read_never_train(shared / "data" / "never_train.txt")
    every = [row for row in listed() if not hits(never_train, row.repository, row.path)]
    found = [_more(row) for row in every if row.file.exists()]
    if len(found) < len(every):
        print(f"{len(every) - len(found)} of {len(every)} clips of more_clips.csv are not here: models.fusion.more")
    return found


def _more(row: Row) -> Clip:
    return Clip(
        name=row.name,
        path=row.file,
        kind=row.kind,
        events=tuple(_event(f"{span}:fight") for span in row.events.split(";") if span),
        repo=row.repository,
        licence=row.licence,
        group=row.group,
        split="train",
        duration_s=row.seconds,
        has_sound=False,
    )


def may_train(clip: Clip, source_path: str, never_train: frozenset[str]) -> bool:
    """Whether a clip is of the training split and not kept for outside tests."""
    return clip.split == "train" and not hits(never_train, clip.repo, source_path)


def trainable(shared: Path = SHARED) -> list[Clip]:
    """The clips that may be trained on: split train, no hit of never_train.txt, no group of the validation split."""
    never_train = read_never_train(shared / "data" / "never_train.txt")
    with (shared / "data" / "video" / "manifest.csv").open(encoding="utf-8", newline="") as rows:
        source_paths = {Path(row["file"]).stem: row["source_path"] for row in csv.DictReader(rows)}
    clips = manifest(shared)
    held_out = {clip.group for clip in clips if clip.split == "val"}
    return [c for c in clips if may_train(c, source_paths[c.name], never_train) and c.group not in held_out]


def folders(senses: Senses) -> dict[str, Path]:
    """Where what was seen and what was heard is kept, by what looked and listened, and in which runtime."""
    versions = senses.model_versions()
    seen = f"seen-{versions['vision'][:8]}{_elsewhere(senses.vision.chosen)}-{MOTION_VERSION.replace('/', '')}"
    ears = "-".join(versions[name][:8] for name in ("hearing", "hearing-verifier") if name in versions)
    heard = f"heard-{ears}{_elsewhere(senses.hearing.chosen)}"
    return {"seen": BUILD / "observations" / seen, "heard": BUILD / "observations" / heard}


def _elsewhere(chosen: Sequence[Chosen]) -> str:
    """What a folder's name says of the runtimes: nothing of ONNX Runtime, which the cards' figures are from."""
    return "".join(f".{name}" for name in sorted({one.place.runtime for one in chosen}) if name != TRUSTED.runtime)


def read(clip: Clip, variant: int, places: Mapping[str, Path]) -> list[Seen | Heard]:
    """What was seen in one variant of a clip, and heard in the clip itself, by time."""
    found: list[Seen | Heard] = []
    for name, number in (("seen", variant), ("heard", 0)):
        path = _file(places[name], clip, number)
        if path.exists():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                read = (journal.decode(line) for line in lines if line.strip())
                found += [observation for observation in read if isinstance(observation, Seen | Heard)]
    return sorted(found, key=lambda observation: (observation.at_ns, isinstance(observation, Heard)))


def extract(clip: Clip, senses: Senses, variant: int, *, only_listen: bool = False) -> None:
    """Look at and listen to one clip as `vedette replay` would, and keep what was observed and is not yet kept."""
    places = folders(senses)
    if variant >= LONG and clip.duration_s >= LONG_S:
        return
    if not only_listen and not _file(places["seen"], clip, variant).exists():
        _move_again(clip, senses, variant, places["seen"])
    look = not only_listen and not _file(places["seen"], clip, variant).exists()
    listen = not variant and not _file(places["heard"], clip, 0).exists()
    if not look and not listen:
        return
    if not look and not clip.has_sound:
        _keep(_file(places["heard"], clip, 0), [])
        return
    with open_media(replace(spec_of(clip, senses), want_picture=look, want_sound=listen)) as media:
        stream = observations(
            shown_as(media, clip, variant),
            camera=CAMERA,
            seer=senses.seer() if media.info.has_picture and look else None,
            listener=senses.listener() if media.info.has_sound and listen else None,
        )
        found = list(stream)
    if look:
        _keep(_file(places["seen"], clip, variant), [one for one in found if isinstance(one, Seen)])
    if listen:
        _keep(_file(places["heard"], clip, 0), [one for one in found if isinstance(one, Heard)])


def _move_again(clip: Clip, senses: Senses, variant: int, folder: Path) -> None:
    """Where the same vision graph has looked already, for another version of motion, only the motion is read anew."""
    before = [_file(place, clip, variant) for place in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*")]
    kept = [path for path in before if path.exists()]
    if not kept:
        return
    with gzip.open(kept[0], "rt", encoding="utf-8") as lines:
        seen = {one.at_ns: one for line in lines if isinstance(one := journal.decode(line), Seen)}
    motion, found = Motion(), []
    with open_media(replace(spec_of(clip, senses), want_sound=False)) as media:
        for item in shown_as(media, clip, variant).read():
            if isinstance(item, Frame) and (one := seen.get(item.at_ns)) is not None:
                people = None if one.detections is None else people_of(one.detections)
                found.append(replace(one, motion=motion.see(item.picture, item.at_ns, people)))
    _keep(_file(folder, clip, variant), found)


def _file(folder: Path, clip: Clip, variant: int) -> Path:
    return folder / f"{clip.name}.{variant}.jsonl.gz"


def _keep(path: Path, found: Sequence[Observation]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(".part")
    with gzip.open(whole, "wt", encoding="utf-8") as out:
        out.writelines(journal.encode(observation) + "\n" for observation in found)
    whole.rename(path)


@dataclass(frozen=True, slots=True)
class Alteration:
    """How one variant of a clip looks: the same for each of its pictures."""

    mirrored: bool
    left_frac: float
    top_frac: float
    keep_frac: float
    gamma: float
    blur_px: float
    noise: float
    grey: bool
    seed: int

    @classmethod
    def of(cls, name: str, variant: int) -> "Alteration":
        """The alteration of a clip by name and number: the same every time."""
        seed = zlib.crc32(f"{name}/{variant}".encode())
        rng = np.random.default_rng(seed)
        keep = float(rng.uniform(0.65, 1.0))
        return cls(
            mirrored=variant % 2 == 1,
            left_frac=float(rng.uniform(0.0, 1.0 - keep)),
            top_frac=float(rng.uniform(0.0, 1.0 - keep)),
            keep_frac=keep,
            gamma=float(np.exp(rng.uniform(-0.5, 0.7))),
            blur_px=float(rng.choice([0.0, 0.0, 0.8, 1.4])),
            noise=float(rng.choice([0.0, 4.0, 10.0])),
            grey=bool(rng.random() < 0.3),
            seed=seed,
        )

    def apply(self, picture: Uint8Array, index: int) -> Uint8Array:
        """The altered picture, same size."""
        high, wide = picture.shape[:2]
        top, left = int(self.top_frac * high), int(self.left_frac * wide)
        part = picture[top : top + max(8, int(self.keep_frac * high)), left : left + max(8, int(self.keep_frac * wide))]
        shown = cv2.resize(part, (wide, high), interpolation=cv2.INTER_LINEAR)
        if self.mirrored:
            shown = shown[:, ::-1]
        if self.grey:
            shown = np.repeat(cv2.cvtColor(np.ascontiguousarray(shown), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        table = (255.0 * (np.arange(256) / 255.0) ** self.gamma).astype(np.uint8)
        shown = table[shown]
        if self.blur_px:
            shown = cv2.GaussianBlur(shown, (0, 0), self.blur_px)
        if self.noise:
            grain = np.random.default_rng(self.seed + index).normal(0.0, self.noise, (high, wide, 1))
            shown = np.clip(shown + grain, 0, 255)
        return np.ascontiguousarray(shown, np.uint8)


class Altered:
    """A medium whose pictures are altered; its sound stays."""

    def __init__(self, media: Media, alteration: Alteration) -> None:
        self._media, self._alteration = media, alteration
        self.info = media.info

    def read(self) -> Iterator[Frame | SoundBlock]:
        """The altered pictures and the sound, to the longest that a variant needs."""
        for item in self._media.read():
            if item.at_ns > LONGEST_VARIANT_S * 1e9:
                return
            if isinstance(item, Frame):
                yield replace(item, picture=self._alteration.apply(item.picture, item.index))
            else:
                yield item


def shown_as(media: Media, clip: Clip, variant: int) -> Media:
    """A medium as a variant of a clip shows it."""
    altered = Altered(media, Alteration.of(clip.name, variant % LONG)) if variant % LONG else media
    return ToAndFro(altered) if variant >= LONG else altered  # type: ignore[arg-type, return-value]


def load_senses() -> Senses:
    """The product's own eyes and ears on one thread, without the fusion graph that is yet to be made."""
    config = of_data({}, ["models.threads=1", "models.device=cpu"])
    vision = VisionModel.load(config.models)
    vision.open(vision.export_for(config.analysis.width_px, config.analysis.height_px))
    hearing = HearingModel.load(config.models, verified=False)
    verifier = Verifier.load(config.models, hearing.card, probe_sound())
    hearing.verify_by(verifier)
    return Senses(config, vision, hearing, verifier=verifier)


def versions(*cards: Card) -> str:
    """Which graphs a table was made with: names and versions, in one phrase."""
    return ", ".join(f"{card.name} {card.version}" for card in cards)


def spec_of(clip: Clip, senses: Senses) -> SourceSpec:
    analysis = senses.config.analysis
    return SourceSpec(
        camera=CAMERA,
        url=str(clip.path),
        analysis_fps=analysis.fps,
        width_px=analysis.width_px,
        height_px=analysis.height_px,
    )


def _clip(folder: Path, row: dict[str, str]) -> Clip:
    path = folder / row["file"]
    return Clip(
        name=path.stem,
        path=path,
        kind=row["kind"],
        events=tuple(_event(text) for text in row["events"].replace(",", ";").split(";") if ":" in text),
        repo=row["source_repo"],
        licence=row["licence"],
        group=row["group"],
        split=row["split"],
        duration_s=float(row["duration_s"]),
        has_sound=row["has_sound"] != "no",
    )


def _event(text: str) -> tuple[float, float, str]:
    span, _, label = text.strip().partition(":")
    start_s, _, end_s = span.partition("-")
    return float(start_s), float(end_s or start_s), label.strip()


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=0, help="altered versions of each training clip")
    parser.add_argument("--only-listen", action="store_true", help="after a new hearing graph: ask only that one")
    parser.add_argument("--long", action="store_true", help="training clips and their altered ones, played to and fro")
    parser.add_argument("--part", default="0/1", help="for several processes: the first of two does 0/2, the other 1/2")
    parser.add_argument("--only-more", action="store_true", help="only the clips of more_clips.csv")
    parser.add_argument("--kinds", default="", help="only these kinds, comma separated")
    options = parser.parse_args(words)
    cv2.setNumThreads(1)
    senses = load_senses()
    kinds = set(options.kinds.split(",")) - {""}
    every = more() if options.only_more else manifest()
    wanted = [clip for clip in every if not kinds or clip.kind in kinds]
    wanted.sort(key=lambda clip: (clip.kind != "fight", clip.kind != "normal", clip.duration_s))
    part, _, parts = options.part.partition("/")
    wanted = wanted[int(part) :: int(parts)]
    training = {clip.name for clip in [*trainable(), *(more() if options.only_more else [])]}
    first = LONG if options.long else 0
    for variant in range(first, first + options.variants + 1):
        for clip in tqdm(wanted, desc=f"variant {variant}", mininterval=10.0):
            if variant and clip.name not in training:
                continue
            try:
                extract(clip, senses, variant, only_listen=options.only_listen)
            except SourceError as error:
                print(error.line())


if __name__ == "__main__":
    main()
