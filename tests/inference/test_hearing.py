"""Scores of sound: calibrated as the card says, groups over their members, silence never evidence."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.schema import Models
from agent.features.logmel import SAMPLES, log_mel
from agent.inference.calibrated import score_at, scores_of
from agent.inference.card import Calibration, load_card
from agent.inference.hearing import HearingModel, probe_sound
from tests.inference import tiny
from tests.inference.machines import machine


@pytest.fixture
def folder(tmp_path):
    tiny.save_hearing_card(tmp_path)
    return tmp_path


def model_in(folder) -> HearingModel:
    return HearingModel(load_card("hearing", folder), Models(), machine({}))


def test_a_window_gives_one_score_per_label_in_the_cards_order(folder):
    hearing = model_in(folder).hear(probe_sound())
    assert tuple(score.label for score in hearing.scores) == tiny.HEARING_LABELS
    logit = 2.0 + float(log_mel(probe_sound()).mean())  # the tiny graph's logit of its third label
    glass = hearing.scores[2]
    assert glass.prob == pytest.approx(1 / (1 + math.exp(-(logit - 3.0))), rel=1e-4)
    assert glass.llr == pytest.approx(logit - 3.0 - math.log(0.01 / 0.99), rel=1e-4)


def test_an_alarm_is_at_least_as_probable_as_its_likeliest_member(folder):
    scores = {score.label: score for score in model_in(folder).hear(probe_sound()).scores}
    assert scores["alarm"].prob == pytest.approx(scores["siren"].prob, rel=1e-6)
    assert scores["alarm"].llr == pytest.approx(scores["siren"].llr, rel=1e-4)  # both have the same prior here


def test_an_alarm_that_is_surer_than_its_members_is_left_alone(tmp_path):
    tiny.save_hearing_card(tmp_path, groups={"alarm": ["gunshot"]})
    plain = tmp_path / "plain"
    plain.mkdir()
    tiny.save_hearing_card(plain, groups={})
    alarm = tiny.HEARING_LABELS.index("alarm")
    assert model_in(tmp_path).hear(probe_sound()).scores[alarm] == model_in(plain).hear(probe_sound()).scores[alarm]


def test_silence_is_never_evidence_for_anything(folder):
    for score in model_in(folder).silence():
        assert score.prob <= 0.01 * (1 + 1e-9)
        assert score.llr <= 1e-9


@given(
    logit=st.floats(-1e4, 1e4), scale=st.floats(0.01, 10), offset=st.floats(-50, 50), prior=st.floats(1e-6, 1 - 1e-6)
)
def test_probability_and_ratio_tell_the_same_story(tmp_path_factory, logit, scale, offset, prior):
    calibration = Calibration(scale=scale, offset=offset, prior=prior)
    log_odds = scale * logit + offset

    class OneLabel:
        def calibration_of(self, _: str) -> Calibration:
            return calibration

    (score,) = scores_of(OneLabel(), ("x",), np.array([logit], np.float64))  # type: ignore[arg-type]
    assert 0.0 <= score.prob <= 1.0
    assert score.llr == pytest.approx(log_odds - math.log(prior / (1 - prior)), rel=1e-9, abs=1e-9)
    if abs(log_odds) < 15:
        assert score_at("x", score.prob, calibration).llr == pytest.approx(score.llr, abs=1e-4)


def test_the_sound_a_device_is_tried_on_fills_one_window_and_is_not_silent():
    assert probe_sound().shape == (SAMPLES,)
    assert 0.05 < np.abs(probe_sound()).max() <= 1.0
