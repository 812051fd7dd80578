"""How thresholds and second opinions of sounds are fitted: by tails, across recordings, on what serving hears."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="needs the extra `train`")
pytest.importorskip("soundfile", reason="needs the extra `train`")
pytest.importorskip("scipy", reason="needs the extra `train`")

from agent.config.schema import Models
from agent.features.logmel import RATE_HZ
from agent.inference.hear import AFTER_END_S, AGAIN_S, Listener
from agent.types import SoundBlock
from models.hearing.clips import FOLDS, Clip
from models.hearing.heard import Noting, take
from models.hearing.incidents import (
    Fitted,
    Windows,
    adding_up,
    confirmed,
    crossfitted,
    held_out_as,
    highest,
    once_an_hour,
    opinion,
    traded,
)


def windows(rng: np.random.Generator, count: int = 400) -> Windows:
    """Half of the windows are true; the llr knows nothing of it, the third number of the embedding does."""
    truth = np.arange(count) % 2 == 0
    embeddings = rng.normal(size=(count, 8))
    embeddings[:, 2] += np.where(truth, 1.5, -1.5)
    group = np.arange(count) // 10
    return Windows(
        rng.normal(2.0, 1.0, count),
        embeddings,
        np.arange(count),
        np.zeros(count, int),
        truth,
        group,
        group % FOLDS,
        group % 3,
        group % 3,
        np.zeros(count, int),
    )


def test_an_opinion_is_told_by_what_the_score_does_not_know() -> None:
    made = windows(np.random.default_rng(1))
    found = opinion(made, np.ones(400, bool))
    assert np.abs(found.weights).argmax() == 2
    moves = found.moves(made.embeddings)
    assert moves[made.is_true].mean() > moves[~made.is_true].mean() + 0.5


def test_a_source_of_many_recordings_does_not_outvote_little_ones_where_they_count_alike() -> None:
    rng = np.random.default_rng(5)
    made = windows(rng)
    big = made.origin == 0
    embeddings = made.embeddings.copy()
    embeddings[:, 2] = rng.normal(size=400)
    embeddings[~big, 4] += np.where(made.is_true[~big], 1.5, -1.5)
    embeddings[big, 4] -= np.where(made.is_true[big], 1.5, -1.5)
    few = replace(made, embeddings=embeddings)
    chosen = big | (made.group < 8)
    told = [opinion(few, chosen, kind).moves(embeddings) for kind in ("scream", "gunshot")]
    one, other = (one[~big & made.is_true].mean() - one[~big & ~made.is_true].mean() for one in told)
    assert other > one


def test_one_window_alone_or_two_are_not_confirmed() -> None:
    made = windows(np.random.default_rng(6), 40)
    at_ns = np.tile(np.arange(10) * 500_000_000, 4)
    alone = replace(made, clip=np.repeat(np.arange(4), 10), at_ns=at_ns)
    level = np.zeros(40)
    level[3], level[14:16], level[[21, 22, 24]], level[[30, 31, 35]] = 9.0, 9.0, 9.0, 9.0
    assert highest(alone, confirmed(alone, level), 4).tolist() == [0.0, 0.0, 9.0, 0.0]


def test_what_a_recording_says_does_not_speak_for_itself() -> None:
    made = windows(np.random.default_rng(2))
    turned = replace(made, is_true=np.where(made.fold == 1, ~made.is_true, made.is_true))
    before, after = crossfitted(made), crossfitted(turned)
    assert np.array_equal(before[made.fold == 1], after[made.fold == 1])
    assert not np.array_equal(before[made.fold == 0], after[made.fold == 0])


def test_the_level_of_once_an_hour_is_read_off_an_exponential_tail() -> None:
    best = np.random.default_rng(3).exponential(1.5, 20_000)  # in 10 h: once an hour is ln(2000) · 1.5
    assert once_an_hour(best, 10.0) == pytest.approx(1.5 * np.log(2_000), abs=0.8)


def test_one_clip_that_sticks_out_does_not_decide_the_level_alone() -> None:
    best = np.linspace(0.0, 4.0, 1_000)
    alone = np.append(best, 9.0)
    assert once_an_hour(alone, 10.0) - once_an_hour(best, 10.0) < 0.5
    assert once_an_hour(alone, 0.9) < 9.0


def test_a_tail_that_is_not_exponential_does_not_hide_what_was_false() -> None:
    best = np.concatenate([np.linspace(0.0, 1.0, 1_000), np.full(12, 5.0)])
    assert once_an_hour(best, 10.0) > 5.0


def test_a_clip_is_as_high_as_its_highest_window() -> None:
    made = replace(windows(np.random.default_rng(4), 4), clip=np.array([0, 0, 2, 2]))
    assert highest(made, np.array([1.0, 3.0, -1.0, -2.0]), 3).tolist() == [3.0, -30.0, -1.0]


def test_a_source_that_is_held_out_does_not_speak_for_itself() -> None:
    made = windows(np.random.default_rng(6))
    turned = replace(made, is_true=np.where(made.source == 1, ~made.is_true, made.is_true))
    before, after = crossfitted(made, made.source), crossfitted(turned, turned.source)
    assert np.array_equal(before[made.source == 1], after[made.source == 1])
    assert not np.array_equal(before[made.source == 0], after[made.source == 0])


def test_an_alarm_is_as_high_as_the_threshold_at_which_it_would_still_open() -> None:
    made = replace(windows(np.random.default_rng(7), 8), clip=np.repeat([0, 1], 4), row=np.tile([0, 1, 3, 4], 2))
    level = np.array([6.0] * 4 + [6.0, -1.0, -1.0, 6.0])
    every = np.arange(5)
    lasting, in_bits = adding_up(made, level, [np.array([0, 1, 3, 4]), every])
    assert lasting == pytest.approx(6.0, abs=0.5)  # two seconds of it, each counted in full
    assert in_bits < 2.0
    assert adding_up(made, level, [every, every])[0] < lasting  # a step of silence in the middle


def test_what_is_kept_of_a_clip_gives_the_very_scores_that_the_agent_tells() -> None:
    model = Noting.load(Models(device="cpu"))
    rng = np.random.default_rng(5)
    sound = np.zeros(3 * RATE_HZ)
    sound[RATE_HZ : 2 * RATE_HZ] = rng.normal(0, 0.3, RATE_HZ) * np.exp(-np.arange(RATE_HZ) / 3_000)
    samples = (sound * 32_767).clip(-32_768, 32_767).astype(np.int16)
    listener = Listener(model, again_s=AGAIN_S, after_end_s=AFTER_END_S)
    live = [*listener.hear(SoundBlock(camera="dev", at_ns=0, samples=samples / np.float32(32_768))), *listener.finish()]
    kept = take(samples, model).scored(model)
    assert [one.at_ns for one in kept] == [one.at_ns for one in live]
    assert any(one.between for one in kept)
    for one, other in zip(kept, live, strict=True):
        assert [(s.label, s.prob, s.llr) for s in one.scores] == [(s.label, s.prob, s.llr) for s in other.scores]
        for score, said in zip(one.scores, other.scores, strict=True):
            assert score.alarm_llr == (None if said.alarm_llr is None else pytest.approx(said.alarm_llr, abs=0.02))


def test_a_source_is_held_out_whole_but_footage_by_recordings() -> None:
    def clip(part: str, group: str) -> Clip:
        nothing = np.zeros((0, 128), np.float16)
        return Clip(
            (), np.zeros(0, int), nothing, np.zeros((0, 6)), frozenset(), frozenset(), group, "a source", part, 0.1
        )

    groups = [f"g{index}" for index in range(40)]
    assert len({held_out_as(clip("outside", group)) for group in groups}) == 1
    assert len({held_out_as(clip("footage", group)) for group in groups}) == FOLDS


def test_what_other_rates_would_find_is_read_off_the_hard_clips() -> None:
    def clip(labels: str, part: str, hours: float) -> Clip:
        none = np.zeros((0, 6))
        said = frozenset({labels} - {""}), frozenset[str]()
        return Clip((), np.zeros(0, np.int64), none.astype(np.float16), none, *said, "", "", part, hours)

    shots = [clip("gunshot", "dev", 0.1) for _ in range(4)]
    hard = [clip("", "outside", 0.5) for _ in range(8)]
    learned = clip("", "train", 0.5)
    level = dict(enumerate([9.5, 6.5, 4.5, 0.5, *range(10, 2, -1), 20]))  # false at 10, 9, 8, ... in 4 h
    told = traded([*shots, *hard, learned], Fitted("gunshot", 7.0, None, {}, level, set(), 0, 4.0))
    assert "dev 0.25 0.50 0.75 0.75 of 4" in told
