"""Measures the shipped models anew and writes models/REPORT.md from their cards.

    python -m models.evaluate               # measure on val (about 40 minutes on two cores), cards and report
    python -m models.evaluate --from-cards  # the report alone, from the figures that stand in the cards

The measuring commands write the figures into the cards; the report shows what the cards say and adds nothing, so
that both can never differ (a test writes the report again and compares).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MODELS = Path(__file__).parent
REPORT = MODELS / "REPORT.md"
MEASURING = {
    "vision": ["models.vision.evaluate", "--card"],
    "hearing": ["models.hearing.evaluate", "--card"],
    "fusion": ["models.fusion.evaluate", "--card"],
}
CLAIMED_FROM = 30
"""Rows that rest on fewer independent clips are reported, not claimed."""
Figure = Mapping[str, Any]


def cards() -> dict[str, dict[str, Any]]:
    """The cards of the zoo, those of MEASURING first."""
    names = [name for name in MEASURING if (MODELS / "zoo" / f"{name}.json").exists()]
    return {name: json.loads((MODELS / "zoo" / f"{name}.json").read_text("utf-8")) for name in names}


def report(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole report as Markdown."""
    lines = [
        "# The models, measured",
        "",
        "Written by `python -m models.evaluate` from the cards in `models/zoo`; every row names its command. Val are",
        "the validation groups: they took no part in training, calibration or thresholds. Intervals are 95 %",
        f"bootstrap intervals over groups. Rows marked ○ rest on fewer than {CLAIMED_FROM} clips or pictures: they are",
        "reported, not claimed. Timings are of a shared machine: compare them within a table only.",
        "",
        *_overview(known),
    ]
    for name, card in known.items():
        lines += ["", f"## {name} {card['version']}", "", *_about(card), "", *_figures(card["figures"])]
        lines += ["", *_thresholds(card.get("thresholds", {}))]
    return "\n".join(lines).rstrip() + "\n"


def _overview(known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from _header("graph", "version", "files", "bytes", "multiply-adds")
    for name, card in known.items():
        size = sum(entry["bytes"] for entry in card["files"])
        operations = card["training"].get("multiply_adds")
        yield _row(name, card["version"], len(card["files"]), f"{size:,}", f"{operations:,}" if operations else "")


def _about(card: Mapping[str, Any]) -> Iterator[str]:
    training = card["training"]
    yield f"* made by `{training['command']}`, seed {training['seed']}"
    for key, what in (("initial_weights", "initial weights"), ("quantisation", "quantisation")):
        if training.get(key):
            yield f"* {what}: {training[key]}"
    yield f"* teachers: {'; '.join(_teacher(one) for one in training.get('teachers', ()))}"
    sources = training.get("data", ())
    licences = sorted({str(entry["licence"]) for entry in sources})
    count = len({entry["source"] for entry in sources})
    yield f"* data: {count} sources under {len(licences)} statements of licence, each with its count in the card"
    for key, what in (("intended_use", "for"), ("not_for", "not for"), ("limits", "limits")):
        value = card.get(key)
        for sentence in [value] if isinstance(value, str) else value or ():
            yield f"* {what}: {sentence}"


def _teacher(teacher: Any) -> str:
    return f"{teacher['name']} ({teacher['licence']})" if isinstance(teacher, Mapping) else str(teacher)


def _figures(figures: Sequence[Figure]) -> Iterator[str]:
    yield from _header("figure", "of", "value", "95 %", "n", "groups", "graph", "command")
    for figure in figures:
        where = [figure.get("size"), figure.get("precision"), figure.get("runtime")]
        mark = " ○" if _is_few(figure) else ""
        yield _row(
            figure["metric"],
            f"{figure['label']}{mark}",
            _number(figure["value"]),
            "" if not figure.get("ci95") else " to ".join(_number(end) for end in figure["ci95"]),
            figure.get("n", ""),
            figure.get("groups", ""),
            " ".join(str(part) for part in where if part),
            f"`{figure['command']}` ({figure['split']}, {figure['date']})",
        )


def _is_few(figure: Figure) -> bool:
    count = figure.get("n")
    return count is not None and figure["metric"] != "cpu_ms" and count < CLAIMED_FROM


def _thresholds(thresholds: Mapping[str, Any]) -> Iterator[str]:
    fitted = {label: entry for label, entry in thresholds.items() if isinstance(entry, Mapping)}
    if not fitted:
        return
    yield from _header("threshold of", "value", "fitted on")
    for label, entry in fitted.items():
        values = [
            f"{what} {_number(entry[key])}"
            for key, what in (("probability", "probability"), ("llr", "llr"), ("incident_llr", "as an incident llr"))
            if key in entry
        ]
        notes = [str(entry[key]) for key in ("fitted_on", "incident_fitted_on") if key in entry]
        yield _row(label, ", ".join(values), "; ".join(notes))


def _header(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*("---" for _ in names))


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-cards", action="store_true", help="measure nothing")
    options = parser.parse_args()
    for name in () if options.from_cards else cards():
        print(f"{name}: python -m {' '.join(MEASURING[name])}")
        subprocess.run([sys.executable, "-m", *MEASURING[name]], check=True)
    REPORT.write_text(report(cards()), "utf-8")
    print(f"{REPORT.name} written")


if __name__ == "__main__":
    main()
