"""The report's pictures, from the evidence: SVG with text as text, the same bytes for the same evidence."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.report.evidence import load

FOLDER = Path(__file__).parent / "plots"
Found = Mapping[str, Any]
FEW = 5
"""Bins of fewer recordings are drawn pale."""
LEAST_LLR = -8.0
"""Clips in which nobody was seen have no llr at all; they stand here."""
INK, SECOND, PALE = "#1b4965", "#ca6702", "#9fb8c7"


def draw_all(folder: Path = FOLDER) -> list[str]:
    """Draw what there is evidence for; names of the pictures. Raises ImportError without matplotlib."""
    import matplotlib  # noqa: PLC0415 - an extra: reading the report needs none

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "vedette", "font.size": 9,
                                "axes.spines.top": False, "axes.spines.right": False})  # fmt: skip
    folder.mkdir(exist_ok=True)
    drawn = []
    for name, (evidence, draw) in PLOTS.items():
        found = load(evidence)
        if found is None or (evidence == "curves" and name.split("-")[0] not in found):
            continue
        figure = draw(found)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        drawn.append(name)
    return drawn


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def hearing_reliability(found: Found) -> Any:
    """Said against so, on log-odds axes, one panel a label."""
    figure, axes = _figure(8.5, 5, 2, 3)
    for axis, (label, bins) in zip(axes.flat, found["reliability"].items(), strict=True):
        _diagonal(axis, bins)
        axis.set_title(label)
    axes[1, 1].set_xlabel("probability that was said")
    axes[0, 0].set_ylabel("share that was so")
    axes[1, 0].set_ylabel("share that was so")
    return figure


def _diagonal(axis: Any, bins: Sequence[Found]) -> None:
    """A line through the bins that rest on enough; the others are pale. Small numbers: positive clips."""
    axis.plot([0, 1], [0, 1], color=PALE, lw=1)
    sure = [one for one in bins if one.get("recordings", FEW) >= FEW]
    axis.plot([one["said"] for one in sure], [one["so"] for one in sure], "o-", color=INK, ms=4, lw=1.2)
    axis.plot([one["said"] for one in bins if one not in sure], [one["so"] for one in bins if one not in sure], "o",
              color=PALE, ms=4)  # fmt: skip
    for one in bins:
        if one["clips"]:
            axis.annotate(str(one["clips"]), (one["said"], one["so"]), xytext=(4, -9), textcoords="offset points",
                          fontsize=7, color=SECOND)  # fmt: skip
    axis.set(xlim=(-0.03, 1.05), ylim=(-0.03, 1.05))


def hearing_confusion(found: Found) -> Any:
    """Shares of each row, counts as text."""
    matrix = found["confusion"]
    figure, axes = _figure(9.5, 6.5)
    axis, counts = axes[0, 0], matrix["counts"]
    shares = [[count / sum(row) for count in row] for row in counts]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            if count:
                axis.text(x, y, str(count), ha="center", va="center", fontsize=7,
                          color="white" if shares[y][x] > 0.55 else "black")  # fmt: skip
    axis.set_xticks(range(len(matrix["told"])), matrix["told"], rotation=60, ha="right")
    axis.set_yticks(range(len(matrix["true"])), [f"{name} ({sum(row)})" for name, row in
                                                 zip(matrix["true"], counts, strict=True)])  # fmt: skip
    axis.set(xlabel="told", ylabel="is")
    return figure


def _beside(found: Found, key: str, title: str) -> Any:
    figure, axes = _figure(7.5, 4)
    axis = axes[0, 0]
    for one in (one for one in found["beside"] if one["ci95"]):
        ours = one["graph"].startswith(("vision", "hearing"))
        low, high = one["ci95"]
        value, colour = one[key], SECOND if ours else INK
        axis.errorbar(one["mmac"], value, [[value - low], [high - value]], fmt="o", color=colour, ecolor=PALE, ms=5)
        below = -4 if "float32" in one["graph"] else -13 if ours else 4
        axis.annotate(one["graph"], (one["mmac"], value), xytext=(7, below), textcoords="offset points", fontsize=7,
                      color=colour)  # fmt: skip
    axis.set(xlabel="million multiply-adds", ylabel=title)
    axis.margins(x=0.3)
    return figure


def vision_beside(found: Found) -> Any:
    """Person AP50 against cost."""
    others = (load("peers") or {"beside": []})["beside"]
    return _beside({"beside": [*found["beside"], *others]}, "ap50", "person AP50 on val (95 % over pictures)")


def hearing_beside(found: Found) -> Any:
    """Mean AP of the four against cost."""
    return _beside(found, "mean_ap", "mean AP on val (95 % over recordings)")


def vision_slices(found: Found) -> Any:
    """Recall of people, a bar a slice."""
    rows = found["slices"][::-1]
    figure, axes = _figure(7.5, 0.27 * len(rows) + 0.8)
    axis = axes[0, 0]
    names = [f"{one['by']}: {one['slice'].partition(': ')[2] or one['slice']}" for one in rows]
    axis.barh(names, [one["recall"] for one in rows], color=[PALE if one["people"] < 30 else INK for one in rows])
    for y, one in enumerate(rows):
        axis.text(one["recall"] + 0.01, y, f"{one['recall']:.2f} of {one['people']}", va="center", fontsize=7)
    axis.set(xlim=(0, 1.12), xlabel="share of people found at the card's threshold (pale: fewer than 30)")
    return figure


def fight(found: Found) -> Any:
    """Reliability beside the scores of all clips."""
    figure, axes = _figure(8.5, 3.6, 1, 2)
    _diagonal(axes[0, 0], found["reliability"])
    axes[0, 0].set(xlabel="probability that was said (prior 0.5)", ylabel="share of fights")
    axis = axes[0, 1]
    for height, (kind, colour) in enumerate((("normal", INK), ("fight", SECOND))):
        scores = [max(LEAST_LLR, score) for score in found["scores"][kind]]
        ys = [height + 0.28 * ((index % 7) / 3 - 1) for index in range(len(scores))]
        axis.plot(scores, ys, "o", ms=4, alpha=0.6, color=colour)
    axis.set_yticks([0, 1], ["calm", "fight"])
    axis.set(xlabel="highest llr of the clip", ylim=(-0.6, 1.6))
    return figure


def hearing_learning(found: Found) -> Any:
    """Losses and mean AP on dev."""
    return _learning(found["hearing"], ("windows", "frames", "embedding"), {"dev": "mean AP of the four, dev"})


def vision_learning(found: Found) -> Any:
    """Loss and person AP on dev."""
    return _learning(found["vision"], ("loss",), {"ap50": "person AP50, dev at 320", "ap": "person AP, dev at 320"})


def _learning(rows: Sequence[Found], losses: Sequence[str], qualities: Mapping[str, str]) -> Any:
    figure, axes = _figure(8.5, 3.2, 1, 2)
    styles = ("o-", "s--", "^:")
    for axis, names in ((axes[0, 0], {name: name for name in losses}), (axes[0, 1], qualities)):
        for style, (name, title) in zip(styles, names.items(), strict=False):
            mine = [one for one in rows if one.get(name) is not None]
            axis.plot([one["step"] for one in mine], [one[name] for one in mine], style, ms=3, label=title)
        axis.set_xlabel("step")
        axis.legend(frameon=False, fontsize=8)
    axes[0, 0].set_ylabel("loss")
    return figure


PLOTS: dict[str, tuple[str, Callable[[Found], Any]]] = {
    "vision-beside": ("vision", vision_beside),
    "vision-slices": ("vision", vision_slices),
    "vision-learning": ("curves", vision_learning),
    "hearing-beside": ("hearing", hearing_beside),
    "hearing-reliability": ("hearing", hearing_reliability),
    "hearing-confusion": ("hearing", hearing_confusion),
    "hearing-learning": ("curves", hearing_learning),
    "fight": ("fight", fight),
}
