"""The plan of an installation: everything at first, nothing the second time, and back again."""

import os
import zipfile
from pathlib import Path

import pytest

from agent.errors import VedetteError
from agent.service.installation import distribution, install
from agent.service.installation.install import Wish, apply, install_plan, uninstall_plan
from agent.service.installation.machine import Places
from tests.service.installation.machines import NotedMachine, plain_python, tiny_wheel

CAMERA = '[cameras.yard]\nurl = "rtsp://192.0.2.1/"\n'


@pytest.fixture
def machine() -> NotedMachine:
    return NotedMachine()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(root=tmp_path / "root")


def wish_of(wheel: Path) -> Wish:
    return Wish(source=distribution.named(str(wheel)), python=plain_python(), wheels=wheel.parent)


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    (tmp_path / "wheels").mkdir()
    return wish_of(tiny_wheel(tmp_path / "wheels"))


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments of one file, for the tests that are about something else."""

    def built(wish: Wish, machine: NotedMachine, places: Places, slot: Path) -> None:
        (slot / "bin").mkdir(parents=True)
        (slot / "bin" / "vedette").write_text("#!/bin/sh\n")
        (slot / distribution.RECORD).write_text(wish.source.to_json())
        install._link(places.current, Path(slot.name))

    monkeypatch.setattr(install, "_built", built)


def do(steps: list[install.Step]) -> list[str]:
    done: list[str] = []
    apply(steps, done.append)
    return done


def test_the_shipped_unit_is_the_one_at_the_top_of_the_checkout(repository: Path) -> None:
    assert install.unit_text() == (repository / "systemd" / "vedette.service").read_text()
    assert install.unit_text().startswith("# Vedette as a service.")
    assert "RestartPreventExitStatus=2 3 6\n" in install.unit_text()


def test_an_installation_makes_an_environment_that_runs_and_everything_around_it(
    wish: Wish, machine: NotedMachine, places: Places
) -> None:
    places.config.parent.mkdir(parents=True)
    places.config.write_text(CAMERA)
    done = do(install_plan(wish, machine, places))
    assert machine.run(places.command) == "vedette 0.0\n"
    assert machine.noted == [
        "groupadd --system render",
        "groupadd --system vedette",
        "useradd --system --gid vedette --shell /usr/sbin/nologin --home-dir /var/lib/vedette --no-create-home "
        "--comment Vedette vedette",
        "systemctl daemon-reload",
        "systemctl enable vedette.service",
        "systemctl restart vedette.service",
    ]
    assert places.unit.read_text() == install.unit_text()
    assert places.config.stat().st_mode & 0o777 == 0o640
    assert places.config.parent.stat().st_mode & 0o777 == 0o750
    assert places.credentials.stat().st_mode & 0o777 == 0o700
    assert places.config.read_text() == CAMERA
    assert os.readlink(places.current) == "a"
    assert len(done) == len(set(done))


def enabled(places: Places) -> None:
    """What systemctl enable would have left."""
    places.wanted.parent.mkdir(parents=True, exist_ok=True)
    places.wanted.symlink_to(places.unit)


@pytest.mark.usefixtures("no_pip")
def test_a_second_installation_has_nothing_to_do(wish: Wish, machine: NotedMachine, places: Places) -> None:
    places.config.parent.mkdir(parents=True)
    places.config.write_text(CAMERA)
    do(install_plan(wish, machine, places))
    enabled(places)
    assert install_plan(wish, machine, places) == []


@pytest.mark.usefixtures("no_pip")
def test_a_plan_that_is_only_shown_changes_nothing(wish: Wish, machine: NotedMachine, places: Places) -> None:
    steps = install_plan(wish, machine, places)
    assert any("install" in step.what for step in steps)
    assert not places.root.exists()
    assert machine.noted == []


@pytest.mark.usefixtures("no_pip")
def test_without_a_camera_the_service_is_not_started(wish: Wish, machine: NotedMachine, places: Places) -> None:
    do(install_plan(wish, machine, places))
    assert "systemctl restart vedette.service" not in machine.noted


@pytest.mark.usefixtures("no_pip")
def test_an_upgrade_switches_the_environment_and_keeps_state_and_configuration(
    wish: Wish, machine: NotedMachine, places: Places, tmp_path: Path
) -> None:
    places.config.parent.mkdir(parents=True)
    places.config.write_text(CAMERA)
    do(install_plan(wish, machine, places))
    enabled(places)
    places.state.mkdir(parents=True)
    (places.state / "state.db").write_text("incidents")
    places.drop_ins.mkdir()
    (places.drop_ins / "mine.conf").write_text("[Service]\n")
    newer = wish_of(tiny_wheel(tmp_path / "wheels", version="0.1"))
    assert [step.what.split()[0] for step in install_plan(newer, machine, places)] == ["make", "start", "remove"]
    do(install_plan(newer, machine, places))
    assert os.readlink(places.current) == "b"
    assert not (places.home / "a").exists()
    assert (places.state / "state.db").read_text() == "incidents"
    assert places.config.read_text() == CAMERA
    assert (places.drop_ins / "mine.conf").exists()
    assert machine.noted.count("systemctl restart vedette.service") == 2


@pytest.mark.usefixtures("no_pip")
def test_where_the_new_one_does_not_get_ready_the_one_of_before_runs_again(
    wish: Wish, machine: NotedMachine, places: Places, tmp_path: Path
) -> None:
    places.config.parent.mkdir(parents=True)
    places.config.write_text(CAMERA)
    do(install_plan(wish, machine, places))
    newer = wish_of(tiny_wheel(tmp_path / "wheels", version="0.1"))
    steps = install_plan(newer, machine, places)
    machine.refused = {"systemctl restart vedette.service"}
    with pytest.raises(VedetteError):
        do(steps)
    assert os.readlink(places.current) == "a"
    assert distribution.recorded(places.current) == wish.source


def test_an_environment_that_cannot_be_made_leaves_the_old_one_current(
    wish: Wish, machine: NotedMachine, places: Places, tmp_path: Path
) -> None:
    do(install_plan(wish, machine, places))
    broken = wish_of(tiny_wheel(tmp_path / "wheels", "raise SystemExit(6)", version="0.2"))
    with pytest.raises(VedetteError):
        do(install_plan(broken, machine, places))
    assert os.readlink(places.current) == "a"
    assert machine.run(places.command) == "vedette 0.0\n"


@pytest.mark.usefixtures("no_pip")
def test_a_command_of_somebody_else_is_left_alone(wish: Wish, machine: NotedMachine, places: Places) -> None:
    places.command.parent.mkdir(parents=True)
    places.command.write_text("another")
    do(install_plan(wish, machine, places))
    do(uninstall_plan(machine, places, purge=True))
    assert places.command.read_text() == "another"


@pytest.mark.usefixtures("no_pip")
@pytest.mark.parametrize("purge", [False, True])
def test_a_removal_keeps_state_and_configuration_unless_told_otherwise(
    purge: bool, wish: Wish, machine: NotedMachine, places: Places
) -> None:
    places.state.mkdir(parents=True)
    do(install_plan(wish, machine, places))
    places.config.write_text(CAMERA)
    do(uninstall_plan(machine, places, purge=purge))
    assert not places.unit.exists()
    assert not places.home.exists()
    assert not os.path.lexists(places.command)
    assert places.state.exists() is not purge
    assert places.config.exists() is not purge
    assert machine.has_user("vedette") is not purge
    assert "systemctl disable --now vedette.service" in machine.noted
    assert uninstall_plan(machine, places, purge=purge) == []


def test_a_python_in_a_home_is_refused_for_the_service_cannot_see_it(wish: Wish, machine: NotedMachine) -> None:
    hidden = Wish(source=wish.source, python=Path("/home/somebody/python3"))
    with pytest.raises(VedetteError, match="homes are hidden"):
        install.require_fit(hidden, machine, systemd=False)


def test_an_old_systemd_is_refused(wish: Wish, machine: NotedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "run", lambda *_: "systemd 249 (249.11-0ubuntu3)\n")
    with pytest.raises(VedetteError, match="needs 250"):
        install.require_fit(wish, machine, systemd=False)


def test_a_checkout_is_named_by_what_gets_into_its_wheel(tmp_path: Path) -> None:
    (tmp_path / "agent" / "__pycache__").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "agent" / "a.py").write_text("1")
    before = distribution.named(str(tmp_path))
    (tmp_path / "agent" / "__pycache__" / "a.pyc").write_text("x")
    assert distribution.named(str(tmp_path)) == before
    (tmp_path / "agent" / "a.py").write_text("2")
    assert distribution.named(str(tmp_path)) != before


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VedetteError, match="no checkout"):
        distribution.named(str(tmp_path))


@pytest.mark.parametrize(
    ("requirement", "argument"),
    [
        ("vedette==0.3", "vedette[openvino]==0.3"),
        ("/x/vedette-0.3-py3-none-any.whl", "/x/vedette-0.3-py3-none-any.whl[openvino]"),
        ("vedette[openvino]", "vedette[openvino]"),
    ],
)
def test_extras_stand_where_pip_wants_them(requirement: str, argument: str) -> None:
    source = distribution.Source(requirement=requirement, fingerprint="", extras=("openvino",))
    assert source.pip_argument() == argument


def test_the_running_vedette_of_a_checkout_is_the_checkout(repository: Path) -> None:
    assert distribution.running().requirement == str(repository)


def test_the_service_s_own_command_sees_that_its_checkout_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, slot = tmp_path / "checkout", tmp_path / "a"
    (checkout / "agent").mkdir(parents=True)
    (checkout / "pyproject.toml").write_text("")
    (checkout / "agent" / "a.py").write_text("1")
    slot.mkdir()
    before = distribution.named(str(checkout), ("openvino",))
    (slot / distribution.RECORD).write_text(before.to_json())
    monkeypatch.setattr("sys.prefix", str(slot))
    assert distribution.running() == before
    (checkout / "agent" / "a.py").write_text("2")
    assert distribution.running() == distribution.named(str(checkout), ("openvino",))
    assert distribution.running() != before
    checkout.rename(tmp_path / "gone")
    assert distribution.running() == before


def test_the_tiny_wheel_is_a_wheel(tmp_path: Path) -> None:
    assert "vedette-0.0.dist-info/RECORD" in zipfile.ZipFile(tiny_wheel(tmp_path)).namelist()
