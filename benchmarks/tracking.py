"""Score `vedette track` on MOT17 with TrackEval: HOTA, MOTA, IDF1 and pictures per second.

python -m benchmarks.tracking                  second halves of 02, 09 and 11 (what is reported)
python -m benchmarks.tracking --half first     first halves (what the tracker's numbers are tuned on)
python -m benchmarks.tracking --folder DIR     all sequences of another set laid out in the same way, whole

Each half is tracked from its own first picture on, from the given detections, as a file on its own.
Needs the package trackeval and ../shared/data/vision/mot17 (or VEDETTE_SHARED).
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trackeval
from numpy.typing import NDArray

from agent.scene.tracking.tracker import Tracker, TrackerSettings
from agent.types import NS_PER_S

SEQUENCES = ("MOT17-02", "MOT17-09", "MOT17-11")
REFERENCE = (("ByteTrack", 48.7, 54.8, 54.8), ("OC-SORT", 53.1, 60.8, 63.5), ("SORT", 53.1, 61.8, 60.7))
"""HOTA, MOTA, IDF1 on the second halves: PyPI `trackers` 2.6.1 with its defaults on the same detections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One half of a sequence: detections [n, 7] (frame, left, top, width, height, score) and truth, frames from 1."""

    name: str
    fps: float
    length: int
    detections: NDArray[np.float64]
    truth: NDArray[np.float64]


def mot17_folder() -> Path:
    """Where the sequences lie."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("VEDETTE_SHARED", beside)) / "data" / "vision" / "mot17"


def load(name: str, which: str, folder: Path | None = None) -> Half:
    """Read one half of the sequence `name`, or the "whole" of it; MOT17 unless a `folder` is given."""
    folder = (folder or mot17_folder()) / name
    info = ConfigParser()
    info.read(folder / "seqinfo.ini")
    total = info.getint("Sequence", "seqLength")
    halfway = total // 2
    first, last = {"first": (1, halfway), "second": (halfway + 1, total), "whole": (1, total)}[which]
    parts = []
    for table in (np.loadtxt(folder / "det/det.txt", delimiter=","), np.loadtxt(folder / "gt/gt.txt", delimiter=",")):
        part = table[(table[:, 0] >= first) & (table[:, 0] <= last)].copy()
        part[:, 0] -= first - 1
        parts.append(part)
    rate = info.getfloat("Sequence", "frameRate")
    return Half(name=name, fps=rate, length=last - first + 1, detections=parts[0], truth=parts[1])


def follow(half: Half, settings: TrackerSettings) -> tuple[list[tuple[float, ...]], float]:
    """Track one half: lines (frame, id, left, top, width, height, score) and the seconds of processor time it took."""
    by_frame = [half.detections[half.detections[:, 0] == frame] for frame in range(1, half.length + 1)]
    tracker, lines = Tracker(settings), []
    began_s = time.process_time()
    for frame, rows in enumerate(by_frame, start=1):
        boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
        at_ns = round(frame / half.fps * NS_PER_S)
        ids = tracker.step(at_ns, boxes, rows[:, 6], np.zeros(len(rows), np.int64))
        lines += [(frame, ids[i], *rows[i, 2:7]) for i in np.flatnonzero(ids)]
    return lines, time.process_time() - began_s


def score(halves: Sequence[Half], tracked: Mapping[str, Sequence[tuple[float, ...]]]) -> dict[str, dict[str, float]]:
    """TrackEval's figures per sequence and COMBINED: HOTA, DetA, AssA, MOTA, IDF1 in per cent, and switches."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        _write(folder, halves, tracked)
        options = {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "tracked"),
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": {half.name: half.length for half in halves},
            "PRINT_CONFIG": False,
        }
        quiet = {"PRINT_RESULTS": False, "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False, "PLOT_CURVES": False}
        quiet |= {"PRINT_CONFIG": False, "TIME_PROGRESS": False, "USE_PARALLEL": False, "BREAK_ON_ERROR": True}
        metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": False})]
        metrics.append(trackeval.metrics.Identity({"PRINT_CONFIG": False}))
        results, _ = trackeval.Evaluator(quiet).evaluate([trackeval.datasets.MotChallenge2DBox(options)], metrics)
    per_sequence = results["MotChallenge2DBox"]["vedette"]
    return {
        ("COMBINED" if name == "COMBINED_SEQ" else name): _figures(result["pedestrian"])
        for name, result in per_sequence.items()
    }


def _figures(result: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, float]:
    hota = {name: 100 * float(np.mean(result["HOTA"][name])) for name in ("HOTA", "DetA", "AssA")}
    clear = {"MOTA": 100 * float(result["CLEAR"]["MOTA"]), "IDSW": float(result["CLEAR"]["IDSW"])}
    clear |= {"Recall": 100 * float(result["CLEAR"]["CLR_Re"]), "Precision": 100 * float(result["CLEAR"]["CLR_Pr"])}
    return hota | clear | {"IDF1": 100 * float(result["Identity"]["IDF1"])}


def _write(folder: Path, halves: Sequence[Half], tracked: Mapping[str, Sequence[tuple[float, ...]]]) -> None:
    (folder / "tracked/vedette/data").mkdir(parents=True)
    for half in halves:
        place = folder / "gt" / half.name / "gt"
        place.mkdir(parents=True)
        np.savetxt(place / "gt.txt", half.truth, delimiter=",", fmt="%g")
        lines = [",".join(f"{value:.6g}" for value in line) + ",-1,-1,-1" for line in tracked[half.name]]
        (folder / f"tracked/vedette/data/{half.name}.txt").write_text("\n".join(lines) + "\n")


def measure(
    which: str, settings: TrackerSettings | None = None, folder: Path | None = None
) -> dict[str, dict[str, float]]:
    """Track and score all sequences; adds pictures per second."""
    names = sorted(one.parent.name for one in folder.glob("*/seqinfo.ini")) if folder else SEQUENCES
    halves = [load(name, which, folder) for name in names]
    runs = {half.name: follow(half, settings or TrackerSettings()) for half in halves}
    figures = score(halves, {name: lines for name, (lines, _) in runs.items()})
    for half in halves:
        figures[half.name]["fps"] = half.length / runs[half.name][1]
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("first", "second"), default="second")
    parser.add_argument("--folder", type=Path, help="sequences with det/det.txt, gt/gt.txt and seqinfo.ini")
    arguments = parser.parse_args()
    what = arguments.folder.name if arguments.folder else f"MOT17, {arguments.half} halves"
    found = measure("whole" if arguments.folder else arguments.half, folder=arguments.folder)
    columns = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "Recall", "Precision", "IDSW", "fps")
    print(f"| {what} | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, figures in found.items():
        cells = [f"{figures[column]:.1f}" if column in figures else "" for column in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    if arguments.half == "second" and not arguments.folder:
        for name, hota, mota, idf1 in REFERENCE:
            print(f"| reference: {name} | {hota} | | | {mota} | {idf1} | | | | |")


if __name__ == "__main__":
    main()
