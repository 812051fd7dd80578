"""The figures of stills look at them as `vedette detect` does."""

import numpy as np
import pytest

pytest.importorskip("pycocotools")
pytest.importorskip("torch")

from agent.config.schema import Models
from agent.features.letterbox import STILL_STRETCH
from agent.inference.card import load_card
from agent.inference.stills import look_closely
from agent.inference.vision import VisionModel
from models.vision import evaluate
from tests.inference import tiny
from tests.inference.machines import machine


def test_what_is_measured_in_parts_is_what_the_command_finds(tmp_path):
    tiny.save_vision_card(tmp_path)
    model = VisionModel(load_card("vision", tmp_path), Models(), machine({}))
    picture = np.random.default_rng(8).integers(0, 255, (120, 200, 1), np.uint8).repeat(3, 2)
    picture[:, 40:90] //= 4
    predict = evaluate.onnxruntime_predict(tmp_path / model.card.files_of("int8")[-1].file)
    measured = evaluate.in_parts(evaluate.look_with(predict, 416, 416, STILL_STRETCH))(picture)
    found = look_closely(model, picture)
    assert len(found) > 16
    assert [model.card.labels.index(one.label) for one in found] == measured.classes.tolist()
    assert [one.score_prob for one in found] == pytest.approx(measured.scores.tolist())
    lefts = [one.box.left_frac for one in found]
    assert lefts == pytest.approx(measured.boxes[:, 0].tolist(), abs=1e-6)
