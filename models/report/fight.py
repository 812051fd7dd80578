"""Evidence about `fight`, on val: both senses, either alone, reliability, worst mistakes with scores over time."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np

from agent.inference.fusion import FusionModel
from agent.service.senses import Senses
from models.fusion.clips import BUILD, folders, load_senses, manifest
from models.fusion.evaluate import Told, area, false_at_recall, interval, load_fusion, tell
from models.fusion.export import ZOO
from models.report import evidence

GRAPH = ZOO / "fusion.onnx"
EDGES = (-20.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 20.0)
WORST = 6


def measure(card: dict[str, Any], today: date) -> None:
    """Everything, into evidence/fight.json. Raises SystemExit where the graph does not fit the senses."""
    senses = load_senses()
    model = load_fusion(senses)
    both = told_of(model, senses)
    ways = {
        "picture and sound": both,
        "picture only": told_of(model, senses, with_sound=False),
        "sound only": told_of(model, senses, with_picture=False),
    }
    evidence.save("fight", [GRAPH], {
        "clips": len(both), "fights": sum(one.clip.kind == "fight" for one in both),
        "ways": [way(name, told) for name, told in ways.items()],
        "reliability": list(reliability(both)),
        "scores": {kind: sorted(round(one.score, 2) for one in both if one.clip.kind == kind)
                   for kind in ("fight", "normal")},
        "false": [described(one) for one in worst(both, missed=False)],
        "missed": [described(one) for one in worst(both, missed=True)],
        "pairs": told("pairs"),
        "ablation": told("ablation"),
    }, today)  # fmt: skip


def told_of(model: FusionModel, senses: Senses, **senses_used: bool) -> list[Told]:
    """What the product makes of val's fights and calm clips."""
    places = folders(senses)
    chosen = [clip for clip in manifest() if clip.split == "val" and clip.kind in ("fight", "normal")]
    return [tell(clip, model, places, **senses_used) for clip in chosen]


def way(name: str, told: Sequence[Told]) -> dict[str, Any]:
    """A row: separation, and what opened, with these senses."""
    low, high = interval(told)
    fights = [one for one in told if one.clip.kind == "fight"]
    calm = [one for one in told if one.clip.kind == "normal"]
    return {"senses": name, "auc": round(area(told), 4), "ci95": [round(low, 4), round(high, 4)],
            "false_at_80": round(false_at_recall(told), 4), "opened": sum("fight" in one.opened for one in fights),
            "fights": len(fights), "false": sum("fight" in one.opened for one in calm), "calm": len(calm)}  # fmt: skip


def reliability(told: Sequence[Told]) -> Iterator[dict[str, float]]:
    """Clips by their highest llr, fights and calm clips weighing the same: what was said, what was so."""
    fights = sum(one.clip.kind == "fight" for one in told)
    weigh = {"fight": 0.5 / fights, "normal": 0.5 / (len(told) - fights)}
    for low, high in pairwise(EDGES):
        mine = [one for one in told if low <= one.score < high]
        if mine:
            weight = np.array([weigh[one.clip.kind] for one in mine])
            said = 1 / (1 + np.exp(-np.array([one.score for one in mine])))
            so = np.array([one.clip.kind == "fight" for one in mine])
            yield {"said": round(float(np.average(said, weights=weight)), 4),
                   "so": round(float(np.average(so, weights=weight)), 4), "clips": len(mine)}  # fmt: skip


def worst(told: Sequence[Told], *, missed: bool) -> list[Told]:
    """Calm clips of the highest llr, or fights of the lowest."""
    kind = "fight" if missed else "normal"
    ranked = sorted((one for one in told if one.clip.kind == kind), key=lambda one: one.score if missed else -one.score)
    return ranked[:WORST]


def described(one: Told) -> dict[str, Any]:
    """One clip, with the llr of its windows, one every half second, the last 16."""
    told = [round(float(value), 1) for value in one.llr[-16:]]
    return {"clip": f"{one.clip.repo}: {one.clip.name}", "seconds": round(one.clip.duration_s, 1),
            "llr": round(one.score, 2), "opened": list(one.opened), "over_time": told}  # fmt: skip


def told(module: str) -> list[str]:
    """What `python -m models.fusion.pairs` or `ablation` wrote, where it was run."""
    path = BUILD / f"{module}.md"
    return path.read_text("utf-8").splitlines() if path.exists() else []
