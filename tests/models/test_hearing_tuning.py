"""The verifier's upper blocks learn from kept maps, forget little, and never hear what is held out."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="needs the extra `train`")
pytest.importorskip("soundfile", reason="needs the extra `train`")
torch = pytest.importorskip("torch", reason="needs the extra `train`")

from models.hearing import maps, tuning
from models.hearing.labels import VERIFIED
from models.hearing.teachers import FOLDER
from models.hearing.verifier_rows import ALL, PARTS, Asked, Heard, Rows, Sounds, asked_of

COUNT = 64
pytestmark = pytest.mark.skipif(not (FOLDER / "mn04_as_mAP_432.pt").is_file(), reason="the teacher is not there")


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(1)
    weight = rng.normal(0, 0.01, (len(PARTS), len(VERIFIED), 192)).astype(np.float32)
    return Rows(weight, np.full((len(PARTS), len(VERIFIED)), -2.0, np.float32), np.arange(192))


def windows() -> tuple[np.ndarray, np.ndarray]:
    """Maps of noise, and which of them are shots: those with a louder fourth channel."""
    rng = np.random.default_rng(2)
    here, shots = rng.normal(0, 0.5, (COUNT, *maps.MAP)).astype(np.float16), np.arange(COUNT) % 2 == 0
    here[shots, 3] += 2
    return here, shots


def store(here: np.ndarray) -> tuning.Store:
    pooled = tuning.published_pooled(here)
    return tuning.Store(((here, pooled),), (here[:0], pooled[:0]))


def asked(shots: np.ndarray) -> list[Asked]:
    """Shots are asked of every window; another label is true where shots are not and asked nowhere else."""
    weight = np.full(COUNT, 1.0 / COUNT)
    every = np.ones(COUNT, bool)
    return [Asked(shots if label == 0 else shots & (np.arange(COUNT) % 4 == 0), every, weight) for label in range(7)]


def test_training_tells_apart_what_it_is_asked_and_leaves_the_start_as_it_was(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BATCH", 16), ("WARM_UP", 2), ("RATE", 5e-3)):
        monkeypatch.setattr(tuning, name, value)
    here, shots = windows()
    start, rng = tuning.Upper(rows, ALL), np.random.default_rng(3)
    before = start.logits(here)[:, 0]
    draws = tuning.Draws(asked(shots), np.zeros(COUNT, bool), rng)
    end = tuning.trained(start, store(here), asked(shots), draws, rng, steps=60)
    after = end.logits(here)[:, 0]
    assert after[shots].mean() - after[~shots].mean() > before[shots].mean() - before[~shots].mean() + 0.5
    assert np.array_equal(start.logits(here)[:, 0], before)
    halfway = tuning.between(start, end, 0.0).logits(here)[:, 0]
    assert np.allclose(halfway, before, atol=1e-5)


def test_half_of_a_batch_is_true_and_what_is_half_believed_is_drawn_more_often() -> None:
    _, shots = windows()
    half_believed = np.arange(COUNT) < COUNT // 2
    draws = tuning.Draws(asked(shots), half_believed, np.random.default_rng(4))
    drawn = np.concatenate([draws.batch(64) for _ in range(20)])
    assert shots[drawn].mean() == pytest.approx(0.5)
    others = drawn[~shots[drawn]]
    assert half_believed[others].mean() == pytest.approx(0.75, abs=0.05)


def test_the_published_upper_blocks_say_what_they_said_of_the_whole_body(rows: Rows) -> None:
    """The body cut in two is the body: lower maps through the untrained upper blocks give its pooled features."""
    sound = np.random.default_rng(5).normal(0, 0.1, 32_240).astype(np.float32)
    here, pooled = maps.Lower()(sound)
    again = tuning.Upper(rows, ALL).pooled(torch.as_tensor(here[None])).detach().numpy()[0]
    assert np.corrcoef(again, pooled)[0, 1] > 0.99


def test_a_training_that_was_done_is_not_done_again(
    rows: Rows, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, shots = windows()
    sounds, heard = known(shots), Heard(np.arange(COUNT), np.random.default_rng(6).normal(size=(COUNT, 192)))
    monkeypatch.setattr(tuning, "KEPT", tmp_path)
    monkeypatch.setattr(tuning, "NETS", tmp_path / "nets.pt")  # type: ignore[operator]
    none = np.zeros(COUNT, bool)
    first = tuning.tuned(rows, heard, sounds, store(here), none, steps=2)
    monkeypatch.setattr(tuning, "trained", None)
    second = tuning.tuned(rows, heard, sounds, store(here), none, steps=2)
    loaded = tuning.Nets.load().parts
    for one, other, third in zip(first, second, loaded, strict=True):
        assert np.array_equal(one.logits(here), other.logits(here))
        assert np.array_equal(one.logits(here), third.logits(here))


def known(shots: np.ndarray) -> Sounds:
    """As many pieces as windows: shots and others, of eight sources, some of dev, some of either half."""
    row, none = np.arange(COUNT), np.zeros(COUNT, bool)
    truth = np.stack([shots & (row % 14 // 2 == label) for label in range(7)], axis=1)
    return Sounds(truth, np.zeros((COUNT, 7), bool), row, row // 8, row // 8 % 3, row % 16 == 15, ~none, ~none, none)


def test_what_a_training_leaves_out_counts_for_nothing() -> None:
    _, shots = windows()
    sounds, heard = known(shots), Heard(np.arange(COUNT), np.ones((COUNT, 4)))
    for part in range(len(PARTS)):
        taught = sounds.taught(part)
        assert not (taught & sounds.dev).any()
        assert part == ALL or not (taught & (sounds.part == part)).any()
        one = asked_of(0, (np.ones(4, np.float32), 0.0), heard, sounds, taught)
        assert not one.weight[~taught].any()
        assert one.weight[one.truth & one.asked].sum() == pytest.approx(0.5)
    assert replace(sounds, may_learn=np.zeros(COUNT, bool)).taught(ALL).sum() == 0


def test_a_damaged_window_is_another_sound_of_the_same_length() -> None:
    rng = np.random.default_rng(7)
    sound, other = rng.normal(0, 0.1, 32_240).astype(np.float32), rng.normal(0, 0.2, 32_240).astype(np.float32)
    for _ in range(4):
        made = maps.damaged(sound, other, rng)
        assert made.shape == sound.shape
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert not np.array_equal(made, sound)
