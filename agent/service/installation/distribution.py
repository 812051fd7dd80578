"""Which Vedette the service gets: the very one that runs this command, or what a person names."""

import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import agent
from agent.errors import VedetteError

NAME = "vedette"
RECORD = "vedette-source.json"  # in an environment: what it was made from
EXTRAS = ("openvino",)
_PACKAGES = ("agent", "models", "calibration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What pip installs; equal fingerprints mean equal code. `extras` as in `vedette[openvino]`."""

    requirement: str
    fingerprint: str
    extras: tuple[str, ...] = ()

    def pip_argument(self) -> str:
        """Return it as pip wants it."""
        if not self.extras or "[" in self.requirement:
            return self.requirement
        name, pin, version = self.requirement.partition("==")
        return f"{name}[{','.join(self.extras)}]{pin}{version}"

    def to_json(self) -> str:
        """Return it as it is kept in the environment."""
        return json.dumps(asdict(self), indent=2) + "\n"


def recorded(environment: Path) -> Source | None:
    """Return what the environment was made from, or None where it is not whole."""
    try:
        content = json.loads((environment / RECORD).read_text(encoding="utf-8"))
        return Source(**content | {"extras": tuple(content["extras"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def running() -> Source:
    """Return where the Vedette that runs this came from: a checkout, a wheel, an index. Raises VedetteError.

    What was installed from a checkout or a wheel that is still there comes as that is now, not as it was then.
    """
    mine = recorded(Path(sys.prefix))
    if mine is not None:
        origin = Path(mine.requirement)
        there = origin.is_file() or (origin / "pyproject.toml").is_file()
        return _of_path(origin, mine.extras) if there else mine
    checkout = Path(agent.__file__).resolve().parent.parent
    extras = tuple(extra for extra in EXTRAS if importlib.util.find_spec(extra) is not None)
    if (checkout / "pyproject.toml").is_file():
        return _of_path(checkout, extras)
    return _of_url(_direct_url(), extras)


def named(spec: str, extras: tuple[str, ...] = ()) -> Source:
    """Return what a person named: a wheel, a checkout's folder, or anything else that pip takes."""
    path = Path(spec).expanduser()
    return (
        _of_path(path.resolve(), extras) if path.exists() else Source(requirement=spec, fingerprint=spec, extras=extras)
    )


def _direct_url() -> str:
    """Return the URL that this was installed from, empty where an index chose it (PEP 610)."""
    text = importlib.metadata.distribution(NAME).read_text("direct_url.json")
    if not text:
        return ""
    told = json.loads(text)
    vcs = told.get("vcs_info")
    return f"{vcs['vcs']}+{told['url']}@{vcs['commit_id']}" if vcs else str(told["url"])


def _of_url(url: str, extras: tuple[str, ...]) -> Source:
    if not url:
        pinned = f"{NAME}=={agent.__version__}"
        return Source(requirement=pinned, fingerprint=pinned, extras=extras)
    parts = urlsplit(url)
    if parts.scheme != "file":
        return Source(requirement=f"{NAME} @ {url}", fingerprint=url)
    path = Path(unquote(parts.path))
    if not path.exists():
        raise VedetteError(
            "this Vedette cannot be installed from where it came from",
            why=f"{path} is gone",
            cure="Name a wheel or a checkout: --from PATH.",
        )
    return _of_path(path, extras)


def _of_path(path: Path, extras: tuple[str, ...]) -> Source:
    if path.is_dir() and not (path / "pyproject.toml").is_file():
        raise VedetteError(f"{path} is no checkout of Vedette", cure="Name a wheel, or the folder of pyproject.toml.")
    return Source(requirement=str(path), fingerprint=_fingerprint(path), extras=extras)


def _fingerprint(path: Path) -> str:
    """Return the sha256 of a wheel, or of everything in a checkout that gets into one."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(_sources(path)):
        digest.update(f"{file.relative_to(path)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(checkout: Path) -> list[Path]:
    inside = [file for package in _PACKAGES for file in (checkout / package).rglob("*") if file.is_file()]
    return [checkout / "pyproject.toml", *(file for file in inside if "__pycache__" not in file.parts)]
