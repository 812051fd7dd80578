"""The seer: every frame answers, still frames cost no graph, a dead device is survived."""

import numpy as np
import pytest

from agent.config.schema import Analysis, Models
from agent.inference.card import load_card
from agent.inference.device import TRUSTED
from agent.inference.see import Seer
from agent.inference.vision import VisionModel
from agent.types import Frame
from tests.inference import tiny
from tests.inference.machines import GPU, dying_after, machine

TRIAL_RUNS = 6


@pytest.fixture
def card(tmp_path):
    tiny.save_vision_card(tmp_path)
    return load_card("vision", tmp_path)


def frame(index: int, picture: np.ndarray, camera: str = "yard") -> Frame:
    return Frame(camera=camera, at_ns=index * 100_000_000, picture=picture, width_px=1920, height_px=1080)


def moving(index: int) -> np.ndarray:
    picture = np.full((180, 320, 3), 40, np.uint8)
    picture[60:120, 10 + 5 * index : 40 + 5 * index] = 250
    return picture


def test_a_moving_scene_is_analysed_in_every_frame(card):
    seer = Seer(VisionModel(card, Models(), machine({})), Analysis())
    seen = [seer.see(frame(index, moving(index))) for index in range(10)]
    assert all(one.detections is not None and len(one.scene) == 2 for one in seen)
    assert [one.at_ns for one in seen] == [index * 100_000_000 for index in range(10)]
    assert seen[0].aspect_ratio == pytest.approx(16 / 9)
    assert seen[5].stats.moving_frac > 0


def test_a_still_scene_is_analysed_first_and_every_three_seconds_and_says_so(card):
    seer = Seer(VisionModel(card, Models(), machine({})), Analysis(still_look_s=3.0))
    seen = [seer.see(frame(index, moving(0))) for index in range(31)]
    assert [one.at_ns for one in seen if one.detections is not None] == [0, 3_000_000_000]
    assert all(one.stats.brightness_frac > 0 for one in seen)


def test_two_cameras_on_one_model_do_not_see_each_others_motion(card):
    model = VisionModel(card, Models(), machine({}))
    yard, hall = Seer(model, Analysis()), Seer(model, Analysis())
    for index in range(5):
        yard.see(frame(index, moving(index)))
        seen = hall.see(frame(index, np.zeros((180, 320, 3), np.uint8), "hall"))
        assert seen.camera == "hall"
        assert seen.stats.moving_frac == 0


def test_a_device_that_dies_between_two_frames_costs_no_frame(card):
    model = VisionModel(card, Models(), machine({GPU: dying_after(TRIAL_RUNS + 2)}))
    seer = Seer(model, Analysis())
    seen = [seer.see(frame(index, moving(index))) for index in range(6)]
    assert all(one.detections for one in seen)
    (chosen,) = model.chosen
    assert (chosen.place, chosen.degraded) == (TRUSTED, True)
