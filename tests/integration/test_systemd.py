"""The service under systemd as PID 1, in a computer of its own: installed, killed, hung, misconfigured, removed.

`pytest -s` prints what happened when, and the score of `systemd-analyze security`.
"""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.servers.systemd import CHECKOUT, PYTHONPATH, Computer, require_systemd
from tests.service.installation.machines import plain_python, tiny_wheel

pytestmark = pytest.mark.integration

PASSWORD = "br0ker-pw"
CONFIG = """
[broker]
url = "mqtt://127.0.0.1:9"
username = "vedette"
[cameras.yard]
url = "/srv/test/walkby.mp4"
loop = true
[cameras.yard.zones.all]
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
intrusion_dwell_s = 0.2
"""
# The wheel's command runs the checkout: what is tested is of today, and no package has to be fetched.
COMMAND = (
    "import os, sys; os.environ['PYTHONPATH'] = {path!r}; "
    "os.execv({python!r}, [{python!r}, '-m', 'agent.cli.main', *sys.argv[1:]])"
)
# Shorter limits, and a look at the world from inside of the unit.
DROP_IN = """
[Service]
WatchdogSec=12
TimeoutStopSec=60
RestartSec=1
ExecStartPre={python} /srv/test/probe.py
"""
PROBE = f"""
import ctypes, json, os, subprocess, sys
sys.path[:0] = {PYTHONPATH!r}.split(":")
from pathlib import Path
from agent.config.credentials import read_credential
from agent.service.microphones import COMMAND

def refused(path, flags):
    try:
        os.close(os.open(path, flags))
    except OSError as error:
        return error.strerror
    return ""

def microphone():
    environment = dict(os.environ, PYTHONPATH={PYTHONPATH!r})
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    return json.loads(subprocess.Popen([*COMMAND, "nobody"], **pipes).stdout.readline())["fault"]

config = Path("/etc/vedette/vedette.toml")
found = {{
    "root": os.getuid() == 0,
    "broker": read_credential("broker", config),
    "camera": read_credential("camera-yard", config),
    "credentials": refused("/etc/vedette/credentials/broker", os.O_RDONLY),
    "config": refused(config, os.O_RDONLY),
    "etc": refused("/etc/vedette/x", os.O_WRONLY | os.O_CREAT),
    "usr": refused("/opt/vedette/x", os.O_WRONLY | os.O_CREAT),
    "homes": refused("/home", os.O_RDONLY),
    "clock": ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) >= 0,
    "microphone": microphone(),
}}
Path(os.environ["STATE_DIRECTORY"], "probe.json").write_text(json.dumps(found))
"""
# A person with `sudo -u vedette`, and their browser.
REVIEWER = """
import http.client, json, re, subprocess, sys
command = [sys.executable, "-m", "agent.cli.main", "incidents", "review"]
served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
try:
    host, entrance = served.stdout.readline().strip().removeprefix("http://").split("/", 1)

    def ask(path, content=None, **headers):
        line = http.client.HTTPConnection(host, timeout=60)
        line.request("POST" if content else "GET", path, content and json.dumps(content), headers)
        answer = line.getresponse()
        return answer, answer.read()

    cookie = ask("/" + entrance)[0].getheader("Set-Cookie").split(";")[0]
    newest = json.loads(ask("/review/incidents", Cookie=cookie)[1])["incidents"][0]
    verdict = {"id": newest["id"], "true": False, "note": "a test"}
    answer, said = ask("/review/mark", verdict, Cookie=cookie, Origin="http://" + host)
    print(json.dumps({"id": newest["id"], "status": answer.status, "said": json.loads(said)}))
finally:
    served.terminate()
"""


class Story:
    """The computer, and what the service on it says of itself."""

    def __init__(self, computer: Computer) -> None:
        self.computer = computer
        self._began_s = time.monotonic()

    def say(self, text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._began_s:6.1f} s  {text}\n")

    def vedette(self, *arguments: str) -> str:
        python = str(plain_python())
        return self.computer.run("env", f"PYTHONPATH={PYTHONPATH}", python, "-m", "agent.cli.main", *arguments)

    def show(self, name: str) -> str:
        return self.computer.run("systemctl", "show", "vedette", "-p", name, "--value").strip()

    def journal(self) -> str:
        return self.computer.run("journalctl", "--unit", "vedette", "--no-pager", "--output", "short-monotonic")

    def wait_show(self, name: str, pattern: str) -> None:
        self.computer.wait(f"{name} to be {pattern}", lambda: re.search(pattern, self.show(name)))

    def incidents(self, phase: str) -> set[str]:
        """Return the ids of the incidents whose newest message is of that phase."""
        place = self.computer.root / "var/lib/vedette/state.db"
        if not place.exists():
            return set()
        with sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=10) as db:
            found = {row[0] for row in db.execute("SELECT id FROM incident WHERE phase = ?", (phase,))}
        db.close()
        return found

    def unclosed(self) -> set[str]:
        return self.incidents("open") | self.incidents("update")

    def wait_open_incident(self) -> str:
        self.computer.wait("an open incident", self.unclosed)
        return next(iter(self.unclosed()))

    def reasons(self, incident: str) -> str:
        place = self.computer.root / "var/lib/vedette/state.db"
        with sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=10) as db:
            (message,) = db.execute("SELECT message FROM incident WHERE id = ?", (incident,)).fetchone()
        db.close()
        return str(json.loads(message)["close_reason"])


