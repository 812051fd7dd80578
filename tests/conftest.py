"""What tests of several folders share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The machine that tests may be busy: how long an example takes says nothing here.
settings.register_profile("vedette", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vedette")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings that are not in the repository; the test is skipped where it is missing."""
    folder = Path(os.environ.get("VEDETTE_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the recordings in {folder} (VEDETTE_SHARED names another place)")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the configuration and the state of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("VEDETTE_CONFIG", str(home / "vedette.toml"))
    monkeypatch.setenv("STATE_DIRECTORY", str(home / "state"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
