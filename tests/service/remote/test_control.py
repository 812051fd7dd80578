"""What the node does with commands: applies, keeps, tells and answers them, and takes back what is no more."""

import contextlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from agent.config.schema import PEOPLE_KINDS, Camera, Clips, Config, Line, Node, Profile, Profiles, Snapshots, Zone
from agent.config.schema import Control as ControlTable
from agent.config.schema import Policy as PolicyTable
from agent.errors import WorkerError
from agent.kinds import KINDS
from agent.scene import Policy
from agent.service import clock
from agent.service.errands import Errands
from agent.service.remote import settings
from agent.service.remote.control import WAITING_MOST, Control, NodeActions
from agent.service.remote.retained import Retained
from agent.service.telemetry.loglimit import MOST_LINES, WINDOW_S
from agent.types import Uint8Array
from agent.uplink.control.commands import CommandError, Setting
from agent.uplink.messages.payload import schema
from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.connection import Received
from agent.uplink.mqtt.latest import Latest

DOOR = Line(line=((0.0, 0.5), (1.0, 0.5)))
GATE = Zone(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
CONFIG = Config(
    node=Node(name="box"),
    cameras={
        "hall": Camera(url="x", zones={"gate": GATE}, lines={"door": DOOR}),
        "yard": Camera(url="x", enabled=False),
    },
    snapshots=Snapshots(enabled=True),
)
INCIDENT = "01a1fdfa-4600-7a91-807b-e2d44f10a6b3"


class MemoryBoard:
    """An uplink that keeps what it is told; the broker acknowledges what is in `acknowledged`."""

    def __init__(self) -> None:
        self.said: dict[str, Latest] = {}
        self.order: list[str] = []
        self.answers: list[Answer] = []
        self.verdicts: dict[str, bool] = {}
        self.acknowledged: set[str] = set()

    def say(self, latest: Latest) -> None:
        self.said[latest.topic] = latest
        self.order.append(latest.topic)

    def is_said(self, topic: str) -> bool:
        return topic in self.acknowledged

    def answer(self, answer: Answer) -> None:
        self.answers.append(answer)

    def mark(self, incident_id: str, *, verdict: bool) -> bool:
        self.verdicts[incident_id] = verdict
        return incident_id == INCIDENT

    def camera_of(self, incident_id: str) -> str | None:
        return "hall" if incident_id == INCIDENT else None

    def say_picture(self, camera: str, picture: Uint8Array) -> str | None:
        return f"vedette/box/{camera}/snapshot"


class Box:
    """A control with its actions, which only note that they were moved."""

    def __init__(self, folder: Path, config: Config = CONFIG) -> None:
        self.board = MemoryBoard()
        self.moves: list[Any] = []
        self.picture: Uint8Array | None = np.zeros((2, 2, 3), np.uint8)
        self.busy = False
        actions = NodeActions(
            adopt=self._adopt,
            switch=lambda camera, on: self.moves.append((camera, on)),
            picture=lambda _: self.picture,
            status=lambda: {"status": "ok"},
            drill=self._drill,
            wall_ns=lambda: 1_790_000_000 * 10**9,
        )
        self.control = Control(config, folder, self.board, actions, version="0.1.0")

    def _adopt(self, policy: Policy) -> None:
        if self.busy:
            raise CommandError("the analysis is busy")
        self.moves.append(policy)

    def _drill(self, kind: str, camera: str) -> None:
        if kind != "fall":
            raise WorkerError(f"there is no drill for {kind}", cure="There is one for fall.")
        self.moves.append((kind, camera))

    def send(self, topic: str, payload: Any, **more: Any) -> dict[str, Any]:
        raw = payload if isinstance(payload, str) else json.dumps(payload)
        message = Received(topic=f"vedette/box/{topic}", payload=raw.encode(), qos=1, retain=False, **more)
        self.control.obey(message)
        answer: dict[str, Any] = json.loads(self.board.answers[-1].payload)
        Draft202012Validator(schema("response-1")).validate(answer)
        return answer

    def told(self, topic: str) -> str:
        return self.board.said[f"vedette/box/{topic}"].payload.decode()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.control.begin()
    return made


def test_at_the_start_everything_is_told_as_configured(box: Box) -> None:
    assert (box.told("setting/armed"), box.told("setting/sensitivity")) == ("on", "normal")
    assert (box.told("hall/setting/enabled"), box.told("yard/setting/enabled")) == ("on", "off")
    assert (box.told("hall/setting/armed"), box.told("hall/setting/zone/gate")) == ("on", "on")
    assert all(latest.retain for latest in box.board.said.values())
    assert "homeassistant/device/vedette_box_CAM_yard/config" in box.board.said


def test_disarming_changes_the_policy_is_kept_and_told(box: Box, tmp_path: Path) -> None:
    answer = box.send("set/armed", "off")
    assert (answer["ok"], answer["about"], answer["result"]) == (True, "set/armed", {"value": "off", "kept": True})
    (policy,) = box.moves
    assert not policy.armed
    assert box.told("setting/armed") == "off"
    again = Box(tmp_path)
    again.control.begin()
    assert again.told("setting/armed") == "off"
    assert not again.control.policy.armed


def test_default_goes_by_the_configuration_again(box: Box, tmp_path: Path) -> None:
    box.send("set/sensitivity", "high")
    assert box.control.policy.sensitivity == "high"
    assert box.send("set/sensitivity", "default")["result"]["value"] == "normal"
    low = CONFIG.model_copy(update={"policy": PolicyTable(sensitivity="low")})
    assert Box(tmp_path, low).control.policy.sensitivity == "low"


def test_a_camera_that_is_switched_off_is_disarmed_before_it_stops(box: Box) -> None:
    assert box.send("hall/set/enabled", "off")["ok"]
    policy, switched = box.moves
    assert policy.disarmed_cameras == {"hall", "yard"}
    assert switched == ("hall", False)
    assert not box.control.config.cameras["hall"].enabled


def test_a_camera_that_is_configured_off_can_be_switched_on_over_it(box: Box, tmp_path: Path) -> None:
    box.send("yard/set/enabled", "on")
    assert box.moves[-1] == ("yard", True)
    assert Box(tmp_path).control.config.cameras["yard"].enabled


def test_setting_what_is_set_already_does_not_touch_the_camera(box: Box) -> None:
    assert box.send("hall/set/enabled", "on")["ok"]
    assert [type(move) for move in box.moves] == [Policy]


def test_a_line_goes_off_and_comes_back_as_configured(box: Box, tmp_path: Path) -> None:
    assert box.told("hall/setting/line/door") == "on"
    box.send("hall/set/line/door", "off")
    assert box.moves[-1].lines["hall"] == {}
    assert Box(tmp_path).control.policy.lines["hall"] == {}, "also after a restart"
    box.send("hall/set/line/door", "default")
    assert box.moves[-1].lines["hall"].keys() == {"door"}


def test_a_zone_goes_off_and_one_camera_is_disarmed_alone(box: Box) -> None:
    box.send("hall/set/zone/gate", "off")
    assert box.moves[-1].zones["hall"] == {}
    box.send("hall/set/armed", "off")
    assert not box.moves[-1].allows("fall", "hall")
    assert box.moves[-1].allows("fall", "shed")


def test_what_the_analysis_did_not_take_over_is_neither_kept_nor_told(box: Box, tmp_path: Path) -> None:
    box.busy = True
    assert box.send("set/armed", "off")["reason"] == "the analysis is busy"
    assert box.told("setting/armed") == "on"
    assert not (tmp_path / settings.FILE).exists()


def test_a_setting_that_cannot_be_kept_works_until_the_next_start_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    box = Box(tmp_path / "state")
    assert box.send("set/armed", "off")["result"] == {"value": "off", "kept": False}
    assert not box.moves[-1].armed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema": "other", "settings": {"armed": false}}',
        '{"schema": "vedette.settings/1", "settings": 3}',
        '{"schema": "vedette.settings/1", "settings": {"armed": "no", "gone/armed": false, "sensitivity": true}}',
        "[" * 100_000,
    ],
)
def test_a_broken_file_of_settings_leaves_everything_as_configured(tmp_path: Path, text: str) -> None:
    (tmp_path / settings.FILE).write_text(text)
    assert settings.load(tmp_path, CONFIG) == {}
    assert settings.laid_over(CONFIG, {}) == CONFIG