@pytest.fixture
def story(tmp_path: Path, repository: Path) -> Iterator[Story]:
    require_systemd()
    computer = Computer(tmp_path, repository)
    try:
        _furnish(computer.root)
        story = Story(computer)
        computer.boot()
        story.say("booted")
        yield story
    finally:
        computer.close()


def _furnish(root: Path) -> None:
    """What a person would have done before: a configuration, a password; and what the test looks with."""
    for folder in ("srv/test/wheels", "etc/vedette/credentials", "etc/systemd/system/vedette.service.d"):
        (root / folder).mkdir(parents=True)
    shutil.copy(str(files("agent.service") / "clips" / "walkby.mp4"), root / "srv/test/walkby.mp4")
    tiny_wheel(root / "srv/test/wheels", COMMAND.format(path=PYTHONPATH, python=str(plain_python())))
    (root / "srv/test/probe.py").write_text(PROBE)
    (root / "srv/test/reviewer.py").write_text(REVIEWER)
    (root / "etc/systemd/system/vedette.service.d/test.conf").write_text(DROP_IN.format(python=plain_python()))
    (root / "etc/vedette/vedette.toml").write_text(CONFIG)
    (root / "etc/vedette/credentials/broker").write_text(PASSWORD)
    (root / "etc/vedette/credentials/broker").chmod(0o600)


INSTALL = (
    "service", "install", "--yes", "--from", "/srv/test/wheels/vedette-0.0-py3-none-any.whl",
    "--wheels", "/srv/test/wheels", "--python", str(plain_python()),
)  # fmt: skip


def test_the_service_lives_through_everything_a_box_on_a_wall_meets(story: Story) -> None:
    try:
        _is_installed_and_gets_ready(story)
        _is_shut_in(story)
        _is_reviewed_by_its_own_user_and_by_root(story)
        _survives_being_killed(story)
        _is_restarted_when_it_hangs(story)
        _goes_on_with_the_last_good_configuration(story)
        _does_not_restart_where_that_would_not_help(story)
        _closes_what_was_open_when_the_power_went(story)
        _stops_in_time(story)
        _is_removed(story)
    except BaseException:
        sys.stdout.write(story.journal()[-6000:])
        raise


def _is_installed_and_gets_ready(story: Story) -> None:
    shown = story.vedette(*INSTALL)
    story.say("installed:\n" + shown.rstrip())
    assert story.show("ActiveState") == "active"
    story.wait_show("StatusText", r"^1 of 1 cameras running; broker not connected \(\w+\); \d+ messages? waiting$")
    story.say(f"READY; systemctl show -p StatusText: {story.show('StatusText')}")
    assert story.vedette(*INSTALL) == "The service is installed, up to date, and as it should be.\n"
    assert "active (running)" in story.vedette("service", "status")
    assert "watching yard" in story.vedette("service", "logs", "-n", "50")
    assert story.computer.run("systemd-analyze", "verify", "vedette.service") == ""


def _is_shut_in(story: Story) -> None:
    found = json.loads((story.computer.root / "var/lib/vedette/probe.json").read_text())
    assert found == {
        "root": False,
        "broker": PASSWORD,
        "camera": None,
        "credentials": "Permission denied",
        "config": "",
        "etc": "Permission denied",
        "usr": "Read-only file system",
        "homes": "Permission denied",
        "clock": True,
        "microphone": "not_found",  # by the process of its own, which it may start
    }
    assert PASSWORD not in story.journal()
    story.say("shut in: not root, /etc and /opt read-only, homes hidden; password by LoadCredential")


def _is_reviewed_by_its_own_user_and_by_root(story: Story) -> None:
    story.wait_open_incident()
    python, path = str(plain_python()), f"PYTHONPATH={PYTHONPATH}"
    place = story.computer.root / "var/lib/vedette"
    for user in ("vedette", "root"):
        told = story.computer.run("runuser", "-u", user, "--", "env", "-i", path, python, "/srv/test/reviewer.py")
        found = json.loads(told)
        assert (found["status"], found["said"]["true"], found["said"]["note"]) == (200, False, "a test")
        shown = story.computer.run("env", "-i", path, python, "-m", "agent.cli.main", "incidents", "show", found["id"])
        assert "false, " in shown
        owners = {file.stat().st_uid for file in place.glob("state.db*")}
        assert owners == {place.stat().st_uid}, "the agent can go on writing"
    nobody = "runuser", "-u", "nobody", "--", "env", "-i", path, python, "-m", "agent.cli.main", "incidents", "list"
    assert story.computer.run(*nobody, check=False) == ""
    story.say("reviewed beside the running service, as its own user and as root")


