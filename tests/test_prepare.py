"""`tools/prepare` installs what is missing, never asks, and is quick where nothing is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUNTIME = "libportaudio2"


class Box:
    """A checkout on a machine whose commands are scripts of ours that note how they were called."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.checkout, self.bin, self.log = folder / "checkout", folder / "bin", folder / "log"
        (self.checkout / "tools").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(repository / "tools" / "prepare", self.checkout / "tools" / "prepare")
        (self.checkout / "pyproject.toml").write_text("[project]\n")
        self.command("id", "echo 0")
        self.command("dpkg-query", "echo installed")
        self.command("apt-get", "")
        self.command("python3", 'case "$*" in *venv*--clear*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac')

    def command(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.log}"\n{body}\n')
        path.chmod(0o755)

    def prepare(self, goal: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        environ = {**os.environ, "PATH": f"{self.bin}:/usr/bin:/bin", "VEDETTE_PYTHON": "python3"}
        return subprocess.run(
            ["sh", str(self.checkout / "tools" / "prepare"), goal],
            env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def calls(self, name: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(f"{name} ")]


@pytest.fixture
def box(tmp_path: Path, repository: Path) -> Box:
    return Box(tmp_path, repository)


def test_python_packages_are_installed_once(box: Box) -> None:
    assert box.prepare("demo").returncode == 0
    assert [call for call in box.calls("python3") if "pip install" in call and ".[openvino]" in call]
    assert box.prepare("demo").returncode == 0
    assert not [call for call in box.calls("python3") if "pip" in call]


@pytest.mark.parametrize("change", ["pyproject", "folder"])
def test_another_pyproject_or_place_means_another_install(change: str, box: Box) -> None:
    box.prepare("demo")
    if change == "pyproject":
        (box.checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    else:
        box.checkout = box.checkout.rename(box.checkout.with_name("moved"))
    box.prepare("demo")
    assert [call for call in box.calls("python3") if "pip install" in call]
    made_anew = [call for call in box.calls("python3") if "--clear" in call]
    assert bool(made_anew) == (change == "folder")


def test_an_install_that_failed_is_tried_again(box: Box) -> None:
    makes_venv = '*--clear*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;'
    box.command("python3", f'case "$*" in {makes_venv} *pip\\ install*) exit 1;; esac')
    assert box.prepare("demo").returncode != 0
    assert box.prepare("demo").returncode != 0
    assert [call for call in box.calls("python3") if "pip install" in call]


def test_what_the_tests_need_serves_the_demo_too(box: Box) -> None:
    box.prepare("test")
    box.prepare("demo")
    assert not [call for call in box.calls("python3") if "pip" in call]


def test_root_installs_missing_debian_packages_without_a_question(box: Box) -> None:
    box.command("dpkg-query", "exit 1")
    assert box.prepare("demo").returncode == 0
    assert box.calls("apt-get") == [f"apt-get install -y -q --no-install-recommends {RUNTIME}"]


def test_package_lists_are_fetched_only_where_the_install_fails_without(box: Box) -> None:
    box.command("dpkg-query", "exit 1")
    box.command("apt-get", '[ "$1" = update ] && touch "$0.updated"; [ -e "$0.updated" ]')
    assert box.prepare("demo").returncode == 0
    assert [call.split()[1] for call in box.calls("apt-get")] == ["install", "update", "install"]


def test_nothing_missing_means_no_apt(box: Box) -> None:
    box.prepare("test")
    assert box.calls("apt-get") == []


def test_without_root_it_says_what_to_type_and_goes_on(box: Box) -> None:
    box.command("dpkg-query", "exit 1")
    box.command("id", "echo 1000")
    box.command("sudo", "exit 1")
    done = box.prepare("demo")
    assert done.returncode == 0
    assert f"sudo apt-get install --no-install-recommends {RUNTIME}" in done.stderr
    assert box.calls("apt-get") == []
    assert box.calls("sudo") == ["sudo -n true"]
