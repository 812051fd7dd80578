"""Writes the trained sound model as an int8 and an FP16 ONNX file with its card.

    python -m models.hearing.export                 # from build/hearing/refitted/best.pt into models/zoo
    python -m models.hearing.rows --write           # then: one row anew on the sources found later
    python -m models.hearing.incidents --card       # then: fit the incidents' thresholds through the scene
    python -m models.hearing.evaluate --card        # and measure, and put the figures into the card

int8: ONNX Runtime's static QDQ, U8 activations, S8 weights per channel. The calibration method and what stays
in float are chosen by the mean AP on `dev`. FP16: weights as float16 with casts that runtimes fold; inputs,
outputs and the arithmetic that a runtime chooses stay float32.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from agent.features.logmel import BANDS, FEATURE_VERSION, FRAMES
from models.hearing import calibrate, card, data, interpolate, soften
from models.hearing.average import recipe
from models.hearing.labels import INDEX, LABELS
from models.hearing.metrics import mean_ap
from models.hearing.net import EMBEDDING, STEPS, multiply_adds
from models.hearing.train import AIM, ClipScores, served
from models.packing import halve

INITIAL_WEIGHTS = (
    "mn04_as of EfficientAT (fschmid56/EfficientAT, MIT): convolutions, hidden layer and, by AudioSet classes, "
    "the label head, and 30 % of the way back to them at the end; the frame and embedding heads are new"
)
VERSION = "0.6.0"
"""Before models.hearing.rows, which makes 0.7.0 of it."""
ZOO = data.ROOT / "models" / "zoo"
COMMANDS = (
    "python -m models.hearing.data --extra DIR --teachers && python -m models.hearing.soften && "
    "python -m models.hearing.train --until 2000 && "
    "python -m models.hearing.train --until 2000 --name second --seed 9 && "
    "python -m models.hearing.average hearing second --out averaged && "
    "python -m models.hearing.interpolate --student build/hearing/averaged/best.pt --share 0.3 --out between && "
    "python -m models.hearing.refit between --student build/hearing/averaged/best.pt --out refitted && "
    "python -m models.hearing.export && python -m models.hearing.rows --write && python -m models.hearing.verifier && "
    "python -m models.hearing.incidents --card && "
    "python -m models.hearing.evaluate --card && python -m models.hearing.background"
)
"""From nothing; models/hearing/README.md says what lies in DIR, models/HISTORY.md what 0.6.0 was made of instead."""
INPUTS = {"logmel": [1, 1, FRAMES, BANDS]}
OUTPUTS = {"logits": [1, len(LABELS)], "frame_logits": [1, STEPS, len(LABELS)], "embedding": [1, EMBEDDING]}
PERCENTILE = {"calibrate_method": CalibrationMethod.Percentile, "extra_options": {"CalibPercentile": 99.99}}
CANDIDATES: dict[str, dict[str, Any]] = {
    "percentile 99.99, first 41 convolutions in float": {**PERCENTILE, "spared": 41},
}
"""Only convolutions are quantised: squeezes, hard swishes and heads stay in float. `spared`: so do the first n."""


class Windows(CalibrationDataReader):  # type: ignore[misc]
    """Feeds windows one by one to the quantiser."""

    def __init__(self, windows: NDArray[np.float32]) -> None:
        self._rest = iter(windows)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        window = next(self._rest, None)
        return None if window is None else {"logmel": window[None]}


class Session:
    """An ONNX file in ONNX Runtime on one thread; gives logits of many windows."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.concatenate(
            [self._session.run(["logits"], {"logmel": w[None].astype(np.float32)})[0] for w in windows]
        )


def training_windows(count: int, seed: int = 8) -> NDArray[np.float32]:
    """Served windows of `count` training clips, drawn over labels, for the quantiser's calibration."""
    pieces, waves = data.load()
    rng = np.random.default_rng(seed)
    train = [p for p in pieces if p.split == "train"]
    by_label = [[p for p in train if label in p.labels.split(";")] for label in (*LABELS, "")]
    drawn = [pool[rng.integers(len(pool))] for pool in by_label if pool for _ in range(count // len(by_label) + 1)]
    cut = [served(waves[p.start : p.start + p.samples]) for p in drawn]
    return np.stack([windows[rng.integers(len(windows))] for windows in cut])


def to_onnx(net: nn.Module, path: Path) -> None:
    """Static shapes, batch normalisation folded, opset 17."""
    sample = torch.zeros(*INPUTS["logmel"])
    torch.onnx.export(
        net.eval(),
        (sample,),
        str(path),
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        opset_version=17,
        dynamo=False,
    )


def quantise(source: Path, target: Path, windows: NDArray[np.float32], dev: ClipScores) -> str:
    """Try the candidates, keep the best on dev; returns its name with the dev figures."""
    columns = [INDEX[label] for label in AIM]
    prepared = source.with_suffix(".pre.onnx")
    quant_pre_process(str(source), str(prepared))
    tried: dict[str, float] = {}
    convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
    for name, candidate_options in CANDIDATES.items():
        options = dict(candidate_options)
        spared = convolutions[: options.pop("spared", 0)]
        candidate = source.with_suffix(f".{len(tried)}.onnx")
        quantize_static(
            str(prepared), str(candidate), Windows(windows), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
            nodes_to_exclude=spared, **options,
        )  # fmt: skip
        tried[name] = round(mean_ap(dev.truth, dev.clips(Session(candidate)(dev.x)), columns), 4)
        print(f"  int8 {name}: dev mean AP {tried[name]}", flush=True)
        if tried[name] == max(tried.values()):
            halve(candidate, target, users=("Gemm", "MatMul"))
    return f"{max(tried, key=lambda name: tried[name])} (dev mean AP: {tried})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=data.BUILD / "refitted" / "best.pt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net = interpolate.load(options.weights)
    pieces, waves = data.load()
    dev = ClipScores("dev", pieces, waves)
    int8, fp16 = ZOO / "hearing.int8.onnx", ZOO / "hearing.fp16.onnx"
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "hearing.onnx"
        to_onnx(net, whole)
        halve(whole, fp16)
        chosen = quantise(whole, int8, training_windows(310), dev)
    logits = Session(int8)(dev.x)
    calibration = calibrate.fit_scores(logits, dev.clip, dev.truth, dev.group)
    probability = calibrate.probabilities(logits, calibration)
    thresholds = calibrate.fit_thresholds(probability, dev.clip, dev.truth, soften.doubtful(dev.pieces), dev.pieces)
    files = [describe(int8, "int8"), describe(fp16, "fp16")]
    options_used = recipe(options.weights.parent)
    seed = options_used["refitted"]["seed"]
    training = {
        "command": COMMANDS, "seed": seed, "options": options_used, "quantisation": chosen,
        "initial_weights": INITIAL_WEIGHTS, "multiply_adds": multiply_adds(net),
    }  # fmt: skip
    text = card.write(VERSION, FEATURE_VERSION, files, calibration, thresholds, training, pieces)
    (ZOO / "hearing.json").write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(thresholds, indent=1))


def describe(path: Path, precision: str) -> dict[str, object]:
    """The card's entry of one file."""
    content = path.read_bytes()
    return {
        "file": path.name, "precision": precision, "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content), "inputs": INPUTS, "outputs": OUTPUTS,
    }  # fmt: skip


if __name__ == "__main__":
    main()