def test_a_profile_brings_its_kinds_and_sensitivity_and_survives_a_restart(tmp_path: Path) -> None:
    watched = PolicyTable(disabled_kinds=("smoke",))
    night = Profiles(night=Profile(sensitivity="high", disabled_kinds=("fall",)))
    config = CONFIG.model_copy(update={"policy": watched, "profiles": night})
    box = Box(tmp_path, config)
    box.control.begin()
    assert (box.told("setting/profile"), box.told("setting/sensitivity")) == ("away", "normal")
    assert box.send("set/profile", "night")["result"] == {"value": "night", "kept": True}
    assert (box.told("setting/profile"), box.told("setting/sensitivity")) == ("night", "high")
    assert box.control.policy.sensitivity == "high"
    assert box.control.policy.disabled_kinds == {"smoke", "fall"}
    again = Box(tmp_path, config)
    again.control.begin()
    assert (again.told("setting/profile"), again.control.policy.sensitivity) == ("night", "high")
    again.send("set/sensitivity", "low")
    assert (again.told("setting/sensitivity"), again.control.policy.sensitivity) == ("low", "low")
    again.send("set/profile", "default")
    assert again.told("setting/profile") == "away"
    assert again.control.policy.disabled_kinds == {"smoke"}


def test_at_home_rules_on_people_rest_and_nothing_else(tmp_path: Path) -> None:
    box = Box(tmp_path)
    away = {kind for kind in KINDS if box.control.policy.allows(kind, "hall")}
    box.send("set/profile", "home")
    home = {kind for kind in KINDS if box.control.policy.allows(kind, "hall")}
    assert away - home == set(PEOPLE_KINDS) & away
    assert {"fall", "fire", "gunshot", "glass_break", "alarm"} <= home


