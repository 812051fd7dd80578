"""What the scene head learns from: views with and without flames, and what is said of their cells."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.scenes.fluid import Plume
from models.vision import burning, scene, scene_views
from models.vision.frozen import Example, examples
from models.vision.network import pool_evidence
from models.vision.records import Record


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures/a.png"), np.full((180, 320, 3), 90, np.uint8))
    monkeypatch.setattr(scene_views, "BUILD", tmp_path)
    return [Record("a.png", "ours", "a", "ours", "g", fire=0, smoke=0)]


def moments() -> list[Plume]:
    plume = Plume(burning.FIRST_SEED)
    for _ in range(80):
        plume.step(0.8)
    return [plume]


def test_each_view_with_flames_is_followed_by_the_same_view_without(quiet: list[Record]) -> None:
    views = list(scene_views.burning_views(quiet, moments(), 6, 2, seed=1))
    assert len(views) == 14
    for number in range(6):
        (lit, _, said), (dark, _, nothing) = views[2 * number : 2 * number + 2]
        assert nothing == (0.0, 0.0)
        assert said[0] == 1.0 or math.isnan(said[0])
        assert math.isnan(said[1])
        assert not np.array_equal(lit, dark)
    assert all(said == (0.0, 0.0) for _, _, said in views[12:])


def test_the_middle_of_our_flames_is_flame_their_rim_unknown_and_the_rest_none(quiet: list[Record]) -> None:
    told = 0
    for _, cells, said in scene_views.burning_views(quiet, moments(), 6, 0, seed=1):
        if said[0] == 1.0:
            told += 1
            assert (cells[0] == 1.0).any()
            assert (cells[0] == 0.0).sum() > cells[0].size / 2
            assert np.isnan(cells[0]).any()
            assert np.isnan(cells[1]).all()
        elif said[0] == 0.0:
            assert (cells == 0.0).all()
    assert told > 2


def test_somewhere_in_a_real_box_is_what_its_label_says() -> None:
    record = Record("a.png", "theirs", "a", "MIT", "g", fire=1, smoke=0, scene_boxes=[[0, 0.25, 0.25, 0.5, 0.75]])
    cells = scene_views.cells_of(record, scene_views.boxes_of(record), (8, 8))
    assert (cells[0, 2:6, 2:4] == scene_views.SOMEWHERE).all()
    assert np.isnan(cells[0, 1, 1:5]).all()
    assert (cells[0, 0] == 0).all()
    assert (cells[1] == 0).all()
    undrawn = Record("a.png", "theirs", "a", "MIT", "g", fire=1)
    assert np.isnan(scene_views.cells_of(undrawn, np.zeros((0, 4), np.float32), (8, 8))).all()


def test_a_box_whose_cells_say_nothing_costs_more_than_one_with_a_sure_cell() -> None:
    maps, inside = torch.full((1, 2, 4, 4), -3.0), torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    inside[0, 0, 1:3, 1:3] = True
    dull = float(scene.boxed(maps, inside))
    maps[0, 0, 1, 1] = 6.0
    assert float(scene.boxed(maps, inside)) < 0.1 < dull
    assert float(scene.boxed(maps, torch.zeros_like(inside))) == 0.0


def test_one_sure_cell_says_fire_and_it_takes_more_for_smoke() -> None:
    maps = torch.full((1, 2, 12, 20), -3.0)
    maps[:, :, 5, 5] = 2.0
    fire, smoke = (float(value) for value in pool_evidence(maps)[0])
    assert fire > 1.9
    assert smoke < 1.0


def test_our_pictures_say_nothing_of_smoke() -> None:
    one = Example(*(torch.zeros(1, 1, 1) for _ in range(3)), torch.tensor([1.0, 0.0]), torch.zeros(2, 2, 2))
    told = scene.of_fire_only(one)
    assert float(told.labels[0]) == 1.0
    assert math.isnan(float(told.labels[1]))
    assert (told.cells[0] == 0).all()
    assert bool(told.cells[1].isnan().all())


def test_a_head_learns_what_stands_out_and_keeps_the_average_of_its_weights() -> None:
    chance = torch.Generator().manual_seed(0)

    def example(fire: float) -> Example:
        c8, c16, p16 = (0.1 * torch.randn(c, s, s, generator=chance).abs() for c, s in ((116, 8), (232, 4), (96, 4)))
        c16[:20, 1, 2] += 2.0 * fire
        return Example(c8, c16, p16, torch.tensor([fire, float("nan")]), torch.full((2, 4, 4), math.nan))

    train, dev = ([example(float(n % 2)) for n in range(count)] for count in (256, 32))
    told = [(float(item.labels[0]), item) for item in dev]
    smoke_known = [Example(e.c8, e.c16, e.p16, torch.tensor([fire, fire]), e.cells) for fire, e in told]
    torch.manual_seed(0)
    head = scene.anew()
    figures = scene.fit_head(head, train, smoke_known, smoke_known, 6, 0)
    assert figures["fire_ap"] > 0.95
    assert scene.dev_figures(head, smoke_known)["fire_ap"] == figures["fire_ap"]


def test_features_that_lie_there_are_not_computed_again(tmp_path: Path) -> None:
    asked = []

    def look(canvas: np.ndarray) -> list[torch.Tensor]:
        asked.append(canvas)
        return [torch.full((1, 1, 1), float(canvas.mean()))] * 3

    views = [(np.full((2, 2, 3), n, np.uint8), np.zeros((2, 1, 1), np.float32), (1.0, math.nan)) for n in range(3)]
    first = examples(look, views, tmp_path / "kept.pt")
    again = examples(look, views, tmp_path / "kept.pt")
    assert len(asked) == 3
    assert [float(e.c8) for e in again] == [float(e.c8) for e in first] == [0.0, 1.0, 2.0]
    assert math.isnan(float(again[0].labels[1]))
