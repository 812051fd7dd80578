"""Recipes of fusion: what film, calm of the same camera and mixup put into examples, and how recipes are counted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from models.fusion.clips import Clip
from models.fusion.net import STREAMS
from models.fusion.recipes import BUDGETS, Counted, counted, row
from models.fusion.train import mixed
from models.fusion.windows import FILM, WIDTHS, Examples, Mix, Sequence16, _targets

CLIP = Clip("made", Path("made.mp4"), "fight", ((0.0, 6.0, "fight"),), "me/mine", "none", "g1", "train", 6.0)


def made(kind: str, group: str, value: float = 0.0, length: int = 12) -> Sequence16:
    """Steps in each of which every number is `value`, so that an example tells whose it is."""
    clip = replace(CLIP, name=f"{kind} {group}", kind=kind, group=group, events=CLIP.events if kind == "fight" else ())
    rows = {name: np.full((length, WIDTHS[name]), value, np.float32) for name in STREAMS}
    known = {name: np.ones(length, np.float32) for name in STREAMS}
    return Sequence16(clip, 0, rows, known, *_targets(clip, length))


PLAIN = Mix(cut=0.0, splice=0.0, no_scene=0.0, no_people=0.0, drop_step=0.0, noise=0.0)


def drawn(mix: Mix, size: int = 400) -> np.ndarray:
    """The newest step of each example: a fight (1) and calm (2) of one camera, calm of another (3), film (4)."""
    clips = [made("fight", "a", 1.0), made("normal", "a", 2.0), made("normal", "b", 3.0), made(FILM, "film c", 4.0)]
    return Examples(clips, [], 5, mix).batch(size)["people"][:, -1, 0]


def test_film_is_learned_from_only_as_often_as_the_recipe_says() -> None:
    assert not (drawn(PLAIN) == 4.0).any()
    share = float((drawn(replace(PLAIN, film=0.2)) == 4.0).mean())
    assert 0.15 < share / 0.8 < 0.35  # of what there is here: fights, calm and film are .8 of all examples


def test_calm_of_the_fights_own_camera_is_drawn_more_often_where_asked_for() -> None:
    def own(mix: Mix) -> float:
        found = drawn(mix)
        return float((found == 2.0).sum() / (found >= 2.0).sum())

    assert 0.4 < own(PLAIN) < 0.6
    assert own(replace(PLAIN, same_camera=1.0)) == 1.0


def test_mixup_lies_between_two_examples_and_so_does_what_they_show() -> None:
    batch = Examples([made("fight", "a", 1.0), made("normal", "a", 0.0)], [], 5, PLAIN).batch(64)
    batch["weights"][0] = 0.0
    found = mixed(batch, 1.0, np.random.default_rng(3))
    shown = found["people"][:, -1, 0]
    assert ((shown > 0.05) & (shown < 0.95)).any()
    np.testing.assert_allclose(found["targets"][:, 0], shown, atol=1e-6)  # here a fight is what is 1
    assert found["weights"].sum() < batch["weights"].sum()  # what counts neither way goes on to whom it was mixed with
    assert set(np.unique(found["people_known"])) <= {0.0, 1.0}


def told(kind: str, group: str, logit: float) -> tuple[Sequence16, np.ndarray]:
    one = made(kind, group)
    return one, np.full(one.length, logit, np.float32)


def test_fights_are_counted_at_what_so_many_calm_clips_reach() -> None:
    fights = [told("fight", f"f{i}", 6.0) for i in range(5)] + [told("fight", "quiet", -6.0)]
    calm = [told("normal", f"c{i}", -6.0) for i in range(19)] + [told("normal", "loud", 9.0)]
    film = [told(FILM, "film loud", 9.0), told(FILM, "film still", -6.0)]
    found = counted([*fights, *calm, *film], {})
    assert found.auc == pytest.approx((5 * 19 + 0.5 * 19) / (6 * 20))
    # One of twenty is false where 5 % and more may be; below that, nothing opens that is not higher than the loud one.
    allowed = sum(budget >= 0.05 for budget in BUDGETS) / len(BUDGETS)
    assert found.fights["as they are", "fight f0"] == ("f0", pytest.approx(allowed))
    assert found.fights["as they are", "fight quiet"][1] == 0.0
    assert found.film == pytest.approx(allowed)
    assert found.films == 2


def test_a_row_tells_the_gain_over_the_plain_recipe() -> None:
    keys = [("as they are", f"clip {i}") for i in range(4)]
    plain = Counted(0.8, 0.7, {key: (f"g{i}", 0.0) for i, key in enumerate(keys)}, 2.0, 10)
    better = Counted(0.9, 0.8, {key: (f"g{i}", 1.0) for i, key in enumerate(keys)}, 1.0, 10)
    line = row("better", [better, better], [plain])
    assert "+1.000 (+1.000 to +1.000)" in line
    assert "4.0 (4, 4)" in line
    assert "1.0 of 10" in line
