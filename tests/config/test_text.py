"""TOML text → data, with errors that name the line; the line of a key."""

from pathlib import Path

import pytest

from agent.config.edit import edit, with_key
from agent.config.load import load
from agent.config.text import MAX_BYTES, line_of, parse, read_text
from agent.errors import ConfigError

FILE = """\
# fps is explained here
[analysis]
# fps = 3
fps = 3
width_px = 4
[cameras.front]
url = "x"
[cameras.front.zones.door]
polygon = [
 [0, 1],  # polygon
 [1, 1],
]
labels = ["a"]
[cameras.back.zones.door]
polygon = [[0, 0]]
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["analysis"], 2),
        (["analysis", "fps"], 4),
        (["analysis", "width_px"], 5),
        (["cameras", "front"], 6),
        (["cameras", "front", "zones", "door", "polygon", 1], 9),
        (["cameras", "front", "zones", "door", "labels"], 13),
        (["cameras", "back"], 14),
        (["cameras", "back", "zones", "door", "polygon"], 15),
        (["cameras", "side"], None),
        ([], None),
    ],
)
def test_the_line_of_a_key_is_found_however_it_is_spelled(keys: list[str | int], line: int | None) -> None:
    assert line_of(FILE, keys) == line


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a = 1\n\na = 2\n", 3, "a is there twice"),
        ("[a]\n[b]\n[a]\n", 3, "the table [a] is there twice"),
        ("a = yes\n", 1, "text needs quotes"),
        ("a = 'x'\nb\n", 2, "expected '='"),
        ("a = [1,\n2", 2, "unclosed array"),
        ("a = [1,\n2,", 2, "not closed"),
        ("x = 1\n!\n", 2, "neither `key = value` nor a [table]"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "v.toml")
    assert f"v.toml line {line} " in caught.value.what
    assert why in caught.value.why
    assert caught.value.cure


@pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 20_000, 'x = "' + "a" * 50_000])
def test_what_breaks_a_parser_is_an_error_with_a_reason(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "v.toml")


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vedette init"):
        read_text(tmp_path / "none.toml")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is a folder"):
        read_text(tmp_path)


def test_bytes_that_are_not_text_are_told_by_position(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_bytes(b"a = 1 # \xff\n")
    with pytest.raises(ConfigError, match="byte 8 is not UTF-8"):
        read_text(tmp_path / "v.toml")


def test_a_file_of_another_system_with_its_mark_and_line_ends_is_read_and_edited(tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_bytes(b'\xef\xbb\xbf[node]\r\nname = "box"  # ours\r\n')
    assert load(path).node.name == "box"
    edit(lambda text: with_key(text, ("node", "name"), "other"), path)
    assert load(path).node.name == "other"
    assert "# ours" in path.read_text()


@pytest.mark.parametrize(("size", "fits"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_a_file_of_a_megabyte_is_the_largest(size: int, fits: bool, tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_text("#" * size)
    if fits:
        assert len(read_text(tmp_path / "v.toml")) == size
    else:
        with pytest.raises(ConfigError, match="larger than"):
            read_text(tmp_path / "v.toml")


def test_a_name_no_file_system_can_hold_is_an_error_too() -> None:
    with pytest.raises(ConfigError):
        read_text(Path("/" + "x" * 5000))
    with pytest.raises(ConfigError):
        read_text(Path("a\0b"))
    with pytest.raises(ConfigError, match="larger than"):
        read_text(Path("/dev/zero"))
