"""Model cards: right bytes are handed out, wrong ones are refused by name with a cure."""

import json
import math

import pytest

from agent.errors import ModelError
from agent.inference.card import CARD_NAMES, load_card, zoo_folder
from tests.inference import tiny


def test_a_card_is_read_with_its_files_by_precision(tmp_path):
    tiny.save_vision_card(tmp_path)
    card = load_card("vision", tmp_path)
    assert [f.size_px for f in card.files_of("int8")] == [(320, 192), (320, 320), (416, 416)]
    assert card.path_of(card.files[0]) == tmp_path / card.files[0].file
    assert card.coco_ids[1] == 3


def test_a_file_with_other_bytes_is_refused_with_both_hashes_and_a_cure(tmp_path):
    tiny.save_hearing_card(tmp_path)
    card = load_card("hearing", tmp_path)
    model_file = card.files_of("int8")[0]
    path = tmp_path / model_file.file
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError) as caught:
        card.path_of(model_file)
    line = caught.value.line()
    assert all(part in line for part in (model_file.file, model_file.sha256, "found", "Install Vedette again"))
    assert line.count(model_file.sha256) == 1
    assert caught.value.exit_code == 6


def test_a_missing_file_is_named(tmp_path):
    tiny.save_hearing_card(tmp_path)
    card = load_card("hearing", tmp_path)
    (tmp_path / card.files[0].file).unlink()
    with pytest.raises(ModelError, match=r"hearing\.int8\.onnx cannot be read: No such file"):
        card.path_of(card.files[0])


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"hearing\.json cannot be read: No such file"):
        load_card("hearing", tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '"card"', "null", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_card_that_is_not_json_is_refused(tmp_path, content):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "hearing.json").write_bytes(data)
    with pytest.raises(ModelError, match=r"hearing\.json"):
        load_card("hearing", tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": "vedette.card/2"}, "schema"),
        ({"labels": []}, "labels"),
        ({"labels": ["gunshot", "gunshot"]}, "named twice"),
        (
            {"files": [{"file": "../../etc/passwd", "precision": "int8", "sha256": "0" * 64, "bytes": 1}]},
            "files.0.file",
        ),
        ({"files": [{"file": "a.onnx", "precision": "int8", "sha256": "nope", "bytes": 1}]}, "files.0.sha256"),
        ({"calibration": {"gunshot": {"scale": 1, "offset": 0, "prior": 0}}}, "prior"),
        ({"coco_ids": [1, 2]}, "coco_ids"),
        ({"name": "vision"}, "vision"),
        ({"feature_version": "logmel/0"}, "logmel/0"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path, changes, told):
    tiny.save_hearing_card(tmp_path, **changes)
    with pytest.raises(ModelError) as caught:
        load_card("hearing", tmp_path)
    assert told in caught.value.line()
    assert "Install" in caught.value.cure


def test_keys_of_later_cards_are_ignored(tmp_path):
    tiny.save_hearing_card(tmp_path, colour="green")
    assert load_card("hearing", tmp_path).name == "hearing"


def test_a_precision_that_the_card_lacks_is_refused(tmp_path):
    tiny.save_hearing_card(tmp_path)
    with pytest.raises(ModelError, match="no fp32 file: its card lists fp16, int8"):
        load_card("hearing", tmp_path).files_of("fp32")


def test_a_label_without_calibration_keeps_its_logit(tmp_path):
    tiny.save_hearing_card(tmp_path, calibration={})
    calibration = load_card("hearing", tmp_path).calibration_of("gunshot")
    assert (calibration.scale, calibration.offset, calibration.prior_logit) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("name", CARD_NAMES)
def test_every_shipped_file_is_the_one_its_card_describes(name):
    if not (zoo_folder() / f"{name}.json").exists():
        pytest.skip(f"the zoo holds no {name}.json yet")
    card = load_card(name)
    for model_file in card.files:
        assert card.path_of(model_file).stat().st_size == model_file.bytes


def test_a_shipped_card_can_be_told_as_json(tmp_path):
    tiny.save_hearing_card(tmp_path)
    assert json.loads(load_card("hearing", tmp_path).model_dump_json(by_alias=True))["schema"] == "vedette.card/1"


def test_a_card_says_from_which_llr_on_a_sound_is_an_alarm(tmp_path):
    thresholds = {
        "gunshot": {"probability": 0.5, "incident_llr": 5.5},
        "scream": {"probability": 0.5},
        "crash": {"probability": "high", "incident_llr": None},
        "alarm": 0.7,
    }
    tiny.save_hearing_card(tmp_path, thresholds=thresholds)
    card = load_card("hearing", tmp_path)
    assert card.calibration_of("gunshot").alarm_llr == 5.5
    assert card.calibration_of("scream").alarm_llr == pytest.approx(math.log(99))  # against a prior of 0.01
    assert [card.calibration_of(label).alarm_llr for label in ("crash", "alarm", "speech")] == [None, None, None]
