"""The fault table against real parts: `vedette run` as a process, Mosquitto, real disks; what a person sees of each.

`pytest -s` prints what was seen, for docs/service.md.
"""

import itertools
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.servers.agent import CONFIG, Agent, Ear, running
from tests.servers.bent_libc import BentLibc
from tests.servers.disk import small_disk
from tests.servers.http_media import HttpMedia
from tests.servers.mosquitto import Mosquitto, find_mosquitto, mosquitto

pytestmark = pytest.mark.integration

# Somebody covers the lens every ten seconds, for five: incidents in a steady beat that cost next to nothing, so that
# what is tested is the fault, also where the machine is busy.
COVERED = """
[cameras.yard]
url = "lavfi:smptebars=size=320x180:rate=5,hue=s=0:b='if(lt(mod(t,10),5),0,-10)'"
sound = "none"
"""
KIND = "camera_covered"


def say(text: str) -> None:
    sys.stdout.write(f"    {text}\n")


def config(broker: Mosquitto, node: str = "box", more: str = COVERED) -> str:
    return CONFIG.format(port=broker.port, node=node) + more


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    listening = Ear(broker)
    yield listening
    listening.close()


def wait_next(ear: Ear, kind: str = KIND, phase: str = "open") -> None:
    seen = len(ear.of(kind, phase))
    ear.wait(f"the next {kind} to {phase}", lambda: len(ear.of(kind, phase)) > seen)


