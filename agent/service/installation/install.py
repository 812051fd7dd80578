"""Installing and removing the service: a plan of steps that a person sees first, then each step done.

A plan holds only what is still to do, so doing it twice changes nothing. The service has an environment of its
own, built beside the one that runs: `current` is switched to it in one move, and back again if the new one
does not start, so neither a failed download nor a power cut leaves the box without its agent.

    /opt/vedette/a, b        environments, one of them `current`
    /etc/vedette             vedette.toml (root:vedette 0640), credentials (root alone)
    /var/lib/vedette         the state; systemd makes it
"""

import contextlib
import importlib.resources
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.config.files import write_atomically
from agent.config.load import load
from agent.errors import ConfigError, VedetteError
from agent.service.installation import distribution
from agent.service.installation.distribution import Source
from agent.service.installation.machine import GROUPS, UNIT, USER, Machine, Places, require_systemd

SLOTS = ("a", "b")
SYSTEMD_AT_LEAST = 250  # LoadCredential= of a folder
HIDDEN = ("/home", "/root", "/run/user")  # by ProtectHome= of the unit
_PYTHON_IS_FIT = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in words first."""

    what: str
    do: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for: which Vedette, by which Python, and where its parts come from."""

    source: Source
    python: Path
    wheels: Path | None = None  # instead of an index, for a box without a network
    rebuild: bool = False


def unit_text() -> str:
    """Return the unit file as it is shipped."""
    return (importlib.resources.files("agent.service.installation") / UNIT).read_text(encoding="utf-8")


def default_python() -> Path:
    """Return the Python that this environment was made from."""
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return python if python.exists() else Path(sys.executable)


def require_fit(wish: Wish, machine: Machine, *, systemd: bool) -> None:
    """Raise VedetteError where this computer cannot have the service."""
    if systemd:
        require_systemd()
    version = machine.run("systemctl", "--version").split()[1]
    if int("".join(filter(str.isdigit, version.split(".")[0]))) < SYSTEMD_AT_LEAST:
        raise VedetteError(f"systemd {version} is too old", why=f"the service needs {SYSTEMD_AT_LEAST} or newer")
    if str(wish.python.resolve()).startswith(tuple(f"{place}/" for place in HIDDEN)):
        raise VedetteError(
            f"the service cannot use {wish.python}", why="homes are hidden from it", cure="--python /usr/bin/python3"
        )
    if not machine.succeeds(wish.python, "-c", _PYTHON_IS_FIT):
        raise VedetteError(
            f"{wish.python} cannot make an environment",
            why="it is older than 3.11, or venv is missing",
            cure="sudo apt-get install python3-venv, or name another one: --python PATH",
        )


def install_plan(wish: Wish, machine: Machine, places: Places) -> list[Step]:
    """Return what is to do until the service is installed as wished and, where there is a camera, runs."""
    prepare = [*_people(machine), *_folders(machine, places)]
    built = wish.rebuild or distribution.recorded(places.current) != wish.source
    unit = not places.unit.is_file() or places.unit.read_text(encoding="utf-8") != unit_text()
    steps = [*prepare, *([_build(wish, machine, places)] if built else [])]
    if not _points(places.command, places.current / "bin/vedette") and not os.path.lexists(places.command):
        steps.append(Step(f"link {places.command}", lambda: _link(places.command, places.current / "bin/vedette")))
    if unit:
        steps.append(Step(f"write {places.unit}", lambda: _write_unit(machine, places)))
    if not os.path.lexists(places.wanted):
        steps.append(Step("start it at every boot", lambda: _systemctl(machine, "enable")))
    if has_camera(places) and (built or unit or not machine.succeeds("systemctl", "is-active", "--quiet", UNIT)):
        steps.append(Step("start it, or start it again, and wait until it is ready", lambda: _start(machine, places)))
    if built and places.current.exists():
        steps.append(Step("remove the environment of before", lambda: _remove_spare(places)))
    return steps


def uninstall_plan(machine: Machine, places: Places, *, purge: bool) -> list[Step]:
    """Return what is to do until the service is gone; with `purge` also its state, configuration and user."""
    steps = []
    if places.unit.exists() or os.path.lexists(places.wanted):
        steps.append(Step("stop it; do not start it at boot any more", lambda: _systemctl(machine, "disable", "--now")))
        steps.append(Step(f"remove {places.unit}", lambda: _remove_unit(machine, places)))
    if _points(places.command, places.current / "bin/vedette"):
        steps.append(Step(f"remove the link {places.command}", places.command.unlink))
    doomed = [places.state, places.config.parent, places.drop_ins] if purge else []
    for folder in [*doomed, places.home]:  # the environment last: this may be running from it
        if folder.exists():
            steps.append(Step(f"remove {folder}", _removal(folder)))
    if purge and machine.has_user(USER):
        steps.append(Step(f"remove the user {USER}", lambda: _run(machine, "userdel", USER)))
    return steps


def apply(steps: Sequence[Step], on_step: Callable[[str], None]) -> None:
    """Do the steps in turn, each announced. Raises VedetteError at the first that fails."""
    with _readable_files():
        for step in steps:
            on_step(step.what)
            try:
                step.do()
            except OSError as error:
                raise VedetteError(f"could not {step.what}", why=error.strerror or str(error)) from error


