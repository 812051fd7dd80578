"""Searches the fusion network's hyper-parameters with Optuna; resumable, its history is a file of the repository.

    python -m models.fusion.search --trials 24        # goes on where build/fusion/search.db stopped
    python -m models.fusion.search --trials 0         # only writes the history and checks the best again

A trial is cross-fitted as `models.fusion.train` does it, on the folds of SEARCHED; its value is the mean over them of
two AUC of fight against calm clips: of the clips as they are, and of the same behind calm ones, as a camera shows them
that has been running (models.fusion.running). The best of many trials is lucky: so it is then compared with today's
setting on the folds that the search never judged by (CHECKED), with other seeds. Validation is not read. Writes
models/fusion/search.csv.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
import torch

from models.fusion.clips import BUILD, load_senses
from models.fusion.net import Shape
from models.fusion.running import Running, held_out_running, load_running
from models.fusion.sounds import load as load_sounds
from models.fusion.train import (
    FOLDS,
    Setting,
    fold_of,
    held_out_logits,
    load_sequences,
    separation,
    train_member,
)
from models.fusion.windows import Mix, Sequence16, Sound

HISTORY = Path(__file__).with_name("search.csv")
SEARCHED, CHECKED = (0, 1, 2), (3, 4)
CHECK_SEEDS = (1, 2)
AFTER_CALM = "after calm"
WAYS_TOLD = ("as they are", AFTER_CALM)
SEED = 8
STEPS = 240
COLUMNS = ("trial", "state", "value")


def suggested(trial: optuna.trial.BaseTrial, steps: int) -> Setting:
    """The setting of one trial."""
    return Setting(
        kind=trial.suggest_categorical("kind", ["gated", "late", "mutual"]),
        kl=trial.suggest_float("kl", 0.0, 1.0),
        own=trial.suggest_float("own", 0.1, 1.0),
        order=trial.suggest_float("order", 0.0, 0.5),
        mix=Mix(
            cut=trial.suggest_float("cut", 0.1, 1.0),
            splice=trial.suggest_float("splice", 0.1, 0.7),
            no_scene=trial.suggest_float("no_scene", 0.1, 0.9),
            drop_step=trial.suggest_float("drop_step", 0.0, 0.3),
            noise=trial.suggest_float("noise", 0.0, 0.3),
        ),
        shape=Shape(
            width=trial.suggest_categorical("width", [16, 32, 48]),
            drop=trial.suggest_float("drop", 0.1, 0.5),
            input_drop=trial.suggest_float("input_drop", 0.0, 0.3),
        ),
        rate=trial.suggest_float("rate", 5e-4, 8e-3, log=True),
        decay=trial.suggest_float("decay", 1e-3, 0.2, log=True),
        steps=steps,
    )


TODAY = {
    "kind": "gated", "kl": 0.3, "own": 0.4, "order": 0.0, "cut": 1.0, "splice": 0.4, "no_scene": 0.8,
    "drop_step": 0.1, "noise": 0.1, "width": 32, "drop": 0.3, "input_drop": 0.1, "rate": 2e-3, "decay": 0.02,
}  # fmt: skip
"""What `Setting()` holds, as the search names it: the first trial."""


@dataclass(frozen=True, slots=True)
class Material:
    """What is learned from and judged by: clips as they are, recorded sounds, and the clips behind calm ones."""

    clips: Sequence[Sequence16]
    sounds: Sequence[Sound]
    after_calm: Sequence[Running]

    def judged(self, setting: Setting, fold: int) -> tuple[float, float]:
        """The AUC of a fold as it is and behind calm, by a member that never saw it."""
        member = train_member(self.clips, self.sounds, fold, setting)
        members = [member] * FOLDS  # each clip of the fold asks the one of its own fold
        held = [one for one in self.clips if fold_of(one.clip.group) == fold]
        after = [shown for shown in self.after_calm if fold_of(shown[0].clip.group) == fold]
        return separation(held_out_logits(members, held)), separation(held_out_running(members, after))


def write_history(study: optuna.Study, path: Path = HISTORY) -> None:
    """Every trial, its value and its parameters."""
    names = sorted(TODAY)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*COLUMNS, *names])
        for trial in study.trials:
            value = "" if trial.value is None else f"{trial.value:.4f}"
            parameters = [trial.params.get(name, "") for name in names]
            told = [f"{one:.4g}" if isinstance(one, float) else one for one in parameters]
            rows.writerow([trial.number, trial.state.name.lower(), value, *told])


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    senses = load_senses()
    material = Material(load_sequences(senses), load_sounds(senses), load_running(senses)[AFTER_CALM])

    def objective(trial: optuna.Trial) -> float:
        setting, found = suggested(trial, options.steps), []
        for step, fold in enumerate(SEARCHED):
            found += material.judged(setting, fold)
            trial.report(float(np.mean(found)), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(found))

    BUILD.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="fusion, as they are and after calm",
        storage=f"sqlite:///{BUILD / 'search.db'}",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=SEED, n_startup_trials=8),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=6),
    )
    if not study.trials:
        study.enqueue_trial(TODAY)
    for _ in range(options.trials):
        study.optimize(objective, n_trials=1)
        write_history(study)
    write_history(study)
    print(f"best of {len(study.trials)}: {study.best_value:.4f}, {study.best_params}")
    for name, parameters in (("today", TODAY), ("best", study.best_params)):
        seeded = suggested(optuna.trial.FixedTrial(parameters), options.steps)
        each = [[material.judged(replace(seeded, seed=seed), fold) for fold in CHECKED] for seed in CHECK_SEEDS]
        told = ", ".join(f"{way} {value:.4f}" for way, value in zip(WAYS_TOLD, np.mean(each, axis=(0, 1)), strict=True))
        print(f"{name} on folds {CHECKED}, {len(CHECK_SEEDS)} seeds: {np.round(each, 3).tolist()}; {told}", flush=True)


if __name__ == "__main__":
    main()
