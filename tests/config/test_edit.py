"""Edits keep comments, never write what would not load, and are whole or not at all."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.edit import edit, with_key, without_key
from agent.config.load import check_text, load
from agent.config.schema import Config
from agent.config.template import template
from agent.config.text import parse
from agent.errors import ConfigError

FILE = """\
# my remark
[analysis]
fps = 3.0  # not more: a slow box
[cameras.door]  # the front door
url = "a"
[cameras.door.zones.yard]
polygon = [[0, 0], [1, 0], [1, 1]]
[cameras.back]
url = "b"
"""
POLYGON = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]


def test_a_changed_value_keeps_every_remark() -> None:
    assert with_key(FILE, ("analysis", "fps"), 4.0) == FILE.replace("3.0", "4.0")


def test_a_new_zone_gets_a_header_of_its_own_and_disturbs_nothing() -> None:
    text = with_key(FILE, ("cameras", "door", "zones", "gate"), {"polygon": POLYGON})
    assert "\n[cameras.door.zones.gate]\npolygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]\n" in text
    assert set(FILE.splitlines()) <= set(text.splitlines())
    assert check_text(text, "v") == []


def test_a_camera_leaves_with_its_zones() -> None:
    assert parse(without_key(FILE, ("cameras", "door")), "v")["cameras"] == {"back": {"url": "b"}}


def test_what_is_not_there_cannot_be_taken_out() -> None:
    with pytest.raises(ConfigError, match=r"cameras\.side is not in the configuration"):
        without_key(FILE, ("cameras", "side"))


@pytest.mark.parametrize("text", ["cameras = {door = {url = 'a'}}\n", "cameras.door.url = 'a'\n"])
def test_unusual_spelling_is_edited_or_refused_with_a_cure(text: str) -> None:
    try:
        edited = with_key(text, ("cameras", "door", "zones", "yard"), {"polygon": POLYGON})
    except ConfigError as error:
        assert error.cure == "Edit the file by hand."  # noqa: PT017
    else:
        assert parse(edited, "v")["cameras"]["door"]["zones"]["yard"]["polygon"] == POLYGON


def test_a_key_that_the_template_shows_as_a_remark_takes_its_place() -> None:
    text = template({"node.name": "yard"})
    changed = with_key(text, ("analysis", "fps"), 5.0)
    assert changed == text.replace("#fps = 10.0", "fps = 5.0")


def test_the_template_means_the_defaults_and_what_was_decided() -> None:
    assert check_text(template({}), "v") == []
    decided = parse(template({"node.name": "yard", "snapshots.enabled": True}), "v")
    assert (decided["node"], decided["snapshots"]) == ({"name": "yard"}, {"enabled": True})


def test_every_remark_of_the_template_is_a_right_default() -> None:
    active = "\n".join(
        line[1:] if line[:1] == "#" and line[1:2].isalpha() else line for line in template({}).split("\n")
    )
    assert Config.model_validate(parse(active, "v")) == Config()


def test_an_edit_that_would_not_load_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_text(FILE)
    with pytest.raises(ConfigError, match="more than 0"):
        edit(lambda text: with_key(text, ("analysis", "fps"), -1.0), path)
    assert path.read_text() == FILE
    assert os.listdir(tmp_path) == ["v.toml"]


def test_a_file_that_does_not_load_is_told_before_it_is_edited(tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_text("[analysis]\nfsp = 1\n")
    with pytest.raises(ConfigError, match="line 2"):
        edit(lambda text: with_key(text, ("analysis", "fps"), 1.0), path)


def test_mode_and_link_survive_an_edit(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "v.toml"
    real.write_text(FILE)
    real.chmod(0o640)
    link.symlink_to(real)
    edit(lambda text: with_key(text, ("analysis", "fps"), 4.0), link)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert load(link).analysis.fps == 4.0


def test_a_folder_that_cannot_be_written_is_an_error_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--config"):
        edit(lambda text: text + "\n", tmp_path / "file" / "v.toml")


def test_edits_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    path = tmp_path / "v.toml"

    def add(number: int) -> None:
        edit(lambda text: with_key(text, ("cameras", f"camera{number}"), {"url": "x"}), path)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load(path).cameras) == {f"camera{number}" for number in range(8)}


names = st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True).filter(
    lambda name: name not in ("state", "status", "request")
)
steps = st.lists(
    st.tuples(st.sampled_from(["camera", "zone", "remove", "fps"]), names, names, st.text(max_size=12)), max_size=10
)


@given(steps)
def test_any_sequence_of_edits_leaves_what_a_dictionary_would(changes: list[tuple[str, str, str, str]]) -> None:
    text = template({})
    model: dict[str, Any] = {}
    for act, camera, zone, url in changes:
        if act == "camera":
            model.setdefault(camera, {"url": url})
            text = with_key(text, ("cameras", camera, "url"), model[camera]["url"])
        elif act == "zone" and camera in model:
            model[camera].setdefault("zones", {})[zone] = {"polygon": POLYGON}
            text = with_key(text, ("cameras", camera, "zones", zone), {"polygon": POLYGON})
        elif act == "remove" and camera in model:
            del model[camera]
            text = without_key(text, ("cameras", camera))
        elif act == "fps":
            text = with_key(text, ("analysis", "fps"), 7.0)
        assert parse(text, "v").get("cameras", {}) == model
