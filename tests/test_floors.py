"""The floors of architecture: who may import whom, and what may stand only in one place."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
AGENT = ROOT / "agent"

# Exhaustive: a package that is not here fails. 0 is the package itself, which holds only the version.
FLOORS = {
    "agent": 0,
    "agent.kinds": 1,
    "agent.types": 1,
    "agent.errors": 1,
    "agent.config": 1,
    "agent.features": 2,
    "agent.scene": 3,
    "agent.capture": 4,
    "agent.inference": 4,
    "agent.uplink": 4,
    "agent.service": 5,
    "agent.cli": 6,
}
STRANGERS = {"torch", "models", "calibration", "tests"}  # these import agent, never the reverse
HOME_OF = {
    "onnxruntime": ("agent/inference/onnx_runtime.py",),
    "openvino": ("agent/inference/openvino_runtime.py",),
    "av": (
        "agent/capture/",
        "agent/service/rendering/film.py",
        "agent/service/evidence/clip_film.py",
        "agent/service/evidence/fragments.py",
    ),
    "sounddevice": ("agent/capture/",),
    "paho": ("agent/uplink/mqtt/",),
    "prometheus_client": ("agent/service/telemetry/metrics.py",),
    "sqlite3": ("agent/uplink/storage/", "agent/uplink/history/", "agent/uplink/outbox/"),
    "amqtt": ("agent/service/",),
    "typer": ("agent/cli/",),
    "rich": ("agent/cli/",),
    "pydantic_core": ("agent/config/",),
    "yaml": ("agent/config/frigate/",),
    "tomlkit": ("agent/config/", "agent/cli/config.py"),
}
IMPURE = {
    "asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil",
    "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
SILENT_FLOORS = 3  # floors 1 to 3 write no log
BROAD_EXCEPT_ALLOWED = {"agent/cli/main.py": 1, "agent/service/workers.py": 1}

SOURCES = sorted(AGENT.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def package_of(module: str) -> str:
    """Return the entry of FLOORS that `module` belongs to: agent.x for everything in and below agent.x."""
    return ".".join(module.split(".")[:2])


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module) for every import in the file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(path, node)
            yield node.lineno, module
            if module.split(".")[0] == "agent":
                known = (f"{module}.{alias.name}" for alias in node.names)
                yield from ((node.lineno, name) for name in known if is_part(name))


def absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    here = name_of(path).split(".")
    parents = here if path.name == "__init__.py" else here[:-1]
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def is_part(module: str) -> bool:
    place = ROOT / module.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").is_file()


def violations(path: Path) -> list[str]:
    mine = package_of(name_of(path))
    found = []
    for line, module in imports(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {module}"
        top = module.split(".")[0]
        if top in STRANGERS:
            found.append(f"{where}: agent never does")
        if top == "agent" and not may_import(mine, package_of(module)):
            found.append(f"{where}: from floor {FLOORS[mine]} to floor {FLOORS[package_of(module)]}")
        if top in HOME_OF and not str(path.relative_to(ROOT)).startswith(HOME_OF[top]):
            found.append(f"{where}: its place is {' or '.join(HOME_OF[top])}")
        if mine == "agent.scene" and top in IMPURE:
            found.append(f"{where}: the scene knows no clock, chance, file, thread or log")
        if FLOORS[mine] <= SILENT_FLOORS and top == "logging":
            found.append(f"{where}: floors 1 to {SILENT_FLOORS} write no log")
    return found


def may_import(mine: str, other: str) -> bool:
    return mine == other or FLOORS[other] < FLOORS[mine] or FLOORS[mine] == FLOORS[other] == 1


def parts() -> set[str]:
    return {package_of(name_of(path)) for path in SOURCES}


def test_every_package_of_agent_has_a_floor() -> None:
    assert parts() == set(FLOORS)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_down_and_libraries_stay_in_their_place(path: Path) -> None:
    assert violations(path) == []


def test_neighbours_on_a_floor_do_not_know_each_other() -> None:
    assert not may_import("agent.capture", "agent.inference")
    assert not may_import("agent.uplink", "agent.capture")
    assert may_import("agent.uplink", "agent.scene")


def test_the_folders_within_a_package_depend_on_each_other_one_way() -> None:
    needs: dict[str, set[str]] = {}
    for path in SOURCES:
        for _, module in imports(path):
            mine, other = folder_of(name_of(path)), folder_of(module)
            if other.startswith("agent.") and other != package_of(other) and mine != other:
                needs.setdefault(mine, set()).add(other)
    TopologicalSorter(needs).prepare()  # raises CycleError


def folder_of(module: str) -> str:
    """Return agent.x.y for everything below that folder; a module that lies in agent.x itself is its own."""
    return ".".join(module.split(".")[:3])


PACKAGES = sorted(
    path.parent.relative_to(ROOT)
    for top in ("agent", "benchmarks", "calibration", "models")
    for path in (ROOT / top).rglob("__init__.py")
)


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_names_each_of_its_modules_in_its_first_lines(package: Path) -> None:
    folder = ROOT / package
    told = set(re.findall(r"\w+", ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""))
    there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} <= told, f"say in {package}/__init__.py what they hold"


def test_only_two_places_catch_everything() -> None:
    found: dict[str, int] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and is_broad(node) and not passes_on(node):
                place = str(path.relative_to(ROOT))
                found[place] = found.get(place, 0) + 1
    assert found == BROAD_EXCEPT_ALLOWED


def is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Cleaning up on the way out is fine where the last thing done is to raise what came."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_the_scene_opens_no_file_and_draws_no_random_number() -> None:
    for path in (AGENT / "scene").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"), path
            assert not (isinstance(node, ast.Attribute) and node.attr == "random"), path
