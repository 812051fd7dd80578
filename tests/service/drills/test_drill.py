import contextlib
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.schema import Broker, Camera, Config, Node
from agent.errors import VedetteError
from agent.inference.hear import Listener
from agent.inference.see import Seer
from agent.scene import Policy, Scene
from agent.service.channels import NewestFrames
from agent.service.drills.drill import DrillContext, Drills, Step, drill_policy
from agent.service.drills.plans import PLANS, material
from agent.service.drills.sounds import LEAD_S, SOUNDS, sound
from agent.service.remote.local_socket import MAX_BYTES, SOCKET, LocalSocket, answer_of, ask
from agent.service.senses import Senses
from agent.types import NS_PER_S, SOUND_RATE_HZ, Frame, Heard, Observation, Opened, Seen, SoundBlock
from agent.uplink.control.commands import CommandError
from agent.uplink.history.history import phases
from agent.uplink.storage.store import open_for_reading
from agent.uplink.uplink import DATABASE, Uplink

CONFIG = Config(
    node=Node(name="box"),
    broker=Broker(url="mqtt://127.0.0.1:1"),
    cameras={"hall": Camera(url="hall.mp4"), "shed": Camera(url="shed.mp4", sound="none")},
)
NO_SOUND = ("shed", "sound")


@pytest.fixture(scope="module")
def senses() -> Senses:
    return Senses.load(CONFIG)


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_the_same_samples_every_time_in_range_and_after_a_quiet_lead(name: str) -> None:
    samples = sound(name)
    assert np.array_equal(samples, sound(name))
    assert samples.dtype == np.float32
    assert float(np.abs(samples).max()) <= 1.0
    lead = samples[: int((LEAD_S - 0.05) * SOUND_RATE_HZ)]
    assert np.sqrt(np.mean(lead**2)) < 0.01 < np.sqrt(np.mean(samples[lead.size :] ** 2))


@pytest.mark.parametrize("kind", PLANS)
def test_a_drill_opens_its_kind_once_after_it_happened_and_nothing_else(kind: str, senses: Senses) -> None:
    seer, listener = senses.seer(), senses.listener()
    scene = Scene(drill_policy(Policy.of(CONFIG), kind, "hall"))
    opened = []
    for piece in material(kind, "hall", CONFIG.analysis):
        for observation in _observed(piece.item, seer, listener):
            assert observation.drill
            opened += [c.incident for c in scene.step(observation) if isinstance(c, Opened)]
    assert [incident.kind for incident in opened] == [kind]
    assert opened[0].drill
    assert opened[0].at_ns > PLANS[kind].event_s * NS_PER_S


def _observed(item: Frame | SoundBlock, seer: Seer, listener: Listener) -> list[Seen] | list[Heard]:
    return [seer.see(item)] if isinstance(item, Frame) else list(listener.hear(item))


def test_a_drill_has_a_place_of_its_own_beside_the_camera_pictures() -> None:
    frames = NewestFrames()
    real = Frame(camera="hall", at_ns=1, picture=np.zeros((8, 8, 3), np.uint8), width_px=8, height_px=8)
    frames.put(real)
    frames.put(replace(real, drill=True))
    assert [frames.take(0.0), frames.take(0.0)] == [real, replace(real, drill=True)]
    assert frames.replaced("hall") == 0


class Box:
    """A node without cameras and threads: what a drill puts in is seen, heard and judged at once."""

    def __init__(self, folder: Path, senses: Senses) -> None:
        self.policy = Policy.of(CONFIG)
        self.status = "running"
        self.uplink = Uplink.open(CONFIG, folder)
        self.drills = Drills(
            DrillContext(
                config=CONFIG,
                policy=lambda: self.policy,
                seer=senses.seer,
                listener=senses.listener,
                put_frame=self._see,
                put_sound=self._hear,
                put_observation=self._judge,
                source_status=lambda camera, modality: "absent" if (camera, modality) == NO_SOUND else self.status,
                uplink=self.uplink,
            )
        )

    def _see(self, frame: Frame) -> None:
        self.drills.look(frame)

    def _hear(self, block: SoundBlock) -> None:
        self.drills.listen(block)

    def _judge(self, observation: Observation) -> None:
        assert isinstance(observation, Seen | Heard)
        self.drills.step(observation)

    def steps(self, kind: str, camera: str, stop: threading.Event) -> list[Step]:
        return list(self.drills.run(kind, camera, stop))


