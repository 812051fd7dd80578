"""Teaching a sound: told apart from others, never at the price of many false ones, and refused when it cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.config.schema import Models
from agent.errors import ModelError, VedetteError
from agent.features.logmel import SAMPLES
from agent.inference.card import load_card, zoo_folder
from agent.inference.hearing import HearingModel
from agent.types import FloatArray
from calibration.cli import app
from calibration.labels import BACKGROUND_FILE, background, fit, teach
from tests.capture.media import write_sound
from tests.inference import tiny

RATE_HZ = 16_000


def bell(seed: int) -> FloatArray:
    """Three seconds with a two-tone bell struck in them, in more or less noise: float32 [1, 48000]."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    struck = np.zeros(len(time_s))
    for tone_hz, at_s in ((660.0, 0.5), (520.0, 1.2)):
        for partial, weight in ((1.0, 1.0), (2.76, 0.3), (5.4, 0.1)):
            decay = np.exp(-3.0 * np.maximum(time_s - at_s, 0.0)) * (time_s > at_s)
            struck += weight * decay * np.sin(2 * np.pi * tone_hz * rng.uniform(0.995, 1.005) * partial * time_s)
    level = 10 ** rng.uniform(-1.2, -0.3)
    noise = 10 ** rng.uniform(-3.2, -2.2) * rng.normal(0, 1, len(time_s))
    return (level * struck / np.abs(struck).max() + noise).astype(np.float32)[None]


@pytest.fixture(scope="module")
def model() -> HearingModel:
    return HearingModel.load(Models(device="cpu"))


@pytest.fixture(scope="module")
def bells(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("bells")
    return [str(write_sound(folder / f"bell{seed}.wav", bell(seed), RATE_HZ)) for seed in range(6)]


def test_a_bell_is_learned_from_five_clips_heard_in_a_sixth_and_no_longer_an_alarm(
    model: HearingModel, bells: list[str], tmp_path: Path
) -> None:
    taught = teach("doorbell", bells[:5], [], model)
    assert taught.found == taught.clips == 5
    assert taught.false <= 0.002 * taught.negatives
    path = tmp_path / "doorbell.json"
    path.write_text(json.dumps(taught.content(model.card, ["alarm"])))
    window = bell(5)[0, :SAMPLES]
    before = {score.label: score for score in model.hear(window).scores}
    with_bell = HearingModel.load(Models(device="cpu", site_labels=(str(path),)))
    after = {score.label: score for score in with_bell.hear(window).scores}
    assert after["doorbell"].prob >= taught.threshold_prob
    assert after["alarm"].llr <= 0.0 < before["alarm"].llr
    assert after["smoke_alarm"].llr <= 0.0
    assert after["speech"] == before["speech"]
    assert with_bell.silence()[-1].llr <= 0.0


def test_the_background_belongs_to_the_model_that_is_shipped() -> None:
    embeddings = background(load_card("hearing"))
    assert embeddings.shape[0] > 500
    assert embeddings.shape[1] == 128


def test_a_background_of_another_model_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / BACKGROUND_FILE, embeddings=np.zeros((3, 128), np.float16), hearing_sha256=np.array("00"))
    with pytest.raises(ModelError, match="another hearing model"):
        background(load_card("hearing"), tmp_path)
    (tmp_path / BACKGROUND_FILE).write_bytes((zoo_folder() / BACKGROUND_FILE).read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be read"):
        background(load_card("hearing"), tmp_path)


def test_what_cannot_be_told_apart_is_not_said_to_be_found() -> None:
    rng = np.random.default_rng(4)
    positives = [rng.normal(0, 1, (3, 16)) for _ in range(8)]
    taught = fit("noise", positives, rng.normal(0, 1, (800, 16)))
    assert taught.found <= 3
    assert taught.false <= 2


def test_two_clips_are_too_few(model: HearingModel, bells: list[str]) -> None:
    with pytest.raises(VedetteError, match="cannot be taught") as caught:
        teach("doorbell", bells[:2], [], model)
    assert "2 clips were given, 3 are needed" in caught.value.why


def test_silent_clips_hold_nothing_to_learn(model: HearingModel, tmp_path: Path) -> None:
    clips = [str(write_sound(tmp_path / f"{n}.wav", np.zeros((1, 16_000), np.float32), RATE_HZ)) for n in range(3)]
    with pytest.raises(VedetteError, match="holds no sound"):
        teach("doorbell", clips, [], model)


def test_a_taught_sound_of_another_model_is_refused_with_a_cure(tmp_path: Path) -> None:
    tiny.save_hearing_card(tmp_path)
    content = {
        "schema": "vedette.site-label/1", "name": "doorbell", "hearing_sha256": "0" * 64,
        "weights": [0.0] * 128, "offset": 0.0, "threshold_prob": 0.5,
    }  # fmt: skip
    path = tmp_path / "doorbell.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="does not fit the hearing model") as caught:
        HearingModel.load(Models(device="cpu", folder=str(tmp_path), site_labels=(str(path),)))
    assert "calibrate label" in caught.value.cure
    path.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        HearingModel.load(Models(device="cpu", folder=str(tmp_path), site_labels=(str(path),)))
    path.write_text("[1, 2]")
    with pytest.raises(ModelError, match="cannot be read: the file: "):
        HearingModel.load(Models(device="cpu", folder=str(tmp_path), site_labels=(str(path),)))


@pytest.mark.parametrize("arguments", [["alarm"], ["Our Bell"], ["doorbell", "--not-a", "moose"]])
def test_bad_names_are_refused(arguments: list[str], bells: list[str]) -> None:
    from typer.testing import CliRunner

    ended = CliRunner().invoke(app, ["label", *arguments, *bells])
    assert ended.exit_code == 2


def test_the_command_writes_a_file_that_listen_takes(bells: list[str], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    path = tmp_path / "doorbell.json"
    ended = CliRunner().invoke(app, ["label", "doorbell", *bells[:5], "--out", str(path)])
    assert ended.exit_code == 0, ended.output
    assert "5 of 5 clips found" in ended.output
    assert json.loads(path.read_text())["figures"]["clips"] == 5
