"""Fits a row of the published network's label head anew, on the sources found since as well.

    python -m models.hearing.rows --leave a     # without one half of the later sources, and what that half says; and b
    python -m models.hearing.rows --write       # on all that may be learned, into models/zoo: both files and the card

Body, embedding and all other rows stay to the bit, and so does what reads them (fusion, opinions of other kinds). Only
`ROWS` are moved: those that gained where either half of the sources was left out. All rows were refitted so, and what
that did to the others stands in models/hearing/HISTORY.md. Nobody learns `catalogue.KEPT`: it is there to measure on.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from models.hearing import calibrate, card, catalogue, data, interpolate, outside, refit, soften
from models.hearing.export import COMMANDS, ZOO, Session, describe
from models.hearing.labels import ALARMS, INDEX, SECURITY
from models.hearing.train import ClipScores

VERSION = "0.7.0"
COMMAND = "python -m models.hearing.rows --write"
ROWS = ("scream",)
WINDOWS, SEED = 6_000, 3
PULL = 0.03
LATER_SHARE = 3.0
"""How much the later sources count for each row beside the training part."""
SURELY_NOT = 0.03
"""A label that the teachers' head hears less than that in all of a clip is not believed."""
WITHIN = 1.5
"""Windows of a clip whose logit is that near its highest are where the event is."""


@dataclass(frozen=True)
class Asked:
    """Windows with what is in them: hidden [n, 512], truth and weight [n, L], all float32."""

    hidden: NDArray[np.float32]
    truth: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class Sounds:
    """The clips of a part with what the head reads of each of their windows, float32 [windows, 512]."""

    clips: ClipScores
    hidden: NDArray[np.float32]

    @classmethod
    def of(cls, net: interpolate.HearingMn, clips: ClipScores) -> "Sounds":
        return cls(clips, refit.hidden_of(net, clips.x).numpy())

    def logits(self, head: nn.Linear) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(head(torch.as_tensor(self.hidden)).numpy(), np.float32)


def asked_of(
    sounds: Sounds, logits: NDArray[np.float32], chosen: NDArray[np.bool_], surely_not: NDArray[np.bool_]
) -> Asked:
    """The windows of the chosen clips; each label's weights add up to `LATER_SHARE`.

    A label is asked for where its clip's event is, and must not be heard in any window of the others; a recording
    counts by the root of its clips. Everyday sounds, which nobody annotates completely, are asked for only where they
    are. What may be taken for a label with some right is not asked about, nor is a label that is `surely_not` there.
    """
    clips = sounds.clips
    truth = clips.truth[clips.clip]
    here = np.where(truth, logits >= clips.clips(logits)[clips.clip] - WITHIN, 1.0)
    windows = np.zeros(clips.truth.shape)
    np.add.at(windows, clips.clip, here)
    clips_of_recording = np.bincount(clips.group[chosen], minlength=clips.group.max() + 1).clip(1)[clips.group]
    weight = here / (windows * np.sqrt(clips_of_recording)[:, None])[clips.clip]
    everyday = len(SECURITY + ALARMS)
    weight[:, everyday:] *= truth[:, everyday:]
    for label, excuses in outside.EXCUSES.items():
        plausible = truth[:, [INDEX[name] for name in excuses]].any(axis=1) & ~truth[:, INDEX[label]]
        weight[plausible, INDEX[label]] = 0.0
    weight[truth & surely_not[clips.clip]] = 0.0
    kept = chosen[clips.clip]
    share = weight[kept] * (LATER_SHARE / weight[kept].sum(axis=0).clip(1e-9))
    return Asked(sounds.hidden[kept], truth[kept].astype(np.float32), share.astype(np.float32))


def drawn(net: interpolate.HearingMn, pieces: Sequence[data.Piece], waves: NDArray[np.int16]) -> Asked:
    """Windows of the training part, half of them with another sound behind, as `models.hearing.refit` draws them."""
    windows = refit.Drawer(pieces, waves, SEED).draw(WINDOWS)
    return Asked(refit.hidden_of(net, windows.x).numpy(), windows.truth, windows.asked / np.float32(WINDOWS))


def refitted(head: nn.Linear, parts: Sequence[Asked], rows: Sequence[str] = ROWS, pull: float = PULL) -> nn.Linear:
    """The head with some rows a pulled step from what they were."""
    columns = [INDEX[label] for label in rows]
    hidden = torch.as_tensor(np.concatenate([part.hidden for part in parts]))
    truth = torch.as_tensor(np.concatenate([part.truth[:, columns] for part in parts]))
    share = torch.as_tensor(np.concatenate([part.weight[:, columns] for part in parts]))
    start, start_bias = head.weight.detach()[columns], head.bias.detach()[columns]
    weight, bias = start.clone().requires_grad_(), start_bias.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=60, history_size=15, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        said = nn.functional.binary_cross_entropy_with_logits(hidden @ weight.T + bias, truth, reduction="none")
        away = ((weight - start) ** 2).sum() + 0.1 * ((bias - start_bias) ** 2).sum()
        value = (said * share).sum() + pull * away
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    out = nn.Linear(head.in_features, head.out_features)
    whole, whole_bias = head.weight.detach().clone(), head.bias.detach().clone()
    whole[columns], whole_bias[columns] = weight.detach(), bias.detach()
    out.load_state_dict({"weight": whole, "bias": whole_bias})
    return out


