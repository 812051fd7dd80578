"""Loading: defaults, what is wrong in words, overrides typed by the schema."""

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.load import check_text, load, of_data, override_parts
from agent.config.schema import Config
from agent.errors import ConfigError
from agent.kinds import KINDS

RTSP = "rtsp://192.0.2.1/"
CAMERA = '[cameras.door]\nurl = "rtsp://192.0.2.1/"\n'
ZONE = "[cameras.door.zones.yard]\n"


def failure(text: str, tmp_path: Path) -> ConfigError:
    (tmp_path / "v.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "v.toml")
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "key", "told"),
    [
        ("[analysis]\nfsp = 3\n", 2, "analysis.fsp", "Did you mean fps?"),
        ("nod = 3\n", 1, "nod", "Did you mean node?"),
        ('[analysis]\nfps = "3"\n', 2, "analysis.fps", 'found "3". Allowed: a number'),
        ("[analysis]\n\nfps = -3\n", 3, "analysis.fps", "Allowed: more than 0"),
        ("[analysis]\nfps = nan\n", 2, "analysis.fps", "a finite number"),
        ("[analysis]\nwidth_px = 3.5\n", 2, "analysis.width_px", "a whole number"),
        ("[snapshots]\nenabled = 1\n", 2, "snapshots.enabled", "Allowed: true or false"),
        ("node = 3\n", 1, "node", "Allowed: a table"),
        ('[node]\nname = "A b"\n', 2, "node.name", "1 to 32 of a-z"),
        ('[models]\ndevice = "gpux"\n', 2, "models.device", "Did you mean gpu? Allowed: auto, cpu, gpu"),
        ('[policy]\ndisabled_kinds = ["fall", "fal"]\n', 2, "policy.disabled_kinds[1]", "'fal' is no kind"),
        ('[cameras.state]\nurl = "x"\n', 1, "cameras.state", "is a topic of Vedette"),
        ('[cameras."A b"]\nurl = "x"\n', 1, "cameras.A b", "Names in [ ] are 1 to 32"),
        ('[cameras."A b"]\nurl = "x"\n', 1, "cameras.A b", 'Write [cameras.a-b], and below it: name = "A b"'),
        (CAMERA + 'name = "a\\u0007b"\n', 3, "cameras.door.name", "U+0007"),
        (CAMERA + f'name = "{"ä" * 65}"\n', 3, "cameras.door.name", "at most 64 characters"),
        (CAMERA + 'friendly_name = "Tür"\n', 3, "cameras.door.friendly_name", "Did you mean name?"),
        (CAMERA + "name = 7\n", 3, "cameras.door.name", "text in quotes"),
        ('[cameras.door]\ntransport = "tcp"\n', 1, "cameras.door.url", "is missing"),
        (CAMERA + ZONE + "polygon = [[0, 1]]\n", 4, "cameras.door.zones.yard.polygon", "at least 3 entries"),
        (CAMERA + ZONE + "polygon = [[0,0],[0,1],[1,2]]\n", 4, "polygon[2][1]", "at most 1"),
        (CAMERA + ZONE + "polygon = [[0,0],[0,1],[1,1]]\nruels=[]\n", 5, "yard.ruels", "Did you mean rules?"),
        (CAMERA + ZONE + "polygon = [[0,0],[0,1],[1,1]]\nhour=[]\n", 5, "yard.hour", "Did you mean hours?"),
        (CAMERA + ZONE + 'polygon = [[0,0],[0,1],[1,1]]\nrules=["crowd"]\n', 5, "rules[0]", "Did you mean crowding?"),
        (CAMERA + "[cameras.door.lines.gate]\nline = [[0,0],[1,1]]\ndirecton = 1\n", 5, "gate.directon", "direction?"),
        (CAMERA + "[cameras.door.lines.gate]\nline = [[0,0]]\n", 4, "gate.line", "at least 2 entries"),
        (CAMERA + "[cameras.door.line.gate]\n", 3, "cameras.door.line", "Did you mean lines?"),
        ('[node]\ntimezone = "Mars/Base"\n', 2, "node.timezone", "no time zone"),
    ],
)
def test_a_mistake_is_told_with_line_key_and_cure(text: str, line: int, key: str, told: str, tmp_path: Path) -> None:
    error = failure(text, tmp_path)
    assert f"v.toml line {line}, " in error.what
    assert error.what.endswith(key)
    assert told in error.line()


@pytest.mark.parametrize("key", ["url", "snapshot_url", "sound"])
@pytest.mark.parametrize("login", ["admin:hun/ter2", "admin:hun?ter2", "admin:#hunter2", "a:b:hun/ter/2"])
def test_a_login_that_ends_the_host_too_early_is_refused_and_not_repeated(key: str, login: str, tmp_path: Path) -> None:
    url = f'url = "{RTSP}"\n' if key != "url" else ""
    error = failure(f'[cameras.door]\n{url}{key} = "rtsp://{login}@192.0.2.1/stream"\n', tmp_path)
    assert error.what.endswith(f"cameras.door.{key}")
    assert "set-password" in error.cure
    assert "hun" not in error.line()


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:p%2Fw@192.0.2.1:554/stream",
        "rtsp://192.0.2.1:554/stream@2",
        "rtsp://[2001:db8::1]/stream@2",
        "http://192.0.2.1/x?mail=a:b@c",
        "v4l2:Webcam: a/b @ home",
        "/srv/a:b/c@d.mp4",
        "lavfi:movie=a:b/c@d",
    ],
)
def test_an_address_with_an_at_sign_elsewhere_is_fine(url: str) -> None:
    assert of_data({"cameras": {"door": {"url": url}}}).cameras["door"].url == url


