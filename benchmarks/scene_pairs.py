"""Compare this checkout's scene with another's: do both say the same, byte for byte, and what does each cost?

    git worktree add ../before COMMIT
    python -m benchmarks.scene_pairs ../before                          the ten people of benchmarks.scene_cost, 7 pairs
    python -m benchmarks.scene_pairs ../before --kept DIR --sample 80   and kept observations (benchmarks.hours)

Whoever makes the scene faster must not change a word of it. Each stream is stepped through both, each in a process of
its own, with default settings and with a yard full of zones and lines and learned normality; what is compared is all
that a scene tells after each observation: changes, windows for fusion, tracks, groups, crossings and beliefs. Old and
new take turns at the clock, so that a busy machine slows both alike; processor time, one thread.
"""

import argparse
import hashlib
import os
import pickle
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from agent.config.schema import Line, Zone
from agent.scene import Policy, Scene
from agent.scene.normality import Normality
from agent.types import NS_PER_S, Fused, FusionWindow, Observation, Score, Seen
from benchmarks.scene_cost import observations

REPOSITORY = Path(__file__).resolve().parents[1]
EVERYTHING = ("intrusion", "loitering", "crowding", "running", "abandoned_object", "removed_object")
ROOM = ((0.0, 0.3), (1.0, 0.3), (1.0, 1.0), (0.0, 1.0))
CORNER = ((0.5, 0.0), (1.0, 0.2), (0.9, 0.9), (0.4, 0.8))
RULED = {
    "room": Zone(polygon=ROOM, rules=EVERYTHING, loitering_dwell_s=3.0, crowding_count=2, crowding_dwell_s=1.0),
    "corner": Zone(
        polygon=CORNER, rules=("intrusion", "loitering"), labels=("person", "car", "dog"), hours=("mon-fri",)
    ),
}
LINES = {"middle": Line(line=((0.5, 0.0), (0.45, 0.5), (0.5, 1.0)))}
TOLD_EVERY = 5
"""Beliefs and tracks are compared after every so many observations, and after all that change anything."""


def policies(cameras: Sequence[str]) -> Iterator[Policy]:
    """Yield the settings under which streams are stepped: the default, and one under which nearly everything opens."""
    yield Policy()
    yield Policy(zones=dict.fromkeys(cameras, RULED), lines=dict.fromkeys(cameras, LINES), sensitivity="high")


def told(stream: Sequence[Observation], policy: Policy, *, normality: bool) -> Iterator[bytes]:
    """Yield all that a scene tells of a stream of observations, in bytes."""
    cameras = _cameras(stream)
    scene = Scene(policy, normality=lambda _: Normality() if normality else None)
    for number, observation in enumerate(stream):
        changes = list(scene.step(observation))
        for window in scene.windows():
            yield _bytes_of(window)
            changes += scene.step(_guess(window))
        yield repr(changes).encode()
        if changes or number % TOLD_EVERY == 0:
            yield from (
                repr((scene.beliefs(one), scene.tracks(one), scene.groups(one), scene.crossings(one))).encode()
                for one in cameras
            )
    yield repr(scene.finish(max(one.at_ns for one in stream), "source_ended")).encode()


def digest(stream: Sequence[Observation]) -> str:
    """Return the sha256 of what the scene of the checkout that is imported tells of a stream."""
    total = hashlib.sha256()
    for policy in policies(_cameras(stream)):
        for part in told(stream, policy, normality=bool(policy.zones)):
            total.update(part)
    return total.hexdigest()


def ten_people_ms() -> float:
    """Processor milliseconds a picture of the ten people of `benchmarks.scene_cost`, measured as there.

    Written again: what the other checkout's `scene_cost` has may be of before any function for it.
    """
    zone = Zone(polygon=((0.0, 0.4), (1.0, 0.4), (1.0, 1.0), (0.0, 1.0)), rules=("intrusion", "loitering"))
    scene = Scene(Policy(zones={"yard": {"all": zone}}))
    stream = list(observations())
    begun_s = time.process_time()
    for observation in stream:
        scene.step(observation)
    return (time.process_time() - begun_s) * 1e3 / sum(isinstance(observation, Seen) for observation in stream)


def _cameras(stream: Sequence[Observation]) -> list[str]:
    return sorted({camera for one in stream if (camera := getattr(one, "camera", None)) is not None})


def _bytes_of(window: FusionWindow) -> bytes:
    arrays = (window.scene, window.people, window.sound, window.scene_known, window.people_known, window.sound_known)
    return f"{window.camera} {window.at_ns} {window.drill}".encode() + b"".join(each.tobytes() for each in arrays)


def _guess(window: FusionWindow) -> Fused:
    """Stand in for the fusion graph, so that fights open too: sure wherever the window's time says so."""
    llr = 2.0 if window.at_ns // (10 * NS_PER_S) % 3 == 0 else -1.0
    return Fused(camera=window.camera, at_ns=window.at_ns, scores=(Score(label="fight", prob=0.5, llr=llr),))


def _asked(checkout: Path, *arguments: str) -> list[str]:
    """Run this file with the code of a checkout; return the lines that it prints."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()


def _compare(before: Path, pairs: int, files: Sequence[Path]) -> bool:
    trees = before.resolve(), REPOSITORY
    old: list[float] = []
    new: list[float] = []
    for _ in range(pairs):
        old.append(float(_asked(trees[0], "--cost")[0]))
        new.append(float(_asked(trees[1], "--cost")[0]))
    ratios = [later / earlier for earlier, later in zip(old, new, strict=True)]
    print("| ten people, ms per picture | median | least | most |\n|---|---|---|---|")
    for name, values in (("before", old), ("now", new), ("now / before", ratios)):
        print(f"| {name} | {median(values):.3f} | {min(values):.3f} | {max(values):.3f} |")
    names = ["", *(str(file.resolve()) for file in files)]
    said = [_asked(tree, "--digest", *names) for tree in trees]
    unlike = [name or "the ten people" for name, one, other in zip(names, *said, strict=True) if one != other]
    print(f"\n{len(names)} streams told alike, byte for byte" if not unlike else f"\nUNLIKE: {' '.join(unlike)}")
    return not unlike


def _stream(name: str) -> Sequence[Observation]:
    if name:
        kept: list[Observation] = pickle.loads(zlib.decompress(Path(name).read_bytes()))  # our own, from build/
        return kept
    return list(observations())


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", nargs="?", type=Path, help="the other checkout")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--kept", type=Path, nargs="*", default=(), help="folders with kept observations (*.z)")
    parser.add_argument("--sample", type=int, default=60, help="so many of each folder, the same every time")
    parser.add_argument("--cost", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--digest", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.cost:
        print(ten_people_ms())
    elif chosen.digest is not None:
        for name in chosen.digest:
            print(digest(_stream(name)), flush=True)
    elif chosen.before is None:
        parser.error("name the other checkout")
    else:
        folders = [sorted(folder.glob("*.z")) for folder in chosen.kept]
        files = [file for each in folders for file in random.Random(1).sample(each, min(chosen.sample, len(each)))]
        if not _compare(chosen.before, chosen.pairs, files):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
