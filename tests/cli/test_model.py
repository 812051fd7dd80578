"""`vedette model`: lists, verifies and explains models, and refuses wrong bytes with exit code 6."""

import json

import pytest

from agent.inference.card import zoo_folder
from tests.cli.outside import vedette
from tests.inference import tiny


@pytest.fixture
def zoo(tmp_path):
    folder = tmp_path / "zoo"
    folder.mkdir()
    tiny.save_hearing_card(folder)
    tiny.save_vision_card(folder)
    return folder


def test_list_names_every_file(zoo, tmp_path):
    ended = vedette("model", "list", "--folder", zoo, "--json", cwd=tmp_path)
    assert ended.code == 0
    listed = {file["file"] for card in json.loads(ended.out) for file in card["files"]}
    assert listed == {path.name for path in zoo.glob("*.onnx")}


def test_verify_finds_intact_files_right(zoo, tmp_path):
    ended = vedette("model", "verify", "--folder", zoo, "--json", cwd=tmp_path)
    assert ended.code == 0
    assert all(finding["ok"] for finding in json.loads(ended.out))


def test_verify_names_the_file_with_other_bytes_and_ends_with_six(zoo, tmp_path):
    (zoo / "vision-320x192.int8.onnx").write_bytes(b"tampered")
    (zoo / "hearing.fp16.onnx").unlink()
    ended = vedette("model", "verify", "--folder", zoo, cwd=tmp_path)
    assert ended.code == 6
    assert "2 of 8 model files are wrong" in ended.err
    assert "vision-320x192.int8.onnx is not the one its card describes" in ended.err
    assert "hearing.fp16.onnx cannot be read" in ended.err
    assert "Traceback" not in ended.err


def test_info_says_where_the_model_runs_and_why(zoo, tmp_path):
    ended = vedette("model", "info", "vision", "--folder", zoo, "--json", cwd=tmp_path)
    assert ended.code == 0
    card = json.loads(ended.out)
    assert len(card["runs"]) == 3
    assert all(run["reason"] and "CPU" in run["place"] for run in card["runs"])
    assert card["schema"] == "vedette.card/1"


def test_info_has_a_line_for_each_limit_and_each_source_of_data(tmp_path):
    ended = vedette("model", "info", "fusion", cwd=tmp_path)
    assert ended.code == 0
    card = json.loads((zoo_folder() / "fusion.json").read_text("utf-8"))
    lines = [line.strip() for line in ended.out.splitlines()]
    assert set(card["limits"]) <= set(lines)
    row = card["training"]["data"][0]
    assert f"data: source {row['source']}, licence {row['licence']}, clips {row['clips']}" in lines
    assert len(lines) < 40 + len(card["training"]["data"]) + len(card["figures"])


def test_info_of_an_unknown_model_names_the_known_ones(tmp_path):
    ended = vedette("model", "info", "smell", cwd=tmp_path)
    assert ended.code == 2
    assert "vision, hearing, hearing-verifier, fusion" in " ".join(ended.err.replace("│", " ").split())


def test_a_missing_card_ends_with_six(tmp_path):
    ended = vedette("model", "verify", "--folder", tmp_path, cwd=tmp_path)
    assert ended.code == 6
    assert ended.err.startswith("error")
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.skipif(not (zoo_folder() / "vision.json").exists(), reason="the zoo holds no vision model yet")
@pytest.mark.skipif(not (zoo_folder() / "hearing.json").exists(), reason="the zoo holds no hearing model yet")
def test_the_shipped_models_are_intact_and_small(tmp_path):
    ended = vedette("model", "verify", cwd=tmp_path)
    assert ended.code == 0, ended.err
    listed = json.loads(vedette("model", "list", "--json", cwd=tmp_path).out)
    assert sum(file["bytes"] for card in listed for file in card["files"]) <= 16_000_000


def test_install_uses_the_models_of_a_folder_and_rollback_takes_it_back(zoo, tmp_path):
    ended = vedette("model", "install", zoo, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "installed: hearing 0.0.1" in ended.out
    assert "vedette model rollback" in ended.out
    listed = json.loads(vedette("model", "list", "--json", cwd=tmp_path).out)
    of_folder = [card["version"] for card in listed if card["name"] in ("vision", "hearing")]  # it lacks the others
    assert of_folder == ["0.0.1", "0.0.1"]
    ended = vedette("model", "rollback", "hearing", cwd=tmp_path)
    assert (ended.code, "shipped with Vedette" in ended.out) == (0, True)
    versions = {
        card["name"]: card["version"] for card in json.loads(vedette("model", "list", "--json", cwd=tmp_path).out)
    }
    assert versions["vision"] == "0.0.1"
    assert versions["hearing"] != "0.0.1"


def test_install_refuses_other_bytes_with_six_and_changes_nothing(zoo, tmp_path):
    (zoo / "hearing.int8.onnx").write_bytes(b"tampered")
    ended = vedette("model", "install", zoo, cwd=tmp_path)
    assert ended.code == 6
    assert "hearing.int8.onnx is not the one its card describes" in ended.err
    assert "Traceback" not in ended.err
    assert vedette("model", "rollback", cwd=tmp_path).code == 6
