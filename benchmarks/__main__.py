"""Writes BENCHMARKS.md: every figure of the product from its own command, run one after the other.

    python -m benchmarks                 all sections (about ten minutes on two idle cores)
    python -m benchmarks detect track    some of them; the others keep what they said before
    python -m benchmarks hours --minutes 90    so long for each of those that go on where they were stopped

The sections stand in BENCHMARKS.md between markers, so that the words around them can be edited.
"""

import argparse
import datetime
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from benchmarks.hours import senses_of_default

REPOSITORY = Path(__file__).resolve().parents[1]
REPORT = REPOSITORY / "BENCHMARKS.md"
SECTIONS: dict[str, list[str]] = {
    "video": ["benchmarks.clips", "video", "--split", "val"],
    "night": ["benchmarks.night"],
    "falls": ["benchmarks.falls"],
    "fires": ["benchmarks.fires", "play"],
    "audio": ["benchmarks.clips", "audio", "--split", "val"],
    "detect": ["benchmarks.detection"],
    "track": ["benchmarks.tracking"],
    "calm": ["benchmarks.calm"],
    "hours": ["benchmarks.hours", "--minutes", "30"],
    "sounds": ["benchmarks.sounds", "--minutes", "15"],
    "beside": ["benchmarks.beside", "--minutes", "15"],
    "unnamed": ["benchmarks.unnamed"],
    "continuous": ["benchmarks.continuous"],
    "tamper": ["benchmarks.tamper"],
    "ped2": ["benchmarks.ped2"],
    "delays": ["benchmarks.delays"],
    "scene": ["benchmarks.scene_cost"],
    "cameras": ["benchmarks.cameras", "--first-right"],
    "cost": ["agent.cli.main", "bench"],
}


RESUMED = ("hours", "sounds", "beside")
"""Sections that play only for so long, what was not played yet, and tell what is left."""


def command_of(name: str, minutes: int | None) -> list[str]:
    """Return the command of a section, with other minutes where it takes them and they are asked for."""
    module = SECTIONS[name]
    return [*module[:-1], str(minutes)] if minutes is not None and name in RESUMED else module


def measured(module: list[str]) -> str:
    """Return what a command prints, with the command, the machine and the day."""
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True
    )
    command = f"python -m {' '.join(module)}" if module[0] != "agent.cli.main" else f"vedette {' '.join(module[1:])}"
    table = done.stdout.strip()
    body = table if table.startswith("|") else f"```\n{table}\n```"
    return f"`{command}`, {datetime.date.today()}, {machine()}, {runtime()}\n\n{body}"


def machine() -> str:
    """Return the processor and what runs on it, in one phrase."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, Python {platform.python_version()}"


@cache
def runtime() -> str:
    """Return where `auto` runs the pictures here: runtimes round apart, and some figures with them."""
    return str(senses_of_default().describe()["vision"]["place"])


def replaced(text: str, name: str, body: str) -> str:
    """Return `text` with the section `name` holding `body`."""
    marked = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
    if not marked.search(text):
        raise SystemExit(f"BENCHMARKS.md has no section {name}")
    return marked.sub(lambda found: found[1] + body + found[2], text)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--minutes", type=int, metavar="N", help=f"of the clock, for each of {', '.join(RESUMED)}")
    chosen = parser.parse_args()
    for name in chosen.sections or list(SECTIONS):
        if name not in SECTIONS:
            parser.error(f"no section {name}; there are {', '.join(SECTIONS)}")
        print(f"{name} …", file=sys.stderr)
        body = measured(command_of(name, chosen.minutes))  # takes minutes: others may have written meanwhile
        REPORT.write_text(replaced(REPORT.read_text("utf-8"), name, body), "utf-8")


if __name__ == "__main__":
    main()
