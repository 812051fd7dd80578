"""Whether the footage that is counted is distinct, and none of it in what models of ours learned from.

    python -m benchmarks.distinct            films and sounds of footage.csv that lie in build/footage/clips
    python -m benchmarks.distinct films      films alone

Films: key pictures (of a folder, every hundredth) as 256 bits of which of two neighbours is brighter. Two films of
different groups, or a film and a clip of ../shared/data/video, must differ in more than `SAME_VIEW_BITS` of them all:
a camera's view stays what it is through another coding, another cut, another moment. Sounds: every three seconds as
what changes in the logarithms of 24 bands, a tenth of a second at a time; against everything that `hearing` learned
from (build/hearing) and against each other they must not correlate by `SAME_SOUND` or more anywhere. And nothing may be
on ../shared/data/never_train.txt.

What breaks a rule is printed, a line each, and the exit status is 1.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED
from benchmarks.footage import REPOSITORY, Recording, normal, recordings, sounds
from benchmarks.repositories import PICTURES
from models.hearing.data import decode

KEPT = REPOSITORY / "build" / "footage" / "views"
HEARING = REPOSITORY / "build" / "hearing"
SIDE, MOST_PICTURES = 16, 12
SAME_VIEW_BITS = 40
"""Of 256. Films of one camera at other times: 0 to 30; of different ones hardly below 60."""
FLAT_BITS = 16
"""A picture with fewer is black, or nearly: it shows no view."""
RATE_HZ, HOP, BANDS, SNIPPET = 16_000, 1_600, 24, 30
SAME_SOUND, OFFSETS = 0.9, 5
"""One recording cut at another moment: 0.95 and more, as five grids of frames are tried; two recordings hardly 0.87."""
CHUNK = 20_000

Bits = NDArray[np.bool_]
Floats = NDArray[np.float32]


def view(picture: NDArray[np.uint8]) -> Bits:
    """Return which of two neighbours is brighter, of a grey picture: bool [SIDE * SIDE]."""
    small = cv2.resize(picture, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.asarray(small[:, 1:] > small[:, :-1], np.bool_).ravel()


def views_of(path: Path) -> NDArray[np.bool_]:
    """Return the views of a film or a folder of pictures, bool [pictures, bits]; none where it cannot be read."""
    kept = KEPT / f"{path.stem}.npy"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = [view(picture) for picture in _pictures(path)]
        np.save(kept, np.array(found, np.bool_).reshape(len(found), -1))
    views = np.asarray(np.load(kept), np.bool_)
    return views[views.sum(axis=1) >= FLAT_BITS]


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in PICTURES)
        for file in files[::100][:MOST_PICTURES]:
            yield np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)
        return
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            for number, frame in enumerate(container.decode(stream)):
                if number == MOST_PICTURES:
                    return
                yield np.asarray(frame.reformat(160, 96, "gray").to_ndarray(), np.uint8)
    except av.error.FFmpegError:
        return


def apart(first: Bits, second: Bits) -> int:
    """Return the least number of bits by which any two of their pictures differ; all where one has none."""
    if not len(first) or not len(second):
        return SIDE * SIDE
    differ = first.astype(np.float32) @ (1.0 - second.astype(np.float32)).T
    differ += (1.0 - first.astype(np.float32)) @ second.astype(np.float32).T
    return round(float(differ.min()))


def same_films(films: Sequence[Recording]) -> Iterator[str]:
    """Yield a line for two films that show one view though they are not of one group, or that a labelled clip shows."""
    known = {one.sha256: views_of(one.file) for one in films if one.file.exists()}
    present = [one for one in films if one.sha256 in known]
    for number, one in enumerate(present):
        for other in present[number + 1 :]:
            if one.group == other.group:
                continue
            bits = apart(known[one.sha256], known[other.sha256])
            if bits <= SAME_VIEW_BITS:
                yield f"{one.repository}:{one.path} and {other.repository}:{other.path}: {bits} bits apart"
    folder = SHARED / "data" / "video"
    if not (folder / "manifest.csv").is_file():
        return
    with (folder / "manifest.csv").open(encoding="utf-8") as rows:
        labelled = [folder / row["file"] for row in csv.DictReader(rows)]
    for path in labelled:
        of_clip = views_of(path)
        for one in present:
            bits = apart(of_clip, known[one.sha256])
            if bits <= SAME_VIEW_BITS:
                yield f"{one.repository}:{one.path} and the labelled {path.stem}: {bits} bits apart"


def bands(samples: Floats) -> Floats:
    """Return logarithms of band energies, float32 [tenths of a second, BANDS], of samples at `RATE_HZ`."""
    count = (len(samples) - 2 * HOP) // HOP + 1
    if count < 1:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 2 * HOP)[::HOP][:count]
    power = np.abs(np.fft.rfft(frames * np.hanning(2 * HOP).astype(np.float32), axis=1)) ** 2
    edges = np.geomspace(12, power.shape[1] - 1, BANDS + 1).astype(int)
    return np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-4).astype(np.float32)


def _snippets(frames: Floats, step: int) -> Floats:
    """Return snippets of unit length, float32 [snippets, SNIPPET * BANDS], one each `step` frames."""
    if len(frames) < SNIPPET:
        return np.zeros((0, SNIPPET * BANDS), np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(frames, SNIPPET, axis=0)[::step]
    # Neither what a room always sounds like nor a bang after silence makes two recordings one.
    cut = cut - cut.mean(axis=2, keepdims=True)
    cut = cut - cut.mean(axis=1, keepdims=True)
    flat = cut.transpose(0, 2, 1).reshape(len(cut), -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def heard_before(asked: Sequence[tuple[str, Floats]], known: Iterable[tuple[str, Floats]]) -> Iterator[str]:
    """Yield a line for each asked sound (name, samples) that correlates with a known one (name, bands)."""
    grids = [[samples[HOP * grid // OFFSETS :] for grid in range(OFFSETS)] for _, samples in asked]
    cuts = [np.concatenate([_snippets(bands(shifted), SNIPPET) for shifted in each]) for each in grids]
    owner = np.repeat(np.arange(len(asked)), [len(cut) for cut in cuts])
    if not len(owner):
        return
    of_all, told = np.concatenate(cuts), set[int]()
    for name, frames in known:
        for begin in range(0, len(frames), CHUNK):
            places = _snippets(frames[begin : begin + CHUNK + SNIPPET], 1)
            if not len(places):
                continue
            best = (places @ of_all.T).max(axis=0)
            for number in sorted(set(owner[best >= SAME_SOUND].tolist()) - told):
                if asked[number][0] != name:
                    told.add(number)
                    yield f"{asked[number][0]} and {name}: {best[owner == number].max():.2f}"


def _learned() -> Iterator[tuple[str, Floats]]:
    """Yield what `hearing` learned from, about half an hour at a time."""
    waves = np.load(HEARING / "waves.npy", mmap_mode="r")
    for begin in range(0, len(waves), 1800 * RATE_HZ):
        piece = np.asarray(waves[begin : begin + 1803 * RATE_HZ])
        scale = 1.0 / 32768.0 if piece.dtype == np.int16 else 1.0
        yield f"hearing's clips from {begin / RATE_HZ:.0f} s on", bands(piece.astype(np.float32) * np.float32(scale))


def samples_of(path: Path) -> Floats:
    """Return a sound file's samples at `RATE_HZ`, one channel, as `hearing`'s training reads them."""
    return np.asarray(decode(path) / 32768.0, np.float32)


def listed(rows: Sequence[Recording]) -> Iterator[str]:
    """Yield a line for what counts and is kept for outside tests."""
    path = SHARED / "data" / "never_train.txt"
    if not path.is_file():
        return
    never = set(path.read_text("utf-8").split())
    for one in rows:
        names = f"{one.repository}:{one.path}", f"name:{PurePosixPath(one.path).name}"
        if one.use == "normal" and any(hashlib.sha256(name.encode()).hexdigest() in never for name in names):
            yield f"{one.repository}:{one.path} is on never_train.txt"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["films", "sounds", "all"], default="all")
    chosen = parser.parse_args(arguments)
    faults = list(listed(recordings()))
    if chosen.what != "sounds":
        faults += same_films(normal())
    if chosen.what != "films":
        asked = [(one.sha256[:16], samples_of(one.file)) for one in sounds() if one.file.exists()]
        faults += heard_before(asked, ((name, bands(samples)) for name, samples in asked))
        if (HEARING / "waves.npy").is_file():
            faults += heard_before(asked, _learned())
    print("\n".join(faults))
    print(f"{len(faults)} faults", file=sys.stderr)
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