def test_every_setting_finds_its_way_into_the_configuration_or_the_policy() -> None:
    before = settings.policy(CONFIG, {})
    for path, setting in settings.every(CONFIG).items():
        other = {"sensitivity": "high", "profile": "home"}.get(setting.name, not setting.value)
        changed = settings.changed(
            {}, Setting(name=setting.name, value=other, camera=setting.camera, place=setting.place)
        )
        assert changed == {path: other}
        assert settings.policy(CONFIG, changed) != before or path == "yard/armed"


def test_questions_are_answered(box: Box) -> None:
    assert box.send("request", {"action": "status", "id": "7"})["result"] == {"status": "ok"}
    snapshot = box.send("request", {"action": "snapshot", "camera": "hall"})
    assert snapshot["result"] == {"topic": "vedette/box/hall/snapshot"}
    verdict = box.send("request", {"action": "verdict", "incident": INCIDENT, "verdict": False})
    assert verdict["result"] == {"incident": INCIDENT, "verdict": False}
    assert box.board.verdicts == {INCIDENT: False}


def test_a_drill_is_begun_or_the_answer_says_why_not(box: Box) -> None:
    begun = box.send("request", {"action": "drill", "camera": "hall", "kind": "fall"})
    assert begun["result"] == {"kind": "fall", "camera": "hall"}
    assert box.moves == [("fall", "hall")]
    refused = box.send("request", {"action": "drill", "camera": "hall", "kind": "smoke"})
    assert refused["reason"] == "there is no drill for smoke. There is one for fall."


