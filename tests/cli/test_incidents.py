import csv
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from agent.cli import incidents
from agent.cli.when import moment
from agent.config.schema import Camera, Config, Node
from agent.uplink.uplink import Uplink
from tests.cli.conftest import Vedette
from tests.uplink.made import STARTED_NS, WALL_OFFSET_NS, life


@pytest.fixture
def raised(config: Path) -> list[str]:
    """Two incidents in the history of this box."""
    uplink = Uplink.open(Config(node=Node(name="box")), Path(os.environ["STATE_DIRECTORY"]))
    ids = []
    for changes in (
        life(1),
        life(
            2,
            started_ns=STARTED_NS + 1_000_000_000,
            kind="loitering",
            severity="warning",
            summary="=cmd|' /C calc'!A0 [red]x",
        )[:1],
    ):
        for change in changes:
            incident_id = uplink.raise_change(change, wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True)
        ids.append(incident_id)
    uplink.close()
    return ids


def test_list_shows_what_was_raised(vedette: Vedette, raised: list[str]) -> None:
    ended = vedette("incidents", "list")
    assert ended.code == 0
    assert "A person fell and stays on the floor." in ended.out
    assert "9.0 s" in ended.out
    assert "[red]x" in ended.out, "text is not markup"


def test_a_listed_incident_is_one_line_where_nobody_looks_at_a_terminal(
    vedette: Vedette, raised: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = vedette("incidents", "list").out.splitlines()
    assert len(lines) == 1 + len(raised)
    for line, incident in zip(lines[1:], reversed(raised), strict=True):
        assert incident[-8:] in line


def test_list_as_json_gives_the_messages(vedette: Vedette, raised: list[str]) -> None:
    found = json.loads(vedette("incidents", "list", "--kind", "fall", "--json").out)
    assert [message["id"] for message in found] == [raised[0]]
    assert vedette("incidents", "list", "--since", "2h", "--json").out.strip() == "[]"


@pytest.mark.parametrize("part", [slice(None), slice(-8, None)])
def test_show_finds_an_incident_by_a_part_of_its_id(vedette: Vedette, raised: list[str], part: slice) -> None:
    ended = vedette("incidents", "show", raised[0][part])
    assert ended.code == 0
    assert all(word in ended.out for word in ("A person fell", "lying", "+3.5", "closed: quiet", "would not have"))
    phases = json.loads(vedette("incidents", "show", raised[0][part], "--json").out)
    assert [message["phase"] for message in phases] == ["open", "update", "close"]


def test_list_and_show_say_what_people_call_the_camera(vedette: Vedette, config: Path) -> None:
    cameras = {"hall": Camera(url="x", name="Eingang [red]Süd")}
    uplink = Uplink.open(Config(node=Node(name="box"), cameras=cameras), Path(os.environ["STATE_DIRECTORY"]))
    for change in life(1, cameras=("hall", "yard")):
        incident_id = uplink.raise_change(change, wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True)
    uplink.close()
    assert "Eingang [red]Süd (hall), yard, zone stairs" in vedette("incidents", "show", incident_id).out
    assert "Eingang [red]Süd" in vedette("incidents", "list", "--camera", "Eingang [red]Süd").out
    rows = list(csv.DictReader(io.StringIO(vedette("incidents", "export", "--csv").out)))
    assert [(row["camera"], row["camera_name"]) for row in rows] == [("hall", "Eingang [red]Süd")]


def test_show_of_what_is_not_there_says_so(vedette: Vedette, raised: list[str]) -> None:
    ended = vedette("incidents", "show", "ffffffff")
    assert ended.code == 1
    assert "vedette incidents list" in ended.err


def test_export_writes_json_lines_and_csv_oldest_first(vedette: Vedette, raised: list[str], tmp_path: Path) -> None:
    assert vedette("incidents", "export", str(tmp_path / "out.jsonl")).code == 0
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == raised
    rows = list(csv.DictReader(io.StringIO(vedette("incidents", "export", "-", "--csv").out)))
    assert [row["id"] for row in rows] == raised
    assert rows[1]["summary"].startswith("'="), "no spreadsheet takes it for a formula"


def test_show_says_where_the_film_is_and_export_takes_it_along(
    vedette: Vedette, raised: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert " none" in vedette("incidents", "show", raised[0]).out
    folder = Path(os.environ["STATE_DIRECTORY"]) / "clips"
    folder.mkdir()
    (folder / f"{raised[0]}.mp4").write_bytes(b"film")
    assert f"{folder / raised[0]}.mp4 (0.0 MB)" in vedette("incidents", "show", raised[0]).out
    ended = vedette("incidents", "export", str(tmp_path / "out.jsonl"), "--clips", str(tmp_path / "films"))
    assert "1 clip copied" in ended.err
    assert [path.read_bytes() for path in (tmp_path / "films").iterdir()] == [b"film"]
    assert vedette("incidents", "export", "-", "--clips", "/dev/null/films").code == 1


def test_a_verdict_is_kept_and_shown_everywhere(vedette: Vedette, raised: list[str]) -> None:
    assert vedette("incidents", "mark", raised[0][-8:], "false", "--note", "the cat").code == 0
    assert "false" in vedette("incidents", "list").out
    assert "the cat" in vedette("incidents", "show", raised[0]).out
    found = {message["id"]: message["verdict"] for message in json.loads(vedette("incidents", "list", "--json").out)}
    assert (found[raised[0]]["true"], found[raised[0]]["note"]) == (False, "the cat")
    assert found[raised[1]] is None
    rows = list(csv.DictReader(io.StringIO(vedette("incidents", "export", "-", "--csv").out)))
    assert [(row["verdict"], row["note"]) for row in rows] == [("false", "the cat"), ("", "")]


def test_a_second_verdict_takes_the_place_of_the_first(vedette: Vedette, raised: list[str]) -> None:
    for verdict in ("false", "true"):
        assert vedette("incidents", "mark", raised[0], verdict).code == 0
    shown = json.loads(vedette("incidents", "show", raised[0], "--json").out)
    assert {phase["verdict"]["true"] for phase in shown} == {True}


def test_a_running_agent_does_not_keep_a_person_from_marking(vedette: Vedette, raised: list[str]) -> None:
    uplink = Uplink.open(Config(node=Node(name="box")), Path(os.environ["STATE_DIRECTORY"]))
    assert vedette("incidents", "mark", raised[0], "true").code == 0
    uplink.raise_change(life(9)[0], wall_offset_ns=WALL_OFFSET_NS, clock_synchronised=True)
    assert not uplink.outbox_state().degraded
    uplink.close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("ffffffff", "true"), 1), (("{id}", "maybe"), 2), (("{id}", "true", "--note", "x" * 501), 2)],
)
def test_a_verdict_on_nothing_or_that_is_none_is_refused(
    vedette: Vedette, raised: list[str], arguments: tuple[str, ...], code: int
) -> None:
    assert vedette("incidents", "mark", *(word.format(id=raised[0]) for word in arguments)).code == code


