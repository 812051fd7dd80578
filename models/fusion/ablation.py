"""Ways of fusing on the same folds: one table, so that the shipped one can be questioned.

    python -m models.fusion.ablation                  # writes build/fusion/ablation.md
    python -m models.fusion.ablation --steps 300      # quicker, less sure

Every row is cross-fitted over the training clips as `models.fusion.train` does it (no validation clip is looked at),
with the same seed and as many steps, and judged where they stand at the end (but the row that says otherwise): nothing
of a fold is known to the members that judge it. With about 120 fights small differences say nothing.
Three columns tell of the same clips on a camera that has been running (models.fusion.running): AUC; how many fights
open where the ledger opens in at most `MOST_FALSE_FRAC` of the calm clips, however they are shown; how many fewer.
The last two columns are the same clips with recorded sounds of the fold beside them instead of their own: every fight
with a scream, crash or breaking glass and every calm clip with an ordinary sound; then every clip with an ordinary one.
The share in brackets is of the fights that the picture alone lifts above 95 % of the calm clips and the sound does not
let fall below that, were the sound allowed to take belief away; the shipped graph does not allow it (net.unlowered).
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from models.fusion.clips import BUILD, load_senses
from models.fusion.export import calibrate_fight, opens
from models.fusion.net import LABELS, Member, Shape
from models.fusion.running import WAYS, Told, held_out_running, load_running
from models.fusion.sounds import load as load_sounds
from models.fusion.train import (
    FOLDS,
    STEPS,
    Setting,
    auc,
    every_window,
    fight_logits,
    fold_of,
    held_out_logits,
    load_sequences,
    tensors,
    train_member,
    with_sound,
)
from models.fusion.windows import FITTING, Mix, Sequence16, Sound
from models.resampling import group_interval

SHIPPED = "gated (shipped)"
Opened = dict[tuple[str, str], tuple[str, bool]]
"""Of each fight, by way and clip: its group, and whether it opened."""
RESAMPLES = 500
SEED = 8


def rows(steps: int, seed: int = 0) -> dict[str, Setting]:
    """What is compared."""
    plain = Setting(steps=steps, seed=seed)
    whole = Mix(no_scene=0.0, no_people=0.0, no_sound=0.0)
    return {
        SHIPPED: plain,
        "vision only": replace(plain, kind="vision", streams=("scene", "people")),
        "people only (kinematics and motion)": replace(plain, streams=("people",)),
        "scene embedding only": replace(plain, streams=("scene",)),
        "sound only": replace(plain, kind="sound", streams=("sound",)),
        "early": replace(plain, kind="early"),
        "late": replace(plain, kind="late"),
        "cross-attention": replace(plain, kind="cross"),
        "mutual attention": replace(plain, kind="mutual"),
        "gated, with contrastive agreement of sight and sound": replace(plain, agreement=0.3),
        "gated, with temporal order": replace(plain, order=0.3),
        "gated, without KL": replace(plain, kl=0.0),
        "gated, without modality dropout": replace(plain, mix=whole),
        "gated, a calm past may take away (0.4.0)": replace(plain, shape=Shape(brief=0)),
        "gated, only the newest 2.5 s": replace(plain, shape=Shape(recent=5)),
        "gated, without the age of tracks": replace(plain, shape=Shape(ages=False)),
        "gated, only the newest 2.5 s, without the age of tracks": replace(plain, shape=Shape(recent=5, ages=False)),
        "gated, history of any length": replace(plain, mix=Mix(cut=0.4)),
        "gated, clips only as they are": replace(plain, variants=1),
        "gated, clips and two variants": replace(plain, variants=3),
        "gated, stopped on the fold it is judged on": replace(plain, stop=True),
        "gated, scene dropped in half": replace(plain, mix=Mix(no_scene=0.5)),
        "gated, as 0.3.1 was trained, not stopped": replace(
            plain, variants=1, steps=500, mix=Mix(cut=0.4, no_scene=0.5)
        ),
        "gated, half as wide": replace(plain, shape=Shape(width=16)),
        "gated, half dropped": replace(plain, shape=Shape(drop=0.5, input_drop=0.2)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--folds", type=int, default=FOLDS, help="only the first so many of the five")
    parser.add_argument("--only", nargs="+", help="only rows whose name has one of these in it")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    senses = load_senses()
    clips, sounds = load_sequences(senses, max(one.variants for one in rows(1).values())), load_sounds(senses)
    lines = [
        f"{len(clips)} sequences, {options.steps} steps, {options.folds} of {FOLDS} folds; AUC of fight against calm",
        "",
        "| | AUC | 95 % by group | less than shipped by (95 % by group) | AUC after calm, and to and fro | "
        "fights that open: as they are, "
        + ", ".join(WAYS)
        + " (calm) | fewer after calm than shipped by (95 % by group) | "
        "fitting sounds (fights kept) | ordinary sounds (fights kept) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    shipped: np.ndarray | None = None
    running = load_running(senses)
    after: Opened = {}
    for name, setting in rows(options.steps, options.seed).items():
        if options.only and not any(words in name for words in options.only):
            continue
        members = [train_member(clips, sounds, fold, setting) for fold in range(options.folds)]
        judged = [one for one in clips if fold_of(one.clip.group) < options.folds]
        everything = held_out_logits(members, judged, setting.streams)
        told = [t for t in everything if t[0].clip.kind in ("fight", "normal")]
        going = {
            way: held_out_running(
                members, [t for t in some if fold_of(t[0].clip.group) < options.folds], setting.streams
            )
            for way, some in running.items()
        }
        truth = np.array([one.clip.kind == "fight" for one, _ in told])
        scores = np.array([z.max() for _, z in told])
        low, high = interval(truth, scores, [one.clip.group for one, _ in told])
        beside = [_beside(members, judged, sounds, setting, fits) for fits in (True, False)]
        opened, counts = opened_in(everything, going)
        if name == SHIPPED:
            shipped, after = scores, opened
        less = "" if shipped is None else short_of(shipped, truth, scores, [one.clip.group for one, _ in told])
        areas = ", ".join(f"{area(going[way]):.3f}" for way in WAYS[1:])
        fewer = fewer_than(after, opened) if after else ""
        cells = [f"{auc(truth, scores):.3f}", f"{low:.3f} to {high:.3f}", less, areas, counts, fewer, *beside]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
        (BUILD / "ablation.md").write_text("\n".join(lines) + "\n")


def area(told: Told) -> float:
    """AUC of fights against calm clips by the highest window."""
    known = [(one, z) for one, z in told if len(z)]
    return auc(np.array([one.clip.kind == "fight" for one, _ in known]), np.array([z.max() for _, z in known]))


def opened_in(everything: Told, going: Mapping[str, Told]) -> tuple[Opened, str]:
    """Which fights open after calm, by way and group, with the threshold fitted as the card's; and all counts."""
    fit, _ = calibrate_fight(everything, going)
    offset = fit["offset"] - math.log(fit["prior"] / (1.0 - fit["prior"]))
    ways = {"as they are": [t for t in everything if t[0].clip.kind in ("fight", "normal")], **going}
    opened: Opened = {}
    fights, calm = [], 0
    for way, told in ways.items():
        shown = [(one.clip, opens(fit["scale"] * z + offset)) for one, z in told]
        fights.append(sum(found for clip, found in shown if clip.kind == "fight"))
        calm += sum(found for clip, found in shown if clip.kind != "fight")
        if way in WAYS[1:]:
            opened |= {(way, clip.name): (clip.group, found) for clip, found in shown if clip.kind == "fight"}
    return opened, f"{', '.join(map(str, fights))} ({calm})"


