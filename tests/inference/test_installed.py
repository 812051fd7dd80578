"""Models that are installed over the shipped ones: whole or not at all, and there is always one to go back to."""

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.inference import installed
from agent.inference.card import load_card, zoo_folder
from tests.inference import tiny


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def offered(tmp_path: Path, version: str) -> Path:
    folder = tmp_path / f"offered-{version}"
    folder.mkdir()
    tiny.save_hearing_card(folder, version=version)
    return folder


def in_use(state: Path) -> str:
    return load_card("hearing", installed.candidates("hearing", state)[0]).version


def test_without_an_installation_the_shipped_models_are_used(state: Path) -> None:
    assert installed.candidates("hearing", state) == (None,)


def test_what_was_installed_is_used_before_what_was_used_before_and_the_shipped_one_last(
    tmp_path: Path, state: Path
) -> None:
    for version in ("1.0.0", "2.0.0"):
        assert [card.name for card in installed.install(offered(tmp_path, version), state)] == ["hearing"]
    folders = installed.candidates("hearing", state)
    assert [load_card("hearing", folder).version for folder in folders[:2]] == ["2.0.0", "1.0.0"]
    assert folders[2] is None
    assert installed.candidates("vision", state) == (None,)


def test_a_copy_is_used_so_that_the_offered_folder_may_go(tmp_path: Path, state: Path) -> None:
    folder = offered(tmp_path, "1.0.0")
    installed.install(folder, state)
    shutil.rmtree(folder)
    place = installed.candidates("hearing", state)[0]
    card = load_card("hearing", place)
    assert all(card.path_of(file).is_file() for file in card.files)


def test_only_the_set_in_use_and_the_one_before_are_kept(tmp_path: Path, state: Path) -> None:
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        installed.install(offered(tmp_path, version), state)
    kept = {load_card("hearing", folder).version for folder in (state / "models" / "hearing").iterdir()}
    assert kept == {"2.0.0", "3.0.0"}


def test_installing_the_same_again_changes_nothing(tmp_path: Path, state: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        installed.install(offered(tmp_path, version), state)
    before = installed.candidates("hearing", state)
    installed.install(tmp_path / "offered-2.0.0", state)
    assert installed.candidates("hearing", state) == before


def test_going_back_and_going_back_again_change_between_the_two(tmp_path: Path, state: Path) -> None:
    installed.install(offered(tmp_path, "1.0.0"), state)
    installed.install(offered(tmp_path, "2.0.0"), state)
    assert installed.rollback(state)["hearing"].version == "1.0.0"
    assert in_use(state) == "1.0.0"
    assert installed.rollback(state, ["hearing"])["hearing"].version == "2.0.0"
    assert in_use(state) == "2.0.0"


def test_the_first_installation_can_be_taken_back_to_the_shipped_model(tmp_path: Path, state: Path) -> None:
    installed.install(offered(tmp_path, "1.0.0"), state)
    assert installed.rollback(state)["hearing"].folder == zoo_folder()
    assert installed.candidates("hearing", state)[0] is None


def test_where_nothing_was_installed_there_is_nothing_to_go_back_to(state: Path) -> None:
    with pytest.raises(ModelError, match="no model to go back to"):
        installed.rollback(state)


@pytest.mark.parametrize("damage", ["bytes", "missing", "features", "card", "none"])
def test_what_is_not_whole_does_not_get_in_and_changes_nothing(tmp_path: Path, state: Path, damage: str) -> None:
    installed.install(offered(tmp_path, "1.0.0"), state)
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    folder = offered(tmp_path, "2.0.0")
    if damage == "bytes":
        (folder / "hearing.int8.onnx").write_bytes((folder / "hearing.int8.onnx").read_bytes() + b"x")
    elif damage == "missing":
        (folder / "hearing.fp16.onnx").unlink()
    elif damage == "features":
        tiny.save_hearing_card(folder, feature_version="of another age")
    elif damage == "card":
        (folder / "hearing.json").write_text("{")
    else:
        (folder / "hearing.json").unlink()
    with pytest.raises(ModelError):
        installed.install(folder, state)
    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == before


def test_a_set_that_rotted_is_not_gone_back_to(tmp_path: Path, state: Path) -> None:
    installed.install(offered(tmp_path, "1.0.0"), state)
    installed.install(offered(tmp_path, "2.0.0"), state)
    older = installed.candidates("hearing", state)[1]
    assert older is not None
    (older / "hearing.int8.onnx").write_bytes(b"rotten")
    with pytest.raises(ModelError, match="not the one its card describes"):
        installed.rollback(state)
    assert in_use(state) == "2.0.0"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "vedette.installed/1", "used": {"hearing": ["../../x"]}}'])
def test_a_file_of_installations_that_says_nothing_useful_counts_as_none(state: Path, text: str) -> None:
    (state / "models").mkdir(parents=True)
    (state / "models" / "installed.json").write_text(text)
    assert installed.candidates("hearing", state) == (None,)


def test_archives_and_cards_stand_for_what_is_in_them(tmp_path: Path) -> None:
    folder = offered(tmp_path, "1.0.0")
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "gztar", tmp_path, folder.name))
    zipped = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder))
    for source in (folder, folder / "hearing.json", archive, zipped):
        with installed.opened(source) as place:
            assert [card.version for card in installed.checked(place)] == ["1.0.0"]


def test_nothing_in_an_archive_is_written_anywhere_else(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for name, kind in (("../../escaped.json", tarfile.REGTYPE), ("link.json", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(b""))
    with installed.opened(tmp_path / "bad.tar") as place:
        assert [path.name for path in place.iterdir()] == ["escaped.json"]
        assert not (place.parent.parent / "escaped.json").exists()


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"PK\x03\x04 broken"])
def test_what_is_no_archive_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(ModelError, match="holds no model: it is no archive"), installed.opened(tmp_path / "set.zip"):
        pass


@pytest.mark.parametrize("kind", ["gztar", "xztar", "zip", "locked zip"])
def test_an_archive_that_was_damaged_on_its_way_says_so(tmp_path: Path, kind: str) -> None:
    offered(tmp_path, "1.0.0")
    made = Path(shutil.make_archive(str(tmp_path / "set"), kind.removeprefix("locked "), tmp_path / "offered-1.0.0"))
    content = bytearray(made.read_bytes())
    if kind == "locked zip":
        for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = content.find(header)
            while at >= 0:
                content[at + flags] |= 1
                at = content.find(header, at + 4)
    else:
        middle = len(content) // 2
        content[middle : middle + 40] = bytes(range(200, 240))
    made.write_bytes(content)
    with pytest.raises(ModelError), installed.opened(made) as place:
        installed.checked(place)


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hearing.onnx", bytes(100_000))
    with pytest.raises(ModelError, match="too many"), installed.opened(tmp_path / "bomb.zip"):
        pass


def test_the_list_of_what_is_used_is_readable(tmp_path: Path, state: Path) -> None:
    installed.install(offered(tmp_path, "1.0.0"), state)
    document = json.loads((state / "models" / "installed.json").read_text())
    assert document["schema"] == installed.SCHEMA
    assert document["used"]["hearing"][1] == installed.SHIPPED
