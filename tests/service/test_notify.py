"""systemd is told when the service is ready, how it is, that it stops; the watchdog is fed by progress."""

import socket
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from agent.config.schema import Broker, Camera, Config
from agent.errors import ConfigError, WorkerError
from agent.service import last_good
from agent.service.node import Node
from agent.service.notify import Heartbeat, Notifier, Progress, status_line
from agent.service.options import LatestPicture, Options
from agent.types import Frame, IncidentChange, Observation, SoundBlock


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Systemd:
    """The receiving end of the notification socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def heard(self, timeout_s: float = 0.0) -> list[str]:
        """Return the datagrams that are there, having waited `timeout_s` for the first."""
        messages = []
        self._socket.settimeout(timeout_s or 1e-3)
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except TimeoutError:
                return messages
            self._socket.settimeout(1e-3)

    def wait(self, start: str, timeout_s: float = 180.0) -> list[str]:
        """Return everything up to the first datagram with a line that begins with `start`."""
        messages: list[str] = []
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            messages += self.heard(0.2)
            if any(line.startswith(start) for message in messages for line in message.splitlines()):
                return messages
        pytest.fail(f"waited {timeout_s:.0f} s for {start!r}, heard {messages}")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(str(tmp_path / "notify"))
    yield listening
    listening.close()


def test_ready_status_and_stopping_are_told(systemd: Systemd) -> None:
    notifier = Notifier(systemd.address)
    notifier.ready("1 of 1 cameras running")
    notifier.status("two\nlines")
    notifier.stopping()
    notifier.pet()
    assert systemd.heard() == [
        "READY=1\nSTATUS=1 of 1 cameras running",
        "STATUS=two lines",
        "STOPPING=1\nSTATUS=stopping",
        "WATCHDOG=1",
    ]


def test_the_socket_and_the_limit_come_from_the_environment(systemd: Systemd) -> None:
    environ = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
    assert Notifier.from_environ(environ, pid=7).watchdog_s == 30.0
    assert Notifier.from_environ(environ, pid=8).watchdog_s is None
    assert Notifier.from_environ({}).listening is False
    Notifier.from_environ(environ).ready("x")
    assert len(systemd.heard()) == 1


def test_names_in_the_abstract_namespace_begin_with_an_at_sign(tmp_path: Path) -> None:
    name = f"vedette-test-{tmp_path.name}-{id(tmp_path)}"
    listening = Systemd("\0" + name)
    Notifier("@" + name).pet()
    assert listening.heard() == ["WATCHDOG=1"]
    listening.close()


def test_a_person_s_terminal_is_told_nothing_and_nothing_fails() -> None:
    Notifier().ready("x")
    Notifier().pet()


def test_a_socket_that_is_gone_is_logged_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    notifier.pet()
    notifier.pet()
    assert caplog.text.count("systemd cannot be told") == 1


@pytest.mark.parametrize(("idle_s", "stuck"), [(9.9, ()), (10.0, ()), (10.1, ("see",))])
def test_a_worker_is_stuck_when_it_has_not_gone_round_for_longer_than_the_limit(
    idle_s: float, stuck: tuple[str, ...]
) -> None:
    clock = Clock()
    progress = Progress(("see", "hear"), clock, limit_s=10.0)
    clock.now_s += idle_s
    progress.beat("hear")
    assert progress.stuck() == stuck


def test_the_watchdog_is_fed_four_times_per_limit_and_withheld_while_a_worker_is_stuck(systemd: Systemd) -> None:
    clock = Clock()
    progress = Progress(("see",), clock, limit_s=10.0)
    heartbeat = Heartbeat(Notifier(systemd.address, watchdog_s=8.0), progress, clock)
    for _ in range(16):
        progress.beat("see")
        heartbeat.tend(lambda: "well")
        clock.now_s += 0.5
    assert systemd.heard() == ["WATCHDOG=1", "STATUS=well", *["WATCHDOG=1"] * 3]
    clock.now_s += 10.0
    heartbeat.tend(lambda: "well")
    heartbeat.tend(lambda: "well")
    assert systemd.heard() == ["STATUS=stuck: see; the watchdog is withheld"]
    progress.beat("see")
    heartbeat.tend(lambda: "well")
    assert systemd.heard() == ["WATCHDOG=1", "STATUS=well"]


def test_hopeless_is_who_is_stuck_for_long_while_nobody_keeps_a_watchdog() -> None:
    clock = Clock()
    progress = Progress(("see", "hear"), clock, limit_s=10.0)
    alone, watched = (Heartbeat(Notifier(watchdog_s=limit_s), progress, clock) for limit_s in (None, 8.0))

    def go_on(seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            clock.now_s += 0.5
            progress.beat("hear")
            alone.tend(str)
            watched.tend(str)

    go_on(10.0 + 59.5)
    assert alone.hopeless(60.0) == ()
    go_on(0.5)
    assert alone.hopeless(60.0) == ("see",)
    assert watched.hopeless(60.0) == ()
    progress.beat("see")
    go_on(0.5)
    assert alone.hopeless(60.0) == ()
    go_on(10.0 + 59.0)
    assert alone.hopeless(60.0) == ()  # it counts from the beginning again


def test_a_process_that_was_paused_for_an_hour_is_not_hopeless() -> None:
    clock = Clock()
    progress = Progress(("see",), clock, limit_s=10.0)
    heartbeat = Heartbeat(Notifier(), progress, clock)
    clock.now_s += 3600.0
    heartbeat.tend(str)
    assert progress.stuck() == ("see",)
    assert heartbeat.hopeless(60.0) == ()


def test_the_status_line_names_what_does_not_run() -> None:
    cameras = {
        "door": {"vision": "running", "sound": "running"},
        "yard": {"vision": "lost (login)", "sound": "lost (login)"},
        "shop": {},
    }
    assert status_line(cameras, broker="connected", waiting=1, remarks=["outbox: the disk is full"]) == (
        "outbox: the disk is full; 1 of 3 cameras running, yard vision lost (login), yard sound lost (login), "
        "shop opening; broker connected; 1 message waiting"
    )
    assert status_line({"a": {"vision": "running"}}, broker="not connected (refused)", waiting=0) == (
        "1 of 1 cameras running; broker not connected (refused); 0 messages waiting"
    )


class Hanging:
    """A witness that lets the worker `see` hang once it is told to, until it is told to go on."""

    def __init__(self) -> None:
        self.hang = threading.Event()
        self.go_on = threading.Event()

    def frame(self, frame: Frame, latest_picture: LatestPicture) -> None:
        if self.hang.is_set():
            self.go_on.wait(300)

    def sound(self, block: SoundBlock) -> None: ...

    def stepped(self, scene: object, observation: Observation, changes: tuple[IncidentChange, ...]) -> None: ...


def _config(**cameras: Camera) -> Config:
    return Config(broker=Broker(url="mqtt://127.0.0.1:9"), cameras=cameras)


CLIP = str(files("agent.service") / "clips" / "walkby.mp4")


def test_one_hanging_worker_starves_the_watchdog_and_a_lost_camera_does_not(systemd: Systemd, tmp_path: Path) -> None:
    witness = Hanging()
    config = _config(
        yard=Camera(url=CLIP, loop=True, sound="none"), gone=Camera(url=str(tmp_path / "no.mp4"), sound="none")
    )
    notifier = Notifier(systemd.address, watchdog_s=0.4)
    options = Options(
        credentials=lambda _: None, state_folder=tmp_path / "state", witness=witness,
        notifier=notifier, stuck_after_s=4.0,
    )  # fmt: skip
    node, stop = Node(config, options), threading.Event()
    running = threading.Thread(target=node.run, args=(stop,), daemon=True)
    running.start()
    try:
        assert systemd.wait("READY=1")
        assert systemd.wait("STATUS=1 of 2 cameras running, gone vision lost (not_found)")
        systemd.heard()
        assert systemd.wait("WATCHDOG=1")
        witness.hang.set()
        systemd.wait("STATUS=stuck: see;")
        assert [message for message in systemd.heard(2.0) if message == "WATCHDOG=1"] == []
        witness.go_on.set()
        systemd.wait("WATCHDOG=1")
    finally:
        witness.go_on.set()
        stop.set()
        running.join(90)
    assert not running.is_alive()
    assert systemd.wait("STOPPING=1")


def test_where_nobody_keeps_a_watchdog_an_agent_that_hangs_ends_and_says_where(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    witness = Hanging()
    options = Options(
        credentials=lambda _: None, state_folder=tmp_path / "state", witness=witness,
        stuck_after_s=1.0, give_up_after_s=1.0,
    )  # fmt: skip
    node = Node(_config(yard=Camera(url=CLIP, loop=True, sound="none")), options)
    witness.hang.set()
    try:
        with pytest.raises(WorkerError, match="no progress of see"):
            node.run(threading.Event())
    finally:
        witness.go_on.set()
    assert "in frame" in capfd.readouterr().err


RIGHT = f'[cameras.yard]\nurl = "{CLIP}"\n'


def test_the_last_good_configuration_comes_back_as_it_was(tmp_path: Path) -> None:
    last_good.keep(RIGHT, tmp_path)
    found = last_good.read(tmp_path, [])
    assert found is not None
    assert found[0].cameras["yard"].url == CLIP
    assert found[1] == RIGHT
    assert (tmp_path / last_good.FILE).stat().st_mode & 0o777 == 0o600


def test_a_broken_configuration_is_never_kept_as_good(tmp_path: Path) -> None:
    last_good.keep(RIGHT, tmp_path)
    last_good.keep("[cameras.yard]\nurl = 7\n", tmp_path)
    found = last_good.read(tmp_path, [])
    assert found is not None
    assert found[1] == RIGHT


@pytest.mark.parametrize("text", [None, "[[[", "[cameras.yard]\n"])
def test_without_a_usable_copy_there_is_no_last_good_configuration(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / last_good.FILE).write_text(text)
    assert last_good.read(tmp_path, []) is None


def _run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd | None) -> None:
    """Run the service on `v.toml` until its one recording has ended."""
    from agent.service.run import run_service

    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if systemd is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    run_service(path=tmp_path / "v.toml", overrides=[], record=None, on_ready=lambda _: None)


def test_a_service_goes_on_with_the_last_good_configuration_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd
) -> None:
    config = tmp_path / "v.toml"
    config.write_text('[broker]\nurl = "mqtt://127.0.0.1:9"\n' + RIGHT)
    _run_once(tmp_path, monkeypatch, systemd)
    config.write_text("[cameras.yard]\nurl = 7\n")
    systemd.heard()
    _run_once(tmp_path, monkeypatch, systemd)
    ready = next(message for message in systemd.heard() if message.startswith("READY=1"))
    assert "running with the last good configuration" in ready
    assert "v.toml line 2, cameras.yard.url" in ready
    with pytest.raises(ConfigError, match=r"cameras\.yard\.url"):
        _run_once(tmp_path, monkeypatch, None)  # a person is told instead
    config.write_text("")
    with pytest.raises(ConfigError, match="nothing to watch"):
        _run_once(tmp_path, monkeypatch, systemd)  # taking the cameras away is no mistake to mend