def test_what_cannot_be_done_is_refused_with_a_reason(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    unknown = INCIDENT.replace("01", "02", 1)
    assert (
        "not in the history"
        in box.send("request", {"action": "verdict", "incident": unknown, "verdict": True})["reason"]
    )
    assert "is off" in box.send("request", {"action": "snapshot", "camera": "yard"})["reason"]
    box.picture = None
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert "no picture" in box.send("request", {"action": "snapshot", "camera": "hall"})["reason"]
    assert len(caplog.records) == 1


def test_a_film_is_sent_to_its_own_topic_and_the_answer_names_it(tmp_path: Path) -> None:
    box = Box(tmp_path, CONFIG.model_copy(update={"clips": Clips(send_max_bytes=10)}))
    wanted = {"action": "clip", "incident": INCIDENT}
    assert "there is no film" in box.send("request", wanted)["reason"]
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / f"{INCIDENT}.mp4").write_bytes(b"0123456789")
    answer = box.send("request", wanted)
    assert answer["result"] == {"topic": f"vedette/box/hall/clip/{INCIDENT}", "bytes": 10}
    film = box.board.answers[-2]
    assert (film.topic, film.payload, film.content_type) == (answer["result"]["topic"], b"0123456789", "video/mp4")
    assert "not in the history" in box.send("request", wanted | {"incident": f"0{INCIDENT[1:-1]}0"})["reason"]
    (tmp_path / "clips" / f"{INCIDENT}.mp4").write_bytes(b"01234567890")
    assert "11 bytes, 10 are allowed" in box.send("request", wanted)["reason"]


def test_no_film_leaves_a_box_that_was_not_told_so(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / f"{INCIDENT}.mp4").write_bytes(b"film")
    box = Box(tmp_path, CONFIG.model_copy(update={"clips": Clips(keep="all")}))
    assert "films do not leave" in box.send("request", {"action": "clip", "incident": INCIDENT})["reason"]
    assert len(box.board.answers) == 1


@pytest.mark.parametrize("incident", ["../../etc/passwd", f"{INCIDENT}/..", "", 3])
def test_what_is_no_id_never_becomes_a_path(box: Box, incident: object) -> None:
    assert not box.send("request", {"action": "clip", "incident": incident})["ok"]


def test_no_picture_leaves_a_box_whose_snapshots_are_off(tmp_path: Path) -> None:
    box = Box(tmp_path, CONFIG.model_copy(update={"snapshots": Snapshots()}))
    assert "snapshots are off" in box.send("request", {"action": "snapshot", "camera": "hall"})["reason"]


def test_the_answer_goes_to_the_response_topic_with_the_correlation(box: Box) -> None:
    box.send("request", {"action": "status"}, response_topic="house/1", correlation=b"x")
    assert (box.board.answers[-1].topic, box.board.answers[-1].correlation) == ("house/1", b"x")


def test_home_assistant_s_birth_brings_the_discovery_again_and_is_not_answered(box: Box) -> None:
    box.board.order.clear()
    for payload in (b"offline", b"online"):
        box.control.obey(Received(topic="homeassistant/status", payload=payload, qos=0, retain=False))
    assert len(box.board.order) == 3
    assert all(topic.startswith("homeassistant/device/") for topic in box.board.order)
    assert not box.board.answers


def test_what_a_removed_camera_left_at_the_broker_is_taken_back_until_that_is_certain(tmp_path: Path) -> None:
    Box(tmp_path).control.begin()
    less = CONFIG.model_copy(update={"cameras": {"hall": CONFIG.cameras["hall"]}})
    for _ in range(2):  # the first run ended before the broker heard of it
        box = Box(tmp_path, less)
        box.control.begin()
        empty = {topic for topic, latest in box.board.said.items() if latest.payload == b""}
        assert empty == {
            "homeassistant/device/vedette_box_CAM_yard/config",
            *(
                f"vedette/box/yard/{what}"
                for what in ("active", "presence", "stats", "setting/armed", "setting/enabled")
            ),
        }
    retained = Retained(tmp_path, box.board)
    retained.begin({}, ["a"])
    box.board.acknowledged = set(box.board.said)
    retained.tend()
    last = MemoryBoard()
    Retained(tmp_path, last).begin({}, ["a"])
    assert not last.said


def test_pictures_that_the_broker_kept_are_taken_back_with_their_camera_or_when_it_is_to_keep_none(
    tmp_path: Path,
) -> None:
    keeping = CONFIG.model_copy(update={"snapshots": Snapshots(enabled=True, retain=True)})
    Box(tmp_path, keeping).control.begin()
    without = Box(tmp_path, CONFIG)
    without.control.begin()
    empty = {topic for topic, latest in without.board.said.items() if latest.payload == b""}
    assert empty == {"vedette/box/hall/snapshot", "vedette/box/yard/snapshot"}