def test_similar_names_the_others_and_says_what_likeness_is(vedette: Vedette, raised: list[str]) -> None:
    ended = vedette("incidents", "similar", raised[0])
    assert "loitering" in ended.out
    assert "35% kind" in ended.err
    found = json.loads(vedette("incidents", "similar", raised[0], "--json").out)
    assert [message["id"] for message in found] == [raised[1]]
    assert found[0]["likeness"] == pytest.approx(0.65, abs=0.01), "all but the kind"


@pytest.mark.parametrize(
    ("words", "count"), [("person floor", 1), ("STAIRS", 2), ("thud", 2), ("person thud nothing", 0)]
)
def test_text_is_found_in_sentences_zones_and_signals(
    vedette: Vedette, raised: list[str], words: str, count: int
) -> None:
    assert len(json.loads(vedette("incidents", "list", "--text", words, "--json").out)) == count


def test_without_history_there_is_a_cure(vedette: Vedette) -> None:
    ended = vedette("incidents", "list")
    assert ended.code == 1
    assert "vedette run" in ended.err


def test_a_kind_that_does_not_exist_names_the_nearest(vedette: Vedette) -> None:
    ended = vedette("incidents", "list", "--kind", "fal")
    assert ended.code == 2
    assert "fall" in ended.err


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("90m", "2026-11-21T10:30:00.000Z"),
        ("1.5h", "2026-11-21T10:30:00.000Z"),
        ("2d", "2026-11-19T12:00:00.000Z"),
        ("2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00.000Z"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00.000Z"),
    ],
)
def test_times_are_understood_as_people_type_them(typed: str, meant: str) -> None:
    assert moment(typed, NOW) == meant


@pytest.mark.parametrize("typed", ["soon", "25:00", "08:60", "", "2026-13-01", "9999999d", "9" * 400 + "d"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(typed, NOW)


def test_a_reader_of_the_export_may_leave(vedette: Vedette, raised: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Left())
    with pytest.raises(BrokenPipeError):
        incidents.export("-", as_csv=False, only_open=False)
