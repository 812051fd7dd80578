"""`fall` and `fire` open on the rendered clips that show them, and on no other: `pytest -m slow`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CLIPS = Path(__file__).parent / "scenes"
MISSED = {"fall-chair"}
"""The detector loses who folds up beside a chair: known, and measured by `python -m models.scenes.check`."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in CLIPS.glob("*.mp4")))
def test_fall_and_fire_open_where_they_happen_and_nowhere_else(name: str, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", "replay", str(CLIPS / f"{name}.mp4"), "--json-lines", "-"],
        cwd=repository, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    opened = {json.loads(line)["kind"] for line in done.stdout.splitlines()} & {"fall", "fire"}
    expected = set(json.loads((CLIPS / f"{name}.json").read_text())["expects"]) & {"fall", "fire"}
    if name in MISSED:
        pytest.xfail("known miss")
    assert opened == expected


@pytest.mark.parametrize("path", sorted(CLIPS.glob("*.mp4")), ids=lambda path: path.stem)
def test_each_clip_is_small_and_has_its_labels(path: Path) -> None:
    assert path.stat().st_size <= 300_000
    assert json.loads(path.with_suffix(".json").read_text())["clip"] == path.name