@pytest.fixture
def box(tmp_path: Path, senses: Senses) -> Iterator[Box]:
    made = Box(tmp_path, senses)
    yield made
    made.uplink.close()


@pytest.mark.parametrize(
    ("kind", "camera", "said"),
    [
        ("war", "hall", "no drill for 'war'"),
        ("fall", "attic", "no camera 'attic'"),
        ("alarm", "shed", "the sound of camera shed is not there: absent"),
    ],
)
def test_what_cannot_be_or_would_prove_nothing_is_refused(box: Box, kind: str, camera: str, said: str) -> None:
    with pytest.raises(VedetteError) as refused:
        box.steps(kind, camera, threading.Event())
    assert said in refused.value.line()
    assert refused.value.cure


def test_a_disarmed_box_says_that_a_real_one_would_not_be_told(box: Box) -> None:
    box.policy = replace(box.policy, armed=False)
    with pytest.raises(VedetteError, match="a real fall on camera hall would open no incident"):
        box.steps("fall", "hall", threading.Event())


def test_a_lost_camera_says_so(box: Box) -> None:
    box.status = "lost (refused)"
    with pytest.raises(VedetteError, match=r"lost \(refused\)"):
        box.steps("fall", "hall", threading.Event())


def test_without_a_broker_the_drill_stops_at_published_and_is_kept_as_a_drill(box: Box, tmp_path: Path) -> None:
    stop = threading.Event()
    steps: list[Step] = []
    for step in box.drills.run("glass_break", "hall", stop):
        steps.append(step)
        if step.stage == "on disk":
            stop.set()  # no need to wait ten seconds for a broker that is not there
            box.drills.end()
    assert [step.stage for step in steps] == ["injected", "heard", "opened", "on disk", "published"]
    assert [bool(step.fault) for step in steps] == [False] * 4 + [True]
    assert "broker" in steps[-1].fault
    assert "doctor" in steps[-1].cure
    times = [step.at_ns for step in steps]
    assert times == sorted(times)
    store = open_for_reading(tmp_path / DATABASE)
    kept = phases(store, steps[3].more["id"])
    store.close()
    assert [(message["phase"], message["drill"]) for message in kept] == [("open", True), ("close", True)]


def test_only_one_drill_at_a_time(box: Box) -> None:
    first = box.drills.run("alarm", "hall", threading.Event())
    assert next(first).stage == "injected"
    with pytest.raises(VedetteError, match="another drill"):
        box.steps("alarm", "hall", threading.Event())
    with pytest.raises(VedetteError, match="another drill"):
        box.drills.start("alarm", "hall", threading.Event())
    box.drills.end()
    first.close()


