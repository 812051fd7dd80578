"""A computer of its own with systemd as PID 1: systemd-nspawn on an overlay of this one's root, which it cannot change.

The upper layer is in memory, the network is a loopback of its own. A copy of the agent and its models (the
checkout may change meanwhile) and the packages of the environment that runs the tests are in /srv. Nothing is
left behind after `close`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from tests.service.installation.machines import plain_python

CHECKOUT = "/srv/checkout"
PACKAGES = "/srv/packages"
PYTHONPATH = f"{CHECKOUT}:{PACKAGES}"
_KINDS = ("pid", "mnt", "net")
_CGROUPS = Path("/sys/fs/cgroup")
_NOT_STARTED = ("multi-user.target.wants", "graphical.target.wants", "timers.target.wants")


def require_systemd() -> None:
    """Skip the test where no such computer can be made."""
    missing = [tool for tool in ("systemd-nspawn", "nsenter", "mount") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian packages systemd, systemd-container)")
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount an overlay and to boot it")
    if not Path("/lib/systemd/systemd").exists():
        pytest.skip("needs systemd on this computer, though not running")
    python = plain_python()
    if str(python).startswith(("/root/", "/home/")):
        pytest.skip(f"needs a Python {sys.version_info.major}.{sys.version_info.minor} outside of homes, in /usr/bin")
    if subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode:
        pytest.skip(f"needs the venv module of {python} (Debian package python3-venv)")


class Computer:
    """One such computer. `root` is its root folder as seen from here."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.root = folder / "root"
        self._memory = folder / "memory"
        self._log = folder / "console.log"
        self._name = f"vedette-test-{os.getpid()}"
        self._mounted: list[Path] = []
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._cgroups = _groups()
        packages = Path(numpy.__file__).parent.parent
        self._binds = [f"--bind-ro={packages}:{PACKAGES}"]
        try:
            self._mount()
            for package in ("agent", "models"):
                target = self.root / CHECKOUT.removeprefix("/") / package
                shutil.copytree(repository / package, target, ignore=shutil.ignore_patterns("__pycache__"))
        except BaseException:
            self.close()
            raise

    def _mount(self) -> None:
        for place in (self.root, self._memory):
            place.mkdir()
        self._mount_one("-t", "tmpfs", "tmpfs", self._memory)
        (self._memory / "upper").mkdir()
        (self._memory / "work").mkdir()
        layers = f"lowerdir=/,upperdir={self._memory}/upper,workdir={self._memory}/work"
        self._mount_one("-t", "overlay", "overlay", "-o", layers, self.root)
        for wants in _NOT_STARTED:  # the services of this computer are not the test's
            shutil.rmtree(self.root / "etc/systemd/system" / wants, ignore_errors=True)
        for left in ("etc/vedette", "var/lib/vedette", "opt/vedette", "etc/systemd/system/vedette.service"):
            shutil.rmtree(self.root / left, ignore_errors=True)

    def _mount_one(self, *arguments: str | Path) -> None:
        done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount {arguments[1]} here: {done.stderr.strip()}")
        self._mounted.append(Path(arguments[-1]))

    def boot(self) -> None:
        """Start it and wait until everything that starts at boot has started."""
        options = [
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--console=pipe",
            "--quiet",
            "--system-call-filter=@clock",
        ]
        with self._log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", *options, "-D", str(self.root), "-b", "-M", self._name, *self._binds],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.wait("systemd to be up", self._is_up)

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            pytest.skip(f"systemd-nspawn does not run here: {self._log.read_text()[-400:]}")
        if not self._init():
            return False
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def run(self, *command: str, check: bool = True, timeout_s: float = 600.0) -> str:
        """Run a command as its root and return what it printed."""
        inside = ["nsenter", "-t", str(self._init()), "-m", "-u", "-i", "-p", "-n", "-C", *command]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=timeout_s, check=False)
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def _init(self) -> int:
        """Return the number that its PID 1 has here; 0 while there is none, or it still shares our namespaces."""
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        try:
            pid = int(children.read_text().split()[0])
            apart = all(
                os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}") for kind in _KINDS
            )
        except (OSError, IndexError):
            return 0
        return pid if apart else 0

    def cut_power(self) -> None:
        """Kill it as a whole, without a word."""
        assert self._nspawn is not None
        os.kill(self._init() or self._nspawn.pid, signal.SIGKILL)
        self._nspawn.wait(120)
        self._nspawn = None

    def close(self) -> None:
        """Switch off, unmount, and remove what the kernel keeps."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            self.cut_power()
        for place in reversed(self._mounted):
            subprocess.run(["umount", str(place)], capture_output=True, check=False)
        for group in sorted(_groups() - self._cgroups, key=lambda path: len(path.parts), reverse=True):
            with contextlib.suppress(OSError):  # of somebody else who booted one meanwhile
                group.rmdir()

    @staticmethod
    def wait(what: str, found: Callable[[], object], timeout_s: float = 240.0) -> None:
        """Return once `found` says so; fail saying `what` was waited for."""
        end_s = time.monotonic() + timeout_s
        while not found():
            if time.monotonic() > end_s:
                pytest.fail(f"waited {timeout_s:.0f} s for {what}")
            time.sleep(0.1)


def _groups() -> set[Path]:
    """Return the control groups that booted computers make."""
    tops = [top for name in ("payload", "supervisor") for top in _CGROUPS.rglob(name) if top.is_dir()]
    return {group for top in tops for group in [top, *(inner for inner in top.rglob("*") if inner.is_dir())]}
