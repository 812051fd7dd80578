"""Ways of fusing on the same folds: one table, so that the shipped one can be questioned.

    python -m models.fusion.ablation                  # writes build/fusion/ablation.md
    python -m models.fusion.ablation --steps 300      # quicker, less sure

Every row is cross-fitted over the training clips as `models.fusion.train` does it (no validation clip is looked at),
with the same seed and as many steps. Members are stopped early on
the fold they are judged on, so all rows are somewhat too good; with about 120 fights small differences say nothing.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch

from models.fusion.clips import BUILD, load_senses
from models.fusion.sounds import load as load_sounds
from models.fusion.train import FOLDS, Setting, auc, fold_of, held_out_logits, load_sequences, train_member
from models.fusion.windows import Mix

RESAMPLES = 500


def rows(steps: int) -> dict[str, Setting]:
    """What is compared."""
    plain = Setting(steps=steps)
    whole = Mix(no_scene=0.0, no_people=0.0, no_sound=0.0)
    return {
        "vision only": replace(plain, kind="vision", streams=("scene", "people")),
        "people only (kinematics and motion)": replace(plain, streams=("people",)),
        "scene embedding only": replace(plain, streams=("scene",)),
        "sound only": replace(plain, kind="sound", streams=("sound",)),
        "early": replace(plain, kind="early"),
        "late": replace(plain, kind="late"),
        "gated (shipped)": plain,
        "cross-attention": replace(plain, kind="cross"),
        "gated, without KL": replace(plain, kl=0.0),
        "gated, without modality dropout": replace(plain, mix=whole),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--variants", type=int, default=1)
    parser.add_argument("--folds", type=int, default=FOLDS, help="only the first so many of the five")
    options = parser.parse_args()
    torch.set_num_threads(1)
    senses = load_senses()
    clips, sounds = load_sequences(senses, options.variants), load_sounds(senses)
    lines = [
        f"{len(clips)} sequences, {options.steps} steps, {options.folds} of {FOLDS} folds; AUC of fight against calm",
        "",
        "| | AUC | 95 % by group |",
        "|---|---|---|",
    ]
    for name, setting in rows(options.steps).items():
        members = [train_member(clips, sounds, fold, setting) for fold in range(options.folds)]
        judged = [one for one in clips if fold_of(one.clip.group) < options.folds]
        told = [t for t in held_out_logits(members, judged, setting.streams) if t[0].clip.kind in ("fight", "normal")]
        truth = np.array([one.clip.kind == "fight" for one, _ in told])
        scores = np.array([z.max() for _, z in told])
        low, high = interval(truth, scores, [one.clip.group for one, _ in told])
        lines.append(f"| {name} | {auc(truth, scores):.3f} | {low:.3f} to {high:.3f} |")
        print(lines[-1], flush=True)
        (BUILD / "ablation.md").write_text("\n".join(lines) + "\n")


def interval(truth: np.ndarray, scores: np.ndarray, groups: list[str]) -> tuple[float, float]:
    """95 % bootstrap interval of an AUC, whole groups drawn."""
    rng, names = np.random.default_rng(8), sorted(set(groups))
    places = {name: np.flatnonzero(np.array(groups) == name) for name in names}
    found = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([places[names[index]] for index in rng.integers(len(names), size=len(names))])
        found.append(auc(truth[drawn], scores[drawn]))
    return float(np.nanpercentile(found, 2.5)), float(np.nanpercentile(found, 97.5))


if __name__ == "__main__":
    main()
