"""A hundred reconnects leave nothing behind: no thread, no descriptor, no memory."""

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agent.capture import state
from agent.capture.source import SourceSpec
from agent.config.schema import Config, Node
from agent.types import Opened
from agent.uplink.mqtt.refusals import Patience
from agent.uplink.uplink import Uplink
from tests.capture.media import plain, write_picture
from tests.capture.recorder import running
from tests.servers.http_media import HttpMedia
from tests.servers.mosquitto import PASSWORD, find_mosquitto, mosquitto
from tests.servers.relay import Relay
from tests.uplink.made import STARTED_NS, incident

pytestmark = pytest.mark.integration

TIMES = 100
SETTLED = 20  # by then every library has loaded and cached what it ever will
MOST_GROWTH_MB = 12  # of 80 reconnects: 0.15 MB each, and the allocator's own unrest
PATIENCE_S = 120.0


class Usage:
    """What this process holds, beside the threads and sockets of the test's own servers."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = {thread.name for thread in threading.enumerate() if not _of_servers(thread)}
        self.thread_count = sum(not _of_servers(thread) for thread in threading.enumerate())
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.rss_mb = psutil.Process().memory_info().rss / 1e6


def _of_servers(thread: threading.Thread) -> bool:
    return thread.name == "relay" or "process_request_thread" in thread.name


def wait(found: Callable[[], object]) -> None:
    given_up_s = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < given_up_s
        time.sleep(0.005)


def _grew(before: Usage, after: Usage) -> None:
    grown = f"{before.thread_count} → {after.thread_count} threads, {before.descriptors} → {after.descriptors} "
    grown += f"descriptors, {before.rss_mb:.1f} → {after.rss_mb:.1f} MB in {TIMES - SETTLED} reconnects"
    print(f"    {grown}")  # noqa: T201 - what was seen, for docs/service.md
    assert after.thread_count <= before.thread_count + 1, after.threads - before.threads
    assert after.descriptors <= before.descriptors + 4, grown
    assert after.rss_mb - before.rss_mb < MOST_GROWTH_MB, grown


def test_a_broker_that_is_lost_a_hundred_times_leaves_nothing_behind(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("needs mosquitto (Debian package mosquitto)")
    patience = Patience(connect_first_s=0.01, connect_most_s=0.02)
    with mosquitto(tmp_path / "broker") as broker, Relay(broker.port) as relay:
        place = broker.broker(tls=False, url=f"mqtt://127.0.0.1:{relay.port}")
        uplink = Uplink.open(
            Config(node=Node(name="box"), broker=place), tmp_path / "state", password=PASSWORD, patience=patience
        )
        stop = threading.Event()
        thread = threading.Thread(target=uplink.run, args=(stop,), daemon=True)
        thread.start()
        before = None
        for number in range(TIMES):
            wait(lambda: uplink.health().connected)
            opened = Opened(incident=incident(number + 1))
            uplink.raise_change(opened, wall_offset_ns=time.time_ns() - STARTED_NS, clock_synchronised=True)
            wait(lambda: uplink.outbox_state().depth == 0)
            relay.cut()
            wait(lambda: not uplink.health().connected)
            if number + 1 == SETTLED:
                before = Usage()
        wait(lambda: uplink.health().connected)
        wait(lambda: not [t for t in threading.enumerate() if t.name == "relay" and not t.daemon])
        assert before is not None
        relay.cut()
        wait(lambda: not uplink.health().connected)
        _grew(before, Usage())
        assert relay.accepted >= TIMES
        stop.set()
        thread.join(60)
        uplink.close()


def test_a_camera_that_is_lost_a_hundred_times_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_FIRST_S", 0.01)
    monkeypatch.setattr(state, "_LIMIT_S", 0.02)
    jpeg = write_picture(tmp_path / "picture.jpg", plain(64, 48), "mjpeg").read_bytes()
    with HttpMedia(b"", jpeg, fps=25.0) as camera, Relay(camera.port) as relay:
        url = f"http://127.0.0.1:{relay.port}/mjpeg"
        with running(SourceSpec(camera="c", url=url, open_timeout_s=30.0, stall_timeout_s=30.0)) as seen:
            before = None
            for number in range(TIMES):
                told = len(seen.states)
                seen.wait(lambda: seen.states and seen.states[-1].status == "running", "a connection", PATIENCE_S)
                relay.cut()
                seen.wait(lambda told=told: any(s.status == "lost" for s in seen.states[told:]), "a loss", PATIENCE_S)
                seen.frames.clear()
                seen.sound.clear()
                if number + 1 == SETTLED:
                    before = Usage()
            assert before is not None
            _grew(before, Usage())
            assert relay.accepted >= TIMES
