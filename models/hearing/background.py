"""Writes models/zoo/hearing-background.npz: embeddings of training sounds, what a taught sound is told apart from.

    python -m models.hearing.background

One window of each recording of the `train` part (never dev or val), every label equally often where there are
enough, through the shipped int8 graph; float16 [n, 128]. No sound can be heard from them.
"""

import argparse
from collections import defaultdict

import numpy as np

from agent.config.schema import Models
from agent.features.logmel import SAMPLES
from agent.inference.card import zoo_folder
from agent.inference.hearing import HearingModel
from agent.inference.site_label import hearing_sha256
from calibration.labels import BACKGROUND_FILE
from models.hearing import data

SEED = 8


def chosen(pieces: list[data.Piece], per_label: int, rng: np.random.Generator) -> list[data.Piece]:
    """At most `per_label` pieces of each first label, each of another recording."""
    by_label: dict[str, dict[str, data.Piece]] = defaultdict(dict)
    for index in rng.permutation(len(pieces)):
        piece = pieces[index]
        if piece.split == "train":
            by_label[piece.labels.split(";")[0]].setdefault(piece.group, piece)
    return [piece for label in sorted(by_label) for piece in list(by_label[label].values())[:per_label]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-label", type=int, default=120)
    options = parser.parse_args()
    pieces, waves = data.load()
    model = HearingModel.load(Models(device="cpu"))
    kept = chosen(pieces, options.per_label, np.random.default_rng(SEED))
    embeddings = []
    for piece in kept:
        samples = waves[piece.start : piece.start + piece.samples].astype(np.float32) / 32768.0
        window = np.zeros(SAMPLES, np.float32)
        window[: min(SAMPLES, len(samples))] = samples[:SAMPLES]
        embeddings.append(model.hear(window).embedding)
    path = zoo_folder() / BACKGROUND_FILE
    np.savez_compressed(
        path, embeddings=np.array(embeddings, np.float16), hearing_sha256=np.array(hearing_sha256(model.card))
    )
    print(f"{len(embeddings)} windows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