def has_camera(places: Places) -> bool:
    """Tell whether the service has something to watch; a broken file counts, for it has to be heard of."""
    if not places.config.exists():
        return False
    try:
        return any(camera.enabled for camera in load(places.config).cameras.values())
    except ConfigError:
        return True


# -- steps of the installation ----------------------------------------------------------------------------


def _people(machine: Machine) -> Iterator[Step]:
    """The user that the service runs as, and the groups that devices belong to."""
    for group in [*GROUPS, USER]:
        if machine.group_id(group) is None:
            yield Step(f"add the group {group}", _command(machine, "groupadd", "--system", group))
    if not machine.has_user(USER):
        no_login = ("--shell", "/usr/sbin/nologin", "--home-dir", "/var/lib/vedette", "--no-create-home")
        add = ("useradd", "--system", "--gid", USER, *no_login, "--comment", "Vedette", USER)
        yield Step(f"add the user {USER}, which cannot log in", _command(machine, *add))


def _folders(machine: Machine, places: Places) -> Iterator[Step]:
    """The configuration is the group's to read, the passwords are root's alone."""
    for path, mode, grouped in (
        (places.config.parent, 0o750, True),
        (places.credentials, 0o700, False),
        *([(places.config, 0o640, True)] if places.config.exists() else []),
    ):
        group_id = machine.group_id(USER) if grouped else os.getgid()
        if not path.exists():
            yield Step(f"make {path} (mode {mode:o})", _ownership(machine, path, mode, grouped))
        elif path.stat().st_mode & 0o777 != mode or path.stat().st_gid != group_id:
            yield Step(f"give {path} mode {mode:o}", _ownership(machine, path, mode, grouped))


def _ownership(machine: Machine, path: Path, mode: int, grouped: bool) -> Callable[[], None]:
    def do() -> None:
        if not path.exists():
            path.mkdir(parents=True)
        group_id = machine.group_id(USER) if grouped else os.getgid()
        os.chown(path, -1, -1 if group_id is None else group_id)
        path.chmod(mode)

    return do


def _build(wish: Wish, machine: Machine, places: Places) -> Step:
    slot = places.home / next(name for name in SLOTS if not _points(places.current, places.home / name))
    label = wish.source.pip_argument()
    return Step(
        f"make the environment {slot} with {wish.python}, install {label} into it, and switch to it",
        lambda: _built(wish, machine, places, slot),
    )


def _built(wish: Wish, machine: Machine, places: Places, slot: Path) -> None:
    shutil.rmtree(slot, ignore_errors=True)
    slot.parent.mkdir(parents=True, exist_ok=True)
    machine.run(wish.python, "-m", "venv", slot)
    offline = ("--no-index", "--find-links", wish.wheels) if wish.wheels else ()
    pip = (slot / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    machine.run(*pip, *offline, wish.source.pip_argument())
    machine.run(slot / "bin/vedette", "--version")  # what cannot even say its version never becomes the current one
    write_atomically(slot / distribution.RECORD, wish.source.to_json())
    _link(places.current, Path(slot.name))


def _write_unit(machine: Machine, places: Places) -> None:
    write_atomically(places.unit, unit_text())
    _run(machine, "systemctl", "daemon-reload")


def _start(machine: Machine, places: Places) -> None:
    """Start the service anew; where the new environment does not get ready, go back to the one of before."""
    was_active = machine.succeeds("systemctl", "is-active", "--quiet", UNIT)
    try:
        _systemctl(machine, "restart")
    except VedetteError as error:
        spare = _spare(places)
        back = was_active and spare is not None and _runs_again(spare, machine, places)
        raise VedetteError(
            "the service did not get ready" + (": the environment of before runs again" if back else ""),
            why=error.why,
            cure="sudo vedette service logs tells why; sudo vedette doctor looks for the cause.",
        ) from error


def _runs_again(spare: Path, machine: Machine, places: Places) -> bool:
    """Switch back to the environment of before; return whether the service runs with it."""
    if distribution.recorded(spare) is None:
        return False
    _link(places.current, Path(spare.name))
    return machine.succeeds("systemctl", "restart", UNIT)


def _spare(places: Places) -> Path | None:
    found = [places.home / name for name in SLOTS if not _points(places.current, places.home / name)]
    return next((slot for slot in found if slot.exists()), None)


def _remove_spare(places: Places) -> None:
    spare = _spare(places)
    if spare is not None:
        shutil.rmtree(spare, ignore_errors=True)


# -- steps of the removal ---------------------------------------------------------------------------------


def _remove_unit(machine: Machine, places: Places) -> None:
    places.unit.unlink(missing_ok=True)
    _run(machine, "systemctl", "daemon-reload")
    machine.succeeds("systemctl", "reset-failed", UNIT)


def _removal(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder)


# -- small acts -------------------------------------------------------------------------------------------


def _command(machine: Machine, *words: str) -> Callable[[], None]:
    return lambda: _run(machine, *words)


def _run(machine: Machine, *words: str) -> None:
    machine.run(*words)


def _systemctl(machine: Machine, verb: str, *options: str) -> None:
    machine.run("systemctl", verb, *options, UNIT)


def _points(link: Path, target: Path) -> bool:
    return link.is_symlink() and (link.parent / os.readlink(link)) == target


def _link(link: Path, target: Path) -> None:
    """Let `link` point to `target`, in one move."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, link)


@contextlib.contextmanager
def _readable_files() -> Iterator[None]:
    """Let the service read what is installed, however private root keeps its own files."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
