"""The probe of a network that knows actions: where it looks, what is played, and that no fold judges itself."""

import numpy as np
import pytest

pytest.importorskip("torch")

from agent.types import Box, Detection, PictureStats, Seen
from models.fusion.movinet import SIZE_PX, WIDTH, crossed, cut, played, square
from models.fusion.probe import judged, probe
from models.fusion.train import FOLDS


def box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(left_frac=left, top_frac=top, right_frac=right, bottom_frac=bottom)


def seen(*boxes: Box, label: str = "person") -> Seen:
    stats = PictureStats(brightness_frac=0.5, contrast_frac=0.2, sharpness_frac=1.0, moving_frac=0.0)
    found = tuple(Detection(label=label, score_prob=0.9, box=one) for one in boxes)
    return Seen(camera="c", at_ns=0, aspect_ratio=2.0, stats=stats, detections=found)


def test_the_square_holds_the_people_and_no_more_than_the_picture() -> None:
    two = seen(box(0.2, 0.4, 0.3, 0.8), box(0.3, 0.4, 0.4, 0.8))
    x, y, side = square([two] * 20, 2.0)
    assert (x, y) == pytest.approx((0.6, 0.6), abs=0.02)  # in picture heights: the picture is twice as wide as high
    assert 0.4 < side < 0.5
    assert square([seen(box(0.2, 0.4, 0.3, 0.8), label="car")], 2.0) == (1.0, 0.5, 2.0)
    assert square([seen(box(0.5, 0.5, 0.51, 0.52))] * 3, 2.0)[2] == pytest.approx(0.35)


@pytest.mark.parametrize("height", [100, 720])
def test_what_is_cut_out_is_what_the_square_names_whether_enlarged_or_not(height: int) -> None:
    picture = np.zeros((height, 2 * height, 3), np.uint8)
    picture[height // 4 : height // 2, height // 2 : height] = 255
    found = cut(picture, (0.75, 0.375, 0.25))
    assert found.shape == (SIZE_PX, SIZE_PX, 3)
    assert found[10:-10, 10:-10].min() > 250
    outside = cut(picture, (0.0, 0.0, 0.5))
    assert outside[: SIZE_PX // 2 - 2, : SIZE_PX // 2 - 2].max() == 0


def test_a_short_clip_goes_to_and_fro_and_a_long_one_ends() -> None:
    pictures = [np.full((1, 1, 3), value, np.uint8) for value in range(250)]
    assert [int(one[0, 0, 0]) for one in played(pictures[:3])] == [0, 1, 2, 2, 1, 0]
    assert len(played(pictures)) == 100


def test_the_probe_tells_apart_what_can_be_told_apart() -> None:
    chance = np.random.default_rng(3)
    truth = np.arange(80) % 4 == 0
    rows = chance.normal(size=(80, WIDTH)).astype(np.float32)
    rows[truth, 7] += 6.0
    told = judged(probe(rows, truth, 10.0), rows)
    assert told[truth].min() > told[~truth].max()


def test_no_fold_is_judged_by_what_learned_from_it() -> None:
    """Each fold's fights are marked in a place of their own: only who saw the fold could tell them."""
    truth, folds = np.tile([True, False], 25), np.arange(50) // 2 % FOLDS
    rows = np.zeros((50, WIDTH), np.float32)
    rows[np.arange(50)[truth], folds[truth]] = 1.0
    nothing = np.zeros((0, WIDTH), np.float32), np.zeros(0, bool)
    assert np.ptp(crossed(rows, truth, folds, 10.0, nothing)[folds == 0]) < 0.1
    known = judged(probe(rows, truth, 1.0), rows)
    assert known[truth].min() > known[~truth].max()
