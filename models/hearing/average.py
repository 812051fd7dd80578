"""The mean of several trainings' weights, which hears faint and far sounds better than any one of them.

    python -m models.hearing.train --until 2000                             # build/hearing/hearing
    python -m models.hearing.train --until 2000 --name second --seed 9      # build/hearing/second
    python -m models.hearing.average hearing second --out averaged          # build/hearing/averaged/best.pt

Trainings that begin with the same weights end in one valley, and its middle generalises (Wortsman et al. 2022, "Model
soups", arXiv:2203.05482). Statistics of batch normalisation are averaged as well: all runs saw the same sounds.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.hearing import data

Weights = dict[str, Tensor]


def averaged(runs: Sequence[Weights]) -> Weights:
    """The mean of each floating-point tensor of the runs; counters are the first run's.

    Raises ValueError when there is no run, or the runs are of different networks.
    """
    if not runs:
        raise ValueError("there is nothing to average")
    first, *others = runs
    for other in others:
        if {name: x.shape for name, x in first.items()} != {name: x.shape for name, x in other.items()}:
            raise ValueError("these trainings are of different networks")
    return {
        name: torch.stack([run[name] for run in runs]).mean(0) if x.is_floating_point() else x.clone()
        for name, x in first.items()
    }


def best(folder: Path) -> Weights:
    """The weights of a training that were best on `dev`."""
    if not (folder / "best.pt").exists():
        raise SystemExit(f"{folder / 'best.pt'} is missing: python -m models.hearing.train --name {folder.name}")
    weights: Weights = torch.load(folder / "best.pt", map_location="cpu", weights_only=True)
    return weights


def recipe(folder: Path) -> dict[str, Any]:
    """With what options these weights were trained, where that ended and what `dev` said; of an average, each run's.

    Of an interpolation, what was mixed and refitted.
    """
    options: dict[str, Any] = json.loads((folder / "options.json").read_text("utf-8"))
    if "averaged" in options or "interpolated" in options:
        return options
    state = torch.load(folder / "last.pt", map_location="cpu", weights_only=True)
    return options | {"ended_at_step": state["step"], "dev_mean_ap": round(state["best"], 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="names of trainings under build/hearing")
    parser.add_argument("--out", required=True, help="name of the folder that gets best.pt")
    options = parser.parse_args()
    runs = [data.BUILD / name for name in options.runs]
    folder = data.BUILD / options.out
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(averaged([best(run) for run in runs]), folder / "best.pt")
    (folder / "options.json").write_text(json.dumps({"averaged": [recipe(run) for run in runs]}, indent=1), "utf-8")
    print(f"{folder / 'best.pt'}: the mean of {', '.join(options.runs)}")


if __name__ == "__main__":
    main()