def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for text in ('[broker]\npassword = "hunter2"\n', '[broker]\nurl = "mqtt://me:hunter2@h"\n'):
        error = failure(text, tmp_path)
        assert "set-password" in error.line()
        assert "hunter2" not in error.line()


def test_several_mistakes_are_counted_and_the_check_lists_them_by_line(tmp_path: Path) -> None:
    text = "[analysis]\nwidth_px = 0\nfps = 0\n[nod]\n"
    assert "(2 more:" in failure(text, tmp_path).cure
    assert [(line, it.key) for line, it in check_text(text, "v")] == [
        (2, "analysis.width_px"),
        (3, "analysis.fps"),
        (4, "nod"),
    ]


def test_no_file_at_the_usual_place_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VEDETTE_CONFIG")
    monkeypatch.setattr("agent.config.load.config_path", lambda path: tmp_path / "none.toml")
    assert load() == Config()


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "none.toml")


def test_the_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_text("")
    assert load(tmp_path / "v.toml") == Config()


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("analysis.fps=5", 5.0),
        ("node.name=yard", "yard"),
        ('node.name="yard"', "yard"),
        ("broker.username=123", "123"),
        ("broker.username=true", "true"),
        ("policy.disabled_kinds=fall,fire", ("fall", "fire")),
        ("policy.disabled_kinds=fall", ("fall",)),
        ("policy.disabled_kinds=[]", ()),
        ("policy.armed=false", False),
        (" outbox.max_bytes = 2_000_000 ", 2_000_000),
    ],
)
def test_an_override_is_read_as_the_schema_wants_it(override: str, value: Any) -> None:
    table, key = override.partition("=")[0].strip().split(".")
    assert getattr(getattr(of_data({}, [override]), table), key) == value


def test_overrides_reach_into_cameras_and_leave_the_rest() -> None:
    data = {"cameras": {"door": {"url": "a", "loop": True}}}
    camera = of_data(data, ["cameras.door.transport=udp"]).cameras["door"]
    assert (camera.url, camera.loop, camera.transport) == ("a", True, "udp")
    assert data == {"cameras": {"door": {"url": "a", "loop": True}}}


def test_an_override_reaches_a_value_whose_key_is_a_name() -> None:
    config = of_data({"policy": {"margin_llr": {"fall": 0.5}}}, ["policy.margin_llr.unusual=1.1"])
    assert config.policy.margin_llr == {"fall": 0.5, "unusual": 1.1}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("policy.margin_llr.unusual=9", "policy.margin_llr.unusual"),
        ("policy.margin_llr.fite=1", "'fite' is no kind of incident"),
        ("policy.margin_llr=3", "Allowed: a table"),
        ("analysis.fp=3", "Did you mean analysis.fps?"),
        ("anlysis.fps=3", "Did you mean analysis.fps?"),
        ("cameras.door=3", "is a table"),
        ("analysis=3", "Allowed: a table"),
        ("=3", "not key=value"),
        ("analysis.fps", "not key=value"),
        ("analysis.fps=x", 'found "x". Allowed: a number'),
        ("cameras.a.b.c=3", "there is no such key"),
    ],
)
def test_a_wrong_override_is_told_with_its_cure(override: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_data({}, [override])
    assert told in caught.value.line()


def test_every_key_is_described() -> None:
    def undescribed(schema: dict[str, Any], names: tuple[str, ...] = ()) -> list[str]:
        return [
            f"{name}.{key}"
            for name, model in schema["$defs"].items()
            for key, value in model.get("properties", {}).items()
            if "description" not in value
        ]

    assert undescribed(Config.model_json_schema()) == []


def test_every_kind_can_be_disabled() -> None:
    assert of_data({"policy": {"disabled_kinds": list(KINDS)}}).policy.disabled_kinds == KINDS


names = st.sampled_from(["node", "broker", "analysis", "cameras", "policy", "fps", "url", "name", "zones", "x", "Ä"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(names, values, max_size=5))
def test_any_data_is_a_configuration_or_a_configuration_error(data: dict[str, Any]) -> None:
    try:
        assert isinstance(of_data(data), Config)
    except ConfigError as error:
        assert error.what  # noqa: PT017 - either outcome is right, a third is not


@given(st.text(alphabet="[]{}=\"'.,#\n\\ ab1-" + "é\x00\r", max_size=60))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    try:
        check_text(text, "v.toml")
    except ConfigError as error:
        assert "v.toml" in error.line()  # noqa: PT017 - either outcome is right, a third is not


@given(st.text(alphabet=string.printable + "é", max_size=30))
def test_any_override_is_taken_or_a_configuration_error(text: str) -> None:
    for override in (text, f"analysis.fps={text}", f"node.{text}", f"policy.disabled_kinds={text}"):
        try:
            override_parts(override)
            of_data({}, [override])
        except ConfigError as error:
            assert error.what  # noqa: PT017 - either outcome is right, a third is not


def test_two_cameras_that_people_could_not_tell_apart_are_refused(tmp_path: Path) -> None:
    other = '[cameras.back]\nurl = "rtsp://192.0.2.2/"\n'
    for name, other_name in (("Tür", "TÜR"), ("Back", "")):
        told = f'name = "{other_name}"\n' if other_name else ""
        error = failure(f'{CAMERA}name = "{name}"\n{other}{told}', tmp_path)
        assert "nobody could tell which is meant" in error.line()
        assert "name" in error.cure


def test_a_camera_is_called_by_its_name_or_by_its_identifier() -> None:
    cameras = {"door": {"url": "x", "name": " Eingang Süd "}, "back": {"url": "y"}}
    config = Config.model_validate({"cameras": cameras})
    assert [config.called(camera) for camera in ("door", "back", "gone")] == ["Eingang Süd", "back", "gone"]
