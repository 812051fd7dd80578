"""A model that is refused gives way to the one before it, which is said; the shipped one is always there."""

import json
import logging
from pathlib import Path

import cv2
import pytest

from agent.config.load import of_data
from agent.config.schema import Zone
from agent.errors import ModelError
from agent.inference import installed
from agent.inference.card import load_card
from agent.inference.site_label import hearing_sha256
from agent.service.senses import ABSORB_S, Senses, absorb_s
from tests.inference import tiny


def offered(tmp_path: Path, version: str) -> Path:
    folder = tmp_path / version
    folder.mkdir()
    tiny.save_hearing_card(folder, version=version)
    return folder


def config(**models: str) -> object:
    return of_data({"models": {"device": "cpu", "runtime": "onnxruntime", **models}})


def test_wrong_bytes_are_refused_and_the_model_of_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    for version in ("1.0.0", "2.0.0"):
        installed.install(offered(tmp_path, version), state)
    assert Senses.load(config(), state_folder=state).describe()["hearing"]["version"] == "2.0.0"

    newest = installed.candidates("hearing", state)[0]
    assert newest is not None
    content = bytearray((newest / "hearing.int8.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (newest / "hearing.int8.onnx").write_bytes(content)
    with caplog.at_level(logging.ERROR):
        senses = Senses.load(config(), state_folder=state)
    described = senses.describe()["hearing"]
    assert described["version"] == "1.0.0"
    assert described["degraded"]
    assert "hearing.int8.onnx is not the one its card describes" in described["reason"]
    assert "expected sha256" in caplog.text
    assert senses.degraded
    assert not senses.describe()["vision"]["degraded"]


def test_a_verifier_that_was_installed_beside_its_hearing_model_is_asked(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", offered(tmp_path, "1.0.0")
    installed.install(folder, state)
    without = Senses.load(config(), state_folder=state)
    assert without.verifier is None  # the shipped one belongs to another hearing model
    tiny.save_verifier_card(folder)
    installed.install(folder, state)
    senses = Senses.load(config(), state_folder=state)
    assert [one.file for one in senses.hearing.chosen] == ["hearing.int8.onnx", "hearing-verifier.onnx"]
    assert senses.describe()["hearing-verifier"]["version"] == "0.0.1"
    assert senses.speakers()["hearing"] != without.speakers()["hearing"]  # drift is told from scores of the same two


def test_a_verifier_that_is_refused_degrades_hearing_and_nothing_else(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", offered(tmp_path, "1.0.0")
    tiny.save_verifier_card(folder)
    installed.install(folder, state)
    place = installed.candidates("hearing-verifier", state)[0]
    assert place is not None
    (place / "hearing-verifier.onnx").write_bytes(b"tampered")
    described = Senses.load(config(), state_folder=state).describe()
    assert "hearing-verifier" not in described
    assert "hearing-verifier.onnx is not the one its card describes" in described["hearing"]["reason"]
    assert described["hearing"]["degraded"]


def test_the_shipped_model_is_the_last_resort(tmp_path: Path) -> None:
    state = tmp_path / "state"
    installed.install(offered(tmp_path, "1.0.0"), state)
    newest = installed.candidates("hearing", state)[0]
    assert newest is not None
    (newest / "hearing.json").write_text("{}")
    described = Senses.load(config(), state_folder=state).describe()["hearing"]
    assert described["version"] == load_card("hearing").version
    assert described["degraded"]


def test_a_folder_that_is_named_in_the_configuration_goes_before_what_was_installed(tmp_path: Path) -> None:
    state, named = tmp_path / "state", offered(tmp_path, "3.0.0")
    tiny.save_vision_card(named)
    installed.install(offered(tmp_path, "1.0.0"), state)
    senses = Senses.load(config(folder=str(named)), state_folder=state)
    assert senses.describe()["hearing"]["version"] == "3.0.0"
    (named / "hearing.int8.onnx").write_bytes(b"")
    senses = Senses.load(config(folder=str(named)), state_folder=state)
    assert senses.describe()["hearing"]["version"] == load_card("hearing").version
    assert senses.describe()["hearing"]["degraded"]


def test_a_measuring_command_does_not_swap_models(tmp_path: Path) -> None:
    named = offered(tmp_path, "3.0.0")
    with pytest.raises(ModelError):
        Senses.load(config(folder=str(named)))  # it has no vision model


def taught(path: Path, name: str, hearing_sha256: str) -> str:
    content = {"schema": "vedette.site-label/1", "name": name, "hearing_sha256": hearing_sha256, "weights": [0.0] * 128}
    path.write_text(json.dumps(content | {"offset": -3.0, "threshold_prob": 0.5}))
    return str(path)


def test_a_taught_sound_that_a_newer_hearing_model_does_not_fit_stops_no_box(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = taught(tmp_path / "old.json", "doorbell", "0" * 64)
    new = taught(tmp_path / "new.json", "kettle", hearing_sha256(load_card("hearing")))
    wanted = of_data({"models": {"device": "cpu", "runtime": "onnxruntime", "site_labels": [old, new]}})
    with caplog.at_level(logging.ERROR):
        senses = Senses.load(wanted, state_folder=tmp_path / "state")
    assert [label.name for label in senses.hearing.taught] == ["kettle"]
    described = senses.describe()["hearing"]
    assert described["degraded"]
    assert "doorbell does not fit" in described["reason"]
    assert "calibrate label" in caplog.text
    with pytest.raises(ModelError):
        Senses.load(wanted)  # a measuring command leaves nothing out by itself


def test_optical_flow_takes_as_many_threads_as_a_model() -> None:
    threads = cv2.getNumThreads()
    try:
        for wanted in (2, 1):
            Senses.load(of_data({"models": {"device": "cpu", "threads": wanted}}, ()))
            assert cv2.getNumThreads() == wanted
    finally:
        cv2.setNumThreads(threads)


def test_a_thing_belongs_to_the_place_only_after_every_dwell_that_is_asked_for() -> None:
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    left = Zone(polygon=whole, rules=("abandoned_object",), abandoned_dwell_s=60)
    taken = Zone(polygon=whole, rules=("removed_object",), removed_dwell_s=7200)
    assert absorb_s([left]) == 60 + ABSORB_S
    assert absorb_s([left, taken]) == 7200 + ABSORB_S
    assert absorb_s([]) is None


def test_what_no_model_knows_is_told_by_zone_and_line() -> None:
    shape = {"polygon": [[0, 0], [1, 0], [1, 1]], "labels": ["person", "Persn"], "object_labels": ["suitcase"]}
    config = of_data(
        {"cameras": {"door": {"url": "x", "zones": {"yard": shape}, "lines": {"gate": {"line": [[0, 0], [1, 1]]}}}}}
    )
    (told,) = Senses.load(config).unknown_labels()
    assert told == "zone yard of camera door: the vision model knows no 'Persn', but person"
