"""`vedette zone`: corners in fractions, rules, and a drawing to see them by."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import typer

from agent.cli.main import build_app
from agent.cli.options import polygon
from agent.cli.zone import draw_zones
from agent.config.load import load
from agent.config.schema import Camera, Line, Mask, Zone
from tests.cli.conftest import Vedette

SQUARE = "0.1,0.1 0.9,0.1 0.9,0.9 0.1,0.9"


@pytest.fixture
def with_camera(vedette: Vedette) -> Vedette:
    vedette("camera", "add", "door", "rtsp://192.0.2.1/")
    return vedette


def test_a_zone_is_added_listed_and_removed(with_camera: Vedette, config: Path) -> None:
    added = with_camera(
        "zone", "add", "door", "yard", "--polygon", SQUARE,
        "--rule", "loitering", "--rule", "intrusion", "--label", "person", "--label", "car",
        "--loitering-dwell-s", "12",
    )  # fmt: skip
    assert added.code == 0, added.err
    zone = load(config).cameras["door"].zones["yard"]
    assert zone.rules == ("loitering", "intrusion")
    assert zone.labels == ("person", "car")
    assert zone.loitering_dwell_s == 12
    assert SQUARE in with_camera("zone", "list").out
    assert json.loads(with_camera("zone", "list", "door", "--json").out)[0]["zone"] == "yard"
    assert with_camera("zone", "remove", "door", "yard").code == 0
    assert load(config).cameras["door"].zones == {}


def test_a_zone_may_only_count(with_camera: Vedette, config: Path) -> None:
    assert with_camera("zone", "add", "door", "yard", "--polygon", SQUARE, "--rule", "none").code == 0
    assert load(config).cameras["door"].zones["yard"].rules == ()
    assert with_camera("zone", "add", "door", "x", "--polygon", SQUARE, "--rule", "none", "--rule", "running").code == 3
    assert list(load(config).cameras["door"].zones) == ["yard"]


def test_the_help_names_the_defaults_of_a_zone() -> None:
    add = typer.main.get_command(build_app()).commands["zone"].commands["add"]  # type: ignore[attr-defined]
    helps = {param.name: param.help or "" for param in add.params if hasattr(param, "help")}
    told = {name: match[1] for name, text in helps.items() if (match := re.search(r"([\d.]+) if left out", text))}
    assert len(told) == 7
    assert told == {name: f"{Zone.model_fields[name].default:g}" for name in told}
    for option, name in (("rule", "rules"), ("label", "labels")):
        assert f"{Zone.model_fields[name].default[0]} if left out" in helps[option]


def test_a_zone_tells_only_what_has_a_name_where_that_is_asked(with_camera: Vedette, config: Path) -> None:
    asked = ("--polygon", SQUARE, "--rule", "abandoned_object")
    assert with_camera("zone", "add", "door", "yard", *asked).code == 0
    assert with_camera("zone", "add", "door", "shelf", *asked, "--named-objects-only").code == 0
    zones = load(config).cameras["door"].zones
    assert zones["yard"].watches_any_object
    assert not zones["shelf"].watches_any_object
    refused = with_camera("zone", "add", "door", "gate", "--line", "0.1,0.6 0.9,0.6", "--named-objects-only")
    assert refused.code == 2
    assert "--named-objects-only is not for lines" in refused.err


def test_zones_and_lines_may_ask_for_size_and_sureness(with_camera: Vedette, config: Path) -> None:
    asked = ("--min-height", "0.15", "--min-score", "0.6")
    assert with_camera("zone", "add", "door", "yard", "--polygon", SQUARE, *asked).code == 0
    assert with_camera("zone", "add", "door", "gate", "--line", "0.1,0.6 0.9,0.6", *asked).code == 0
    door = load(config).cameras["door"]
    for part in (door.zones["yard"], door.lines["gate"]):
        assert (part.min_height, part.min_score) == (0.15, 0.6)
    assert with_camera("zone", "add", "door", "far", "--polygon", SQUARE, "--min-height", "15").code == 2
    assert with_camera("config", "set", "cameras.door.zones.yard.min_score", "60").code == 3


def test_a_line_is_added_listed_and_removed(with_camera: Vedette, config: Path) -> None:
    added = with_camera(
        "zone", "add", "door", "gate", "--line", "0.1,0.6 0.9,0.6", "--direction", "in",
        "--hours", "mon-fri 22:00-06:00", "--timezone", "Europe/Vienna",
    )  # fmt: skip
    assert added.code == 0, added.err
    line = load(config).cameras["door"].lines["gate"]
    assert (line.line, line.direction, line.hours) == (((0.1, 0.6), (0.9, 0.6)), "in", ("mon-fri 22:00-06:00",))
    assert "crossing: in" in with_camera("zone", "list").out
    assert with_camera("zone", "add", "door", "gate", "--polygon", SQUARE).code == 2
    assert with_camera("zone", "remove", "door", "gate").code == 0
    assert load(config).cameras["door"].lines == {}


@pytest.mark.parametrize(
    "corners",
    [
        "",
        "0,0 1,1",
        "0,0 1,1 2,2",
        "0,0 1,1 -0.1,0",
        "0,0 1 1,1",
        "a,b c,d e,f",
        "0,0 0.5,0.5 1,1",
        "0,0,0 1,1 1,0",
        "nan,0 1,1 0,1",
    ],
)
def test_corners_that_make_no_polygon_are_refused_with_an_example(corners: str) -> None:
    with pytest.raises(typer.BadParameter, match="For example"):
        polygon(corners)


@pytest.mark.parametrize(("count", "fits"), [(2, False), (3, True), (64, True), (65, False)])
def test_a_polygon_has_3_to_64_corners(count: int, fits: bool) -> None:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    text = " ".join(f"{0.5 + 0.4 * np.cos(angle):.6f},{0.5 + 0.4 * np.sin(angle):.6f}" for angle in angles)
    if fits:
        assert len(polygon(text)) == count
    else:
        with pytest.raises(typer.BadParameter):
            polygon(text)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "shed", "yard", "--polygon", SQUARE), 2, "there are door"),
        (("add", "door", "The\tYard", "--polygon", SQUARE), 2, "U+0009"),
        (("add", "door", "yard", "--polygon", SQUARE, "--rule", "loiter"), 3, "Did you mean loitering?"),
        (("add", "door", "yard", "--polygon", SQUARE, "--hours", "mon-fry"), 3, "none of mon, tue"),
        (("add", "door", "yard", "--polygon", SQUARE, "--timezone", "Vienna"), 3, "Europe/Vienna"),
        (("add", "door", "yard", "--polygon", SQUARE, "--direction", "in"), 2, "not for zones"),
        (("add", "door", "gate", "--line", "0,0 1,1", "--rule", "intrusion"), 2, "not for lines"),
        (("add", "door", "gate", "--line", "0,0 1,1", "--direction", "inn"), 3, "Did you mean in?"),
        (("add", "door", "gate", "--line", "0,0"), 2, "2 to 64 points"),
        (("add", "door", "gate", "--line", "0.5,0.5 0.5,0.5"), 2, "no length"),
        (("add", "door", "gate"), 2, "give one of them"),
        (("remove", "door", "yard"), 2, "there is none yet"),
        (("list", "shed"), 2, "there are door"),
        (("draw", "shed"), 2, "there are door"),
    ],
)
def test_what_does_not_fit_is_told(arguments: tuple[str, ...], code: int, told: str, with_camera: Vedette) -> None:
    ended = with_camera("zone", *arguments)
    assert ended.code == code
    assert told in ended.err


def test_a_zone_that_is_there_needs_replace(with_camera: Vedette, config: Path) -> None:
    with_camera("zone", "add", "door", "yard", "--polygon", SQUARE)
    assert with_camera("zone", "add", "door", "yard", "--polygon", "0,0 1,0 1,1").code == 2
    assert with_camera("zone", "add", "door", "yard", "--polygon", "0,0 1,0 1,1", "--replace").code == 0
    assert len(load(config).cameras["door"].zones["yard"].polygon) == 3


def test_the_drawing_shows_zones_in_green_and_masks_in_red() -> None:
    zone = Zone(polygon=((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
    mask = Mask(polygon=((0.0, 0.0), (0.1, 0.0), (0.1, 1.0), (0.0, 1.0)))
    picture = draw_zones(np.zeros((101, 201, 3), np.uint8), Camera(url="x", zones={"yard": zone}, masks={"sky": mask}))
    assert tuple(picture[25, 120]) == (0, 220, 0)
    assert tuple(picture[55, 20]) == (220, 0, 0)
    assert tuple(picture[33, 117]) == (0, 0, 0)


def test_the_drawing_shows_a_line_with_an_arrow_to_its_inner_side() -> None:
    camera = Camera(url="x", lines={"gate": Line(line=((0.1, 0.5), (0.9, 0.5)))})
    picture = draw_zones(np.zeros((101, 201, 3), np.uint8), camera)
    assert tuple(picture[50, 150]) == (240, 220, 0)
    assert tuple(picture[55, 100]) == (240, 220, 0)
    assert tuple(picture[45, 105]) == (0, 0, 0)


def test_a_label_that_the_model_does_not_know_is_told_at_once(with_camera: Vedette) -> None:
    added = with_camera("zone", "add", "door", "yard", "--polygon", SQUARE, "--label", "preson", "--label", "car")
    assert added.code == 0
    assert "knows no 'preson': did you mean person?" in added.err
    assert "'car'" not in added.err
    assert with_camera("zone", "add", "door", "path", "--line", "0.1,0.5 0.9,0.5").err == ""
