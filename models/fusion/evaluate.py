"""Measures the shipped fusion graph on the validation clips, through the product's own scene.

    python -m models.fusion.evaluate              # prints the figures
    python -m models.fusion.evaluate --card       # and puts them into models/zoo/fusion.json

AUC of fight against calm clips by the highest window, false at 0.80 recall, and what opens: the cached observations of
models.fusion.clips go through `Scene` and the shipped graph exactly as `vedette replay` sends them (replay itself:
`python -m benchmarks.clips video --split val`). Intervals: 95 % bootstrap over groups. Validation is looked at, never
fitted on.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from agent.inference.fusion import FusionModel
from agent.scene import Policy, Scene
from agent.service.senses import Senses
from agent.service.stepping import step_with_fusion
from agent.types import Fused, FusionWindow, Heard, IncidentChange, Opened, Seen
from models.fusion.clips import Clip, folders, load_senses, manifest, read
from models.fusion.export import ZOO
from models.fusion.train import auc
from models.resampling import group_interval

RESAMPLES = 1000
RECALL = 0.80


@dataclass(frozen=True, slots=True)
class Told:
    """What the product made of one clip."""

    clip: Clip
    llr: tuple[float, ...]  # of fight, by window
    opened: tuple[str, ...]
    serious: tuple[str, ...]  # kinds that were or became critical
    fight_s: float | None  # when the fight opened

    @property
    def score(self) -> float:
        return max(self.llr, default=-20.0)


def played(
    observed: Sequence[Seen | Heard],
    fuse: Callable[[FusionWindow], Fused],
    *,
    with_sound: bool = True,
    with_picture: bool = True,
) -> list[IncidentChange]:
    """What the scene makes of observations to their end, as `vedette replay` sends them."""
    scene, changes, newest_ns = Scene(Policy(), lateness_ns=0), [], 0
    for one in observed:
        if with_sound if isinstance(one, Heard) else with_picture:
            newest_ns = max(newest_ns, one.at_ns)
            changes += step_with_fusion(scene, one, fuse)
    return [*changes, *scene.finish(newest_ns, "source_ended")]


def tell(clip: Clip, model: FusionModel, places: Any, *, with_sound: bool = True, with_picture: bool = True) -> Told:
    """Send a clip's observations through the scene and the graph."""
    llr: list[float] = []

    def fuse(window: FusionWindow) -> Fused:
        fused = model.fuse(window)
        llr.extend(score.llr for score in fused.scores if score.label == "fight")
        return fused

    changes = played(read(clip, 0, places), fuse, with_sound=with_sound, with_picture=with_picture)
    opened = [change.incident for change in changes if isinstance(change, Opened)]
    fights = [incident.at_ns / 1e9 for incident in opened if incident.kind == "fight"]
    kinds = tuple(incident.kind for incident in opened)
    worst = {change.incident.ordinal: change.incident for change in changes}  # severity only rises
    serious = tuple(incident.kind for incident in worst.values() if incident.severity == "critical")
    return Told(clip, tuple(llr), kinds, serious, fights[0] if fights else None)


def interval(told: Sequence[Told], seed: int = 8) -> tuple[float, float]:
    """95 % bootstrap interval of the AUC, whole groups drawn."""
    groups = [one.clip.group for one in told]
    return group_interval(
        groups, lambda rows: area([told[row] for row in rows]), rounds=RESAMPLES, seed=seed, order=dict.fromkeys(groups)
    )


def area(told: Sequence[Told]) -> float:
    """AUC of fights against calm clips."""
    return auc(np.array([one.clip.kind == "fight" for one in told]), np.array([one.score for one in told]))


def false_at_recall(told: Sequence[Told], recall: float = RECALL) -> float:
    """Share of calm clips above the score that `recall` of the fights reach."""
    fights = sorted((one.score for one in told if one.clip.kind == "fight"), reverse=True)
    least = fights[max(0, int(np.ceil(recall * len(fights))) - 1)]
    calm = [one.score >= least for one in told if one.clip.kind == "normal"]
    return float(np.mean(calm))


