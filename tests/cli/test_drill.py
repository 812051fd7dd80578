from pathlib import Path

import pytest

from tests.cli.conftest import Vedette


@pytest.fixture
def hall(config: Path) -> None:
    """A configuration with one camera."""
    config.parent.mkdir(parents=True)
    config.write_text('[broker]\nurl = "mqtt://127.0.0.1:1"\n[cameras.hall]\nurl = "hall.mp4"\n')


@pytest.mark.usefixtures("hall")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("war", "--camera", "hall"), "glass_break"),
        (("fall", "--camera", "attic"), "there are hall"),
        (("fall",), "--camera"),
        (("fall", "--camera", "hall", "--timeout", "1"), "timeout"),
    ],
)
def test_what_cannot_be_meant_is_usage(vedette: Vedette, arguments: tuple[str, ...], said: str) -> None:
    ended = vedette("drill", *arguments)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.usefixtures("hall")
def test_without_a_running_agent_there_is_a_cure(vedette: Vedette) -> None:
    ended = vedette("drill", "fall", "--camera", "hall")
    assert (ended.code, ended.out) == (1, "")
    assert "no Vedette is running" in ended.err
    assert "vedette run" in ended.err