def fewer_than(shipped: Opened, opened: Opened) -> str:
    """What share of the fights after calm opens less than with the shipped recipe, and its 95 % interval by group."""
    both = [key for key in shipped if key in opened]
    lost = np.array([float(shipped[key][1]) - float(opened[key][1]) for key in both])
    groups = [shipped[key][0] for key in both]
    low, high = group_interval(groups, lambda rows: float(lost[rows].mean()), rounds=RESAMPLES, seed=SEED)
    return f"{lost.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def _beside(
    members: Sequence[Member], clips: Sequence[Sequence16], sounds: Sequence[Sound], setting: Setting, fits: bool
) -> str:
    """AUC with recorded sounds of the same fold beside the clips, and the share of fights that stay found."""
    rng = np.random.default_rng(SEED)
    fitting = [sound for sound in sounds if sound.labels & FITTING]
    ordinary = [sound for sound in sounds if not sound.labels & set(LABELS)]
    truth, alone, heard = [], [], []
    for one in clips:
        fold, fight = fold_of(one.clip.group), one.clip.kind == "fight"
        if one.variant or one.clip.kind not in ("fight", "normal"):
            continue
        pool = [sound for sound in (fitting if fits and fight else ordinary) if fold_of(sound.group) == fold]
        beside = with_sound(one, pool[int(rng.integers(len(pool)))])
        truth.append(fight)
        alone.append(fight_logits(members[fold], with_sound(one, None), setting.streams).max())
        heard.append(_plain(members[fold], beside, setting.streams))
    fights, before, after = np.array(truth), np.array(alone), np.array(heard)
    least = np.quantile(before[~fights], 0.95)
    found = fights & (before > least)
    kept = float((after[found] > least).mean()) if found.any() else float("nan")
    return f"{auc(fights, after):.3f} ({kept:.2f})"


@torch.no_grad()
def _plain(member: Member, one: Sequence16, streams: Sequence[str]) -> float:
    """The highest fight logit of a clip as the network says it."""
    return float(member(tensors(every_window(one), streams))[0][:, 0].max())


def interval(truth: np.ndarray, scores: np.ndarray, groups: list[str]) -> tuple[float, float]:
    """95 % bootstrap interval of an AUC, whole groups drawn."""
    return group_interval(groups, lambda rows: auc(truth[rows], scores[rows]), rounds=RESAMPLES, seed=SEED)


def short_of(shipped: np.ndarray, truth: np.ndarray, scores: np.ndarray, groups: list[str]) -> str:
    """How much less than the shipped row's AUC, on the same clips, and its 95 % interval, whole groups drawn."""

    def less(rows: Sequence[int] | np.ndarray) -> float:
        return auc(truth[rows], shipped[rows]) - auc(truth[rows], scores[rows])

    low, high = group_interval(groups, less, rounds=RESAMPLES, seed=SEED)
    return f"{less(np.arange(len(truth))):+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
