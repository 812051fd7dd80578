"""Compiled graphs are kept per model, read again, checked, and deleted when they are of no use."""

from pathlib import Path

import pytest

from agent.config.load import of_data
from agent.inference.card import Card, load_card
from agent.service.compiled_graphs import FOLDER, CompiledGraphs
from agent.service.senses import Senses


def kept(state: Path, card: Card) -> Path:
    folder = CompiledGraphs(state).folder_for(card)
    assert folder is not None
    return folder


def sealed_with(state: Path, card: Card, content: bytes = b"graph") -> Path:
    compiled = CompiledGraphs(state)
    folder = compiled.folder_for(card)
    assert folder is not None
    (folder / "openvino").mkdir(exist_ok=True)
    (folder / "openvino" / "1.blob").write_bytes(content)
    compiled.seal()
    return folder / "openvino" / "1.blob"


def test_what_was_sealed_is_there_at_the_next_start(tmp_path: Path) -> None:
    blob = sealed_with(tmp_path, load_card("hearing"))
    assert kept(tmp_path, load_card("hearing")) == blob.parent.parent
    assert blob.read_bytes() == b"graph"


@pytest.mark.parametrize("damage", [b"", b"grapi", b"graph and more"])
def test_what_is_not_what_was_sealed_is_deleted_before_it_is_read(tmp_path: Path, damage: bytes) -> None:
    blob = sealed_with(tmp_path, load_card("hearing"))
    blob.write_bytes(damage)
    kept(tmp_path, load_card("hearing"))
    assert not blob.exists()


def test_what_was_never_sealed_is_deleted(tmp_path: Path) -> None:
    """Such as what a start wrote that lost its power on the way."""
    blob = sealed_with(tmp_path, load_card("hearing"))
    new = blob.with_name("2.blob")
    new.write_bytes(b"half")
    kept(tmp_path, load_card("hearing"))
    assert blob.exists()
    assert not new.exists()


@pytest.mark.parametrize("seal", ["", "[]", "{", '{"openvino/1.blob": 3}'])
def test_a_broken_seal_costs_the_cache_only(tmp_path: Path, seal: str) -> None:
    blob = sealed_with(tmp_path, load_card("hearing"))
    folder = blob.parent.parent
    folder.with_name(f"{folder.name}.json").write_text(seal)
    kept(tmp_path, load_card("hearing"))
    assert not blob.exists()


def test_another_model_deletes_what_was_kept_of_the_one_before(tmp_path: Path) -> None:
    card = load_card("hearing")
    before = sealed_with(tmp_path, card)
    other = card.model_copy(
        update={"files": tuple(f.model_copy(update={"sha256": f.sha256[::-1]}) for f in card.files)}
    )
    vision = sealed_with(tmp_path, load_card("vision"))
    after = sealed_with(tmp_path, other, b"other")
    assert after.exists()
    assert not before.exists()
    assert vision.exists()
    assert len(list((tmp_path / FOLDER / "hearing").iterdir())) == 2  # the folder and its seal


def test_a_state_folder_that_cannot_be_written_costs_nothing_but_the_cache(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    compiled = CompiledGraphs(tmp_path)
    assert compiled.folder_for(load_card("hearing")) is None
    compiled.seal()


def test_a_folder_that_vanishes_meanwhile_is_no_fault(tmp_path: Path) -> None:
    compiled = CompiledGraphs(tmp_path)
    folder = compiled.folder_for(load_card("hearing"))
    assert folder is not None
    folder.rmdir()
    folder.parent.rmdir()
    compiled.seal()


def blobs_after_a_start(state: Path) -> dict[Path, int]:
    """What OpenVINO keeps, and when it was written."""
    config = of_data({"models": {"device": "cpu", "runtime": "openvino"}})
    Senses.load(config, compiled=CompiledGraphs(state), state_folder=state)
    return {path: path.stat().st_mtime_ns for path in (state / FOLDER).rglob("*.blob")}


def test_openvino_reads_at_the_second_start_what_it_kept_at_the_first(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    first = blobs_after_a_start(tmp_path)
    assert len(first) == 3  # vision, hearing, fusion
    assert blobs_after_a_start(tmp_path) == first  # nothing was written again
    flipped = next(path for path in first if "vision" in path.parts)
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 0xFF
    flipped.write_bytes(content)
    third = blobs_after_a_start(tmp_path)
    assert third.keys() == first.keys()
    assert third[flipped] != first[flipped]  # compiled anew
