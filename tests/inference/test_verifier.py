"""The verifier is asked where the hearing graph half believes, and what both say is added up."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.config.schema import Models
from agent.features.finemel import fine_mel
from agent.features.logmel import SAMPLES
from agent.inference.card import load_card
from agent.inference.hearing import HearingModel, probe_sound
from agent.inference.verifier import ASKED_FROM_LLR, NAME, Verifier
from agent.types import Score
from tests.inference import tiny
from tests.inference.machines import machine

OFFSET, SCALE = 0.5, 0.6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.save_hearing_card(tmp_path, groups={"alarm": ["siren"]})
    tiny.save_verifier_card(tmp_path, scale=SCALE, offset=OFFSET)
    return tmp_path


def models(folder: Path) -> Models:
    return Models(folder=str(folder), device="cpu")


def verifier_in(folder: Path) -> Verifier:
    found = Verifier.load(models(folder), load_card("hearing", folder), probe_sound())
    assert found is not None
    return found


def score(label: str, llr: float) -> Score:
    return Score(label=label, prob=0.5, llr=llr, alarm_llr=3.0)


def test_it_is_asked_only_where_one_of_its_labels_is_half_believed(folder: Path) -> None:
    verifier = verifier_in(folder)
    assert verifier.is_asked([score("speech", -9.0), score("gunshot", ASKED_FROM_LLR)])
    assert not verifier.is_asked([score("speech", 9.0), score("gunshot", ASKED_FROM_LLR - 0.01)])


def test_what_both_say_is_added_up_and_calibrated_again(folder: Path) -> None:
    card = load_card("hearing", folder)
    prior_logit = card.calibration_of("gunshot").prior_logit
    (verified,) = verifier_in(folder).verified([score("gunshot", 1.0)], np.array([2.0, 0.0], np.float32))
    log_odds = SCALE * (1.0 + prior_logit + 2.0) + OFFSET
    assert verified.prob == pytest.approx(1.0 / (1.0 + np.exp(-log_odds)), rel=1e-6)
    assert verified.alarm_llr == 3.0


def test_what_it_does_not_know_stays_and_members_of_a_group_are_verified_as_the_group(folder: Path) -> None:
    verifier = verifier_in(folder)
    speech, siren = score("speech", 1.0), score("siren", 1.0)
    for logit in (-5.0, 5.0):
        logits = np.array([0.0, logit], np.float32)
        assert verifier.verified([speech], logits) == (speech,)
        (found,) = verifier.verified([siren], logits)
        assert found.label == "siren"
        assert found == replace(verifier.verified([score("alarm", 1.0)], logits)[0], label="siren")


def test_a_window_is_heard_as_the_verifier_says(folder: Path) -> None:
    """The tiny verifier's logits are the mean of the finer picture, and that plus one."""
    with_it = HearingModel.load(models(folder))
    without = HearingModel(load_card("hearing", folder), Models(), machine({}))
    assert [chosen.file for chosen in with_it.chosen] == ["hearing.int8.onnx", f"{NAME}.onnx"]
    sound = probe_sound()
    own = {one.label: one for one in without.hear(sound).scores}
    heard = {one.label: one for one in with_it.hear(sound).scores}
    card = load_card("hearing", folder)
    own_log_odds = own["gunshot"].llr + card.calibration_of("gunshot").prior_logit
    log_odds = SCALE * (own_log_odds + float(fine_mel(sound).mean())) + OFFSET
    assert np.log(heard["gunshot"].prob / (1 - heard["gunshot"].prob)) == pytest.approx(log_odds, abs=1e-3)
    assert heard["speech"] == own["speech"]


def test_beside_another_hearing_model_it_is_not_asked(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny.save_verifier_card(folder, needs=("0" * 64,))
    with caplog.at_level(logging.WARNING):
        assert Verifier.load(models(folder), load_card("hearing", folder), probe_sound()) is None
    assert "was not fitted beside this hearing model" in caplog.text


def test_a_folder_of_models_may_lack_it(tmp_path: Path) -> None:
    tiny.save_hearing_card(tmp_path)
    assert Verifier.load(models(tmp_path), load_card("hearing", tmp_path), probe_sound()) is None


def test_the_shipped_one_is_asked_and_stays_silent_about_silence() -> None:
    model = HearingModel.load(Models(device="cpu"))
    assert [chosen.file for chosen in model.chosen][1:] == [f"{NAME}.onnx"]
    assert all(one.llr <= 1e-9 for one in model.hear(np.zeros(SAMPLES, np.float32)).scores if one.label == "gunshot")


def test_it_says_why_it_runs_where_it_runs(folder: Path) -> None:
    (chosen,) = verifier_in(folder).chosen
    assert "no accelerator is as near" in chosen.reason
    assert "configuration" not in chosen.reason
