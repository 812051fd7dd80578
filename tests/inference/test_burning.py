"""When the part in which something may burn is looked at closer, where, and what is told of it."""

from dataclasses import replace

import numpy as np
import pytest

from agent.inference.burning import FAINT_LLR, IDLE_LOOKS_PER_S, LOOKS_PER_S, BurningLooks
from agent.inference.vision import Sight
from agent.types import NS_PER_S, Burning, Frame, Score

WIDTH_PX, HEIGHT_PX = 320, 180


def scores(fire: float, smoke: float = -6.0) -> tuple[Score, ...]:
    return tuple(Score(label=label, prob=0.5, llr=llr) for label, llr in (("fire", fire), ("smoke", smoke)))


def sight(head: float, judge: float, hottest: tuple[float, float] = (0.5, 0.5)) -> Sight:
    return Sight((), scores(head), (), scores(judge), hottest)


class Shows:
    """A model whose second judge says the same of every part, and which keeps the parts."""

    smallest_px = (320, 192)

    def __init__(self, part: float) -> None:
        self.part, self.pictures = part, []

    def export_for(self, *_: int) -> tuple[int, int]:
        return self.smallest_px

    def look(self, picture, **_):
        self.pictures.append(picture)
        return Sight((), scores(0.0), (), scores(self.part), (0.5, 0.5))


class Native:
    """A picture in its own size that keeps what was asked of it."""

    def __init__(self) -> None:
        self.asked = []

    def cut(self, corners, wide, high):
        self.asked.append((corners, wide, high))
        return np.zeros((high, wide, 3), np.uint8), corners


def frame(step: int, native: Native | None = None) -> Frame:
    rows, columns = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    picture = np.stack([rows, columns % 256, rows * 0], axis=2).astype(np.uint8)
    return Frame(
        camera="c", at_ns=step * NS_PER_S // 10, picture=picture, width_px=1280, height_px=720, native=native
    )  # fmt: skip


def told(model: Shows, shown: Sight, steps: int = 100, **kwargs: bool) -> list[Burning | None]:
    looks = BurningLooks(model, closely=True)
    return [looks.see(frame(step), shown, **kwargs) for step in range(steps)]


def test_a_graph_without_a_judge_tells_nothing() -> None:
    model = Shows(5.0)
    assert set(told(model, Sight((), scores(5.0)))) == {None}
    assert not model.pictures


def test_where_nothing_may_burn_nothing_is_looked_at_closer() -> None:
    model = Shows(5.0)
    found = told(model, sight(FAINT_LLR / 2 - 0.1, FAINT_LLR / 2))
    assert {(one.region, one.part) for one in found if one} == {(None, ())}
    assert not model.pictures


@pytest.mark.parametrize(("head", "judge"), [(FAINT_LLR + 3.1, -3.0), (-3.0, FAINT_LLR + 3.1)])
def test_both_judges_of_the_whole_together_ask_for_a_closer_look(head: float, judge: float) -> None:
    found = told(Shows(1.0), sight(head, judge))
    assert found[0] is not None
    assert found[0].part == scores(1.0)
    assert found[0].whole == scores(judge)


@pytest.mark.parametrize(("part", "per_s"), [(1.0, LOOKS_PER_S), (-1.0, IDLE_LOOKS_PER_S)])
def test_what_found_nothing_is_looked_at_more_rarely(part: float, per_s: float) -> None:
    model = Shows(part)
    told(model, sight(2.0, 2.0))
    assert len(model.pictures) == pytest.approx(10 * per_s, abs=1)


def test_an_agent_that_is_late_looks_at_the_whole_only() -> None:
    model = Shows(1.0)
    assert {one.part for one in told(model, sight(3.0, 3.0), closely=False) if one} == {()}
    looks = BurningLooks(model, closely=False)
    assert looks.see(frame(0), sight(3.0, 3.0)) == Burning(whole=scores(3.0))
    assert not model.pictures


@pytest.mark.parametrize(
    ("hottest", "corners"),
    [((0.5, 0.5), (0.25, 0.25, 0.75, 0.75)), ((0.0, 0.9), (0.0, 0.5, 0.5, 1.0)), ((1.0, 0.1), (0.5, 0.0, 1.0, 0.5))],
)
def test_the_half_around_the_hottest_place_is_cut_out_of_the_picture_in_its_own_size(hottest, corners) -> None:
    native = Native()
    found = BurningLooks(Shows(1.0), closely=True).see(frame(0, native), sight(2.0, 2.0, hottest))
    assert [asked[0] for asked in native.asked] == [pytest.approx(corners)]
    assert native.asked[0][1:] == Shows.smallest_px
    assert found is not None
    assert found.region is not None
    region = found.region
    assert (region.left_frac, region.top_frac, region.right_frac, region.bottom_frac) == pytest.approx(corners)


def test_a_small_picture_is_cut_itself() -> None:
    model = Shows(1.0)
    BurningLooks(model, closely=True).see(frame(0), sight(2.0, 2.0, (0.75, 0.5)))
    assert model.pictures[0].shape[:2] == pytest.approx((HEIGHT_PX / 2, WIDTH_PX / 2), abs=2)
    assert model.pictures[0][0, 0, 1] == pytest.approx(160, abs=2)


def test_a_source_that_begins_anew_is_looked_at_again() -> None:
    model = Shows(-1.0)
    looks = BurningLooks(model, closely=True)
    looks.see(frame(1000), sight(2.0, 2.0))
    looks.see(replace(frame(0), at_ns=0), sight(2.0, 2.0))
    assert len(model.pictures) == 2
