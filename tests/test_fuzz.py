"""Garbage of every kind: whatever comes in, the answer is an error with a cure, never another exception.

The same examples every time, some seconds in all. `VEDETTE_FUZZ=20 pytest tests/test_fuzz.py` tries twenty times as
many, other ones at every run.
"""

import copy
import json
import math
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.capture.source import SourceSpec, open_media
from agent.config.frigate.cameras import imported
from agent.config.frigate.words import parsed
from agent.config.load import load, of_data
from agent.config.schema import Config
from agent.config.template import template
from agent.errors import ConfigError, ModelError, SourceError, VedetteError
from agent.inference.card import CARD_NAMES, load_card, zoo_folder
from agent.service.recordings import journal
from agent.types import NS_PER_S
from agent.uplink.messages.payload import schema
from agent.uplink.mqtt.connection import Received
from agent.uplink.outbox.outbox import HEAL_EVERY_NS
from tests.capture.media import plain, tone, write_film, write_picture, write_sound
from tests.service.remote.test_control import Box
from tests.uplink.made import Clock, outbox, put, seqs, take_everything

TIMES = int(os.environ.get("VEDETTE_FUZZ", "1"))
Test = TypeVar("Test", bound=Callable[..., object])

WORDS = st.sampled_from(
    ["on", "off", "true", "hall", "yard", "armed", "status", "default", "box", "1e999", "nan", "\0"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | WORDS, inner, max_size=4),
    max_leaves=12,
)


def examples(number: int) -> Callable[[Test], Test]:
    """Try so many examples, the same every time unless more are asked for."""
    return settings(max_examples=number * TIMES, derandomize=TIMES == 1, database=None)


def requires_a_line(error: VedetteError) -> None:
    """What a person reads: one line, with something in it."""
    assert error.line().strip()
    assert "Traceback" not in error.line()


