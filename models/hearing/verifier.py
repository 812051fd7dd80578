"""Makes the verifier of the hearing graph: mn04_as with upper blocks and rows trained on our sounds.

    python -m models.hearing.verifier            # models/zoo/hearing-verifier.{onnx,json}; an hour, then one minute
    python -m models.hearing.verifier --apart    # besides, how it does for sources that no training heard

The hearing graph is mn04_as too, but on a picture of half the size and changed through and through by our training.
The verifier keeps the published picture and the lower blocks (EfficientAT, MIT; 22 million multiply-adds a window), and
part of its hidden layer; the upper blocks, which hold nine tenths of the weights, begin as published and are trained on
maps of the lower ones (models.hearing.maps, models.hearing.tuning), beginning with rows fitted to the published body
(models.hearing.verifier_rows).

What both say is added up (log odds), and calibrated on `dev` and the later sources, where trainings that never heard a
clip's source stand in for the shipped one. `models.hearing.incidents` uses those as well. The weights are
stored in int8, one scale per output channel; what is computed stays in float.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from agent.config.schema import Models
from agent.features.finemel import BANDS, FEATURE_VERSION
from agent.features.logmel import FRAMES, log_mel
from agent.inference.verifier import NAME
from models.hearing import calibrate, card, clips, data, maps, mn04, tuning
from models.hearing.export import ZOO, Session
from models.hearing.heard import Noting, takes
from models.hearing.labels import INDEX
from models.hearing.labels import VERIFIED as LABELS
from models.hearing.metrics import average_precision
from models.hearing.storing import in_int8
from models.hearing.teachers import FOLDER, class_columns, cut
from models.hearing.verifier_rows import ALL, PULL, UNITS, Heard, Sounds, fit, highest

VERSION = "1.1.0"
COMMAND = "python -m models.hearing.verifier"
INPUTS = {"finemel": [1, 1, BANDS, FRAMES]}
HALF_BELIEVED_LOG_ODDS = -1.0
"""Of the hearing graph: what it says of windows that are drawn more often."""
OUTPUTS = {"logits": [1, len(LABELS)], "embedding": [1, UNITS]}


class VerifierNet(nn.Module):
    """The verifier with tuned upper blocks: [batch, 1, 128, 200] → logits [batch, 7], embedding [batch, units]."""

    def __init__(self, upper: tuning.Upper) -> None:
        super().__init__()
        self.lower, self.upper = mn04.load(FOLDER / "mn04_as_mAP_432.pt").features[: maps.CUT], upper

    def forward(self, finemel: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.upper.embed(self.upper.pooled(self.lower(finemel)))
        return self.upper.rows(embedding), embedding


class Published:
    """The published hidden layer, and rows on it that are means of the classes that speak for each label."""

    def __init__(self) -> None:
        teacher = mn04.load(FOLDER / "mn04_as_mAP_432.pt")
        hidden, last = teacher.classifier[2], teacher.classifier[5]
        assert isinstance(hidden, nn.Linear)
        assert isinstance(last, nn.Linear)
        self.hidden, self.rows = hidden, nn.Linear(last.in_features, len(LABELS))
        columns = class_columns(FOLDER / "audioset_class_labels_indices.csv")
        with torch.no_grad():
            for row, label in enumerate(LABELS):
                self.rows.weight[row] = last.weight[columns[label]].mean(dim=0)
                self.rows.bias[row] = last.bias[columns[label]].mean()

    @torch.inference_mode()
    def embed(self, pooled: NDArray[np.float16]) -> NDArray[np.float32]:
        """The body's pooled features [n, 384] → [n, 512]."""
        return nn.functional.hardswish(self.hidden(torch.as_tensor(pooled.astype(np.float32)))).numpy()


def own_logits(pieces: list[data.Piece], waves: NDArray[np.int16]) -> NDArray[np.float32]:
    """What the hearing graph says of all windows, [n, L]; kept below build/ until it changes."""
    file = data.BUILD / "verifier.npz"
    shipped = hashlib.sha256((ZOO / "hearing.int8.onnx").read_bytes()).hexdigest()
    if file.is_file():
        with np.load(file) as kept:
            if str(kept["hearing"]) == shipped and int(kept["pieces"]) == len(pieces):
                return np.asarray(kept["own"], np.float32)
    first, own = Session(ZOO / "hearing.int8.onnx"), []
    rows = list(zip(*maps.windows_of(pieces), strict=True))
    for index, start in tqdm(rows, desc="hearing graph", mininterval=10):
        one = pieces[index]
        own.append(first(log_mel(cut(waves[one.start : one.start + one.samples], int(start)))[None, None]))
    said = np.concatenate(own).astype(np.float16)
    np.savez(file, hearing=shipped, pieces=len(pieces), own=said)
    return said.astype(np.float32)


def own_log_odds(own: NDArray[np.float32], calibration: dict[str, dict[str, float]]) -> NDArray[np.float32]:
    """The hearing graph's calibrated log odds [n, labels]."""
    columns = [own[:, INDEX[name]] * calibration[name]["scale"] + calibration[name]["offset"] for name in LABELS]
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


