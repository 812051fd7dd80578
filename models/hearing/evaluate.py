"""Measures the shipped sound model on `val` and, with --card, writes the figures into its card.

    python -m models.hearing.evaluate            # table on the screen
    python -m models.hearing.evaluate --card     # and into models/zoo/hearing.json

A clip's score for a label is its highest window, windows cut and calibrated as serving does it (a siren is
an alarm). Average precision per label over all val clips (labels as the shared manifest has them, doubtful
ones included); the interval resamples recordings. Runs int8 in ONNX Runtime and OpenVINO, FP16 in both, int8
with the verifier beside it as the agent hears, and the teachers on the same clips. False alarms are counted on
val's hard sound (UrbanSound8K, ESC-10, DCASE office) at the card's thresholds, which were fitted on `dev`.
"""

import argparse
import json
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from agent.config.schema import Models
from agent.features.windows import SoundWindows
from agent.inference.hearing import HearingModel
from models.hearing import calibrate, data
from models.hearing.export import ZOO, Session
from models.hearing.labels import INDEX, LABELS, SECURITY
from models.hearing.metrics import interval, mean_ap
from models.hearing.train import AIM, ClipScores, as_float
from models.measured import measured

COMMAND = "python -m models.hearing.evaluate --card"
SHOWN = (*SECURITY, "siren", "thunder", "speech", "music", "dog_bark", "car_horn", "drilling", "door_slam", "knock")
AIM_NAME = "mean of " + ", ".join(AIM)
Figure = dict[str, object]


class OpenVino:
    """An ONNX file in OpenVINO on one CPU thread in float32 where it is not int8; gives logits."""

    def __init__(self, path: Path) -> None:
        import openvino  # noqa: PLC0415 - an optional extra

        hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = openvino.Core().compile_model(str(path), "CPU", hints)

    def __call__(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        out = self._compiled.output("logits")
        return np.concatenate([self._compiled(w[None].astype(np.float32))[out] for w in windows])


RUNTIMES: dict[tuple[str, str], Callable[[], Callable[[NDArray[np.floating]], NDArray[np.float32]]]] = {
    ("int8", "onnxruntime"): partial(Session, ZOO / "hearing.int8.onnx"),
    ("int8", "openvino"): partial(OpenVino, ZOO / "hearing.int8.onnx"),
    ("fp16", "onnxruntime"): partial(Session, ZOO / "hearing.fp16.onnx"),
    ("fp16", "openvino"): partial(OpenVino, ZOO / "hearing.fp16.onnx"),
}


def figures_of(scores: NDArray[np.floating], clips: ClipScores, precision: str, runtime: str) -> list[Figure]:
    """Average precision per label and the mean that the aim is stated in."""
    sets = {AIM_NAME: [INDEX[label] for label in AIM]}
    sets |= {label: [INDEX[label]] for label in SHOWN if clips.truth[:, INDEX[label]].any()}
    found = []
    for label, columns in sets.items():
        low, high = interval(clips.truth, scores, clips.group, columns)
        true = clips.truth[:, columns].any(axis=1)
        found.append(
            {
                "metric": "average precision", "label": label,
                "value": round(mean_ap(clips.truth, scores, columns), 4), "ci95": [round(low, 4), round(high, 4)],
                "n": int(true.sum()), "groups": len(np.unique(clips.group[true])), "split": "val",
                "precision": precision, "runtime": runtime, "command": COMMAND, "date": str(date.today()),
            }
        )  # fmt: skip
    return found


def alarm_figures(
    logits: NDArray[np.float32], clips: ClipScores, sheet: dict[str, dict[str, dict[str, float]]]
) -> list[Figure]:
    """Recall on val and false alarms on val's hard sound, at the card's thresholds, int8 in ONNX Runtime."""
    probability = calibrate.probabilities(logits, sheet["calibration"])
    hard = np.array([piece.repo in calibrate.HARD for piece in clips.pieces])
    found: list[Figure] = []
    for label in SECURITY:
        i, threshold = INDEX[label], sheet["thresholds"][label]["probability"]
        best = clips.clips(probability.astype(np.float32))[:, i]
        truth = clips.truth[:, i]
        negative = hard & ~truth
        heard_h = calibrate.hours([p for p, n in zip(clips.pieces, negative, strict=True) if n])
        count = calibrate.false_alarms(probability[:, i], clips.clip, negative, threshold)
        shared = {
            "label": label,
            "split": "val",
            "precision": "int8",
            "runtime": "onnxruntime",
            "command": COMMAND,
            "date": str(date.today()),
        }
        recall = float((best[truth] >= threshold).mean())
        low, high = _recall_interval(best[truth] >= threshold, clips.group[truth])
        found.append(
            {
                "metric": "recall at the card's threshold",
                "value": round(recall, 4),
                "ci95": [low, high],
                "n": int(truth.sum()),
                "groups": len(np.unique(clips.group[truth])),
                **shared,
            }
        )
        upper = _poisson_upper(count) / heard_h
        found.append(
            {
                "metric": "false clips per hour of hard sound",
                "value": round(count / heard_h, 2),
                "ci95": [0.0, round(upper, 2)],
                "n": int(negative.sum()),
                "groups": len(np.unique(clips.group[negative])),
                **shared,
            }
        )
    return found


def _recall_interval(hit: NDArray[np.bool_], group: NDArray[np.int64]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    members = [hit[group == g] for g in np.unique(group)]
    values = [
        np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))]).mean() for _ in range(500)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def _poisson_upper(count: int) -> float:
    """97.5 % upper bound of a Poisson mean after `count` events."""
    return float(chi2.ppf(0.975, 2 * (count + 1)) / 2)


