"""The image's recipe fits the product: what is copied, where things are, how it is asked whether it is well.

The image itself is not built here: that needs an engine, a base image and the network (docs/container.md says how it
was tried).
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from agent.cli.main import build_app
from agent.config.credentials import read_credential
from agent.config.places import config_path, state_dir

REPOSITORY = Path(__file__).parent.parent
RECIPE = (REPOSITORY / "Containerfile").read_text().replace("\\\n", " ")
COPIED = {name for line in re.findall(r"^COPY (?!--from)(.*)", RECIPE, re.MULTILINE) for name in line.split()[:-1]}
ENVIRON = dict(word.split("=", 1) for line in re.findall(r"^ENV (.*)", RECIPE, re.MULTILINE) for word in line.split())


@pytest.fixture
def compose() -> dict[str, Any]:
    text = (REPOSITORY / "docs" / "container.md").read_text()
    found: dict[str, Any] = yaml.safe_load(re.search(r"```yaml\n(# compose.yaml.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    return found


def test_what_is_copied_is_every_package_and_what_the_build_reads() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = {name for name in project["tool"]["setuptools"]["packages"]["find"]["include"] if "*" not in name}
    read = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "setup.py"}
    assert packages | read == COPIED


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert lines[lines.index("*") :][0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == COPIED


def test_the_places_of_the_image_are_those_that_the_agent_goes_by(tmp_path: Path, compose: dict[str, Any]) -> None:
    places = {str(config_path(environ=ENVIRON).parent), str(state_dir(ENVIRON))}
    assert places == {"/etc/vedette", "/var/lib/vedette"}
    assert all(f" {place}" in RECIPE for place in places)  # made, and given to the user
    assert {volume.split(":")[1] for volume in compose["services"]["vedette"]["volumes"]} == places
    (tmp_path / "broker").write_text("s3cret\n")  # as an engine lays a secret down
    assert ENVIRON["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    assert read_credential("broker", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "s3cret"


@pytest.mark.parametrize("step", ["ENTRYPOINT", "HEALTHCHECK", "CMD"])
def test_what_the_image_runs_is_a_command_with_its_options(step: str) -> None:
    words = json.loads(re.search(rf"^{step}\b.*?(\[.*\])", RECIPE, re.MULTILINE)[1])  # type: ignore[index]
    command: Any = typer.main.get_command(build_app())
    for word in words[words[0] == "vedette" :]:
        if word.startswith("-"):
            assert word in {option for param in command.params for option in param.opts}
        else:
            command = command.commands[word]


def test_the_container_has_no_rights_and_no_disk_but_its_folders(compose: dict[str, Any]) -> None:
    vedette = compose["services"]["vedette"]
    assert "\nUSER vedette\n" in RECIPE
    assert (vedette["read_only"], vedette["cap_drop"]) == (True, ["ALL"])
    assert "ports" not in vedette
    assert "privileged" not in vedette
