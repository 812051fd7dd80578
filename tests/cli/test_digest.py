import json
import os
from pathlib import Path

import numpy as np
import pytest

from agent.config.schema import Config, Node, Snapshots
from agent.uplink.uplink import Uplink
from tests.cli.conftest import Vedette
from tests.uplink.made import WALL_OFFSET_NS, life

DAY = "2026-09-21"  # of what tests.uplink.made makes


@pytest.fixture
def raised(config: Path) -> None:
    """An incident with a picture in the history of this box."""
    settings = Config(node=Node(name="box"), snapshots=Snapshots(enabled=True))
    uplink = Uplink.open(settings, Path(os.environ["STATE_DIRECTORY"]))
    for change in life(1):
        uplink.raise_change(
            change,
            wall_offset_ns=WALL_OFFSET_NS,
            clock_synchronised=True,
            picture=np.full((90, 160, 3), 90, np.uint8),
        )
    uplink.close()


@pytest.mark.usefixtures("raised")
def test_the_page_and_the_film_are_written_where_asked(vedette: Vedette, tmp_path: Path) -> None:
    ended = vedette("digest", "--day", DAY, "--out", "day.html", "--video", "day.mp4")
    assert ended.code == 0, ended.err
    assert "A person fell and stays on the floor." in (tmp_path / "day.html").read_text()
    assert "day.mp4: 1 picture\n" in ended.err
    assert (tmp_path / "day.mp4").stat().st_size > 1000


@pytest.mark.usefixtures("raised")
def test_without_a_name_the_page_is_named_after_its_day(vedette: Vedette, tmp_path: Path) -> None:
    assert vedette("digest", "--day", DAY).code == 0
    assert (tmp_path / f"vedette-{DAY}.html").exists()


@pytest.mark.usefixtures("raised")
def test_the_figures_as_json_write_no_page_unless_asked(vedette: Vedette, tmp_path: Path) -> None:
    told = json.loads(vedette("digest", "--day", DAY, "--json").out)
    assert (told["incidents"], told["pictures"], told["by_severity"]["critical"]) == (1, 1, 1)
    assert told["by_kind_and_camera"] == [{"kind": "fall", "camera": "hall", "count": 1}]
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.usefixtures("raised")
def test_a_day_without_pictures_has_no_film(vedette: Vedette, tmp_path: Path) -> None:
    ended = vedette("digest", "--day", "2026-09-01", "--out", "-", "--video", "day.mp4")
    assert "No incident." in ended.out
    assert "not written" in ended.err
    assert not (tmp_path / "day.mp4").exists()


@pytest.mark.usefixtures("raised")
def test_what_is_no_day_and_what_is_no_place_are_refused(vedette: Vedette) -> None:
    assert vedette("digest", "--day", "someday").code == 2
    ended = vedette("digest", "--out", "nowhere/day.html")
    assert ended.code == 1
    assert "Name another file" in ended.err


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_day_at_the_end_of_time_is_refused(vedette: Vedette, day: str) -> None:
    ended = vedette("digest", "--day", day)
    assert ended.code == 2
    assert "is no day" in ended.err
