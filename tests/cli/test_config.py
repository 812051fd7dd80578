"""`vedette config`: what is there, what is wrong, one key changed."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from agent.config.credentials import read_credential
from agent.config.load import load
from tests.cli.conftest import Vedette


def test_show_prints_every_key_as_toml_that_loads_again(vedette: Vedette, config: Path) -> None:
    vedette("init", "--yes", "--node", "yard")
    shown = vedette("config", "show").out
    again = config.with_name("again.toml")
    again.write_text(shown)
    assert load(again) == load(config)


def test_show_json_is_right_by_the_schema_that_is_printed(vedette: Vedette) -> None:
    schema = json.loads(vedette("config", "schema").out)
    vedette("init", "--yes")
    jsonschema.validate(json.loads(vedette("config", "show", "--json").out), schema)


def test_show_never_prints_a_login(vedette: Vedette, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('[cameras.door]\nurl = "rtsp://admin:hunter2@192.0.2.1/?token=hunter2"\n')
    for arguments in (("show",), ("show", "--json"), ("get", "cameras.door.url"), ("get", "cameras")):
        ended = vedette("config", *arguments)
        assert ended.code == 0
        assert "192.0.2.1" in ended.out
        assert "hunter2" not in ended.out + ended.err


def test_set_changes_one_key_and_get_reads_it(vedette: Vedette, config: Path) -> None:
    vedette("init", "--yes")
    before = config.read_text()
    assert vedette("config", "set", "analysis.fps", "5").code == 0
    assert vedette("config", "get", "analysis.fps").out == "5.0\n"
    assert config.read_text() == before.replace("#fps = 10.0", "fps = 5")
    assert vedette("config", "get", "models.device").out == "auto\n"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("set", "analysis.fsp", "5"), 3, "Did you mean analysis.fps?"),
        (("set", "analysis.fps", "many"), 3, "Allowed: a number"),
        (("set", "broker.url", "mqtt://me:hunter2@h"), 2, "set-password"),
        (("get", "analysis.fsp"), 3, "Did you mean analysis.fps?"),
        (("get", "analysis.fps.x"), 3, "analysis.fps"),
        (("set-password", "camera-A"), 3, "not the name of a credential"),
        (("set-password",), 3, "Nothing was stored"),
    ],
)
def test_a_wrong_key_or_value_is_told(arguments: tuple[str, ...], code: int, told: str, vedette: Vedette) -> None:
    vedette("init", "--yes")
    ended = vedette("config", *arguments)
    assert ended.code == code
    assert told in ended.err
    assert "hunter2" not in ended.err


def test_check_lists_all_mistakes_by_line(vedette: Vedette, config: Path) -> None:
    config.parent.mkdir()
    config.write_text("[analysis]\nfps = 0\nfsp = 1\n")
    ended = vedette("config", "check")
    assert ended.code == 3
    assert ended.out.index("analysis.fps") < ended.out.index("analysis.fsp")
    told = vedette("config", "check", "--json")
    assert [row["line"] for row in json.loads(told.out)] == [2, 3]


def test_check_warns_of_a_login_in_a_url_without_repeating_it(vedette: Vedette, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('[cameras.door]\nurl = "rtsp://admin:hunter2@192.0.2.1/"\n')
    ended = vedette("config", "check")
    assert ended.code == 0
    assert "camera add door URL --replace" in ended.err
    assert "hunter2" not in ended.out + ended.err


def test_check_of_no_file_points_to_init(vedette: Vedette) -> None:
    ended = vedette("config", "check")
    assert ended.code == 3
    assert "vedette init" in ended.err


def test_path_is_the_file_in_use(vedette: Vedette, config: Path) -> None:
    assert vedette("config", "path").out == f"{config}\n"
    assert vedette("config", "path", "--config", "other.toml").out == "other.toml\n"


def test_a_password_is_read_from_stdin_and_kept_beside_the_file(vedette: Vedette, config: Path) -> None:
    ended = vedette("config", "set-password", stdin="hunter2\n")
    assert ended.code == 0
    assert "hunter2" not in ended.out + ended.err
    assert read_credential("broker", config, {}) == "hunter2"


def test_the_written_file_is_plain_toml(vedette: Vedette, config: Path) -> None:
    vedette("init", "--yes")
    vedette("config", "set", "policy.disabled_kinds", "fall,fire")
    assert tomllib.loads(config.read_text())["policy"] == {"disabled_kinds": ["fall", "fire"]}


def test_a_value_may_begin_with_a_minus(vedette: Vedette, config: Path) -> None:
    vedette("camera", "add", "door", "rtsp://192.0.2.1/")
    assert vedette("config", "set", "cameras.door.sound_late_s", "-0.4").code == 0
    assert load(config).cameras["door"].sound_late_s == -0.4
    ended = vedette("config", "set", "analysis.fps", "-3")
    assert (ended.code, "found -3" in ended.err) == (3, True)


def test_a_name_that_is_not_there_is_no_table(vedette: Vedette) -> None:
    vedette("camera", "add", "door", "rtsp://192.0.2.1/")
    assert "There is none yet." in vedette("config", "get", "cameras.door.zones.yard.rules").err
    ended = vedette("config", "get", "cameras.dor.url")
    assert ended.code == 3
    assert "nothing is named 'dor' in cameras. There are door." in ended.err