def precision_of(
    label: int, logit: NDArray[np.floating], heard: Heard, sounds: Sounds, chosen: NDArray[np.bool_]
) -> float:
    """Average precision of a label over chosen pieces, a piece by its highest window."""
    asked = chosen & ~sounds.excused[:, label]
    return float(average_precision(sounds.truth[asked, label], highest(logit, heard.piece, len(chosen))[asked]))


def apart(heard: Heard, sounds: Sounds, own: NDArray[np.float32], said: NDArray[np.float32]) -> None:
    """Print average precisions by trainings that never heard a source: later ones, and those kept from everything."""
    for name, chosen in (("later sources", sounds.later & (sounds.part != ALL)), ("kept apart", sounds.kept)):
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
    model = in_int8(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def sheet(calibration: dict[str, dict[str, float]], pieces: list[data.Piece], sounds: Sounds) -> dict[str, object]:
    """The card, schema vedette.card/1, without figures."""
    path = ZOO / f"{NAME}.onnx"
    content = path.read_bytes()
    hearing = json.loads((ZOO / "hearing.json").read_text())
    learned = [piece for piece, may in zip(pieces, sounds.taught(ALL), strict=True) if may]
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
            "initial_weights": f"mn04_as of EfficientAT (fschmid56/EfficientAT, MIT): its first {maps.CUT} blocks as "
            "they are, rounded to int8; the others and part of its hidden layer begin as published and are trained; "
            "the rows begin as means of its AudioSet rows",
            "options": {
                "pull": PULL,
                "steps": tuning.STEPS,
                "batch": tuning.BATCH,
                "rate": tuning.RATE,
                "hold": tuning.HOLD,
                "share": tuning.SHARE,
                "renderings": maps.RENDERINGS,
                "seed": tuning.SEED,
            },
            "multiply_adds": 22_000_000,
            "teachers": card.TEACHERS[:1],
            "data": card.sources(learned, ("train", "outside")),
        },
        "figures": [],
        "intended_use": "Asked by the hearing graph about windows in which that half believes in one of the labels; "
        "what both say is added up, log odds by log odds, and read by this card's calibration.",
        "not_for": card.NOT_FOR,
        "limits": card.LIMITS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apart", action="store_true", help="average precisions on sources that no training heard")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pieces, waves = data.load()
    sounds, lower, published = Sounds.of(pieces), maps.Lower(), Published()
    piece, _ = maps.windows_of(pieces)
    own = own_log_odds(own_logits(pieces, waves), json.loads((ZOO / "hearing.json").read_text())["calibration"])
    plain = maps.kept("clean", lower, len(piece), maps.clean(pieces, waves))
    beside = sounds.may_learn & ~sounds.truth.any(axis=1)
    damaged = [
        maps.kept(f"rendering-{seed}", lower, len(piece), maps.rendered(pieces, waves, beside, seed))
        for seed in range(1, maps.RENDERINGS + 1)
    ]
    heard = Heard(piece, published.embed(plain[1]))
    rows = fit(published.rows, heard, sounds)
    served_piece, served_maps = as_served(pieces, waves)
    served_pooled = tuning.published_pooled(served_maps)
    everything = Heard(
        np.concatenate([piece, served_piece]),
        np.concatenate([heard.embedding, published.embed(served_pooled)])[:, rows.units],
    )
    half_believed = np.concatenate([(own >= HALF_BELIEVED_LOG_ODDS).any(axis=1), np.ones(len(served_piece), bool)])
    store = tuning.Store((plain, *damaged), (served_maps, served_pooled))
    nets = tuning.tuned(rows, everything, sounds, store, half_believed)
    said = np.zeros((len(piece), len(LABELS)), np.float32)
    for part, net in enumerate(nets):
        here = np.flatnonzero((sounds.part[piece] == part) & (sounds.later | sounds.kept)[piece])
        said[here] = net.logits(plain[0], here)
    if options.apart:
        apart(heard, sounds, own, said)
    to_onnx(VerifierNet(nets[ALL]), ZOO / f"{NAME}.onnx")
    chosen = sounds.later & (sounds.dev | (sounds.part != ALL))
    text = sheet(calibrated(own + said, heard, sounds, chosen), pieces, sounds)
    (ZOO / f"{NAME}.json").write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(text["calibration"], indent=1))


def as_served(pieces: list[data.Piece], waves: NDArray[np.int16]) -> tuple[NDArray[np.int32], NDArray[np.float16]]:
    """The windows of which the agent asks the verifier: their pieces [n] and maps [n, 32, 8, 13]."""
    model, piece, found = Noting.load(Models(device="cpu")), list[NDArray[np.int32]](), list[NDArray[np.float16]]()
    for part in ("train", "outside"):
        rows = clips.rows_of(pieces, part)
        sounds = [waves[pieces[row].start : pieces[row].start + pieces[row].samples] for row in rows]
        for row, one in zip(rows, takes(part, sounds, model), strict=True):
            piece.append(np.full(len(one.asked), row, np.int32))
            found.append(one.maps)
    return np.concatenate(piece), np.concatenate(found)


if __name__ == "__main__":
    main()