def put(path: Path, head: nn.Linear, rows: Sequence[str] = ROWS) -> None:
    """Write rows of the head into a published file, and nothing else. Raises ValueError when it has no such head."""
    model = onnx.load(path)
    columns = [INDEX[label] for label in rows]
    left = {"head.weight": head.weight.detach().numpy(), "head.bias": head.bias.detach().numpy()}
    for tensor in model.graph.initializer:
        name = tensor.name.removesuffix("_half")
        if name in left:
            value = numpy_helper.to_array(tensor).copy()
            value[columns] = left.pop(name)[columns].astype(value.dtype)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    if left:
        raise ValueError(f"{path} has no {', '.join(left)}")
    onnx.save(model, path)


def still_fit(card_path: Path, before: Sequence[str], after: Sequence[str]) -> None:
    """Let a graph that was trained beside the files know them by their new hashes: what it reads is the same."""
    sheet = json.loads(card_path.read_text("utf-8"))
    new = dict(zip(before, after, strict=True))
    needed = sheet.get("needs", {}).get("hearing", [])
    sheet["needs"] = sheet.get("needs", {}) | {"hearing": [new.get(sha256, sha256) for sha256 in needed]}
    card_path.write_text(json.dumps(sheet, indent=1, ensure_ascii=False) + "\n", "utf-8")


def write(head: nn.Linear, dev: ClipScores, later: ClipScores, trained: Sequence[data.Piece]) -> None:
    """Both files, and of the card what follows: hashes, data, calibration and thresholds of single windows.

    fusion.json learns the hashes too: its graph reads embeddings, and those are the same to the bit.
    """
    for name in ("hearing.int8.onnx", "hearing.fp16.onnx"):
        put(ZOO / name, head)
    path = ZOO / "hearing.json"
    sheet = json.loads(path.read_text("utf-8"))
    logits = Session(ZOO / "hearing.int8.onnx")(dev.x)
    calibration = calibrate.fit_scores(logits, dev.clip, dev.truth, dev.group)
    probability = calibrate.probabilities(logits, calibration)
    thresholds = calibrate.fit_thresholds(probability, dev.clip, dev.truth, soften.doubtful(dev.pieces), dev.pieces)
    for label in ROWS:
        sheet["calibration"][label] = calibration[label]
        sheet["thresholds"][label] |= thresholds[label]
    sheet["version"] = VERSION
    sheet["training"]["command"] = COMMANDS
    learned = [replace(piece, split="train") if piece.repo not in catalogue.KEPT else piece for piece in later.pieces]
    sheet["training"]["data"] = card.sources([*trained, *learned])
    before = [str(file["sha256"]) for file in sheet["files"]]
    sheet["files"] = [describe(ZOO / f"hearing.{kind}.onnx", kind) for kind in ("int8", "fp16")]
    still_fit(ZOO / "fusion.json", before, [str(file["sha256"]) for file in sheet["files"]])
    sheet["training"]["rows"] = {
        "command": COMMAND, "rows": list(ROWS), "pull": PULL, "later_share": LATER_SHARE, "windows": WINDOWS,
        "seed": SEED, "of": "0.6.0", "sources": sorted({piece.repo for piece in learned if piece.split == "train"}),
    }  # fmt: skip
    path.write_text(json.dumps(sheet, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{path}: {', '.join(ROWS)} of {len(sheet['training']['rows']['sources'])} more sources")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leave", choices=catalogue.HALVES, help="half of the later sources that is left out")
    parser.add_argument("--write", action="store_true", help="put the rows into models/zoo")
    parser.add_argument("--zoo", type=Path, default=ZOO, help="folder with the files to begin with, and their card")
    options = parser.parse_args()
    if options.write and (options.leave or options.zoo != ZOO):
        parser.error("what ships learns both halves and lies in models/zoo")
    if "rows" in json.loads((options.zoo / "hearing.json").read_text("utf-8"))["training"]:
        raise SystemExit(f"{options.zoo} has these rows already: begin with the files of 0.6.0 (models.hearing.export)")
    torch.set_num_threads(1)
    pieces, waves = data.load()
    net = interpolate.load(options.zoo / "hearing.fp16.onnx")
    later, dev = (ClipScores(part, pieces, waves) for part in ("outside", "dev"))
    sounds, of_dev = Sounds.of(net, later), Sounds.of(net, dev)
    half = np.array([catalogue.half(piece.repo) for piece in later.pieces])
    is_kept = np.array([piece.repo in catalogue.KEPT for piece in later.pieces])
    chosen = ~is_kept & (half != options.leave)
    surely_not = soften.highest(later.pieces) < SURELY_NOT
    parts = [drawn(net, pieces, waves), asked_of(sounds, sounds.logits(net.head), chosen, surely_not)]
    head = refitted(net.head, parts)
    left_out = is_kept if options.leave is None else ~is_kept & (half == options.leave)
    for told, one in (("before", net.head), ("after", head)):
        scores = (later.clips(sounds.logits(one)), dev.clips(of_dev.logits(one)))
        print(told, *outside.table(later, scores[0], dev, scores[1], ROWS, left_out), sep="\n  ", flush=True)
    if options.write:
        write(head, dev, later, pieces)


if __name__ == "__main__":
    main()
