"""Learned normality on the disk: whole or not at all, read again after a restart, kept with what was recorded."""

import threading
from pathlib import Path

import numpy as np
import pytest

from agent.errors import StoreError
from agent.scene.normality import Knowledge, Normality
from agent.service.normality_files import FOLDER, NormalityFiles, read, write


def learned(watched_s: float) -> Knowledge:
    knowledge = Knowledge()
    knowledge.watched_s = watched_s
    knowledge.field_of((24, 43)).looks += 3.0
    return knowledge


def test_what_was_written_is_known_after_a_restart(tmp_path: Path) -> None:
    files = NormalityFiles(tmp_path)
    files.offer("yard", learned(1.0).arrays())
    files.offer("yard", learned(7000.0).arrays())
    stop = threading.Event()
    stop.set()
    files.run(stop)
    again = NormalityFiles(tmp_path).known("yard").knowledge
    assert again.watched_s == 7000.0
    assert again.field is not None
    assert float(again.field.looks.max()) == 3.0
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["yard.npz"]


def test_a_camera_that_is_new_begins_with_nothing(tmp_path: Path) -> None:
    assert NormalityFiles(tmp_path).known("yard").knowledge.watched_s == 0.0


def test_a_broken_file_is_told_and_learned_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / FOLDER / "yard.npz", learned(7000.0).arrays())
    whole = (tmp_path / FOLDER / "yard.npz").read_bytes()
    (tmp_path / FOLDER / "yard.npz").write_bytes(whole[: len(whole) // 2])
    assert not NormalityFiles(tmp_path).known("yard").is_mature
    assert "learned anew" in caplog.text


def test_what_a_newer_vedette_learned_is_kept_aside_for_whoever_goes_back_to_it(tmp_path: Path) -> None:
    path = tmp_path / FOLDER / "yard.npz"
    write(path, dict(learned(7000.0).arrays()) | {"schema": np.array("vedette.normality/99")})
    newer = path.read_bytes()
    files = NormalityFiles(tmp_path)
    files.offer("yard", files.known("yard").knowledge.arrays())
    files.flush()
    assert path.with_name("yard.npz.set-aside").read_bytes() == newer
    assert NormalityFiles(tmp_path).known("yard").knowledge.watched_s == 0.0


def test_a_folder_that_cannot_be_written_is_told_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("a file where a folder should be")
    files = NormalityFiles(tmp_path)
    files.offer("yard", learned(1.0).arrays())
    files.flush()
    assert "not kept" in caplog.text


def test_a_recording_keeps_what_was_known_when_it_began(tmp_path: Path) -> None:
    state, record = tmp_path / "state", tmp_path / "record"
    write(state / FOLDER / "yard.npz", learned(7000.0).arrays())
    NormalityFiles(state).copy_to(record, ["yard", "hall"])
    assert NormalityFiles(record).known("yard").is_mature is False
    assert NormalityFiles(record).known("yard").knowledge.watched_s == 7000.0
    assert (record / FOLDER).is_dir()


@pytest.mark.parametrize("name", ["means", "weights"])
def test_a_file_with_numbers_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    arrays = dict(Normality().knowledge.arrays())
    arrays[f"things_{name}"] = np.full_like(arrays[f"things_{name}"], np.nan)
    write(tmp_path / "yard.npz", arrays)
    with pytest.raises(StoreError, match="not finite"):
        read(tmp_path / "yard.npz")
