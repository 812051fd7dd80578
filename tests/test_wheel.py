"""What is shipped: the wheel, installed, works from an empty folder and holds everything it needs."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The wheel of this checkout, built without the network by the setuptools that is installed here."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_of(repository, folder / "source")
    left_by_an_earlier_build(source / "build" / "lib" / "agent")
    build = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--wheel-dir", str(folder), str(source),
    ]  # fmt: skip
    done = subprocess.run(build, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(folder.glob("*.whl"))


def copy_of(repository: Path, target: Path) -> Path:
    """Copy what git would hand out, so that neither build folders nor caches get into the wheel."""
    listed = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("needs git and a checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (repository / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, target / name)
    return target


GONE = "agent/scene_of_yesterday.py"


def left_by_an_earlier_build(package: Path) -> None:
    """Lay down what setuptools keeps between builds: a module that is gone, and one that is newer than its source."""
    package.mkdir(parents=True)
    for name in (Path(GONE).name, "kinds.py"):
        (package / name).write_text("raise ImportError('this is of yesterday')\n")
        os.utime(package / name, (4e9, 4e9))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content alone; what it depends on comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "install", *options, str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture
def vedette(installed: Path, tmp_path: Path) -> "Command":
    return Command(installed, tmp_path)


class Command:
    """The installed command, run from an empty folder by a Python that cannot import torch."""

    def __init__(self, installed: Path, folder: Path) -> None:
        self.folder = folder
        # -P keeps the current folder from hiding what the wheel lacks.
        code = (
            "import sys; sys.modules['torch'] = None; "
            f"sys.path.insert(0, {str(installed)!r}); "
            f"import agent; assert agent.__file__.startswith({str(installed)!r}), agent.__file__; "
            "from agent.cli.main import run; run()"
        )
        self.command = [sys.executable, "-P", "-c", code]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "HOME": str(self.folder)}
        environ.pop("PYTHONPATH", None)
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder, env=environ, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip


def test_nothing_that_an_earlier_build_left_is_shipped(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as shipped:
        assert GONE not in shipped.namelist()
        assert shipped.read("agent/kinds.py") == (repository / "agent" / "kinds.py").read_bytes()


def test_the_wheel_holds_models_schemas_clips_and_licence_and_nothing_else(wheel: Path, repository: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for pattern in ("models/zoo/*.onnx", "models/zoo/*.json", "agent/**/*.json", "agent/service/**/*.mp4"):
        expected = {str(path.relative_to(repository)) for path in repository.glob(pattern)}
        assert expected, pattern
        assert expected <= set(names), pattern
    assert any(name.endswith("LICENSE") for name in names)
    assert any(name.endswith("NOTICE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"agent", "models", "calibration", "vedette"}


def test_the_unit_in_the_wheel_is_the_one_at_the_top_of_the_checkout(wheel: Path, repository: Path) -> None:
    content = zipfile.ZipFile(wheel).read("agent/service/installation/vedette.service")
    assert content == (repository / "systemd" / "vedette.service").read_bytes()


def test_the_runtime_never_asks_for_torch_or_a_gui_build_of_opencv(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    required = [line.split(" ", 1)[1] for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    runtime = [line for line in required if "extra ==" not in line or "openvino" in line.split("extra ==")[1]]
    assert runtime
    assert not [line for line in runtime if line.startswith(("torch", "opencv-python>", "opencv-contrib"))]


def test_the_installed_command_tells_its_version(vedette: Command) -> None:
    assert vedette("--version").stdout.startswith("vedette 0.")


def test_the_installed_command_finds_its_models(vedette: Command) -> None:
    shown = vedette("model", "list", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)


def test_the_installed_command_writes_and_checks_a_configuration(vedette: Command) -> None:
    assert vedette("init", "--yes", "--config", "v.toml").returncode == 0
    assert vedette("config", "check", "--config", "v.toml").stdout == "v.toml is right.\n"
    assert sorted(path.name for path in vedette.folder.iterdir()) == ["v.toml"]


def test_the_calibration_commands_come_with_the_wheel(vedette: Command) -> None:
    done = vedette("calibrate", "--help")
    assert done.returncode == 0, done.stderr
    assert "av-offset" in done.stdout