class Desk:
    """A desk that notes what is set."""

    def describe(self) -> dict[str, Any]:
        return {"state": {"status": "ok"}, "settings": []}

    def set(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if path != "armed":
            raise CommandError(f"there is no setting {path!r}")
        return {"value": payload["value"], "kept": True} | ({"until": "then"} if "for_s" in payload else {})


@contextlib.contextmanager
def served(folder: Path, drills: Drills) -> Iterator[Path]:
    """The local socket of a node, answering."""
    stop = threading.Event()
    local = LocalSocket(folder, drills, Desk())
    threads = [threading.Thread(target=work, args=(stop,)) for work in (local.serve, local.drill)]
    for thread in threads:
        thread.start()
    wait(lambda: (folder / SOCKET).exists() and stat.S_IMODE((folder / SOCKET).stat().st_mode) == 0o600)
    try:
        yield folder / SOCKET
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()


def wait(found: Callable[[], bool], timeout_s: float = 90.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not found():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def say(path: Path, question: bytes) -> dict[str, str]:
    """Ask on the line, and return the first answer."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(60)
        wait(lambda: caller.connect_ex(str(path)) == 0)
        caller.sendall(question)
        answer: dict[str, str] = json.loads(caller.makefile("rb").readline())
        return answer


def test_the_line_is_for_its_owner_only_and_gone_after_the_end(box: Box, tmp_path: Path) -> None:
    with served(tmp_path, box.drills) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize(
    "question",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b'"drill"\n',
        b'{"kind": "fall", "camera": "hall"}\n',
        b'{"action": "stop", "kind": "fall", "camera": "hall"}\n',
        b'{"action": "set", "setting": 7, "value": "off"}\n',
        b'{"action": "set", "setting": "armed"}\n',
        b'{"action": "set", "setting": "armed", "value": "off", "at": "now"}\n',
        b'{"action": "drill", "kind": 7, "camera": "hall"}\n',
        b"[" * (MAX_BYTES + 1),
        b"\xff\xfe\n",
    ],
)
def test_a_question_that_is_none_gets_an_answer_and_the_line_lives_on(
    box: Box, tmp_path: Path, question: bytes
) -> None:
    with served(tmp_path, box.drills) as path:
        assert "no question" in say(path, question)["error"]
        known = b'{"action": "drill", "kind": "war", "camera": "hall"}\n'
        assert "no drill for 'war'" in say(path, known)["error"]


def test_the_line_tells_how_the_node_is_and_takes_settings(box: Box, tmp_path: Path) -> None:
    with served(tmp_path, box.drills):
        wait(lambda: _answered(tmp_path))
        assert answer_of(tmp_path, {"action": "status"}, timeout_s=60) == Desk().describe()
        question = {"action": "set", "setting": "armed", "value": "off"}
        assert answer_of(tmp_path, question, timeout_s=60) == {"value": "off", "kept": True}
        assert answer_of(tmp_path, question | {"for_s": 60}, timeout_s=60)["until"] == "then"
        with pytest.raises(VedetteError, match="no setting 'war'"):
            answer_of(tmp_path, question | {"setting": "war"}, timeout_s=60)
    with pytest.raises(VedetteError, match="no Vedette is running"):
        answer_of(tmp_path, {"action": "status"}, timeout_s=1)


class Endless:
    """A drill that ends when somebody says so."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def run(self, kind: str, camera: str, stop: threading.Event) -> Generator[Any, None, None]:
        yield Step(stage="injected", at_ns=0)
        wait(lambda: self.end.is_set() or stop.is_set())
        yield Step(stage="published", at_ns=1)


def test_who_asks_how_it_is_does_not_wait_for_a_drill_to_be_over(tmp_path: Path) -> None:
    drills = Endless()
    with served(tmp_path, drills):  # type: ignore[arg-type]
        told = ask(tmp_path, "fall", "hall", timeout_s=60)
        assert next(told)["stage"] == "injected"
        assert answer_of(tmp_path, {"action": "status"}, timeout_s=60) == Desk().describe()
        question = {"action": "set", "setting": "armed", "value": "off"}
        assert answer_of(tmp_path, question, timeout_s=60)["kept"]
        assert not drills.end.is_set()
        drills.end.set()
        assert [step["stage"] for step in told] == ["published"]


def test_the_line_is_found_however_deep_its_folder_lies(box: Box, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with served(deep, box.drills):
        wait(lambda: _answered(deep))


def _answered(folder: Path) -> bool:
    with contextlib.suppress(VedetteError):
        return "no camera" in next(ask(folder, "fall", "attic", timeout_s=60))["error"]
    return False


def test_where_no_node_runs_there_is_a_cure(tmp_path: Path) -> None:
    with pytest.raises(VedetteError, match="no Vedette is running") as missing:
        ask(tmp_path, "fall", "hall", timeout_s=1)
    assert "vedette run" in missing.value.cure


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_socket_costs_the_drills_only(box: Box, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    LocalSocket(tmp_path, box.drills, Desk()).serve(threading.Event())
    tmp_path.chmod(0o700)
