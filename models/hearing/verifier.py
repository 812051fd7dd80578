"""Makes the verifier of the hearing graph: mn04_as as published, with rows for what matters fitted on our sounds.

    python -m models.hearing.verifier            # models/zoo/hearing-verifier.{onnx,json}; 15 minutes, then one
    python -m models.hearing.verifier --apart    # besides, how it does for sources that no row was fitted on

The hearing graph is mn04_as too, but on a picture of half the size and changed through and through by our training.
The verifier keeps the published body and part of its hidden layer (EfficientAT, MIT; 22 million multiply-adds a window)
and reads them with seven rows: each begins as the mean of the AudioSet classes that speak for its label and is fitted
by logistic regression, pulled towards that, on all sounds that may be learned. A source counts by the root of what its
recordings do, so that many little ones speak louder than a big one.

What both say is added up (log odds), and calibrated on `dev` and the later sources, where rows that never heard a
clip's source stand in for the shipped ones (`FOLDS`). `models.hearing.incidents` uses those as well. The weights are
stored in int8, one scale per output channel; what is computed stays in float.
"""

import argparse
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from tqdm import tqdm

from agent.features.finemel import BANDS, FEATURE_VERSION, fine_mel
from agent.features.logmel import FRAMES, log_mel
from agent.inference.verifier import NAME
from models.hearing import calibrate, card, catalogue, data, mn04, soften
from models.hearing.export import ZOO, Session
from models.hearing.labels import INDEX
from models.hearing.metrics import average_precision
from models.hearing.teachers import FOLDER, class_columns, cut, window_starts

VERSION = "1.0.0"
COMMAND = "python -m models.hearing.verifier"
LABELS = ("gunshot", "explosion", "glass_break", "scream", "alarm", "crash", "siren")
EMBEDDING = 512
"""Units of the published hidden layer."""
UNITS = 192
"""So many of them stay, those that the rows lean on most: nothing is lost by it (models/hearing/HISTORY.md)."""
INPUTS = {"finemel": [1, 1, BANDS, FRAMES]}
OUTPUTS = {"logits": [1, len(LABELS)], "embedding": [1, UNITS]}
PLAUSIBLE = {
    "gunshot": ("explosion",),
    "explosion": ("gunshot", "crash"),
    "glass_break": ("crash",),
    "crash": ("glass_break", "explosion", "gunshot"),
}
"""Clips of these labels say neither yes nor no."""
PULL = 0.01
"""Of .1, .01 and .001; half of the later sources left out, gunshots alone .874, .872, .859 and .927, .925, .915."""
FOLDS = 6
WITHIN = 1.5
"""Windows of a clip whose logit is that near its highest are where the event is."""
SURELY_NOT = 0.03
"""A label that the teachers' head hears less than that in all of a clip is not believed."""
QUANTISED_FROM = 256
"""Weights of fewer numbers stay in float."""