@st.composite
def garbled(draw: st.DrawFn, original: bytes) -> bytes:
    """Return `original` cut off, with bytes changed, pieces cut out, doubled or put elsewhere."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(1, 64))
        kind = draw(st.sampled_from(["change", "cut", "double", "end", "zero", "insert"]))
        if kind == "change":
            content[at : at + length] = draw(st.binary(min_size=1, max_size=length))
        elif kind == "cut":
            del content[at : at + length]
        elif kind == "double":
            content[at:at] = content[at : at + length]
        elif kind == "end":
            del content[at:]
        elif kind == "zero":
            content[at : at + length] = bytes(length)
        else:
            content[at:at] = draw(st.binary(max_size=length))
    return bytes(content)


# -- configuration ---------------------------------------------------------------------------------------------------

CONFIG_TEXT = """
[node]
name = "box"
[broker]
url = "mqtts://broker.example:8883"
keepalive_s = 30
[policy]
sensitivity = "high"
disabled_kinds = ["smoke"]
[cameras.door]
url = "rtsp://192.0.2.10/stream1"
sound = "none"
[cameras.door.zones.gate]
polygon = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.8]]
rules = ["intrusion", "loitering"]
[cameras.door.masks.window]
polygon = [[0.0, 0.0], [0.2, 0.0], [0.2, 0.3]]
"""


FRIGATE_TEXT = """
mqtt: {host: broker, user: u, password: p}
go2rtc: {streams: {door: [rtsp://u:p@h/a]}}
cameras:
  door:
    ffmpeg: {inputs: [{path: "rtsp://127.0.0.1:8554/door", roles: [detect]}]}
    zones: {gate: {coordinates: "0,0,1,0,1,1", loitering_time: 4, objects: [person]}}
    motion: {mask: [0,0,1,1]}
"""


@examples(100)
@given(garbled(FRIGATE_TEXT.encode()))
def test_a_garbled_configuration_of_frigate_is_refused_in_words(content: bytes) -> None:
    try:
        tables = parsed(content.decode("utf-8", "replace"), "config.yml")
    except ConfigError as error:
        requires_a_line(error)
    else:
        imported(tables, environ={}, known_labels=("person",), direct=True)


@examples(150)
@given(JSON.filter(lambda value: isinstance(value, dict)), st.sampled_from(["ffmpeg", "zones", "review", "objects"]))
def test_a_camera_of_frigate_may_hold_anything(whole: dict[str, Any], key: str) -> None:
    inputs = {"inputs": [{"path": "rtsp://127.0.0.1:8554/door", "roles": ["detect"]}]}
    cameras = {"door": {"ffmpeg": inputs, key: whole}, "yard": whole}
    found = imported(whole | {"cameras": cameras}, environ={}, known_labels=("person",))
    assert all(camera.identifier in ("door", "yard") for camera in found.cameras)


@examples(150)
@given(garbled(CONFIG_TEXT.encode()))
def test_a_garbled_configuration_is_refused_in_words(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vedette.toml"
        path.write_bytes(content)
        try:
            assert isinstance(load(path), Config)
        except ConfigError as error:
            requires_a_line(error)


@examples(150)
@given(
    st.dictionaries(st.sampled_from(sorted(Config.model_fields)) | st.text(max_size=5), JSON, max_size=4),
    st.lists(st.text(max_size=20) | st.just("cameras.hall.url=x") | st.just("policy.armed=nan"), max_size=3),
)
def test_any_data_is_a_configuration_or_is_refused_in_words(data: dict[str, Any], overrides: list[str]) -> None:
    try:
        assert isinstance(of_data(data, overrides), Config)
    except ConfigError as error:
        requires_a_line(error)


def test_the_text_that_is_garbled_is_right_and_so_is_the_template(tmp_path: Path) -> None:
    for text in (CONFIG_TEXT, template({})):
        (tmp_path / "vedette.toml").write_text(text)
        assert isinstance(load(tmp_path / "vedette.toml"), Config)


# -- commands over MQTT ----------------------------------------------------------------------------------------------

TOPICS = st.sampled_from(
    ["request", "set/armed", "set/sensitivity", "set/profile", "hall/set/zone/gate", "hall/set/enabled", "x/set/y"]
)
REQUESTS = st.fixed_dictionaries(
    {"action": st.sampled_from(["status", "snapshot", "verdict", "drill"]) | JSON},
    optional={"camera": WORDS | JSON, "incident": JSON, "verdict": JSON, "kind": WORDS, "id": JSON, "at": JSON},
)


@examples(200)
@given(
    st.one_of(TOPICS, st.text(max_size=30)),
    st.one_of(st.binary(max_size=60), JSON.map(lambda value: json.dumps(value).encode()),
              REQUESTS.map(lambda value: json.dumps(value).encode()), st.sampled_from([b"on", b"off", b"default"])),
    st.one_of(st.just(""), st.text(max_size=40), st.sampled_from(["a/b", "vedette/box/state", "$SYS/x", "#"])),
    st.binary(max_size=20),
)  # fmt: skip
def test_whatever_is_sent_gets_an_answer_that_fits_its_schema(
    topic: str, payload: bytes, response_topic: str, correlation: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = Box(Path(folder))
        message = Received(
            topic=f"vedette/box/{topic}", payload=payload, qos=1, retain=False,
            response_topic=response_topic, correlation=correlation,
        )  # fmt: skip
        box.control.obey(message)
        (answer,) = box.board.answers
        Draft202012Validator(schema("response-1")).validate(json.loads(answer.payload))
        own = answer.topic == "vedette/box/response" or answer.topic.startswith("vedette/box/response/")
        assert own or not answer.topic.startswith(("vedette/box/", "homeassistant/", "$"))


# -- model cards -----------------------------------------------------------------------------------------------------


@st.composite
def spoiled(draw: st.DrawFn, card: dict[str, Any]) -> Any:
    """Return a card in which some values are other ones."""
    spoilt = copy.deepcopy(card)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = spoilt
        while True:
            keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(JSON)
            break
    return spoilt


@pytest.mark.parametrize("name", CARD_NAMES)
def test_a_spoiled_card_is_refused_in_words(name: str, tmp_path: Path) -> None:
    if not (zoo_folder() / f"{name}.json").exists():
        pytest.skip(f"the zoo holds no {name} model yet")
    original = (zoo_folder() / f"{name}.json").read_bytes()

    @examples(100)
    @given(st.one_of(spoiled(json.loads(original)).map(lambda card: json.dumps(card).encode()), garbled(original)))
    def try_it(content: bytes) -> None:
        (tmp_path / f"{name}.json").write_bytes(content)
        try:
            card = load_card(name, tmp_path)
            for label in card.labels:
                calibration = card.calibration_of(label)
                assert 0 < calibration.prior < 1
                assert calibration.alarm_llr is None or math.isfinite(calibration.alarm_llr)
        except ModelError as error:
            requires_a_line(error)

    try_it()


# -- media -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("media")
    return {
        "film.mp4": write_film(folder / "film.mp4", 0.5).read_bytes(),
        "film.ts": write_film(folder / "film.ts", 0.5).read_bytes(),
        "film.mkv": write_film(folder / "film.mkv", 0.5).read_bytes(),
        "sound.wav": write_sound(folder / "sound.wav", tone(0.3, 16_000), 16_000).read_bytes(),
        "picture.jpg": write_picture(folder / "picture.jpg", plain(64, 48), "mjpeg").read_bytes(),
    }


@pytest.mark.parametrize("name", ["film.mp4", "film.ts", "film.mkv", "sound.wav", "picture.jpg"])
def test_garbled_media_are_read_as_far_as_they_go_or_refused_in_words(
    media: dict[str, bytes], name: str, tmp_path: Path
) -> None:
    @examples(25)
    @given(garbled(media[name]))
    def try_it(content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        try:
            with open_media(SourceSpec(camera="c", url=str(tmp_path / name), open_timeout_s=10.0)) as opened:
                last_ns: dict[type, int] = {}
                for item in opened.read():
                    assert item.at_ns >= last_ns.get(type(item), 0)
                    last_ns[type(item)] = item.at_ns
        except SourceError as error:
            requires_a_line(error)

    try_it()


# -- what lies on the disk -------------------------------------------------------------------------------------------

LINES = (
    b'{"type":"tick","at_ns":1}\n{"type":"blind","camera":"a","at_ns":2,"modality":"vision","reason":"ended"}\n'
    b'{"type":"seen","camera":"a","at_ns":3,"aspect_ratio":1.5,"stats":{"brightness_frac":0.5,"contrast_frac":0.1,'
    b'"sharpness_frac":0.1,"moving_frac":0.0},"detections":null}\n'
)


@examples(200)
@given(garbled(LINES))
def test_a_garbled_recording_is_read_or_refused_in_words(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / journal.OBSERVATIONS_FILE).write_bytes(content)
        try:
            list(journal.read(Path(folder)))
        except SourceError as error:
            requires_a_line(error)


@examples(20)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 6000), st.binary(min_size=1, max_size=4))),
    st.booleans(),
)
def test_however_the_database_is_damaged_no_number_is_used_twice_or_goes_missing(
    damages: list[tuple[float, int, bytes]], with_journal: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, clock = Path(name), Clock()
        box = outbox(folder, clock)
        for number in range(30):
            put(box, clock, f"i{number}", size=400)
        given_out = set(range(1, 31))
        if with_journal:
            box._disk._db.close()  # type: ignore[union-attr]  # as a crash leaves it
            os.close(box._disk._lock_fd)  # type: ignore[union-attr,arg-type]
        else:
            box.close()
            with closing(sqlite3.connect(folder / "state.db")) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        path = folder / "state.db"
        content = bytearray(path.read_bytes())
        for at_frac, length, pattern in damages:
            at = int(at_frac * len(content))
            end = min(len(content), at + length)
            content[at:end] = (pattern * length)[: end - at]
        path.write_bytes(content)
        second = outbox(folder, clock, run="second")
        new = put(second, clock, "new")
        messages = take_everything(second)
        clock.advance(2 * HEAL_EVERY_NS / NS_PER_S)  # damage that only shows when it is read heals a little later
        messages += take_everything(second)
        second.close()
        assert new not in given_out
        came = seqs(messages)
        gaps = [json.loads(queued.payload) for queued in messages if queued.role == "gap"]
        told = set(came) | {n for gap in gaps for first, last in gap["ranges"] for n in range(first, last + 1)}
        assert set(range(1, new + 1)) <= told
