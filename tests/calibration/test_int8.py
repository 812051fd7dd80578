"""New ranges for an int8 graph: judged on what was not fitted to, the weights untouched, the card true."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.errors import SourceError, VedetteError
from agent.inference.card import load_card, zoo_folder
from calibration.cli import app
from calibration.int8 import Outcome, recalibrate
from tests.capture.media import write_sound

CLIPS = [str(clip) for clip in sorted(Path(str(files("agent") / "service" / "clips")).glob("*.mp4"))]
onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("site")
    return recalibrate("hearing", CLIPS, folder), folder


def test_new_ranges_come_with_a_card_that_names_their_bytes(made: tuple[Outcome, Path]) -> None:
    outcome, folder = made
    card = load_card("hearing", folder)
    for entry in card.files:
        assert card.path_of(entry).exists()
    told = json.loads((folder / "hearing.json").read_text())["site_calibration"]
    assert told["variance_lost_after"] == outcome.lost_after
    assert outcome.inputs >= 10
    assert not list(folder.glob("refitted.*")) + list(folder.glob("widened.*"))


def test_only_ranges_change_and_only_where_that_is_better(made: tuple[Outcome, Path]) -> None:
    outcome, folder = made
    before = constants(zoo_folder() / outcome.file)
    after = constants(folder / outcome.file)
    assert before.keys() == after.keys()
    changed = {name for name, value in before.items() if not np.array_equal(value, after[name])}
    assert bool(changed) == outcome.better
    assert all(before[name].size == 1 for name in changed)


def constants(path: Path) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {one.name: numpy_helper.to_array(one) for one in onnx.load(str(path)).graph.initializer}


def test_too_little_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    clip = write_sound(tmp_path / "short.wav", np.full((1, 32_000), 0.1, np.float32), 16_000)
    with pytest.raises(VedetteError, match="too few"):
        recalibrate("hearing", [str(clip)], tmp_path / "out")
    with pytest.raises(SourceError, match="no picture"):
        recalibrate("vision", [str(clip)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_a_usage_error(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["int8", "smelling", CLIPS[0], "--out", str(tmp_path)])
    assert ended.exit_code == 2