def test_on_a_full_disk_it_goes_on_from_memory_and_says_so_until_there_is_room(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    with (
        small_disk(tmp_path / "disk") as disk,
        running(Agent(tmp_path / "box", config(broker), state=disk.folder / "state")) as agent,
    ):
        wait_next(ear)
        disk.fill()
        ear.wait("degraded", lambda: "the disk is full" in ear.because())
        say(f"state: {ear.because()}")
        for _ in range(2):
            wait_next(ear)
        disk.make_room()
        ear.wait("sound again", lambda: ear.state()["status"] == "ok")
        wait_next(ear)
        assert agent.stop() == 0
        ear.wait("the last", lambda: ear.topics["vedette/box/status"] == b"stopped")
        assert ear.missing() == set()
        assert "Traceback" not in agent.log
        with closing(sqlite3.connect(disk.folder / "state" / "state.db")) as db:
            kept = {row[0] for row in db.execute("SELECT id FROM incident WHERE phase = 'close'")}
        assert {m["id"] for m in ear.incidents} <= kept, "what happened meanwhile is in the history, too"


def test_a_state_folder_that_is_read_only_from_the_start_costs_neither_analysis_nor_incidents(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        disk.read_only(True)
        with running(Agent(tmp_path / "box", config(broker), state=disk.folder)) as agent:
            ear.wait("degraded", lambda: ear.state().get("status") == "degraded")
            say(f"state: {ear.because()}")
            assert "outbox" in ear.because()
            for _ in range(2):
                wait_next(ear)
            disk.read_only(False)
            ear.wait("sound again", lambda: ear.state()["status"] == "ok")
            assert agent.stop() == 0
            assert "Traceback" not in agent.log
        assert ear.missing() == set()


def test_a_disk_that_turns_read_only_while_in_use_costs_neither_analysis_nor_incidents(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        agent = Agent(tmp_path / "box", config(broker), state=disk.folder / "state")
        with running(agent):
            wait_next(ear, phase="close")
            disk.fail()
            ear.wait("degraded", lambda: "outbox" in ear.because())
            say(f"state: {ear.because()}")
            for _ in range(2):
                wait_next(ear)
            assert ear.state()["cameras"]["yard"]["vision"]["status"] == "running"
            assert agent.stop() == 0
            ear.wait("the last", lambda: ear.topics["vedette/box/status"] == b"stopped")
        assert ear.missing() == set()
        disk.repair()
        with running(agent):
            ear.wait("sound again", lambda: ear.topics["vedette/box/status"] == b"online" and not ear.because())
            wait_next(ear)
            assert agent.stop() == 0
        assert "Traceback" not in agent.log


def test_a_disk_that_syncs_slowly_delays_incidents_and_stops_nothing(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    libc = BentLibc(tmp_path)
    with running(Agent(tmp_path / "box", config(broker), environment=libc.environment)) as agent:
        wait_next(ear)
        libc.bend(sync_ms=1500)
        ear.wait("it to be told", lambda: "the disk is slow" in ear.because())
        say(f"state: {ear.because()}; outbox.write_ms {ear.state()['outbox']['write_ms']}")
        for _ in range(2):
            wait_next(ear)
        assert ear.state()["cameras"]["yard"]["vision"]["status"] == "running"
        libc.bend()
        wait_next(ear)
        assert agent.stop() == 0
        assert "Traceback" not in agent.log
        assert "no progress" not in agent.log
    assert ear.missing() == set()


def test_a_broken_database_is_set_aside_what_is_sound_in_it_salvaged_and_nothing_else_lost(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    agent = Agent(tmp_path / "box", config(broker))
    with running(agent):
        for _ in range(2):
            wait_next(ear, phase="close")
        broker.kill()  # what happens now waits on the disk
        before = time.monotonic()
        while _waiting(agent.state) < 4:
            assert time.monotonic() - before < 240
            time.sleep(0.2)
        agent.kill()
    known = {m["id"] for m in ear.incidents}
    _damage(agent.state / "state.db")
    broker.start()
    with running(agent):
        ear.wait("it to be told", lambda: "was broken" in ear.because())
        say(f"state: {ear.because()}")
        wait_next(ear)
        assert agent.stop() == 0
        assert "Traceback" not in agent.log
    assert (agent.state / "state.db.broken-1").exists()
    assert ear.missing() == set()
    with closing(sqlite3.connect(agent.state / "state.db")) as db:
        kept = {row[0] for row in db.execute("SELECT id FROM incident")}
    assert known & kept, "some of the history was salvaged"


def _waiting(state: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _damage(path: Path) -> None:
    """Bring the journal into the file, then overwrite pages in its middle, as a dying memory card does."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'phase'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)


def test_two_boxes_of_one_name_both_deliver_and_both_say_so(broker: Mosquitto, ear: Ear, tmp_path: Path) -> None:
    first, second = (Agent(tmp_path / name, config(broker)) for name in ("one", "two"))
    with running(first):
        wait_next(ear)
        with running(second):
            for agent in (first, second):
                ear.wait("it to be noticed", lambda agent=agent: "another box" in agent.log)
            ear.wait("it to be told", lambda: "another box" in ear.because())
            say(f"state: {ear.because()}")
            drops = (broker.folder / "log").read_text().count("already connected, closing old connection")
            for _ in range(2):
                wait_next(ear)
            later = (broker.folder / "log").read_text().count("already connected, closing old connection")
            assert later - drops <= 1, "they do not go on throwing each other out"
            assert drops < 20
            assert second.stop() == 0
        assert first.stop() == 0


def test_a_wall_clock_that_jumps_changes_no_duration_and_no_order(broker: Mosquitto, ear: Ear, tmp_path: Path) -> None:
    libc = BentLibc(tmp_path)
    with running(Agent(tmp_path / "box", config(broker), environment=libc.environment)) as agent:
        wait_next(ear, phase="close")
        for offset_s in (86_400, -3_600 * 5):
            libc.bend(offset_s=offset_s, synchronised=False)
            wait_next(ear)  # the one before was perhaps open when the clock jumped
            wait_next(ear, phase="close")
            newest = ear.of(KIND, "close")[-1]
            away_s = _seconds(newest["started_at"]) - time.time() - offset_s
            assert abs(away_s) < 240, "new incidents carry the time of the clock as it is set"
            assert newest["clock"] == "unsynchronised"
            ear.wait("the state to say so", lambda: ear.state()["clock"] == "unsynchronised")
        assert agent.stop() == 0
        assert "Traceback" not in agent.log
    lasted_s = []
    for opened in ear.of(KIND, "open"):
        life = [m for m in ear.incidents if m["id"] == opened["id"]]
        if any(m["phase"] == "close" for m in life):
            times_s = [_seconds(m["at"]) for m in life]
            assert len({m["started_at"] for m in life}) <= 2, "only a clock that became right moves a beginning"
            assert all(abs(b - a) < 60 for a, b in pairwise(times_s)) or life[0]["clock"] != life[-1]["clock"]
            lasted_s.append(_seconds(life[-1]["ended_at"]) - _seconds(life[-1]["started_at"]))
    say(f"incidents lasted {min(lasted_s):.1f} to {max(lasted_s):.1f} s over jumps to +1 day and -5 h")
    assert all(0 <= one < 60 for one in lasted_s)
    assert ear.missing() == set()
    uptimes = [json.loads(p)["uptime_s"] for topic, p in ear.everything if topic == "vedette/box/state"]
    assert uptimes == sorted(uptimes)


class Lens:
    """What a noisy camera sends: always another picture of one place, until it freezes."""

    def __init__(self) -> None:
        noise = np.random.default_rng(1)
        place = cv2.resize(noise.integers(40, 200, (9, 16, 3), np.uint8), (320, 180), interpolation=cv2.INTER_CUBIC)
        noisy = [np.clip(place + noise.normal(0, 6, place.shape), 0, 255).astype(np.uint8) for _ in range(7)]
        self._jpegs = itertools.cycle([cv2.imencode(".jpg", picture)[1].tobytes() for picture in noisy])
        self._last = next(self._jpegs)
        self.frozen = False

    def __call__(self) -> bytes:
        self._last = self._last if self.frozen else next(self._jpegs)
        return self._last


def test_a_camera_that_freezes_while_it_streams_is_told_and_so_is_its_thaw(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    lens = Lens()
    with HttpMedia(b"", b"", fps=5.0) as camera:
        camera.next_jpeg = lens
        yard = f'[cameras.yard]\nurl = "{camera.url("mjpeg")}"\nsound = "none"\n'
        with running(Agent(tmp_path / "box", config(broker, more=yard))) as agent:
            ear.wait("pictures", lambda: ear.vision("yard") == "running")
            time.sleep(40)  # so long it learns that this camera's pictures always differ
            assert not ear.of("camera_frozen", "open")
            lens.frozen = True
            froze_s = time.monotonic()
            ear.wait("camera_frozen", lambda: ear.of("camera_frozen", "open"))
            say(f"camera_frozen {time.monotonic() - froze_s:.1f} s after the picture stood still")
            assert ear.state()["cameras"]["yard"]["vision"]["status"] == "running", "it still streams"
            lens.frozen = False
            ear.wait("its end", lambda: ear.of("camera_frozen", "close"))
            assert agent.stop() == 0
    assert ear.missing() == set()


CROWD = """
[analysis]
fps = 30
width_px = 832
height_px = 468
"""
CAMERA = """
[cameras.c{number}]
url = "lavfi:testsrc2=size=832x468:rate=30[out0];sine=frequency=440:sample_rate=16000[out1]"
"""


def test_overload_makes_pictures_fewer_then_smaller_and_never_costs_sound(
    broker: Mosquitto, ear: Ear, tmp_path: Path
) -> None:
    cameras = CROWD + "".join(CAMERA.format(number=number) for number in range(4))
    with running(Agent(tmp_path / "box", config(broker, more=cameras))) as agent:
        ear.wait("the extras to rest", lambda: "overload: closer looks and learned normality rest" in ear.because())
        assert "look at smaller pictures (analysis.width_px" in ear.because(), "the state tells the cure"
        ear.wait("fewer", lambda: "overload: fewer pictures are looked at" in ear.because())
        ear.wait("smaller", lambda: "overload: fewer and smaller pictures" in ear.because())
        say(f"state: {ear.because()}")
        ear.wait(
            "every microphone to be heard",
            lambda: all(one.get("level_dbfs") is not None for one in ear.state()["cameras"].values()),
        )
        assert "lost" not in str({name: one["sound"] for name, one in ear.state()["cameras"].items()})
        assert agent.stop() == 0
        assert "Traceback" not in agent.log
        assert ear.state()["dropped_sound_blocks"] == 0


def test_a_broker_with_a_small_limit_gets_what_fits_and_no_picture_holds_up_its_incident(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("needs mosquitto (Debian package mosquitto)")
    # MQTT 5 names the limit at the beginning (max_packet_size).
    with mosquitto(tmp_path / "broker", more=("max_packet_size 12000",)) as broker:
        ear = Ear(broker)
        try:
            noise = ',noise=alls=40:allf=t"\nsound'  # its pictures have some 40 kB
            noisy = COVERED.replace('"\nsound', noise) + "[snapshots]\nenabled = true\nquality = 95\n"
            with running(Agent(tmp_path / "box", config(broker, more=noisy))) as agent:
                wait_next(ear)
                wait_next(ear, phase="close")
                ear.wait("nothing to wait any more", lambda: ear.state()["outbox"]["depth"] == 0)
                assert "packet too large; pictures are given up" in agent.log
                assert agent.log.count("packet too large") <= 2, "told once"
                assert agent.stop() == 0
            assert ear.missing() == set()
        finally:
            ear.close()


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
