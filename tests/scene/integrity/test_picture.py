"""A camera that is covered, pushed, blurred, dazzled or frozen is told, as what it is; light and filters are not."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.features.picture import Prepared, picture_stats
from agent.scene import Policy, Scene
from agent.scene.integrity.picture import resemblance
from agent.types import IncidentChange, Opened, PictureStats
from tests.scene.observe import closed, kinds, ns, seen
from tests.scene.pictures import scribbled

WIDTH, HEIGHT, FPS = 160, 90, 4
CALM_S = 36.0
Picture = NDArray[np.float32]
Alter = Callable[[float, "Picture"], "Picture"]


PLACE = scribbled(3, HEIGHT + 60, WIDTH + 100)
"""A wide picture, of which the camera sees the middle."""
NOISE = np.random.default_rng(4).normal(0, 2, (HEIGHT + 64, WIDTH + 64, 1)).astype(np.float32)


def seen_from(across: int = 0, down: int = 0) -> Picture:
    return PLACE[30 + down : 30 + down + HEIGHT, 50 + across : 50 + across + WIDTH]


def stats_of(alter: Alter, end_s: float, before: Picture | None = None) -> list[tuple[float, PictureStats]]:
    found, previous = [], None
    calm = seen_from() if before is None else before
    for index in range(round((CALM_S + end_s) * FPS)):
        at_s = index / FPS - CALM_S
        picture = alter(at_s, calm) if at_s >= 0.0 else calm
        left, top = index * 7 % 64, index * 13 % 64
        noise = 0.0 if alter is frozen and at_s >= 0.0 else NOISE[top : top + HEIGHT, left : left + WIDTH]
        now = Prepared.of(np.asarray((picture + noise).round().clip(0, 255), np.uint8))
        found.append((at_s, picture_stats(now, previous)))
        previous = now
    return found


def played(alter: Alter, end_s: float = 10.0, before: Picture | None = None) -> list[IncidentChange]:
    scene, changes = Scene(Policy(), lateness_ns=0), []
    for at_s, stats in stats_of(alter, end_s, before):
        changes += scene.step(seen(at_s + CALM_S, stats=stats))
    return changes


def hand(at_s: float, picture: Picture) -> Picture:
    return np.full_like(picture, 70.0)


def push(at_s: float, picture: Picture) -> Picture:
    return seen_from(18, 9)


def turn(at_s: float, picture: Picture) -> Picture:
    if at_s < 0.6:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0 + 4.0 * at_s), np.float32)
    return picture[::-1, ::-1]


def cut(at_s: float, picture: Picture) -> Picture:
    return picture[::-1, ::-1]


def paint(at_s: float, picture: Picture) -> Picture:
    """Drops of one red that grow within 1.5 s, with edges everywhere, a tenth of the picture left."""
    drops = cv2.resize(np.random.default_rng(9).random((12, 22)).astype(np.float32), (WIDTH, HEIGHT))
    return np.where(
        (drops < np.quantile(drops, 0.9 * min(1.0, at_s / 1.5)))[..., None],
        np.array([170, 30, 40], np.float32),
        picture,
    )


def defocus(at_s: float, picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3.0), np.float32)


def lamp(at_s: float, picture: Picture) -> Picture:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return picture * 0.4 + 900.0 * np.exp(-((x - 80) ** 2 + (y - 45) ** 2) / 4000.0)[..., None]


def frozen(at_s: float, picture: Picture) -> Picture:
    return picture


def dim(at_s: float, picture: Picture) -> Picture:
    return picture * 0.25 + 3.0


def dusk(at_s: float, picture: Picture) -> Picture:
    return picture * (1.0 - 0.075 * at_s)


def infrared(at_s: float, picture: Picture) -> Picture:
    if at_s < 0.5:
        return picture * 0.05
    grey = 255.0 - picture[..., :1] * 0.7 - picture[..., 1:2] * 0.1
    return np.repeat(grey, 3, axis=2)


def fog() -> Picture:
    """Bluish waves in fog: nothing of them is left where a lamp beside the lens lights the fog."""
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    waves = 150.0 + 40.0 * np.sin((x + 3.0 * np.sin(y / 9.0)) / 3.0 + y / 5.0) * (y > HEIGHT / 3)
    return np.asarray(waves[..., None] * np.array([0.85, 0.95, 1.05], np.float32), np.float32)


def lit_fog(at_s: float, picture: Picture) -> Picture:
    """What the infrared lamp shows of fog: itself."""
    if at_s < 0.5:
        return picture * 0.05
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    spot = 40.0 + 180.0 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.08)
    return np.repeat(np.asarray(spot, np.float32)[..., None], 3, axis=2)


def passer(at_s: float, picture: Picture) -> Picture:
    return np.full_like(picture, 60.0) if at_s < 1.5 else picture


def truck(at_s: float, picture: Picture) -> Picture:
    half = picture.copy()
    half[:, : WIDTH // 3] = 90.0
    return half


@pytest.mark.parametrize(
    ("alter", "kind"),
    [
        (hand, "camera_covered"),
        (paint, "camera_covered"),
        (lamp, "camera_covered"),
        (push, "camera_moved"),
        (turn, "camera_moved"),
        (defocus, "camera_blurred"),
        (frozen, "camera_frozen"),
    ],
)
def test_what_is_done_to_a_camera_is_told_within_5_s_as_what_it_is(alter: Alter, kind: str) -> None:
    changes = played(alter)
    assert kinds(changes) == [kind]
    assert changes[0].incident.at_ns <= ns(CALM_S + 5.0)


@pytest.mark.parametrize("alter", [dim, dusk, infrared, passer, truck, cut])
def test_light_a_filter_and_who_passes_do_nothing(alter: Alter) -> None:
    assert kinds(played(alter)) == []


def test_after_a_cut_the_new_place_is_watched() -> None:
    def both(at_s: float, picture: Picture) -> Picture:
        return cut(at_s, picture) if at_s < 15.0 else hand(at_s, picture)

    changes = played(both, 25.0)
    assert kinds(changes) == ["camera_covered"]
    assert ns(CALM_S + 15.0) < changes[0].incident.at_ns <= ns(CALM_S + 20.0)


def test_red_paint_on_a_grey_place_is_no_filter() -> None:
    def grey(at_s: float, picture: Picture) -> Picture:
        shown = np.repeat(seen_from().mean(axis=2, keepdims=True), 3, axis=2)
        return shown if at_s < 30.0 else paint(at_s - 30.0, shown)

    changes = played(grey, 40.0)
    assert [kind for kind in kinds(changes) if kind == "camera_covered"] == ["camera_covered"]
    told = next(change.incident for change in changes if change.incident.kind == "camera_covered")
    assert ns(CALM_S + 30.0) < told.at_ns <= ns(CALM_S + 35.0)


def test_a_filter_that_switches_in_fog_where_its_lamp_makes_all_edges_is_told_by_the_colours_it_takes() -> None:
    assert kinds(played(lit_fog, 12.0, before=fog())) == []


def test_day_after_a_night_whose_edges_the_lamp_made_is_no_covered_camera() -> None:
    lamp_lit = seen_from()[..., :1] * 0.05 + lit_fog(1.0, seen_from())[..., :1] * 0.6

    def day(at_s: float, picture: Picture) -> Picture:
        return picture * 0.05 if at_s < 0.5 else seen_from() * np.float32(0.3) + np.float32(100.0)

    assert kinds(played(day, 12.0, before=np.repeat(lamp_lit, 3, axis=2))) == []


def test_a_coder_that_rests_in_most_of_the_picture_does_not_hide_that_it_froze() -> None:
    base = stats_of(frozen, 10.0)
    restless = int("1" * 9, 2)  # nine blocks that stir in every other picture
    quiet = [
        stats if at_s > 0.0 else replace(stats, differing_frac=0.02, stirred=restless * (round(at_s * FPS) % 2))
        for at_s, stats in base
    ]
    scene, changes = Scene(Policy(), lateness_ns=0), []
    for (at_s, _), stats in zip(base, quiet, strict=True):
        changes += scene.step(seen(at_s + CALM_S, stats=stats))
    assert kinds(changes) == ["camera_frozen"]


def test_a_still_picture_is_not_frozen_where_it_was_only_people_who_moved() -> None:
    base = stats_of(frozen, 10.0)
    walking = [
        stats if at_s > 0.0 else replace(stats, differing_frac=0.2, stirred=0x3FF << (round(at_s * FPS) % 38))
        for at_s, stats in base
    ]
    scene, changes = Scene(Policy(), lateness_ns=0), []
    for (at_s, _), stats in zip(base, walking, strict=True):
        changes += scene.step(seen(at_s + CALM_S, stats=stats))
    assert kinds(changes) == []


def test_a_lamp_is_told_as_dazzling() -> None:
    assert "dazzled" in played(lamp)[0].incident.summary


def test_a_hand_after_the_filter_switched_is_told_too() -> None:
    def both(at_s: float, picture: Picture) -> Picture:
        return infrared(at_s, picture) if at_s < 15.0 else hand(at_s, picture)

    changes = played(both, 25.0)
    assert kinds(changes) == ["camera_covered"]
    assert ns(CALM_S + 15.0) < changes[0].incident.at_ns <= ns(CALM_S + 20.0)


def test_a_camera_left_where_it_was_moved_to_is_accepted_there_and_watched_on() -> None:
    def stays(at_s: float, picture: Picture) -> Picture:
        return seen_from(18, 9) if at_s < 230.0 else seen_from(-18, -9)

    changes = played(stays, 245.0)
    first, second = [change.incident for change in changes if isinstance(change, Opened)]
    assert (first.kind, second.kind) == ("camera_moved", "camera_moved")
    (end,) = [incident for incident in closed(changes) if incident.ordinal == first.ordinal]
    assert ns(CALM_S + 180.0) <= end.at_ns <= ns(CALM_S + 215.0)
    assert ns(CALM_S + 230.0) < second.at_ns <= ns(CALM_S + 235.0)


def test_a_repeated_picture_that_is_coded_anew_now_and_then_is_frozen_too() -> None:
    base = stats_of(frozen, 10.0)
    coded = [stats if at_s <= 0.5 or round(at_s * FPS) % 8 else _stirred(stats) for at_s, stats in base]
    scene, changes = Scene(Policy(), lateness_ns=0), []
    for (at_s, _), stats in zip(base, coded, strict=True):
        changes += scene.step(seen(at_s + CALM_S, stats=stats))
    assert kinds(changes) == ["camera_frozen"]


def _stirred(stats: PictureStats) -> PictureStats:
    return replace(stats, differing_frac=0.4, noise_frac=0.4)


def test_a_look_is_recognised_under_other_light_and_not_behind_a_hand() -> None:
    look = tuple((k * 37 % 48) / 48 for k in range(48))
    assert resemblance(look, tuple(0.3 * cell + 0.1 for cell in look)) == pytest.approx(1.0)
    assert resemblance(look, (0.2,) * 48) == 0.0
    assert resemblance((), look) == 1.0
