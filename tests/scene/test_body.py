"""Postures and paces, read off the boxes of one person."""

from agent.scene.behaviour import Body
from agent.types import Box
from tests.scene.observe import ASPECT, ns, person


def body_of(*boxes: Box, speed: float = 0.0) -> Body:
    body = Body()
    for k, box in enumerate(boxes):
        body.see(ns(0.1 * k), box, ASPECT, speed)
    return body


def standing_box(bottom: float = 0.9, height: float = 0.4, ratio: float = 0.4) -> Box:
    return person(0.5, bottom, height=height, ratio=ratio).box


def test_paces_by_body_heights_per_second() -> None:
    stand, walk, run = (body_of(*[standing_box()] * 20, speed=speed).behaviour for speed in (0.05, 0.6, 2.0))
    assert (stand, walk, run) == ("standing", "walking", "running")


def test_lying_is_wide_and_low() -> None:
    assert body_of(*[standing_box(height=0.12, ratio=2.4)] * 10).behaviour == "lying"
    assert body_of(*[standing_box(height=0.3, ratio=0.75)] * 10).behaviour == "standing"


def test_lying_along_the_line_of_sight_is_short() -> None:
    body = body_of(*[standing_box()] * 10, *[standing_box(height=0.14, ratio=0.85)] * 10)
    assert body.behaviour == "lying"


def test_who_walks_out_of_the_picture_does_not_lie() -> None:
    leaving = [
        Box(left_frac=0.45, top_frac=top, right_frac=0.54, bottom_frac=1.0)
        for top in (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.88, 0.91, 0.94, 0.97)
    ]
    assert body_of(*[standing_box(0.97)] * 5, *leaving).behaviour != "lying"


def test_whoever_is_cut_off_at_the_side_keeps_the_posture() -> None:
    lying = [standing_box(height=0.12, ratio=2.4)] * 10
    leaving = [Box(left_frac=0.0, top_frac=0.78, right_frac=0.03, bottom_frac=0.9)] * 3
    assert body_of(*lying, *leaving).behaviour == "lying"
