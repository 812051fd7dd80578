"""What the embedding says of a sound moves its alarm, within bounds, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.schema import Models
from agent.errors import ModelError
from agent.features.logmel import SAMPLES
from agent.inference.card import load_card
from agent.inference.hearing import HearingModel
from agent.inference.opinion import MOST_AGAINST_LLR, MOST_FOR_LLR, load_opinions
from agent.types import Score
from tests.inference import tiny

SCORES = (Score(label="gunshot", prob=0.9, llr=5.0, alarm_llr=4.0), Score(label="speech", prob=0.1, llr=0.5))


def thresholds(weights: object, offset: float = 0.0) -> dict[str, Any]:
    return {"gunshot": {"incident_llr": 4.0, "incident_weights": weights, "incident_offset": offset}}


def card(folder: Path, **changes: Any) -> Any:
    tiny.save_hearing_card(folder, **changes)
    return load_card("hearing", folder)


@pytest.mark.parametrize(
    ("embedding", "alarm_llr"),
    [
        ([1.0, 0.0], 4.0 - 1.0),
        ([-1.0, 0.0], 4.0 + 1.5),
        ([9.0, 0.0], 4.0 - MOST_FOR_LLR),
        ([-9.0, 0.0], 4.0 + MOST_AGAINST_LLR),
    ],
)
def test_the_embedding_moves_the_alarm_within_bounds(tmp_path: Path, embedding: list[float], alarm_llr: float) -> None:
    opinions = load_opinions(card(tmp_path, thresholds=thresholds([1.25, 7.0], -0.25)), dimensions=2)
    shot, speech = opinions.of(SCORES, np.array(embedding, np.float32))
    assert shot.alarm_llr == pytest.approx(alarm_llr)
    assert (shot.prob, shot.llr) == (SCORES[0].prob, SCORES[0].llr)
    assert speech == SCORES[1]


def test_a_card_may_hold_closer_what_speaks_against_a_kind(tmp_path: Path) -> None:
    said = thresholds([1.0, 0.0])
    said["gunshot"]["incident_against_llr"] = 1.5
    opinions = load_opinions(card(tmp_path, thresholds=said), dimensions=2)
    moved = [opinions.of(SCORES, np.array([one, 0.0], np.float32))[0].alarm_llr for one in (-9.0, -1.0, 9.0)]
    assert moved == pytest.approx([4.0 + 1.5, 4.0 + 1.0, 4.0 - MOST_FOR_LLR])


def test_a_card_without_opinions_leaves_every_score(tmp_path: Path) -> None:
    opinions = load_opinions(card(tmp_path, thresholds={"gunshot": {"incident_llr": 4.0}, "crash": 0.7}), dimensions=2)
    assert opinions.of(SCORES, np.ones(2, np.float32)) == SCORES


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0], [], "many", [1.0, None], [1.0, float("inf")]])
def test_weights_that_are_none_or_of_another_length_are_refused_in_words(tmp_path: Path, weights: object) -> None:
    with pytest.raises(ModelError) as refused:
        load_opinions(card(tmp_path, thresholds=thresholds(weights)), dimensions=2)
    assert "gunshot" in refused.value.line()


def test_the_model_tells_scores_with_their_alarms_moved(tmp_path: Path) -> None:
    def heard(said: dict[str, Any]) -> Score:
        tiny.save_hearing_card(tmp_path, thresholds=said)
        model = HearingModel.load(Models(folder=str(tmp_path), device="cpu"))
        found = model.hear(np.full(SAMPLES, 0.1, np.float32)).scores
        return next(score for score in found if score.label == "gunshot")

    plain, moved = heard({"gunshot": {"incident_llr": 4.0}}), heard(thresholds([0.0] * 128, 1.5))
    assert plain.alarm_llr == 4.0
    assert moved.alarm_llr == pytest.approx(2.5)
    assert (moved.prob, moved.llr) == (plain.prob, plain.llr)


def test_a_model_whose_opinions_do_not_fit_its_embedding_is_not_loaded(tmp_path: Path) -> None:
    tiny.save_hearing_card(tmp_path, thresholds=thresholds([0.5] * 7))
    with pytest.raises(ModelError):
        HearingModel.load(Models(folder=str(tmp_path), device="cpu"))
