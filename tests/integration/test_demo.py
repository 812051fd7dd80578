"""The demo, as the first thing that anyone runs: scenes in, exactly the expected incidents out, then it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> tuple[Path, list[dict[str, object]]]:
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", "demo", "--json", "--keep", "kept"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    decoder, objects, text = json.JSONDecoder(), [], done.stdout.strip()
    while text:
        found, end = decoder.raw_decode(text)
        objects.append(found)
        text = text[end:].lstrip()
    return folder / "kept", objects


def test_every_scene_opens_exactly_what_happens_in_it(finished: tuple[Path, list[dict[str, object]]]) -> None:
    summary = finished[1][-1]["summary"]
    assert isinstance(summary, dict)
    assert {camera["name"]: camera["kinds"] for camera in summary["cameras"]} == {
        "care-home": ["fall"],
        "workshop": ["alarm", "fire"],
        "shop": ["glass_break", "intrusion"],
        "lobby": [],
    }


def test_the_subscriber_received_a_whole_sequence_in_which_everything_ends(
    finished: tuple[Path, list[dict[str, object]]],
) -> None:
    messages = finished[1][:-1]
    assert {message["seq"] for message in messages} == set(range(1, len(messages) + 1))
    opened = {message["id"] for message in messages if message["phase"] == "open"}
    assert opened == {message["id"] for message in messages if message["phase"] == "close"}


def test_annotated_videos_and_snapshots_are_left(finished: tuple[Path, list[dict[str, object]]]) -> None:
    kept = finished[0]
    assert {path.stem for path in kept.glob("*.mp4")} == {"care-home", "workshop", "shop", "lobby"}
    assert all(path.stat().st_size > 50_000 for path in kept.glob("*.mp4"))
    assert len(list(kept.glob("*.jpg"))) >= 5


def test_a_source_that_cannot_be_opened_is_an_error_with_its_cure(tmp_path: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", "demo", "--source", "missing.mp4", "--seconds", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 4
    assert "missing.mp4" in done.stderr
    assert "Traceback" not in done.stderr
