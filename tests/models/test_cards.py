"""A card's figures are what one run of its `evaluate --card` wrote about the very files that it names."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from models.measured import measured

ZOO = Path(__file__).resolve().parents[2] / "models" / "zoo"
COMMANDS = {
    "hearing": "python -m models.hearing.evaluate --card",
    "vision": "python -m models.vision.evaluate --card",
}
EVERY_CARD = pytest.mark.parametrize("name", sorted(COMMANDS))


def card(name: str) -> dict[str, Any]:
    return dict(json.loads((ZOO / f"{name}.json").read_text()))


@EVERY_CARD
def test_the_figures_were_measured_on_the_files_that_ship(name: str) -> None:
    found = card(name)
    assert found["measured"]["command"] == COMMANDS[name]
    assert found["measured"]["files"] == {entry["file"]: entry["sha256"] for entry in found["files"]}


@EVERY_CARD
def test_all_figures_come_from_one_run_on_validation(name: str) -> None:
    found = card(name)
    figures = found["figures"]
    assert figures
    assert {(figure["command"], figure["date"]) for figure in figures} == {
        (COMMANDS[name], found["measured"]["date"]),
    }
    assert {figure["split"] for figure in figures} == {"val"}
    rows = Counter(
        (f["metric"], f["label"], f["precision"], f["runtime"], f.get("size")) for f in figures
    )  # fmt: skip
    assert set(rows.values()) == {1}, "a figure stands there twice"


@EVERY_CARD
def test_every_file_was_measured_in_both_runtimes(name: str) -> None:
    found = card(name)
    seen = {(f["precision"], f.get("size"), f["runtime"]) for f in found["figures"]}
    for entry in found["files"]:
        size = f"{entry['width_px']}x{entry['height_px']}" if "width_px" in entry else None
        for runtime in ("onnxruntime", "openvino"):
            assert (entry["precision"], size, runtime) in seen


def test_the_record_of_a_measurement_names_the_bytes_that_were_measured(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"weights")
    before = measured("command", tmp_path, [{"file": "a.onnx"}], date(2026, 11, 21))
    (tmp_path / "a.onnx").write_bytes(b"other weights")
    after = measured("command", tmp_path, [{"file": "a.onnx"}], date(2026, 11, 21))
    assert before["date"] == "2026-11-21"
    assert before["files"].keys() == {"a.onnx"}
    assert before["files"] != after["files"]
