"""`vedette mic`: the microphones there are, and how loud they hear."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.cli.mic import BAR_CHARACTERS, FLOOR_DBFS, _bar
from tests.servers.pulse import DEVICE, RATE_HZ, PulseServer, require_pulse


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    require_pulse()
    with PulseServer(tmp_path_factory.mktemp("pulse")) as server:
        yield server


def mic(pulse: PulseServer, repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli.main", "mic", *arguments],
        cwd=repository, env={**os.environ, **pulse.environment},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.integration
def test_list_names_what_probe_takes(pulse: PulseServer, repository: Path) -> None:
    found = json.loads(mic(pulse, repository, "list", "--json").stdout)
    assert DEVICE in [row["name"] for row in found]
    assert DEVICE in mic(pulse, repository, "list").stdout


@pytest.mark.integration
def test_probe_tells_how_loud_it_is(pulse: PulseServer, repository: Path) -> None:
    time_s = np.arange(15 * RATE_HZ) / RATE_HZ
    tone = (0.25 * 32767 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16).tobytes()
    playing = threading.Thread(target=pulse.play, args=(tone,))  # it returns once nearly all is played
    playing.start()
    done = mic(pulse, repository, "probe", DEVICE, "--seconds", "3", "--json")
    playing.join()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["peak_dbfs"] == pytest.approx(-12.0, abs=1.0)


@pytest.mark.integration
def test_an_unknown_microphone_is_a_source_error_told_once(pulse: PulseServer, repository: Path) -> None:
    done = mic(pulse, repository, "probe", "no such thing")
    assert done.returncode == 4
    assert "vedette mic list" in done.stderr
    assert [line for line in done.stderr.splitlines() if "no such thing" in line] == [
        line for line in done.stderr.splitlines() if line.startswith("error ")
    ]


@pytest.mark.integration
def test_a_microphone_that_delivers_nothing_is_given_up(pulse: PulseServer, repository: Path) -> None:
    pulse.hang()
    try:
        done = mic(pulse, repository, "probe", DEVICE, "--seconds", "1")
    finally:
        pulse.go_on()
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("dbfs", "filled"), [(-200.0, 0), (FLOOR_DBFS, 0), (-40.0, BAR_CHARACTERS // 2), (0.0, BAR_CHARACTERS)]
)
def test_the_bar_grows_with_the_level(dbfs: float, filled: int) -> None:
    assert _bar(dbfs).count("█") == filled
