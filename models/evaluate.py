"""Measures the shipped models anew and writes models/REPORT.md with its plots.

    python -m models.evaluate                          # cards and evidence measured on val, the report (40 minutes)
    python -m models.evaluate --evidence vision fight  # only what the report shows besides the cards, and the report
    python -m models.evaluate --from-cards             # measures nothing: the report from what is written down

The measuring commands write the figures into the cards; the report shows what the cards say. What it shows besides
(reliability, confusion, slices, worst mistakes, other people's models) lies in `models/report/evidence/*.json`, each
with the sha256 of the graph that was measured: where another one ships since, the report says so. Evidence needs
what training left under `build/` (or $VEDETTE_BUILD), the plots matplotlib (the extra `train`). A test writes the
report again and compares.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from models.report import sections
from models.report.cards import CLAIMED_FROM, MEASURING, about, cards, figures, overview, thresholds

REPORT = Path(__file__).parent / "REPORT.md"
EVIDENCE = ("vision", "peers", "people", "closer", "hearing", "fight", "curves")


def report(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole report as Markdown."""
    lines = [
        "# The models, measured",
        "",
        "Written by `python -m models.evaluate` from the cards in `models/zoo` and from `models/report/evidence`;",
        "every row or section names its command. Val are the validation groups: they took no part in training,",
        "calibration or thresholds. Intervals are 95 % bootstrap intervals over groups. Rows marked ○ rest on",
        f"fewer than {CLAIMED_FROM} clips, pictures or people: they are reported, not claimed. Timings are of a shared",
        "machine: compare them within a table only. False alarms end to end, through `vedette replay`, are in",
        "`BENCHMARKS.md`.",
        "",
        *overview(known),
    ]
    for name, card in known.items():
        lines += ["", f"## {name} {card['version']}", "", *about(card), "", *figures(card["figures"])]
        lines += ["", *thresholds(card.get("thresholds", {})), *sections.precision_loss(card)]
        lines += sections.written(name, known)
    return _single_spaced(lines)


def _single_spaced(lines: list[str]) -> str:
    """One empty line at most between paragraphs."""
    kept = [line for line, after in zip(lines, [*lines[1:], ""], strict=True) if line or after]
    return "\n".join(line.rstrip() for line in kept).strip() + "\n"


def measure_evidence(name: str) -> None:
    """Measure one part anew. Raises FileNotFoundError where its data or caches are missing."""
    from models.report import closer, curves, fight, hearing, people, vision  # noqa: PLC0415 - torch, only to measure

    known, today = cards(), date.today()
    if name == "curves":
        curves.measure(today)
    elif name == "fight":
        fight.measure(known["fusion"], today)
    elif name == "peers":
        vision.measure_peers(today)
    elif name == "closer":
        closer.measure(today)
    elif name == "hearing":
        hearing.measure(known["hearing"], today)
    else:
        {"vision": vision, "people": people}[name].measure(known["vision"], today)


def write() -> None:
    """The report from what is written down, and its plots where matplotlib is there."""
    REPORT.write_text(report(cards()), "utf-8")
    print(f"{REPORT.name} written")
    try:
        from models.report import plots  # noqa: PLC0415 - an extra

        print("drawn:", ", ".join(plots.draw_all()))
    except ImportError:
        print("the plots stay as they are: pip install .[train] brings matplotlib")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-cards", action="store_true", help="measure nothing")
    parser.add_argument("--evidence", nargs="*", choices=EVIDENCE, help="measure only these parts, no card")
    options = parser.parse_args()
    if not options.from_cards and options.evidence is None:
        for name in cards():
            print(f"{name}: python -m {' '.join(MEASURING[name])}")
            subprocess.run([sys.executable, "-m", *MEASURING[name]], check=True)
    if not options.from_cards:
        for name in options.evidence or EVIDENCE:
            print(f"evidence: {name}", flush=True)
            measure_evidence(name)
    write()


if __name__ == "__main__":
    main()
