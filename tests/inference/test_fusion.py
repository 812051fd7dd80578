"""The fusion graph's answers, which streams it may look at, and that it may be missing."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.config.schema import Models
from agent.inference.card import card_names, load_card
from agent.inference.fusion import FusionModel, probe_window
from agent.types import FUSION_STEPS, FusionWindow
from tests.inference import tiny


def models(folder: Path, runtime: str = "onnxruntime") -> Models:
    return Models.model_validate({"folder": str(folder), "device": "cpu", "runtime": runtime})


def opened(folder: Path, **changes: object) -> FusionModel:
    tiny.save_fusion_card(folder, **changes)
    model = FusionModel.load(models(folder))
    assert model is not None
    return model


def window(*, people: int = 16, sound: int = 16) -> FusionWindow:
    """A window whose newest `people` and `sound` half seconds are known."""

    def newest(count: int) -> np.ndarray:
        return (np.arange(FUSION_STEPS) >= FUSION_STEPS - count).astype(np.float32)

    probe = probe_window(tiny.FUSION_WIDTHS)
    return replace(probe, camera="yard", at_ns=7, people_known=newest(people), sound_known=newest(sound))


def test_scores_are_calibrated_by_label(tmp_path: Path) -> None:
    fused = opened(tmp_path).fuse(window(people=12, sound=2))
    fight = next(score for score in fused.scores if score.label == "fight")
    assert fight.llr == pytest.approx(12 - 2 - 8.0)
    assert (fused.camera, fused.at_ns) == ("yard", 7)


def test_attention_tells_each_stream_and_half_second(tmp_path: Path) -> None:
    attention = opened(tmp_path).fuse(window(people=2)).attention
    assert [one.stream for one in attention] == ["scene", "people", "sound"]
    assert attention[1].shares == (0.0,) * 14 + (0.0208, 0.0208)


def test_a_window_without_anything_known_has_no_scores(tmp_path: Path) -> None:
    nothing = window(people=0, sound=0)
    nothing = replace(nothing, scene_known=np.zeros(FUSION_STEPS, np.float32))
    assert opened(tmp_path).fuse(nothing).scores == ()


def test_a_stream_of_another_width_counts_as_unknown(tmp_path: Path) -> None:
    other = replace(window(sound=16), sound=np.zeros((FUSION_STEPS, 7), np.float32))
    fused = opened(tmp_path).fuse(other)
    assert not any(fused.attention[2].shares)


def test_a_graph_it_was_not_trained_beside_is_left_out_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny.save_hearing_card(tmp_path)
    tiny.save_fusion_card(tmp_path, needs={"hearing": ["0" * 64]})
    hearing = load_card("hearing", tmp_path)
    with caplog.at_level(logging.WARNING):
        model = FusionModel.load(models(tmp_path), senses={"hearing": hearing})
    assert model is not None
    assert "judges without it" in caplog.text
    assert not any(model.fuse(window()).attention[2].shares)


def test_a_graph_it_was_trained_beside_is_heard(tmp_path: Path) -> None:
    tiny.save_hearing_card(tmp_path)
    hearing = load_card("hearing", tmp_path)
    tiny.save_fusion_card(tmp_path, needs={"hearing": [hearing.files[0].sha256]})
    model = FusionModel.load(models(tmp_path), senses={"hearing": hearing})
    assert model is not None
    assert any(model.fuse(window()).attention[2].shares)


def test_a_folder_without_the_card_has_no_fusion_model(tmp_path: Path) -> None:
    tiny.save_hearing_card(tmp_path)
    tiny.save_vision_card(tmp_path)
    assert FusionModel.load(models(tmp_path)) is None
    assert card_names(tmp_path) == ("vision", "hearing")


def test_both_runtimes_agree(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    tiny.save_fusion_card(tmp_path)
    told = [FusionModel.load(models(tmp_path, runtime)) for runtime in ("onnxruntime", "openvino")]
    scores = [[score.llr for score in model.fuse(window(people=5)).scores] for model in told if model]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