class VerifierNet(nn.Module):
    """mn04_as with rows of ours: [batch, 1, 128, 200] → logits [batch, 7], embedding [batch, units]."""

    def __init__(self) -> None:
        super().__init__()
        teacher = mn04.load(FOLDER / "mn04_as_mAP_432.pt")
        hidden, last = teacher.classifier[2], teacher.classifier[5]
        assert isinstance(hidden, nn.Linear)
        assert isinstance(last, nn.Linear)
        self.body, self.hidden = teacher.features, hidden
        self.rows = nn.Linear(EMBEDDING, len(LABELS))
        columns = class_columns(FOLDER / "audioset_class_labels_indices.csv")
        with torch.no_grad():
            for row, label in enumerate(LABELS):
                self.rows.weight[row] = last.weight[columns[label]].mean(dim=0)
                self.rows.bias[row] = last.bias[columns[label]].mean()

    def embed(self, finemel: Tensor) -> Tensor:
        """What the rows read, [batch, units]."""
        return nn.functional.hardswish(self.hidden(self.body(finemel).mean(dim=(2, 3))))

    def keep(self, units: NDArray[np.int64], weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Keep some units of the hidden layer, and rows that read them: weight [7, units], bias [7]."""
        hidden, rows = nn.Linear(self.hidden.in_features, len(units)), nn.Linear(len(units), len(LABELS))
        with torch.no_grad():
            hidden.weight.copy_(self.hidden.weight[units])
            hidden.bias.copy_(self.hidden.bias[units])
            rows.weight.copy_(torch.as_tensor(weight))
            rows.bias.copy_(torch.as_tensor(bias))
        self.hidden, self.rows = hidden, rows

    def forward(self, finemel: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.embed(finemel)
        return self.rows(embedding), embedding


@dataclass(frozen=True)
class Heard:
    """Every window of the sounds that may be learned, and of those kept apart.

    piece int32 [n]; own float32 [n, L], the hearing graph's logits; embedding float32 [n, 512].
    """

    piece: NDArray[np.int32]
    own: NDArray[np.float32]
    embedding: NDArray[np.float32]


def hear(net: VerifierNet, pieces: list[data.Piece], waves: NDArray[np.int16]) -> Heard:
    """Both networks on all windows, kept below build/ until a graph changes."""
    file = data.BUILD / "verifier.npz"
    shipped = hashlib.sha256((ZOO / "hearing.int8.onnx").read_bytes()).hexdigest()
    if file.is_file():
        with np.load(file) as kept:
            if str(kept["hearing"]) == shipped and int(kept["pieces"]) == len(pieces):
                return Heard(kept["piece"], kept["own"].astype(np.float32), kept["embedding"].astype(np.float32))
    first = Session(ZOO / "hearing.int8.onnx")
    piece, own, embedding = list[int](), list[NDArray[np.float16]](), list[NDArray[np.float16]]()
    asked = [i for i, p in enumerate(pieces) if p.split != "val" and p.known and p.kind != "synthetic"]
    for index in tqdm(asked, desc="hearing twice"):
        one = pieces[index]
        windows = [cut(waves[one.start : one.start + one.samples], start) for start in window_starts(one.samples)]
        own.append(first(np.stack([log_mel(window)[None] for window in windows])).astype(np.float16))
        with torch.inference_mode():
            fine = torch.as_tensor(np.stack([fine_mel(window)[None] for window in windows]))
            embedding.append(net.embed(fine).numpy().astype(np.float16))
        piece += [index] * len(windows)
    columns = {"piece": np.array(piece, np.int32), "own": np.concatenate(own), "embedding": np.concatenate(embedding)}
    np.savez(file, hearing=shipped, pieces=len(pieces), **columns)
    return Heard(columns["piece"], columns["own"].astype(np.float32), columns["embedding"].astype(np.float32))


def fold_of(source: str) -> int:
    """Which fold's rows never heard a source; the little sources are spread one by one."""
    return int(hashlib.sha256(f"verifier:{source}".encode()).hexdigest(), 16) % FOLDS


@dataclass(frozen=True)
class Sounds:
    """What is known of the pieces; all [pieces] but truth [pieces, labels]."""

    truth: NDArray[np.bool_]
    excused: NDArray[np.bool_]
    group: NDArray[np.int64]
    source: NDArray[np.int64]
    fold: NDArray[np.int64]
    may_learn: NDArray[np.bool_]
    later: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    @classmethod
    def of(cls, pieces: list[data.Piece]) -> "Sounds":
        """Read the manifest's labels; a label that the teachers do not hear at all is excused."""
        truth = np.array([[label in piece.labels.split(";") for label in LABELS] for piece in pieces])
        truth[:, LABELS.index("alarm")] |= truth[:, LABELS.index("siren")]
        excused = soften.highest(pieces)[:, [INDEX[label] for label in LABELS]] < SURELY_NOT
        excused &= truth
        for label, others in PLAUSIBLE.items():
            plausible = truth[:, [LABELS.index(name) for name in others]].any(axis=1)
            excused[:, LABELS.index(label)] |= plausible & ~truth[:, LABELS.index(label)]
        real = np.array([bool(piece.known) and piece.kind != "synthetic" for piece in pieces])
        kept = np.array([piece.repo in catalogue.KEPT for piece in pieces])
        split = np.array([piece.split for piece in pieces])
        return cls(
            truth,
            excused,
            np.unique([piece.group for piece in pieces], return_inverse=True)[1],
            np.unique([piece.repo for piece in pieces], return_inverse=True)[1],
            np.array([fold_of(piece.repo) for piece in pieces]),
            real & ~kept & np.isin(split, ("train", "dev", "outside")),
            real & ~kept & np.isin(split, ("dev", "outside")),
            real & kept,
        )


Row = tuple[NDArray[np.float32], float]


def fitted_row(label: int, start: Row, heard: Heard, sounds: Sounds, chosen: NDArray[np.bool_]) -> Row:
    """One row, [units] and its bias, fitted on the chosen pieces from what it was."""
    truth = sounds.truth[heard.piece, label]
    logit = heard.embedding @ start[0] + start[1]
    best = _highest(logit, heard.piece, len(chosen))
    asked = chosen[heard.piece] & ~sounds.excused[heard.piece, label]
    asked &= ~truth | (logit >= best[heard.piece] - WITHIN)
    weight = asked / np.bincount(heard.piece[asked], minlength=len(chosen)).clip(1)[heard.piece]
    clips = np.bincount(sounds.group[chosen], minlength=sounds.group.max() + 1).clip(1)
    weight /= np.sqrt(clips[sounds.group[heard.piece]])
    for side in (truth & asked, ~truth & asked):
        source = sounds.source[heard.piece[side]]
        weight[side] /= np.sqrt(np.bincount(source, weight[side])[source])
        weight[side] *= 0.5 / weight[side].sum()
    x = torch.as_tensor(heard.embedding[asked])
    y = torch.as_tensor(truth[asked].astype(np.float32))
    share = torch.as_tensor(weight[asked].astype(np.float32))
    begun = torch.as_tensor(start[0])
    row, bias = begun.clone().requires_grad_(), torch.tensor(float(start[1]), requires_grad=True)
    optimiser = torch.optim.LBFGS([row, bias], max_iter=80, history_size=15, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        said = nn.functional.binary_cross_entropy_with_logits(x @ row + bias, y, reduction="none")
        value = (said * share).sum() + PULL * ((row - begun) ** 2).sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return row.detach().numpy(), float(bias.detach())


@dataclass(frozen=True)
class Rows:
    """Rows [folds + 1, labels, units] and biases [folds + 1, labels]; the last ones have heard all, and ship.

    `units` are those of the published hidden layer that are read.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    units: NDArray[np.int64]

    def logits(self, embedding: NDArray[np.floating], fold: int = FOLDS) -> NDArray[np.float32]:
        """[n, units] → [n, labels], by the rows that never heard the sources of a fold."""
        return np.asarray(embedding.astype(np.float32) @ self.weight[fold].T + self.bias[fold], np.float32)


def kept_rows() -> Rows:
    """The rows of the last fit. Raises FileNotFoundError where there was none."""
    with np.load(data.BUILD / "verifier-rows.npz") as kept:
        return Rows(kept["weight"], kept["bias"], kept["units"])


def fit(net: VerifierNet, heard: Heard, sounds: Sounds) -> tuple[Rows, Heard]:
    """All rows, with each fold of sources left out and with all, and what they read: the units they lean on most."""
    weight, bias = net.rows.weight.detach().numpy(), net.rows.bias.detach().numpy()
    first = [fitted_row(i, (weight[i], float(bias[i])), heard, sounds, sounds.may_learn) for i in range(len(LABELS))]
    leaning = (np.abs(np.stack([row for row, _ in first])) * heard.embedding.std(axis=0)).max(axis=0)
    units = np.sort(np.argsort(-leaning)[:UNITS])
    read = Heard(heard.piece, heard.own, np.ascontiguousarray(heard.embedding[:, units]))
    rows = np.zeros((FOLDS + 1, len(LABELS), UNITS), np.float32)
    biases = np.zeros((FOLDS + 1, len(LABELS)), np.float32)
    for fold in tqdm(range(FOLDS + 1), desc="rows"):
        chosen = sounds.may_learn & (sounds.fold != fold)
        for label in range(len(LABELS)):
            start = (np.ascontiguousarray(weight[label, units]), float(bias[label]))
            rows[fold, label], biases[fold, label] = fitted_row(label, start, read, sounds, chosen)
    np.savez(data.BUILD / "verifier-rows.npz", weight=rows, bias=biases, units=units)
    return Rows(rows, biases, units), read


def own_log_odds(heard: Heard, calibration: dict[str, dict[str, float]]) -> NDArray[np.float32]:
    """The hearing graph's calibrated log odds [n, labels]."""
    columns = [heard.own[:, INDEX[name]] * calibration[name]["scale"] + calibration[name]["offset"] for name in LABELS]
    return np.stack(columns, axis=1)


def calibrated(
    both: NDArray[np.float32], heard: Heard, sounds: Sounds, chosen: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """`calibration` of the card: what both say together as a probability, as models.hearing.calibrate does it."""
    return {
        name: calibrate.fit_one(
            both[:, label],
            heard.piece,
            sounds.truth[:, label],
            sounds.group,
            chosen & ~sounds.excused[:, label],
        )
        for label, name in enumerate(LABELS)
    }


def _highest(logit: NDArray[np.floating], piece: NDArray[np.int32], pieces: int) -> NDArray[np.float32]:
    best = np.full(pieces, -np.inf, np.float32)
    np.maximum.at(best, piece, logit)
    return best


def precision_of(
    label: int, logit: NDArray[np.floating], heard: Heard, sounds: Sounds, chosen: NDArray[np.bool_]
) -> float:
    """Average precision of a label over chosen pieces, a piece by its highest window."""
    asked = chosen & ~sounds.excused[:, label]
    return float(average_precision(sounds.truth[asked, label], _highest(logit, heard.piece, len(chosen))[asked]))


def apart(heard: Heard, sounds: Sounds, own: NDArray[np.float32], crossed: NDArray[np.float32], rows: Rows) -> None:
    """Print average precisions by rows that never heard a source: the later ones, and those kept from everything."""
    whole = rows.logits(heard.embedding)
    for name, chosen, said in (("later sources", sounds.later, crossed), ("kept apart", sounds.kept, whole)):
        print(f"{name}: label, clips, hearing graph, verifier, both")
        for label, word in enumerate(LABELS):
            columns = (own[:, label], said[:, label], own[:, label] + said[:, label])
            told = "  ".join(f"{precision_of(label, one, heard, sounds, chosen):.3f}" for one in columns)
            print(f"  {word:12s} {int((sounds.truth[:, label] & chosen).sum()):4d}  {told}")


def to_onnx(net: VerifierNet, path: Path) -> None:
    """Static shapes, batch normalisation folded, weights in int8 with a scale per output channel, opset 17.

    Runtimes fold the cast and the product when they read the file: nothing is computed in int8.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        names = {"input_names": list(INPUTS), "output_names": list(OUTPUTS)}
        torch.onnx.export(
            net.eval(), (torch.zeros(*INPUTS["finemel"]),), str(whole), opset_version=17, dynamo=False, **names
        )
        model = onnx.load(whole)
    users = {name for node in model.graph.node if node.op_type in ("Conv", "Gemm") for name in node.input[1:2]}
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        if tensor.name not in users or np.prod(tensor.dims) < QUANTISED_FROM:
            kept.append(tensor)
            continue
        weight = numpy_helper.to_array(tensor)
        scale = np.abs(weight).reshape(len(weight), -1).max(axis=1).clip(1e-8) / 127.0
        scale = scale.reshape(-1, *[1] * (weight.ndim - 1)).astype(np.float32)
        n = len(nodes)
        kept.append(numpy_helper.from_array(np.round(weight / scale).astype(np.int8), f"w{n}"))
        kept.append(numpy_helper.from_array(scale, f"s{n}"))
        nodes.append(helper.make_node("Cast", [f"w{n}"], [f"c{n}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"c{n}", f"s{n}"], [tensor.name]))
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    assert all(tensor.data_type != TensorProto.DOUBLE for tensor in kept)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def sheet(calibration: dict[str, dict[str, float]], pieces: list[data.Piece], sounds: Sounds) -> dict[str, object]:
    """The card, schema vedette.card/1, without figures."""
    path = ZOO / f"{NAME}.onnx"
    content = path.read_bytes()
    hearing = json.loads((ZOO / "hearing.json").read_text())
    learned = [piece for piece, may in zip(pieces, sounds.may_learn, strict=True) if may]
    return {
        "schema": "vedette.card/1",
        "name": NAME,
        "version": VERSION,
        "feature_version": FEATURE_VERSION,
        "files": [
            {
                "file": path.name,
                "precision": "int8",
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "inputs": INPUTS,
                "outputs": OUTPUTS,
            }
        ],
        "labels": list(LABELS),
        "calibration": calibration,
        "needs": {"hearing": [file["sha256"] for file in hearing["files"]]},
        "training": {
            "command": COMMAND,
            "initial_weights": "mn04_as of EfficientAT (fschmid56/EfficientAT, MIT): body and hidden layer as they "
            "are, rounded to int8; the rows begin as means of its AudioSet rows",
            "options": {"pull": PULL, "folds": FOLDS},
            "multiply_adds": 22_000_000,
            "teachers": card.TEACHERS[:1],
            "data": card.sources(learned, ("train", "dev", "outside")),
        },
        "figures": [],
        "intended_use": "Asked by the hearing graph about windows in which that half believes in one of the labels; "
        "what both say is added up, log odds by log odds, and read by this card's calibration.",
        "not_for": card.NOT_FOR,
        "limits": card.LIMITS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apart", action="store_true", help="average precisions on sources that no row was fitted on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pieces, waves = data.load()
    net = VerifierNet().eval()
    heard, sounds = hear(net, pieces, waves), Sounds.of(pieces)
    rows, heard = fit(net, heard, sounds)
    crossed = np.zeros((len(heard.piece), len(LABELS)), np.float32)
    for fold in range(FOLDS):
        held = sounds.fold[heard.piece] == fold
        crossed[held] = rows.logits(heard.embedding[held], fold)
    own = own_log_odds(heard, json.loads((ZOO / "hearing.json").read_text())["calibration"])
    if options.apart:
        apart(heard, sounds, own, crossed, rows)
    net.keep(rows.units, rows.weight[FOLDS], rows.bias[FOLDS])
    to_onnx(net, ZOO / f"{NAME}.onnx")
    text = sheet(calibrated(own + crossed, heard, sounds, sounds.later), pieces, sounds)
    (ZOO / f"{NAME}.json").write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(text["calibration"], indent=1))


if __name__ == "__main__":
    main()
