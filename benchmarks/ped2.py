"""UCSD Ped2: what is unusual on a campus walk, learned from its training sequences without a label.

    python -m benchmarks.ped2 [--frames build/ped2]

`build/ped2` is a clone of github.com/annguyen94/ped2 (360×240 pictures); labels and masks lie in the shared data.
Both commands run as anybody runs them: `vedette calibrate normality` over the 16 training sequences, `vedette replay
--every-frame --normality --scores` over the 12 test sequences: one pass, causal, nothing normalised afterwards. The
AUC is over all test frames together; the second one, as many papers give it, scales each sequence to its own 0..1.
"""

import argparse
import csv
import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("VEDETTE_SHARED", REPOSITORY / "../shared"))
FPS = 10
REFERENCES = (("attribute-based density estimation (offline)", 0.991), ("MULDE (offline)", 0.997))

Numbers = NDArray[np.float64]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=Path, default=REPOSITORY / "build/ped2", help="clone of annguyen94/ped2")
    frames = parser.parse_args().frames.resolve()
    training, testing = (sorted((frames / part / "frames").glob("*")) for part in ("training", "testing"))
    if (len(training), len(testing)) != (16, 12):
        sys.exit(f"{frames} is no clone of annguyen94/ped2: git clone https://github.com/annguyen94/ped2 build/ped2")
    with tempfile.TemporaryDirectory() as name:
        learned, scores, messages = (Path(name) / file for file in ("ped2.npz", "scores.csv", "incidents.jsonl"))
        taught_s = vedette("calibrate", "normality", *training, "--fps", FPS, "--out", learned)
        judged_s = vedette(
            "replay", *testing, "--every-frame", "--fps", FPS,
            "--normality", learned, "--scores", scores, "--json-lines", messages,
        )  # fmt: skip
        unusual, told, size = read_scores(scores), read_boxes(messages), learned.stat().st_size
    report(unusual, labels(), told, (taught_s, judged_s), size)


def report(
    unusual: Mapping[str, Numbers],
    abnormal: Mapping[str, NDArray[np.bool_]],
    told: Sequence[tuple[str, int, Numbers]],
    spent_s: tuple[float, float],
    size: int,
) -> None:
    """Print the table."""
    truth = np.concatenate([abnormal[name] for name in sorted(abnormal)])
    plain = np.concatenate([unusual[name] for name in sorted(abnormal)])
    scaled = np.concatenate([own_scale(unusual[name]) for name in sorted(abnormal)])
    hits, chance = localised(told)
    print("| UCSD Ped2, 12 test sequences, one pass, causal | |\n|---|---|")
    print(f"| frames / abnormal | {truth.size} / {int(truth.sum())} |")
    print(f"| frame AUC over all frames, not normalised | {auc(plain, truth):.4f} |")
    print(f"| the same, each sequence scaled to 0..1 afterwards | {auc(scaled, truth):.4f} |")
    share = f"{hits} of {len(told)} ({chance:.3f} of the picture is)"
    print(f"| boxes told in incidents whose middle lies on what is abnormal | {share} |")
    print(f"| frames a second on one core, everything | {truth.size / spent_s[1]:.1f} |")
    print(f"| learned from 2,550 frames in (s of processor time), size | {spent_s[0]:.0f}, {size / 1000:.0f} kB |")
    for name, figure in REFERENCES:
        print(f"| published: {name} | {figure:.3f} |")


def vedette(*arguments: object) -> float:
    """Run one command line; return the seconds of processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started_s = time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "agent.cli.main", *map(str, arguments)]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{arguments[0]}: {time.monotonic() - started_s:.0f} s", file=sys.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def read_scores(path: Path) -> dict[str, Numbers]:
    """The column `unusual` by sequence, 01 to 12."""
    found: dict[str, list[float]] = {}
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(Path(row["source"]).name, []).append(float(row["unusual"]))
    return {name: np.array(values) for name, values in found.items()}


def read_boxes(path: Path) -> list[tuple[str, int, Numbers]]:
    """Sequence, frame and box (fractions) of every piece of evidence for `unusual` that was told."""
    told = set()
    for line in path.read_text("utf-8").splitlines():
        message = json.loads(line)
        for evidence in message["evidence"] if message["kind"] == "unusual" else ():
            if evidence.get("box"):
                at_s = datetime.datetime.fromisoformat(evidence["at"]).timestamp()
                told.add((Path(message["source"]).name, round(at_s * FPS), tuple(evidence["box"])))
    return [(name, frame, np.array(box)) for name, frame, box in sorted(told)]


def labels() -> dict[str, NDArray[np.bool_]]:
    """Which frames are abnormal, by sequence."""
    found: dict[str, list[bool]] = {}
    with (SHARED / "data/video/ped2/ped2_frame_labels.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["file"].removeprefix("ped2_test_")[:2], []).append(row["abnormal"] == "1")
    return {name: np.array(values) for name, values in found.items()}


def localised(told: Sequence[tuple[str, int, Numbers]]) -> tuple[int, float]:
    """How many boxes have their middle on the mask, and the mean share of the picture that the masks cover there."""
    masks = np.load(SHARED / "data/video/ped2/ped2_test_masks.npz")
    hits, shares = 0, []
    for name, frame, box in told:
        packed = masks[f"test_{name}"]
        mask = np.unpackbits(packed[min(frame, len(packed) - 1)]).reshape(240, 360)
        shares.append(float(mask.mean()))
        left, top, right, bottom = box
        hits += int(mask[min(239, int((top + bottom) / 2 * 240)), min(359, int((left + right) / 2 * 360))])
    return hits, float(np.mean(shares)) if shares else 0.0


def own_scale(values: Numbers) -> Numbers:
    """Scaled to 0..1 within the sequence: what needs its end, and no live camera can do."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-9)


def auc(scores: Numbers, truth: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; equal scores count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = int(truth.sum())
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * (truth.size - positive)))


if __name__ == "__main__":
    main()
