"""Runs `vedette` as somebody else's script does: a subprocess in an empty folder, with an empty home."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """What a run left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def vedette(*arguments: str | Path, cwd: Path, timeout_s: float = 900.0) -> Ended:
    """Run one command line to its end."""
    home = cwd.parent / f"{cwd.name}-home"
    home.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "VEDETTE_", "COLUMNS"))}
    environment = kept | {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def empty_and_zoo(folder: Path) -> tuple[Path, Path]:
    """Make an empty folder to run in, and one for models."""
    empty, zoo = folder / "empty", folder / "zoo"
    empty.mkdir()
    zoo.mkdir()
    return empty, zoo


def left_in_home(cwd: Path) -> list[str]:
    """What the runs wrote into their home."""
    home = cwd.parent / f"{cwd.name}-home"
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