def as_heard(clips: ClipScores, waves: NDArray[np.int16]) -> NDArray[np.float32]:
    """The agent's own probabilities [windows, L] of the windows of `clips`: the hearing graph with its verifier."""
    model = HearingModel.load(Models(device="cpu"))
    told = []
    for piece in clips.pieces:
        cutter = SoundWindows()
        sound = as_float(waves[piece.start : piece.start + piece.samples])
        for window in (*cutter.push(sound, 0), *cutter.flush()):
            prob = {score.label: score.prob for score in model.hear(window.samples).scores}
            told.append([prob[label] for label in LABELS])
    return np.array(told, np.float32)


def teachers_on(clips: ClipScores, pieces: list[data.Piece]) -> dict[str, NDArray[np.float32]]:
    """YAMNet's, mn04_as's and the cross-fitted head's clip scores from the caches, in the order of `clips`."""
    with np.load(data.BUILD / "teachers.npz") as said, np.load(data.BUILD / "targets.npz") as targets:
        columns = {"YAMNet": said["yamnet"], "mn04_as": said["mn04"], "head on them": targets["soft"]}
        piece = said["piece"]
    place = {p.start: row for row, p in enumerate(clips.pieces)}
    row = np.array([place.get(p.start, -1) for p in pieces])[piece]
    best = {}
    for name, scores in columns.items():
        if not scores.any():  # YAMNet was not asked (models.hearing.teachers)
            continue
        best[name] = np.zeros((len(clips.pieces), len(LABELS)), np.float32)
        np.maximum.at(best[name], row[row >= 0], scores[row >= 0].astype(np.float32))
    return best


def show(figures: list[Figure]) -> None:
    for f in figures:
        low, high = cast(tuple[float, float], f["ci95"])
        print(
            f"  {f['metric']:34s} {f['label']:46s} {f['value']:.3f} "
            f"[{low:.3f}, {high:.3f}] n={f['n']} groups={f['groups']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", action="store_true", help="write the figures into models/zoo/hearing.json")
    options = parser.parse_args()
    pieces, waves = data.load()
    clips = ClipScores("val", pieces, waves)
    path = ZOO / "hearing.json"
    sheet = json.loads(path.read_text())
    figures: list[Figure] = []
    for (precision, runtime), load in RUNTIMES.items():
        logits = load()(clips.x)
        probability = calibrate.probabilities(logits, sheet["calibration"]).astype(np.float32)
        found = figures_of(clips.clips(probability), clips, precision, runtime)
        if (precision, runtime) == ("int8", "onnxruntime"):
            found += alarm_figures(logits, clips, sheet)
        else:
            found = found[:1]
        print(f"{precision} in {runtime}")
        show(found)
        figures += found
    print("int8 in onnxruntime, verified")
    verified = figures_of(clips.clips(as_heard(clips, waves)), clips, "int8", "onnxruntime, verified")
    show(verified)
    figures += verified
    for name, scores in teachers_on(clips, pieces).items():
        print(f"teacher {name}")
        show(figures_of(scores, clips, "fp32", name)[: 1 + len(SECURITY)])
    if options.card:
        sheet = {**sheet, "measured": measured(COMMAND, ZOO, sheet["files"], date.today()), "figures": figures}
        path.write_text(json.dumps(sheet, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
