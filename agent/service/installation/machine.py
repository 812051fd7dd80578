"""The computer that a service is installed on: its commands, its users, its folders."""

import grp
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.errors import VedetteError, redacted

COMMAND_TIMEOUT_S = 3600.0  # pip on a slow line

UNIT = "vedette.service"
USER = "vedette"
GROUPS = ("video", "audio", "render")  # what udev gives cameras, sound cards and accelerators to


SYSTEMD_RUNS = Path("/run/systemd/system")
"""It is there where systemd started the computer: sd_booted(3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything of the service lies; a `root` other than / is for trying it out."""

    root: Path = Path("/")

    @property
    def home(self) -> Path:
        """The service's own environments: `a` and `b` in turn, `current` is the one that runs."""
        return self.root / "opt/vedette"

    @property
    def current(self) -> Path:
        """The link to the environment that runs."""
        return self.home / "current"

    @property
    def unit(self) -> Path:
        """The unit file."""
        return self.root / "etc/systemd/system" / UNIT

    @property
    def drop_ins(self) -> Path:
        """The person's own changes to the unit."""
        return self.root / "etc/systemd/system" / f"{UNIT}.d"

    @property
    def wanted(self) -> Path:
        """The link that starts the service at boot."""
        return self.root / "etc/systemd/system/multi-user.target.wants" / UNIT

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "etc/vedette/vedette.toml"

    @property
    def credentials(self) -> Path:
        """The folder of passwords."""
        return self.root / "etc/vedette/credentials"

    @property
    def state(self) -> Path:
        """Outbox, history, and what was learned."""
        return self.root / "var/lib/vedette"

    @property
    def command(self) -> Path:
        """The link that makes `vedette` a command for everybody."""
        return self.root / "usr/local/bin/vedette"


def require_systemd() -> None:
    """Raise VedetteError where systemd did not start this computer, as in most containers."""
    if not SYSTEMD_RUNS.is_dir():
        raise VedetteError("this computer was not started by systemd", cure="Run `vedette run` by what starts yours.")


class Machine(Protocol):
    """What the installer needs of the computer beside its files."""

    def run(self, *command: str | Path) -> str:
        """Run a command and return its output. Raises VedetteError with its last line."""

    def succeeds(self, *command: str | Path) -> bool:
        """Run a command and tell whether it ended well."""

    def has_user(self, name: str) -> bool:
        """Tell whether there is such a user."""

    def group_id(self, name: str) -> int | None:
        """Return the number of a group, or None where there is none."""


class ThisMachine:
    """The computer that this runs on."""

    def run(self, *command: str | Path) -> str:
        """Run a command and return its output. Raises VedetteError with its last line."""
        words = [str(word) for word in command]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False, env=_plain_environ()
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise VedetteError(f"{Path(words[0]).name} cannot be run", why=str(error)) from error
        if done.returncode != 0:
            lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
            raise VedetteError(f"`{redacted(' '.join(words))}` failed", why=lines[-1])
        return done.stdout

    def succeeds(self, *command: str | Path) -> bool:
        """Run a command and tell whether it ended well."""
        try:
            self.run(*command)
        except VedetteError:
            return False
        return True

    def has_user(self, name: str) -> bool:
        """Tell whether there is such a user."""
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def group_id(self, name: str) -> int | None:
        """Return the number of a group, or None where there is none."""
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None


def _plain_environ() -> dict[str, str]:
    """Return the environment without what would lead another Python to the packages of this one."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