def figures(told: Sequence[Told]) -> list[dict[str, Any]]:
    """The figures in the schema of the cards."""
    known = [one for one in told if one.clip.kind in ("fight", "normal")]
    fights = [one for one in known if one.clip.kind == "fight"]
    calm = [one for one in known if one.clip.kind == "normal"]
    low, high = interval(known)
    hours = sum(one.clip.duration_s for one in calm) / 3600
    shared = {"label": "fight", "split": "val", "precision": "fp32", "runtime": "onnxruntime"}
    shared |= {"command": "python -m models.fusion.evaluate --card", "date": date.today().isoformat()}
    counts = {"n": len(known), "groups": len({one.clip.group for one in known})}
    found = sum(one.fight_s is not None for one in fights)
    false = [one.clip.name for one in calm if "fight" in one.opened]
    sure = sum("fight" in one.serious for one in fights)
    false_sure = sum("fight" in one.serious for one in calm)
    serious = [f"{one.clip.name}: {', '.join(one.serious)}" for one in calm if one.serious]
    return [
        shared | counts | {"metric": "auc", "value": round(area(known), 4), "ci95": [round(low, 4), round(high, 4)]},
        shared | counts | {"metric": "false at 0.80 recall", "value": round(false_at_recall(known), 4), "ci95": None},
        shared | {"metric": "recall, incidents", "value": round(found / len(fights), 4), "n": len(fights)},
        shared | {"metric": "recall, critical incidents", "value": round(sure / len(fights), 4), "n": len(fights)},
        shared
        | {"metric": "false incidents, calm clips", "value": len(false), "n": len(calm), "hours": round(hours, 3)},
        shared | {"metric": "false critical fights, calm clips", "value": false_sure, "n": len(calm)},
        shared | {"metric": "false critical incidents of any kind, calm clips", "value": len(serious), "n": len(calm)},
    ]


def slices(told: Sequence[Told]) -> list[str]:
    """One line per source: how many fights opened, how many calm clips did."""
    rows: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for one in told:
        rows[one.clip.repo, one.clip.kind].append(one)
    return [
        f"{kind:9s} {repo:70s} {sum('fight' in one.opened for one in mine):3d} of {len(mine):3d} open a fight"
        for (repo, kind), mine in sorted(rows.items(), key=lambda item: item[0][::-1])
    ]


def load_fusion(senses: Senses) -> FusionModel:
    """Return the graph that goes with these senses. Raises SystemExit where there is none that fits them."""
    beside = {"vision": senses.vision.card, "hearing": senses.hearing.card}
    model = FusionModel.load(senses.config.models, senses=beside)
    if model is None:
        raise SystemExit("there is no fusion graph: python -m models.fusion.export")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", action="store_true", help="write the figures into the card")
    options = parser.parse_args()
    senses = load_senses()
    model = load_fusion(senses)
    places = folders(senses)
    told = [tell(clip, model, places) for clip in manifest() if clip.split == "val"]
    silent = [tell(one.clip, model, places, with_sound=False) for one in told]
    print("\n".join(slices(told)))
    for one in told:
        if one.clip.kind == "normal" and one.serious:
            print(f"false: {one.clip.name} opened {', '.join(one.serious)}, highest llr {one.score:.2f}")
    delays = [one.fight_s for one in told if one.fight_s is not None and one.clip.kind == "fight"]
    print(f"fight opens after {np.median(delays) if delays else float('nan'):.2f} s (median, from the clip's start)")
    quiet = [one for one in silent if one.clip.kind in ("fight", "normal")]
    print(f"AUC without sound: {area(quiet):.3f}")
    measured = figures(told)
    for figure in measured:
        print(f"{figure['metric']}: {figure['value']} {figure.get('ci95') or ''} (n {figure['n']})")
    if options.card:
        path = ZOO / "fusion.json"
        card = json.loads(path.read_text())
        path.write_text(json.dumps(card | {"figures": measured}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