def _survives_being_killed(story: Story) -> None:
    incident = story.wait_open_incident()
    story.computer.run("systemctl", "kill", "--signal=SIGKILL", "vedette")
    story.wait_show("NRestarts", "^1$")
    story.wait_show("ActiveState", "^active$")
    story.computer.wait("the incident to be closed", lambda: incident in story.incidents("close"))
    assert story.reasons(incident) == "stopped"
    story.say("kill -9 with an open incident: restarted, the next run closed it")


def _is_restarted_when_it_hangs(story: Story) -> None:
    hung_s = time.monotonic()
    story.computer.run("systemctl", "kill", "--signal=SIGSTOP", "vedette")
    story.wait_show("NRestarts", "^2$")
    story.say(f"SIGSTOP: killed by the watchdog and restarted after {time.monotonic() - hung_s:.1f} s")
    story.wait_show("ActiveState", "^active$")
    journal = story.journal()
    assert "Watchdog timeout" in journal
    assert "Failed with result 'watchdog'" in journal


def _goes_on_with_the_last_good_configuration(story: Story) -> None:
    (story.computer.root / "etc/vedette/vedette.toml").write_text(CONFIG + 'sensitivity = "low"\n')
    story.computer.run("systemctl", "restart", "vedette")
    assert story.show("ActiveState") == "active"
    status = story.show("StatusText")
    assert "running with the last good configuration" in status
    assert "vedette.toml line " in status
    story.say(f"broken configuration: {status}")


def _does_not_restart_where_that_would_not_help(story: Story) -> None:
    story.computer.run("systemctl", "stop", "vedette")
    (story.computer.root / "var/lib/vedette/last-good.toml").unlink()
    story.computer.run("systemctl", "start", "vedette", check=False)
    assert story.show("ActiveState") == "failed"
    assert story.show("ExecMainStatus") == "3"
    assert story.show("NRestarts") == "0"
    assert "exit code 3 (configuration)" in story.computer.run(
        "env", f"PYTHONPATH={PYTHONPATH}", str(plain_python()), "-m", "agent.cli.main", "service", "status", check=False
    )
    story.say("broken configuration, no last good one: ended with exit code 3, not started again")
    (story.computer.root / "etc/vedette/vedette.toml").write_text(CONFIG)
    story.computer.run("systemctl", "start", "vedette")


def _closes_what_was_open_when_the_power_went(story: Story) -> None:
    incident = story.wait_open_incident()
    story.computer.cut_power()
    story.computer.boot()
    story.wait_show("ActiveState", "^active$")
    assert incident in story.incidents("close")
    assert story.reasons(incident) == "stopped"
    story.say("power cut with an open incident: started at boot, and closed it")


def _stops_in_time(story: Story) -> None:
    story.wait_open_incident()
    began_s = time.monotonic()
    story.computer.run("systemctl", "stop", "vedette")
    took_s = time.monotonic() - began_s
    assert story.show("Result") == "success"
    assert story.unclosed() == set()
    story.say(f"stopped in {took_s:.1f} s, {len(story.incidents('close'))} incidents, all closed")
    assert took_s < 15.0  # 5 s where nothing else runs; the line above tells


def _is_removed(story: Story) -> None:
    root = story.computer.root
    assert "Kept: /var/lib/vedette, /etc/vedette." in story.vedette("service", "uninstall", "--yes")
    assert (root / "var/lib/vedette/state.db").exists()
    assert not (root / "etc/systemd/system/vedette.service").exists()
    story.vedette("service", "uninstall", "--yes", "--purge")
    for left in ("etc/vedette", "var/lib/vedette", "opt/vedette", "etc/systemd/system/vedette.service.d"):
        assert not (root / left).exists(), left
    assert "vedette" not in (root / "etc/passwd").read_text()
    story.say("removed; state and configuration only when asked to")


def test_nothing_of_the_computer_is_left(tmp_path: Path, repository: Path) -> None:
    require_systemd()
    before = Path("/proc/self/mounts").read_text()
    computer = Computer(tmp_path, repository)
    try:
        computer.boot()
        assert computer.run("ls", f"{CHECKOUT}/agent/types.py")
    finally:
        computer.close()
    assert Path("/proc/self/mounts").read_text() == before


def test_the_unit_exposes_little(repository: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        str(repository / "systemd/vedette.service"),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    score = re.search(r"exposure level for vedette.service: ([\d.]+)", told)
    assert score, told
    sys.stdout.write(f"systemd-analyze security: {score.group(1)}\n")
    assert float(score.group(1)) <= 2.5
