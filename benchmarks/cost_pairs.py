"""Compare what this checkout costs with what another does: `vedette bench` in both in turn, and the ratio of each pair.

    git worktree add ../before COMMIT
    python -m benchmarks.cost_pairs ../before --pairs 5

A shared machine gives the same work at speeds that differ by a third from one hour to the next: only turns tell.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]
MODELS = "the models, ms a second"
STAGES = ("vision", "log-mel and hearing", "closer looks", "fusion")
Figures = Mapping[str, float]


def figures_of(bill: Mapping[str, object]) -> Figures:
    """From what `vedette bench --json` prints: the models by the clock, and processor time of stages, ms a second."""
    stages = bill["stages"]
    assert isinstance(stages, list)
    took = {str(one["stage"]): float(one["cpu_ms_per_media_s"]) for one in stages}
    models = bill["models_ms_per_s"]
    assert isinstance(models, (int, float))
    return {MODELS: float(models)} | {f"{name}, CPU": took[name] for name in STAGES if name in took}


def table(pairs: Sequence[tuple[Figures, Figures]]) -> str:
    """Rows of medians before and now, and the median, least and greatest ratio of pairs."""
    rows = ["| | before | now | now to before |", "|---|---|---|---|"]
    for name in pairs[0][0]:
        found = [(before[name], now[name]) for before, now in pairs if name in before and name in now]
        ratios = [now / before for before, now in found if before]
        if ratios:
            before, now = (median(values) for values in zip(*found, strict=True))
            spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            rows.append(f"| {name} | {before:.1f} | {now:.1f} | {spread} |")
    return "\n".join(rows)


def measured(checkout: Path) -> Figures:
    """Run `vedette bench` of a checkout once."""
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", "bench", "--json"],
        cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout.resolve())},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    return figures_of(json.loads(done.stdout))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="another checkout")
    parser.add_argument("--pairs", type=int, default=5, metavar="N")
    chosen = parser.parse_args()
    print(table([(measured(chosen.before), measured(REPOSITORY)) for _ in range(chosen.pairs)]))


if __name__ == "__main__":
    main()
