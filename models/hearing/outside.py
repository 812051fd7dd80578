"""How the sound model does on sources that its body was not trained on: AudioSet's cuts, fire engines, games.

    python -m models.hearing.outside                # the shipped int8 file, table on the screen, three minutes
    python -m models.hearing.outside --zoo FOLDER   # another one with its card

`dev` holds other recordings of the sources that were trained on, so it cannot tell how far a network generalises. The
sources of `catalogue.LATER` were found after the weights had been trained (the incidents' opinions are fitted on them,
too), and what is chosen about forgetting is chosen here. The row of screams learned them since (models.hearing.rows),
but for those of `catalogue.KEPT`, which have a table of their own. A clip's score is its highest window. Against the
clips with a label stand all clips without it, of these sources and of `dev`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.hearing import calibrate, catalogue, data
from models.hearing.export import ZOO, Session
from models.hearing.labels import INDEX
from models.hearing.metrics import average_precision
from models.hearing.train import AIM, ClipScores

SHOWN = (*AIM, "siren")
FALSE_SHARE = 0.01
EXCUSES = {"gunshot": ("explosion",), "glass_break": ("crash",)}
"""Clips of these labels do not stand against a label."""


def against(label: str, clips: ClipScores) -> NDArray[np.bool_]:
    """Which clips are without the label, and without what may be taken for it with some right."""
    excused = [INDEX[name] for name in (label, *EXCUSES.get(label, ()))]
    return np.asarray(~clips.truth[:, excused].any(axis=1))


def table(
    outside: ClipScores,
    score: NDArray[np.floating],
    dev: ClipScores,
    dev_score: NDArray[np.floating],
    labels: Sequence[str] = SHOWN,
    chosen: NDArray[np.bool_] | None = None,
) -> list[str]:
    """A line per label: average precision, and what is found at the level that one other clip in a hundred reaches.

    Of the clips outside only the `chosen` ones count.
    """
    sources = np.array([piece.repo for piece in outside.pieces])
    asked = np.ones(len(sources), bool) if chosen is None else chosen
    lines = []
    for label in labels:
        i = INDEX[label]
        true = outside.truth[:, i] & asked
        false = np.concatenate([score[against(label, outside) & asked, i], dev_score[against(label, dev), i]])
        both = np.concatenate([score[true, i], false])
        ap = average_precision(np.arange(len(both)) < true.sum(), both)
        level = np.quantile(false, 1.0 - FALSE_SHARE)
        found = score[true, i] > level
        by_source = (
            f"{source} {found[sources[true] == source].mean():.2f} of {(sources[true] == source).sum()}"
            for source in np.unique(sources[true])
        )
        told = f"{label:12s} AP {ap:.3f}, at 1 % of {len(false)} others found: {found.mean():.2f}"
        lines.append(f"{told} ({', '.join(by_source)})")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=ZOO, help="folder with hearing.int8.onnx and hearing.json")
    parser.add_argument("--file", default="hearing.int8.onnx")
    options = parser.parse_args()
    pieces, waves = data.load()
    calibration = json.loads((options.zoo / "hearing.json").read_text())["calibration"]
    model = Session(options.zoo / options.file)
    parts = [ClipScores(part, pieces, waves) for part in ("outside", "dev")]
    outside, dev = parts
    scores = [clips.clips(calibrate.probabilities(model(clips.x), calibration).astype(np.float32)) for clips in parts]
    kept = np.array([piece.repo in catalogue.KEPT for piece in outside.pieces])
    print("all later sources", *table(outside, scores[0], dev, scores[1]), sep="\n  ")
    print("those that no row learns", *table(outside, scores[0], dev, scores[1], chosen=kept), sep="\n  ")


if __name__ == "__main__":
    main()