def test_more_than_can_be_obeyed_is_dropped_and_told(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    message = Received(topic="vedette/box/set/armed", payload=b"off", qos=1, retain=False)
    for _ in range(WAITING_MOST + 50):
        box.control.take(message)
    box.control.obey(message)
    box.control.obey(message)
    assert [record.getMessage() for record in caplog.records if "dropped" in record.message] == [
        f"more than {WAITING_MOST} commands waited: 50 were dropped"
    ]


def test_whoever_sends_for_ever_does_not_fill_the_log(
    box: Box, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("agent.service.remote.control._now_s", lambda: now_s[0])
    with caplog.at_level(logging.INFO):
        for _ in range(500):
            box.control.obey(Received(topic="vedette/box/set/armed", payload=b"maybe", qos=1, retain=False))
            box.control.obey(Received(topic="vedette/box/set/armed", payload=b"on", qos=1, retain=False))
            now_s[0] += 0.1
        assert len(caplog.records) == MOST_LINES
        now_s[0] += WINDOW_S
        box.send("set/armed", "maybe")
    last, newest = (record.getMessage() for record in caplog.records[-2:])
    assert last.startswith(f"{1000 - MOST_LINES} more commands over MQTT")
    assert "neither on nor off" in newest
    assert len(box.board.answers) == 1001, "everybody got an answer"


def test_the_thread_obeys_what_is_taken(tmp_path: Path) -> None:
    box, stop = Box(tmp_path), threading.Event()
    done = threading.Event()
    box.board.answer = lambda answer: done.set()  # type: ignore[method-assign]
    thread = threading.Thread(target=box.control.run, args=(stop,), daemon=True)
    thread.start()
    box.control.take(Received(topic="vedette/box/set/armed", payload=b"off", qos=1, retain=False))
    assert done.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert not box.moves[-1].armed


def test_an_errand_is_done_by_the_thread_that_runs_them() -> None:
    errands, results = Errands(), list[int]()
    asking = threading.Thread(target=lambda: results.append(errands.ask(threading.get_ident)))
    asking.start()
    while asking.is_alive():
        errands.run()
    assert results == [threading.get_ident()]


def test_an_errand_that_nobody_does_in_time_is_given_up_and_never_done() -> None:
    errands, done = Errands(), list[int]()
    with pytest.raises(CommandError, match="busy"):
        errands.ask(lambda: done.append(1), timeout_s=0.01)
    errands.run()
    assert not done


def test_the_control_listens_to_nothing_that_is_switched_off(tmp_path: Path) -> None:
    everything = Box(tmp_path).control.topics
    assert everything[-1] == "homeassistant/status"
    assert len(everything) == 4
    tables: Mapping[str, Any] = {"control": {"enabled": False}, "homeassistant": {"enabled": False}}
    assert Box(tmp_path, Config.model_validate(tables)).control.topics == ()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The clock of the control, which a test turns on."""
    now = {"s": 100.0}
    monkeypatch.setattr(clock, "now_ns", lambda: round(now["s"] * 1e9))
    return now


def test_what_is_set_for_a_while_is_as_before_after_it(hands: dict[str, float], box: Box, tmp_path: Path) -> None:
    answer = box.send("hall/set/armed", {"value": "off", "for_s": 600})
    assert answer["result"] == {"value": "off", "kept": True, "until": "2026-09-21T14:23:20.000Z"}
    hands["s"] += 599.0
    box.control.tend()
    assert box.told("hall/setting/armed") == "off"
    hands["s"] += 1.0
    box.control.tend()
    assert box.told("hall/setting/armed") == "on"
    assert box.moves[-1].disarmed_cameras == frozenset({"yard"})
    box.control.tend()
    assert len(box.moves) == 2
    assert Box(tmp_path).control.policy.disarmed_cameras == frozenset({"yard"})


def test_a_second_while_ends_where_the_first_began_and_a_plain_word_ends_it(hands: dict[str, float], box: Box) -> None:
    box.send("set/profile", "night")
    box.send("set/profile", {"value": "home", "for_s": 60})
    box.send("set/profile", {"value": "away", "for_s": 60})
    hands["s"] += 61.0
    box.control.tend()
    assert box.told("setting/profile") == "night"
    box.send("set/profile", {"value": "home", "for_s": 60})
    assert "until" not in box.send("set/profile", "away")["result"]
    hands["s"] += 61.0
    box.control.tend()
    assert box.told("setting/profile") == "away"


def test_a_while_outlasts_a_restart_but_not_its_length(hands: dict[str, float], box: Box, tmp_path: Path) -> None:
    box.send("set/armed", {"value": "off", "for_s": 600})
    again = Box(tmp_path)
    assert not again.control.policy.armed
    hands["s"] += 600.0  # the wall stands still in these tests: what is left is all of it, and no more
    again.control.tend()
    assert again.control.policy.armed

    box.send("set/armed", {"value": "off", "for_s": 600})
    file = tmp_path / settings.FILE
    file.write_text(file.read_text().replace("2026-09-21T14:23:20", "2026-09-21T14:13:19"))
    assert Box(tmp_path).control.policy.armed  # it ended while nobody ran


@pytest.mark.parametrize("entry", ["{}", '{"until": 3, "for_s": 1, "then": null}', '{"until": "x"}', "[]", "7"])
def test_a_while_that_cannot_be_understood_leaves_the_setting(box: Box, tmp_path: Path, entry: str) -> None:
    box.send("set/armed", "off")
    file = tmp_path / settings.FILE
    document = json.loads(file.read_text()) | {"for_a_while": {"armed": json.loads(entry)}}
    file.write_text(json.dumps(document))
    assert not Box(tmp_path).control.policy.armed


def test_a_busy_analysis_is_asked_again_when_a_while_is_over(hands: dict[str, float], box: Box) -> None:
    box.send("set/armed", {"value": "off", "for_s": 60})
    hands["s"] += 61.0
    box.busy = True
    box.control.tend()
    assert box.told("setting/armed") == "off"
    box.busy = False
    box.control.tend()
    assert box.told("setting/armed") == "on"


@pytest.mark.parametrize("for_s", [0, -1, 1e9, "60", True, None, [60]])
def test_a_while_has_a_length(box: Box, for_s: Any) -> None:
    assert "for_s has to be" in box.send("set/armed", {"value": "off", "for_s": for_s})["reason"]
    assert not box.moves


def test_default_for_a_while_is_refused(box: Box) -> None:
    assert "says nothing" in box.send("set/armed", {"value": "default", "for_s": 60})["reason"]


@contextlib.contextmanager
def running(box: Box) -> Iterator[Control]:
    stop = threading.Event()
    thread = threading.Thread(target=box.control.run, args=(stop,))
    thread.start()
    try:
        yield box.control
    finally:
        stop.set()
        thread.join(10)


def test_the_machine_itself_may_set_and_look_without_a_broker(tmp_path: Path) -> None:
    box = Box(tmp_path, CONFIG.model_copy(update={"control": ControlTable(enabled=False)}))
    with running(box) as control:
        assert control.set("hall/zone/gate", {"value": "off"}) == {"value": "off", "kept": True}
        assert control.set("armed", {"value": "off", "for_s": 60})["until"]
        with pytest.raises(CommandError, match="no zone 'cellar'"):
            control.set("hall/zone/cellar", {"value": "off"})
        with pytest.raises(CommandError, match="there is no setting"):
            control.set("", {"value": "off"})
        with pytest.raises(CommandError, match="there is no camera"):
            control.set("attic/armed", {"value": "off"})
        told = control.describe()
    assert told["state"] == {"status": "ok"}
    by_path = {its["setting"]: its for its in told["settings"]}
    assert by_path["hall/zone/gate"] == {"setting": "hall/zone/gate", "value": "off", "configured": "on", "until": None}
    assert by_path["armed"]["until"]
    assert by_path["yard/enabled"]["value"] == "off"
    assert not box.board.answers
